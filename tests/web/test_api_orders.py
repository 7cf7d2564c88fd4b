"""An advertiser's orders and leads over HTTP: what became of each, by which ad, and what it cost."""

from typing import Any

import msgspec
import pytest

from adserver.domain.pricing import AdEvent
from adserver.writes import Conversion, CreditConversion, RecordAd, Result, StoreEvent
from pixel.events import Event, EventName
from tests.domain.makers import DAY_MS
from tests.web.api import NOW_MS, Api, World, key_behind, make_record, reserve, sell

TOUCH = 4711
PRICE = 1_000


def listed(api: Api, world: World, key: str | None = None, **asked: object) -> list[dict[str, Any]]:
    path = f"/advertisers/{world.advertiser}/conversions"
    answer = api.call("GET", path, key=key, params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def click(api: Api, world: World, ago_ms: int) -> None:
    """An ad that was seen, and clicked a minute later."""
    seen, clicked = (make_record(world, event, TOUCH, 0) for event in (AdEvent.IMPRESSION, AdEvent.CLICK))
    records = (
        msgspec.structs.replace(seen, at_ms=NOW_MS - ago_ms - 60_000),
        msgspec.structs.replace(clicked, at_ms=NOW_MS - ago_ms),
    )
    api.storage.writer.commit(RecordAd(records))


def order(api: Api, world: World, key: int, at_ms: int = NOW_MS) -> None:
    """A browser's order, credited to the ad that was clicked; pending."""
    event = Event(EventName.PURCHASE, order_id=f"{key:x}", value_micros=89_000_000, currency="EUR")
    advertiser_key = key_behind(world.advertiser)
    api.storage.writer.commit(
        StoreEvent(key, advertiser_key, 0, first=False, event=event, at_ms=at_ms, conversion_key=key)
    )
    record = make_record(world, AdEvent.CONVERSION, key, PRICE)
    write = CreditConversion(key, False, record, touch_impression_id=TOUCH, reserve=True)
    assert api.storage.writer.commit(write).result is Result.PENDING


def test_a_pending_order_tells_its_ad_its_price_and_when_it_approves_itself(api: Api, world: World) -> None:
    click(api, world, 2 * DAY_MS)
    order(api, world, 500)
    (told,) = listed(api, world, world.advertiser_key, state="pending")
    assert (told["state"], told["told_by"], told["event"]) == ("pending", "browser", "purchase")
    assert (told["campaign_id"], told["amount_micros"], told["currency"]) == (world.campaign, PRICE, "EUR")
    assert (told["value_micros"], told["value_currency"]) == (89_000_000, "EUR")
    assert (told["click_at"], told["impression_at"]) == (
        "2026-11-16T11:06:40.000Z",
        "2026-11-16T11:05:40.000Z",
    )
    assert (told["arrived_at"], told["approves_at"]) == (
        "2026-11-18T11:06:40.000Z",
        "2026-12-02T11:06:40.000Z",
    )


def test_what_is_settled_says_how_and_what_of_it_went_back(api: Api, world: World) -> None:
    declined = reserve(api, world)
    api.call("POST", f"/conversions/{declined}/decline", {"reason": "sent back"})
    charge_id = sell(api, world)
    body = {"charge_id": charge_id, "refund_id": "r-1", "amount_micros": 500_000, "reason": "one of two"}
    assert api.call("POST", "/refunds", body, headers={"Idempotency-Key": "r"}).status_code == 200
    (sold,) = listed(api, world, state="taken")
    assert (sold["told_by"], sold["amount_micros"], sold["refunded_micros"]) == ("server", 2_000_000, 500_000)
    (gone,) = listed(api, world, state="declined")
    assert (gone["id"], gone["reason"], gone["approves_at"]) == (declined, "sent back", None)
    assert listed(api, world, state="pending") == []
    assert {one["id"] for one in listed(api, world)} == {sold["id"], declined}


@pytest.mark.parametrize("state", [None, "pending"])
def test_pages_have_no_gaps_and_pending_ones_come_in_the_order_they_fall_due(
    api: Api, world: World, state: str | None
) -> None:
    for number in range(5):
        order(api, world, 500 + number, NOW_MS - (number % 2) * DAY_MS)
    asked: dict[str, object] = {"limit": 2} | ({"state": state} if state else {})
    path, found, cursor = f"/advertisers/{world.advertiser}/conversions", [], None
    while True:
        page = api.call("GET", path, params=asked | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    times = [one["arrived_at"] for one in found]
    assert len({one["id"] for one in found}) == 5
    assert times == sorted(times, reverse=state is None)


def test_days_are_the_advertisers_own(api: Api, world: World) -> None:
    order(api, world, 500)
    day = "2026-11-18"
    assert len(listed(api, world, **{"from": day, "to": day})) == 1
    assert listed(api, world, to="2026-11-17") == listed(api, world, **{"from": "2026-11-19"}) == []
    wrong = {"from": "2026-11-19", "to": day}
    answer = api.call("GET", f"/advertisers/{world.advertiser}/conversions", params=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_period")


def test_an_order_is_found_by_its_own_number(api: Api, world: World) -> None:
    sell(api, world, "R-1001")
    sell(api, world, "R-1002")
    (found,) = listed(api, world, order_id="R-1002")
    assert found["state"] == "taken"
    assert listed(api, world, order_id="R-1002", event="sign_up") == listed(api, world, order_id="R-9") == []


def test_what_a_server_told_again_is_listed_once(api: Api, world: World) -> None:
    key = 500
    order(api, world, key)
    with_server = make_record(world, AdEvent.CONVERSION, key, PRICE)
    arrival = Conversion(
        key, key_behind(world.advertiser), EventName.PURCHASE, True, True, 0, None, None, None, NOW_MS, NOW_MS
    )
    assert (
        api.storage.writer.commit(CreditConversion(key, True, with_server, arrival=arrival)).result == "taken"
    )
    (told,) = listed(api, world)
    assert (told["told_by"], told["state"]) == ("server", "taken")


@pytest.mark.parametrize("asked", [{"state": "odd"}, {"limit": 0}, {"cursor": "x"}, {"from": "yesterday"}])
def test_a_question_that_cannot_be_meant_is_refused(api: Api, world: World, asked: dict[str, Any]) -> None:
    answer = api.call("GET", f"/advertisers/{world.advertiser}/conversions", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_anothers_orders_do_not_exist(api: Api, world: World) -> None:
    other = World(api, "B")
    order(api, world, 500)
    path = f"/advertisers/{world.advertiser}/conversions"
    assert api.call("GET", path, key=other.advertiser_key).status_code == 404
    assert api.call("GET", path, key=world.publisher_key).status_code == 403
    assert listed(api, other) == []
