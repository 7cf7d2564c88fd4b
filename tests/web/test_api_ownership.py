"""Nobody reads or changes what is another's: asked of every route, as the app itself lists them."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from adserver.web.app import api_addresses, openapi
from adserver.writes import Result, StoreEvent
from pixel.cookie import party_id
from pixel.events import EventName
from tests.contract.stores import make_sample
from tests.creatives.samples import make_picture
from tests.domain.makers import DAY_MS, NOW_MS, make_event
from tests.web.api import (
    PARTIES,
    Api,
    World,
    advertiser_body,
    audience_body,
    campaign_body,
    cards_body,
    conversion_body,
    everything,
    experiment_body,
    key_behind,
    pool_body,
    product_body,
    reserve,
    sell,
    set_body,
    site_body,
    slot_body,
)

Route = tuple[str, str]

OPEN = {"/openapi.json", "/docs"}
SIGNED = {("POST", f"/hooks/{shop}/{{advertiser_id}}") for shop in ("shopify", "woocommerce")} | {
    (method, "/postback/{advertiser_id}") for method in ("GET", "POST")
}  # by the shop
OPERATORS_ONLY = {
    ("POST", "/advertisers"),
    ("POST", "/publishers"),
    ("GET", "/identity"),
    ("GET", "/network"),
    ("PATCH", "/network"),
    ("GET", "/keys"),
    ("POST", "/keys"),
    ("DELETE", "/keys/{key_id}"),
    ("POST", "/keys/{key_id}/rotate"),
    ("GET", "/network/totals"),
    ("GET", "/network/suspects"),
    ("GET", "/network/health"),
    ("GET", "/network/settings"),
    ("GET", "/jobs"),
    ("GET", "/audit-log"),
    ("POST", "/payout-holds"),
    ("POST", "/payout-holds/{hold_id}/release"),
    ("POST", "/payout-holds/{hold_id}/refund"),
    ("POST", "/deposits"),
    ("POST", "/creatives/{creative_id}/approve"),
    ("POST", "/creatives/{creative_id}/reject"),
}
FOR_EVERYBODY = {("GET", "/proof-key")}
OWN_LISTS = {("GET", "/advertisers"), ("GET", "/publishers")}
OF_BOTH_SIDES = ("/reports", "/saved-reports")  # of an advertiser's, a publisher learns no more than of none
PUBLISHERS_PLACES = ("/publishers", "/sites", "/slots", "/payout-holds")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One server for this file: what is refused changes nothing."""
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    api.close()


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return full_world(api)


def full_world(api: Api) -> World:
    """One in which every route finds something."""
    world = World(api)
    world.approvable, world.declinable = reserve(api, world), reserve(api, world)
    world.charge = sell(api, world, "R-7")
    world.experiment = api.make("/experiments", untried(api, world))["id"]
    world.untried = untried(api, world)
    another = {"name": "To be removed", "query": "", "advertiser_id": world.advertiser}
    world.removable_report = api.make("/saved-reports", another)["id"]
    api.storage.writer.commit(make_sample(at_ms=NOW_MS - DAY_MS))
    world.slots = [api.make("/slots", slot_body(world.site))["id"] for _ in range(3)]
    world.hold, world.released = (
        api.make("/payout-holds", hold_body(world.publisher, slot))["id"] for slot in world.slots[:2]
    )
    world.approvable_import, world.rejectable_import = shrunk_import(api, world), shrunk_import(api, world)
    return world


def hold_body(publisher: str, slot: str) -> dict[str, object]:
    return {"publisher_id": publisher, "slot_id": slot, "since": "2026-11-01T00:00:00Z", "reason": "odd"}


def untried(api: Api, of: World) -> dict[str, object]:
    """An experiment with two creatives of a new campaign."""
    campaign = api.make("/campaigns", campaign_body(of.advertiser))["id"]
    creatives = [api.make("/creatives", cards_body(campaign))["id"] for _ in range(2)]
    return experiment_body(campaign, creatives)


def shrunk_import(api: Api, of: World) -> tuple[str, str]:
    """A feed and an import of it that waits for a yes."""
    feed = api.make(f"/advertisers/{of.advertiser}/feeds", {})["id"]
    path = f"/advertisers/{of.advertiser}/feeds/{feed}/import"
    assert api.call("POST", path, content=feed_of(f"{feed}-", 20)).status_code == 200
    refused = api.call("POST", path, content=feed_of(f"{feed}-", 9)).json()
    assert refused["waits"], refused
    return feed, refused["import_id"]


def feed_of(prefix: str, count: int) -> bytes:
    rows = "".join(
        f"<item><g:id>{prefix}{n}</g:id><title>Hat</title><link>https://shop.example/{n}</link>"
        "<g:price>10.00 EUR</g:price></item>"
        for n in range(count)
    )
    return f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{rows}</channel></rss>'.encode()


@pytest.fixture(scope="module")
def other(api: Api) -> World:
    return World(api, "B")


def bodies(of: World) -> dict[Route, object]:
    """A sound body for each route that has one, naming the ids of `of`."""
    return {
        ("PATCH", "/advertisers/{advertiser_id}"): {"name": "Mine now"},
        ("PATCH", "/advertisers/{advertiser_id}/products"): {
            "products": [{"item_id": of.item, "price_micros": 1}]
        },
        ("PUT", "/advertisers/{advertiser_id}/products/{item_id}"): product_body(),
        ("POST", "/advertisers/{advertiser_id}/feeds"): {},
        ("PATCH", "/advertisers/{advertiser_id}/feeds/{feed_id}"): {},
        ("POST", "/advertisers/{advertiser_id}/product-sets"): set_body(),
        ("POST", "/advertisers/{advertiser_id}/product-sets/preview"): {"inclusions": [{"on_sale": True}]},
        ("PATCH", "/advertisers/{advertiser_id}/product-sets/{product_set_id}"): {"name": "Mine now"},
        ("PUT", "/advertisers/{advertiser_id}/hooks/{shop}"): {"secret": "0123456789abcdef"},
        ("POST", "/campaigns"): campaign_body(of.advertiser),
        ("PATCH", "/campaigns/{campaign_id}"): {"name": "Mine now", "status": "paused"},
        ("POST", "/campaigns/{campaign_id}/replay"): {"change": {"rate_micros": 300_000}},
        ("POST", "/decisions/explain"): {"slot_id": of.slot, "advertiser_id": of.advertiser},
        ("POST", "/audiences"): audience_body(of.advertiser),
        ("POST", "/audiences/preview"): audience_body(of.advertiser),
        ("PATCH", "/audiences/{audience_id}"): {"name": "Mine now", "exclusions": []},
        ("POST", "/saved-reports"): {"name": "Mine", "query": "", "advertiser_id": of.advertiser},
        ("PATCH", "/saved-reports/{saved_report_id}"): {"name": "Mine now"},
        ("POST", "/experiments"): of.untried,
        ("PATCH", "/experiments/{experiment_id}"): {"name": "Mine now"},
        ("POST", "/advertisers/{advertiser_id}/suppression-lists"): {"name": "Mine"},
        ("PATCH", "/advertisers/{advertiser_id}/suppression-lists/{list_id}"): {"active": False},
        ("POST", "/advertisers/{advertiser_id}/suppression-lists/{list_id}/visitors"): visitor_id(of),
        ("PUT", "/advertisers/{advertiser_id}/suppression-lists/{list_id}/visitors"): visitor_id(of),
        ("POST", "/creatives"): cards_body(of.campaign),
        ("POST", "/campaigns/launch"): {
            "campaign": campaign_body(of.advertiser),
            "creative": {"template": "cards", "brand": {"name": "Mine"}},
        },
        ("PATCH", "/creatives/{creative_id}"): {"brand": {"name": "Mine now"}},
        ("POST", "/creatives/{creative_id}/reject"): {"reason": "misleading"},
        ("PATCH", "/publishers/{publisher_id}"): {"name": "Mine now"},
        ("POST", "/sites"): site_body(of.publisher),
        ("PATCH", "/sites/{site_id}"): {"name": "Mine now"},
        ("POST", "/slots"): slot_body(of.site),
        ("PATCH", "/slots/{slot_id}"): {"name": "Mine now"},
        ("POST", "/offer-pools"): pool_body(of.advertiser),
        ("PATCH", "/offer-pools/{pool_id}"): {"name": "Mine now"},
        ("POST", "/offer-pools/{pool_id}/codes"): {"codes": ["FREE-1", "FREE-2"]},
        ("POST", "/offers/check"): {"advertiser_id": of.advertiser, "code": "FREE-1"},
        ("POST", "/offers/redeem"): {"advertiser_id": of.advertiser, "code": "FREE-1", "order_id": "R-9"},
        ("POST", "/events"): {"advertiser_id": of.advertiser, "events": [{"name": "view_item"}]},
        ("POST", "/conversions"): conversion_body(of.advertiser),
        ("POST", "/conversions/{conversion_id}/decline"): {"reason": "returned"},
        ("POST", "/conversions/cancel"): {
            "advertiser_id": of.advertiser,
            "event": "purchase",
            "order_id": "R-8",
            "reason": "returned",
        },
        ("POST", "/conversions/settle"): "order_id,decision,reason\nR-9,approve,\n",
        ("POST", "/advertisers/{advertiser_id}/media"): make_picture(),
        ("POST", "/refunds"): {"advertiser_id": of.advertiser, "order_id": "R-7", "reason": "returned"},
        ("POST", "/deposits"): {"advertiser_id": of.advertiser, "amount_micros": 1, "reference": "B-1"},
        ("POST", "/advertisers"): advertiser_body(),
        ("POST", "/publishers"): {"name": "Mine"},
        ("PATCH", "/network"): {"name": "Mine now"},
        ("POST", "/keys"): {"name": "Mine", "scope": "operator"},
        ("POST", "/payout-holds"): hold_body(of.publisher, of.slots[2]),
    }


def filters(of: World) -> dict[Route, dict[str, str]]:
    """What lists are asked for by: the ids of `of`."""
    return {
        ("GET", "/audiences"): {"advertiser_id": of.advertiser},
        ("GET", "/reports"): {"advertiser_id": of.advertiser},
        ("GET", "/saved-reports"): {"advertiser_id": of.advertiser},
        ("GET", "/experiments"): {"advertiser_id": of.advertiser},
        ("GET", "/audiences/{audience_id}/overlap"): {"with": of.audience},
        ("GET", "/campaigns"): {"advertiser_id": of.advertiser},
        ("GET", "/creatives"): {"campaign_id": of.campaign},
        ("GET", "/offer-pools"): {"advertiser_id": of.advertiser},
        ("GET", "/payout-holds"): {"publisher_id": of.publisher},
        ("GET", "/sites"): {"publisher_id": of.publisher},
        ("GET", "/slots"): {"site_id": of.site},
        ("GET", "/conversions"): {"advertiser_id": of.advertiser},
        ("POST", "/conversions/settle"): {"advertiser_id": of.advertiser},
        ("GET", "/refunds"): {"advertiser_id": of.advertiser},
        ("GET", "/deposits"): {"advertiser_id": of.advertiser},
        ("GET", "/advertisers/{advertiser_id}/consents"): {"visitor": visitor_id(of)},
        ("GET", "/advertisers/{advertiser_id}/outlook"): {"pricing_model": "cpc", "rate_micros": "5000"},
    }


def visitor_id(of: World) -> str:
    """Somebody, as this advertiser knows them."""
    return party_id(4_242, key_behind(of.advertiser), PARTIES)


def visit(api: Api, of: World) -> None:
    """Have that somebody look at a product of the advertiser's."""
    seen = make_event(EventName.VIEW_ITEM, "boots")
    write = StoreEvent(secrets.randbelow(2**63), key_behind(of.advertiser), 4_242, False, seen, api.now_ms)
    assert api.storage.writer.commit(write).result is Result.ACCEPTED


def routes() -> list[Route]:
    """Every method and path under /api/v1 that needs a key, as the app names them."""
    named = (address.split(" /api/v1") for address in api_addresses())
    return [(method, path) for method, path in named if path not in OPEN and (method, path) not in SIGNED]


ROUTES = routes()


def ask(api: Api, route: Route, of: World, key: str) -> Any:
    """Ask a route with the ids of `of` and somebody's key."""
    method, path = route
    waits = of.approvable_import if path.endswith("/approve") else of.rejectable_import
    ids = {
        "advertiser_id": of.advertiser,
        "import_id": waits[1],
        "audience_id": of.audience,
        "campaign_id": of.campaign,
        "experiment_id": of.experiment,
        "saved_report_id": of.removable_report if method == "DELETE" else of.saved_report,
        "creative_id": of.creative,
        "publisher_id": of.publisher,
        "site_id": of.site,
        "slot_id": of.slot,
        "feed_id": of.needless_feed if method == "DELETE" else waits[0] if "/imports" in path else of.feed,
        "item_id": of.item,
        "product_set_id": of.product_set,
        "pool_id": of.pool,
        "list_id": of.suppression_list,
        "conversion_id": of.approvable if path.endswith("/approve") else of.declinable,
        "charge_id": of.charge,
        "key_id": "key_0000000000000",
        "hold_id": of.released if path.endswith("/release") else of.hold,
        "month": "2026-11",
        "name": "320x50.gif",
        "shop": "shopify",
    }
    headers = {"Idempotency-Key": f"{path}-{key}"} if method == "POST" else {}
    params = filters(of).get(route, {})
    body = bodies(of).get(route)
    file = {"content": body} if isinstance(body, str | bytes) else {"body": body}
    return api.call(method, path.format(**ids), key=key, params=params, headers=headers, **file)


def test_the_routes_asked_are_all_that_the_app_has(api: Api) -> None:
    described = openapi()["paths"]
    has = {(method.upper(), path.removeprefix("/api/v1")) for path in described for method in described[path]}
    assert has == {*ROUTES, *SIGNED}
    assert len(ROUTES) >= 30


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_another_accounts_ids_do_not_exist_and_nothing_changes(
    api: Api, world: World, other: World, route: Route
) -> None:
    before = everything(api)
    own_side = route[1].startswith(PUBLISHERS_PLACES)
    for key in (other.advertiser_key, other.publisher_key):
        response = ask(api, route, world, key)
        wrong_side = (key == other.publisher_key) is not own_side
        wrong_side = wrong_side and not route[1].startswith(OF_BOTH_SIDES)
        open_to_all = route in OWN_LISTS | FOR_EVERYBODY
        closed = route in OPERATORS_ONLY or (wrong_side and route not in FOR_EVERYBODY)
        expected = 403 if closed else 200 if open_to_all else 404
        assert response.status_code == expected, response.text
        for id_ in (world.advertiser, world.campaign, world.creative, world.site, world.slot, world.feed):
            assert id_ not in response.text
    assert everything(api) == before


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_the_same_requests_succeed_for_their_owner(api: Api, world: World, route: Route) -> None:
    """Else the test above would prove nothing: a request may be refused for being unsound."""
    if route in OPERATORS_ONLY:
        key = api.operator
    else:
        key = world.publisher_key if route[1].startswith(PUBLISHERS_PLACES) else world.advertiser_key
    if route[1].endswith("/visitors"):
        visit(api, world)
    response = ask(api, route, world, key)
    if route[1].startswith("/keys/{key_id}"):
        assert response.status_code == 404
    elif route[1].endswith("/import"):
        assert response.json()["code"] == "nothing_to_import"
    else:
        assert response.status_code in (200, 201, 204), response.text


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_no_route_answers_without_a_key(api: Api, world: World, route: Route) -> None:
    assert ask(api, route, world, "").status_code == 401


def test_a_campaign_cannot_borrow_anothers_audience_or_creative(api: Api, world: World, other: World) -> None:
    """Not even the operator can mix accounts; and nobody learns whether what they name exists."""
    path = f"/campaigns/{world.campaign}"
    before = everything(api)
    for key in (world.advertiser_key, api.operator):
        for audience in (other.audience, "aud_0000000000000"):
            response = api.call("PATCH", path, {"audiences": [{"audience_id": audience}]}, key)
            assert (response.status_code, response.json()["code"]) == (422, "unknown_audience")
        for creative in (other.creative, "crv_0000000000000"):
            named = {"audience_id": world.audience, "creative_ids": [creative]}
            response = api.call("PATCH", path, {"audiences": [named]}, key)
            assert (response.status_code, response.json()["code"]) == (422, "unknown_creative")
    assert everything(api) == before


def test_an_audience_stays_with_its_advertiser(api: Api, world: World, other: World) -> None:
    path = f"/audiences/{world.audience}"
    response = api.call("PATCH", path, {"advertiser_id": other.advertiser})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_a_feed_is_reached_through_its_own_advertiser_only(api: Api, world: World, other: World) -> None:
    path = f"/advertisers/{other.advertiser}/feeds/{world.feed}"
    for key in (other.advertiser_key, api.operator):
        assert api.call("GET", path, key=key).status_code == 404
        assert api.call("POST", f"{path}/import", content=b"<rss/>", key=key).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"domains": ["evil.test"]},
        {"validation_days": 90},
        {"refund_days": 90},
        {"country": "DE"},
        {"currency": "USD"},
        {"prepaid": True},
        {"categories": ["Toys"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_advertisers_do_not_change_what_the_operator_vouches_for(
    api: Api, world: World, change: dict[str, object]
) -> None:
    path = f"/advertisers/{world.advertiser}"
    before = api.call("GET", path).json()
    assert api.call("PATCH", path, change, world.advertiser_key).status_code == 403
    assert api.call("GET", path).json() == before
    same = {name: before[name] for name in change}
    assert api.call("PATCH", path, same | {"name": "New"}, world.advertiser_key).status_code == 200


def test_publishers_do_not_raise_their_own_share(api: Api, world: World) -> None:
    path = f"/publishers/{world.publisher}"
    refused = api.call("PATCH", path, {"revenue_share_bps": 10_000}, world.publisher_key)
    assert refused.status_code == 403
    assert api.call("GET", path).json()["revenue_share_bps"] == 7_000
    assert api.call("PATCH", path, {"revenue_share_bps": 8_000}).status_code == 200


def test_a_revoked_key_is_nobody_at_once(api: Api, world: World) -> None:
    made = api.make("/keys", {"name": "x", "scope": "advertiser", "owner_id": world.advertiser})
    assert api.call("DELETE", f"/keys/{made['id']}").status_code == 204
    for route in ROUTES:
        assert ask(api, route, world, made["secret"]).status_code == 401
