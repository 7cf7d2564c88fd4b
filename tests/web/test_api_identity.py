"""Shops, publishers and the operator read by what browsers were known; the operator alone releases a hold."""

from collections.abc import Iterator

import pytest

from adserver.writes import AddCounts
from tests.pixel.test_robots import PEOPLE
from tests.web.api import NOW_MS, Api, World, key_behind
from tests.web.visiting import NEWS, Visiting

HOUR_MS = 3_600_000
HOUR = NOW_MS - NOW_MS % HOUR_MS
CHROME = PEOPLE[0]
SAFARI = next(one for one in PEOPLE if "CriOS" in one)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    street = Visiting(tmp_path_factory.mktemp("identity"))
    yield street
    street.close()


def told(api: Api, owner: str | None, hour_ms: int = HOUR, **n_by_name: int) -> None:
    key = 0 if owner is None else key_behind(owner)
    rows = tuple((hour_ms, f"identity_{name}", key, n) for name, n in n_by_name.items())
    api.storage.writer.commit(AddCounts(rows))


def report(street: Visiting) -> None:
    """What the worker counted is on disk: what is committed after it is behind it in the queue."""
    street.server.report_counts()
    street.storage.writer.commit(AddCounts(()))


def test_what_browsers_did_is_read_by_shop_slot_publisher_and_operator(street: Visiting) -> None:
    chrome, iphone = (street.browser(**{"User-Agent": one}) for one in (CHROME, SAFARI))
    shop = {"Referer": "https://shop.example/"}

    def view(browser: object, **headers: str) -> None:
        asked = {"m": street.merchant, "e": "view_item", "id": "boots"}
        browser.ask("GET", "/m/e", params=asked, headers=shop | headers)  # type: ignore[attr-defined]

    for _ in range(11):
        view(chrome)
        view(chrome, **{"Sec-Fetch-Site": "same-origin"})
        chrome.slot()
        iphone.ask("GET", f"/slot/{street.slot}", headers=NEWS)
        iphone.ask("GET", f"/slot/{street.slot}", headers=NEWS, params={"consent": "0"})
    report(street)
    read = street.change  # any method: it asks as the operator
    pixel = read("GET", f"/advertisers/{street.advertiser}/identity")["pixel"]
    kinds = {(one["kind"], one["family"]): one["requests"] for one in pixel["groups"]}
    assert kinds == {("first_party", "chrome"): 11, ("cookie", "chrome"): 10, ("(other)", "(other)"): 1}
    assert pixel["families"][0] == {
        "kind": None, "family": "chrome", "requests": 21, "share": 0.9545, "window_days": 390,
    }  # fmt: skip
    publisher = read("GET", f"/sites/{street.site}")["publisher_id"]
    slots = read("GET", f"/slots/{street.slot}/identity")["slots"]
    assert {(one["kind"], one["family"]): one["requests"] for one in slots["groups"]} == {
        ("cookie", "chrome"): 11, ("none", "safari"): 11, ("refused", "safari"): 11,
    }  # fmt: skip
    assert (slots["unknown_share"], slots["refused_share"]) == (0.3333, 0.3333)
    assert read("GET", f"/publishers/{publisher}/identity")["slots"] == slots
    everywhere = read("GET", "/identity")
    assert (everywhere["pixel"], everywhere["slots"]) == (pixel, slots)


def test_robots_strangers_and_test_visitors_are_in_no_figure(street: Visiting) -> None:
    path = f"/slots/{street.slot}/identity"
    before = street.change("GET", path)["slots"]["requests"]
    street.browser().ask("GET", f"/slot/{street.slot}", headers={"Referer": "https://elsewhere.example/"})
    street.browser(Cookie="rt-test=1").slot()
    street.browser().ask("HEAD", f"/slot/{street.slot}", headers=NEWS)
    report(street)
    assert street.change("GET", path)["slots"]["requests"] == before


def test_of_a_user_agent_nothing_reaches_the_disk_but_its_family(street: Visiting) -> None:
    street.browser(**{"User-Agent": f"{CHROME} Zyzzyva/9.8"}).slot()
    report(street)
    for file in street.storage.path.parent.glob("adserver.db*"):
        assert b"Zyzzyva" not in file.read_bytes()


def test_a_period_is_asked_by_whole_hours_and_is_a_week_by_default(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/identity"
    for hours_ago, n in ((0, 20), (1, 30), (24 * 7, 40), (24 * 7 + 1, 50)):
        told(api, world.advertiser, HOUR - hours_ago * HOUR_MS, pixel_cookie_chrome=n)

    def requests(**asked: str) -> int:
        answer = api.call("GET", path, key=world.advertiser_key, params=asked)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["pixel"]["requests"])

    assert requests() == 90
    assert requests(**{"from": "2026-11-18T10:30:00Z"}) == 50
    assert requests(**{"from": "2026-11-18T10:30:00Z", "to": "2026-11-18T11:00:00Z"}) == 30
    answer = api.call("GET", path, params={"from": "2026-11-18T10:30:00Z"}).json()
    assert (answer["from"], answer["to"]) == ("2026-11-18T10:00:00.000Z", "2026-11-18T11:06:40.000Z")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"from": "2026-11-18T00:00:00Z", "to": "2026-11-17T00:00:00Z"}, "bad_period"),
        ({"from": "2026-11-19T00:00:00Z"}, "bad_period"),
        ({"from": "2025-10-01T00:00:00Z"}, "bad_period"),
        ({"from": "yesterday"}, "invalid_request"),
        ({"since": "2026-11-18T00:00:00Z"}, "invalid_request"),
    ],
)
def test_what_is_no_period_is_refused_by_name(
    api: Api, world: World, asked: dict[str, str], code: str
) -> None:
    for path in ("/identity", f"/slots/{world.slot}/identity", f"/advertisers/{world.advertiser}/identity"):
        answer = api.call("GET", path, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_without_a_request_there_are_no_shares(api: Api, world: World) -> None:
    slots = api.call("GET", f"/slots/{world.slot}/identity").json()["slots"]
    assert slots == {
        "requests": 0, "groups": [], "kinds": [], "families": [], "unknown_share": None, "refused_share": None,
    }  # fmt: skip


# ---- the hold ----


def test_the_operator_alone_holds_and_releases_what_pages_assert(api: Api, world: World) -> None:
    own = (
        (f"/advertisers/{world.advertiser}", world.advertiser_key),
        (f"/sites/{world.site}", world.publisher_key),
    )
    for path, key in own:
        assert api.call("GET", path, key=key).json()["consent_hold"] == "none"
        held = api.call("PATCH", path, {"consent_hold": "held"}).json()
        assert (held["consent_hold"], held["consent_held_at"]) == ("held", "2026-11-18T11:06:40.000Z")
        for wished in ("released", "none"):
            refused = api.call("PATCH", path, {"consent_hold": wished}, key)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        renamed = api.call("PATCH", path, {"name": "Another"}, key).json()
        assert (renamed["consent_hold"], renamed["consent_held_at"]) == ("held", held["consent_held_at"])
        released = api.call("PATCH", path, {"consent_hold": "released"}).json()
        assert (released["consent_hold"], released["consent_held_at"]) == ("released", None)
        assert api.call("PATCH", path, {"consent_hold": "maybe"}).json()["code"] == "invalid_request"
        assert api.call("PATCH", path, {"consent_hold": None}).json()["code"] == "invalid_request"


def test_a_shop_that_is_held_is_told_what_to_do(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}"
    api.call("PATCH", path, {"consent_hold": "held"})
    findings = api.call("GET", f"{path}/pixel", key=world.advertiser_key).json()["findings"]
    (held,) = [one for one in findings if one["code"] == "consent_held"]
    assert held["severity"] == "error" and "granted: false" in held["message"]
    api.call("PATCH", path, {"consent_hold": "released"})
    after = api.call("GET", f"{path}/pixel", key=world.advertiser_key).json()["findings"]
    assert "consent_held" not in {one["code"] for one in after}
