"""What API keys may do: all routes are asked with a key that only reads, and one that only tells events."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adserver.domain.visitor import DAY_MS
from tests.domain.makers import NOW_MS
from tests.web.api import Api, World, everything
from tests.web.test_api_ownership import OPERATORS_ONLY, ROUTES, Route, ask, full_world

PUBLISHERS = ("/publishers", "/sites", "/slots", "/payout-holds")
LOOKED_AT = "live_watches"  # a look has it kept for some minutes, by whomever
TELLING = {("POST", "/events"), ("POST", "/conversions")}
SECRET = {("GET", "/advertisers/{advertiser_id}/postback"), ("GET", "/advertisers/{advertiser_id}/webhook")}
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    api.close()


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return full_world(api)


@pytest.fixture(scope="module")
def narrow(api: Api, world: World) -> dict[str, str]:
    """Texts of keys by what they are for."""
    shop = {"scope": "advertiser", "owner_id": world.advertiser}
    drafts = {
        "network": {"scope": "operator", "access": "read"},
        "shop": {**shop, "access": "read"},
        "press": {"scope": "publisher", "owner_id": world.publisher, "access": "read"},
        "events": {**shop, "access": "events"},
    }
    return {name: str(api.make("/keys", {"name": name, **draft})["secret"]) for name, draft in drafts.items()}


def reader_of(route: Route) -> str:
    if route in OPERATORS_ONLY:
        return "network"
    return "press" if route[1].startswith(PUBLISHERS) else "shop"


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_a_key_that_reads_changes_nothing_and_learns_no_secret(
    api: Api, world: World, narrow: dict[str, str], route: Route
) -> None:
    before = unwatched(api)
    answer = ask(api, route, world, narrow[reader_of(route)])
    if route[0] != "GET" or route in SECRET:
        assert (answer.status_code, answer.json()["code"]) == (403, "narrow_key")
    else:
        assert answer.status_code in (200, 404, 409, 422), answer.text
        assert '"secret":"' not in answer.text
    assert unwatched(api) == before


def unwatched(api: Api) -> dict[str, list[Any]]:
    return {name: rows for name, rows in everything(api).items() if name != LOOKED_AT}


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_a_key_for_events_tells_events_and_orders_only(
    api: Api, world: World, narrow: dict[str, str], route: Route
) -> None:
    answer = ask(api, route, world, narrow["events"])
    if route in TELLING:
        assert answer.status_code in (200, 201), answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "narrow_key")


def test_a_key_for_events_is_an_advertisers(api: Api, world: World) -> None:
    for draft in ({"scope": "operator"}, {"scope": "publisher", "owner_id": world.publisher}):
        answer = api.call("POST", "/keys", {"name": "Shop", "access": "events", **draft})
        assert (answer.status_code, answer.json()["code"]) == (422, "events_of_whom")


def test_a_key_ends_when_it_expires(api: Api) -> None:
    at = datetime.fromtimestamp((api.now_ms + DAY_MS) / 1000, UTC).isoformat()
    key = api.make("/keys", {"name": "for a day", "scope": "operator", "expires_at": at})["secret"]
    assert api.call("GET", "/advertisers", key=key).status_code == 200
    api.now_ms += DAY_MS
    try:
        assert api.call("GET", "/advertisers", key=key).status_code == 401
        past = api.call("POST", "/keys", {"name": "late", "scope": "operator", "expires_at": at})
        assert (past.status_code, past.json()["code"]) == (422, "already_past")
    finally:
        api.now_ms = NOW_MS


def test_a_rotated_key_does_the_same_and_the_old_one_ends_a_day_later(api: Api, world: World) -> None:
    draft = {"name": "shop", "scope": "advertiser", "owner_id": world.advertiser, "access": "events"}
    old = api.make("/keys", draft)
    new = api.call("POST", f"/keys/{old['id']}/rotate").json()
    assert {name: new[name] for name in draft} == draft
    assert new["id"] != old["id"]
    assert new["secret"].startswith(new["hint"])
    events = {"events": [{"name": "view_item"}]}
    for key in (old["secret"], new["secret"]):
        assert api.call("POST", "/events", events, key).status_code == 200
    api.now_ms += DAY_MS
    try:
        assert api.call("POST", "/events", events, old["secret"]).status_code == 401
        assert api.call("POST", "/events", events, new["secret"]).status_code == 200
        over = api.call("POST", f"/keys/{old['id']}/rotate")
        assert (over.status_code, over.json()["code"]) == (409, "key_over")
    finally:
        api.now_ms = NOW_MS


def test_the_hour_of_the_last_request_is_told(api: Api) -> None:
    made = api.make("/keys", {"name": "busy", "scope": "operator"})
    assert listed(api, made["id"])["last_used_at"] is None
    for _ in range(3):
        api.call("GET", "/advertisers", key=made["secret"])
    api.report_counts()
    hour = datetime.fromtimestamp((api.now_ms - api.now_ms % HOUR_MS) / 1000, UTC)
    assert datetime.fromisoformat(str(listed(api, made["id"])["last_used_at"])) == hour


def listed(api: Api, key_id: object) -> dict[str, object]:
    items = api.call("GET", "/keys", params={"limit": 500}).json()["items"]
    return next(one for one in items if one["id"] == key_id)
