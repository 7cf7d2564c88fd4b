"""Events told by a merchant's own server: each answered on its own, kept once, its order billed once."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from adserver.domain.attribution import conversion_key
from adserver.domain.pricing import AdEvent
from adserver.storage.visitors import decode_event
from adserver.web.schemas.fields import write_time
from adserver.writes import ForgetVisitor, Outcome, RecordAd, Result, StoreEvent
from pixel.cookie import party_id
from pixel.events import Event, EventName
from tests.web.api import (
    NOW_MS,
    PARTIES,
    Api,
    World,
    campaign_body,
    click_id,
    everything,
    key_behind,
    make_record,
)

CONSENT = {"granted": True, "cmp": "Shop banner", "time": NOW_MS // 1000 - 60}
VISITOR = 4_242_424_242
PRICE = 2_000_000


@pytest.fixture
def shop(api: Api) -> World:
    """A merchant one of whose visitors is known."""
    world = World(api)
    for event_key in (1, 2):
        look = Event(EventName.VIEW_ITEM, event_id=f"look-{event_key}")
        write = StoreEvent(event_key, key_behind(world.advertiser), VISITOR, False, look, NOW_MS)
        assert api.storage.writer.commit(write).result == "accepted"
    return world


def visitor(world: World) -> str:
    return party_id(VISITOR, key_behind(world.advertiser), PARTIES)


def looked(world: World, **fields: object) -> dict[str, object]:
    return {"name": "view_item", "visitor": visitor(world), "items": [{"item_id": "boots-1"}]} | fields


def bought(world: World, **fields: object) -> dict[str, object]:
    order = {"name": "purchase", "transaction_id": "R-1", "value": 89.9, "currency": "EUR"}
    return looked(world) | order | fields


def tell(api: Api, world: World, *events: object, key: str | None = None, **more: object) -> httpx.Response:
    body = {"events": list(events), "consent": CONSENT} | more
    return api.call("POST", "/events", body, world.advertiser_key if key is None else key)


def results(response: httpx.Response) -> list[tuple[str, str | None]]:
    assert response.status_code == 200, response.text
    return [(one["result"], one["reason"]) for one in response.json()["results"]]


def orders(response: httpx.Response) -> list[str | None]:
    assert response.status_code == 200, response.text
    return [one["order"] for one in response.json()["results"]]


def kept(api: Api, world: World) -> Iterator[Event]:
    sql = "SELECT body FROM events WHERE advertiser_key = ? AND event_key > 2 ORDER BY event_key"
    for (body,) in api.storage.reader.rows(sql, (key_behind(world.advertiser),)):
        yield decode_event(body)


def paid_by_the_sale(api: Api, world: World) -> str:
    terms = {"pricing_model": "cpa", "rate_micros": PRICE}
    made: str = api.make("/campaigns", campaign_body(world.advertiser, **terms))["id"]
    api.refresh.load()
    return made


def spend(api: Api, campaign_id: str) -> int:
    micros: int = api.call("GET", f"/campaigns/{campaign_id}").json()["spend_micros"]
    return micros


def test_a_mixed_batch_is_answered_in_its_order(api: Api, shop: World) -> None:
    response = tell(
        api, shop,
        looked(shop, event_id="e-1"),
        looked(shop, event_id="e-1"),
        looked(shop, name="no_such_event"),
        "no event",
        looked(shop, visitor="A" * 32),
        looked(shop, visitor=None),
        looked(shop, occurred_at="2026-11-01T00:00:00Z"),
        looked(shop, occurred_at="yesterday"),
        looked(shop, occurred_at="2026-11-18T00:00:00"),
        looked(shop, search="jane.doe@shop.example"),
        looked(shop, name="AddToCart", event_id="e-2", occurred_at="2026-11-17T00:00:00Z"),
    )  # fmt: skip
    assert results(response) == [
        ("accepted", None),
        ("duplicate", None),
        ("rejected", "unknown_event"),
        ("rejected", "malformed"),
        ("rejected", "unknown_visitor"),
        ("rejected", "unknown_visitor"),
        ("rejected", "occurred_at_out_of_range"),
        ("rejected", "malformed"),
        ("rejected", "malformed"),
        ("rejected", "personal_data"),
        ("accepted", None),
    ]
    assert [event.name for event in kept(api, shop)] == ["view_item", "add_to_cart"]


def test_an_event_changes_what_is_remembered_of_its_visitor(api: Api, shop: World) -> None:
    tell(api, shop, looked(shop, name="add_to_cart"))
    profile = api.storage.profiles.profile(VISITOR)
    assert profile is not None
    assert EventName.ADD_TO_CART in profile.shops[0].last_event_ms


def test_an_event_that_the_browser_told_is_a_duplicate(api: Api, shop: World) -> None:
    assert results(tell(api, shop, looked(shop, event_id="look-1"))) == [("duplicate", None)]
    assert list(kept(api, shop)) == []


def test_prices_keep_their_own_text(api: Api, shop: World) -> None:
    item = {"item_id": "boots-1", "price": 0.1, "quantity": 3}
    tell(api, shop, looked(shop, items=[item], value=0.3, currency="EUR"))
    (event,) = kept(api, shop)
    assert (event.value_micros, event.items[0].price_micros, event.flaws) == (300_000, 100_000, ())


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (CONSENT, "accepted"),
        ({}, "rejected"),
        ({"granted": True}, "rejected"),
        ({"granted": True, "cmp": "Shop banner"}, "rejected"),
        (CONSENT | {"granted": False}, "rejected"),
        (CONSENT | {"time": NOW_MS // 1000 - 400 * 86_400}, "rejected"),
        (CONSENT | {"coppa": 1}, "rejected"),
        (CONSENT | {"gpc": True}, "rejected"),
        (CONSENT | {"ad_user_data": "denied"}, "rejected"),
        ({"gdpr": 0}, "rejected"),
    ],
)
@pytest.mark.parametrize("of_all", [True, False], ids=["of all", "its own"])
def test_consent_is_asserted_or_there_is_none(
    api: Api, shop: World, said: dict[str, Any], result: str, of_all: bool
) -> None:
    """Where the visitor is, nobody told us: the strictest region's rules hold."""
    event = looked(shop) if of_all else looked(shop, consent=said)
    answered = results(tell(api, shop, event, consent=said if of_all else {}))
    assert answered == [(result, None if result == "accepted" else "no_consent")]
    assert len(list(kept(api, shop))) == (result == "accepted")


def test_an_events_own_refusal_outdoes_what_was_said_for_all(api: Api, shop: World) -> None:
    refused = [looked(shop, consent=no) for no in (False, "denied", {"granted": False})]
    assert results(tell(api, shop, looked(shop), *refused)) == [
        ("accepted", None), *[("rejected", "no_consent")] * 3
    ]  # fmt: skip


def test_a_visitor_of_another_merchant_is_nobody(api: Api, shop: World) -> None:
    other = World(api, "B")
    assert results(tell(api, other, looked(shop))) == [("rejected", "unknown_visitor")]


def test_a_visitor_who_was_forgotten_does_not_come_back(api: Api, shop: World) -> None:
    api.storage.writer.commit(ForgetVisitor(VISITOR, 9, NOW_MS))
    assert results(tell(api, shop, looked(shop))) == [("rejected", "unknown_visitor")]
    assert api.storage.profiles.profile(VISITOR) is None


def test_a_click_makes_up_for_a_visitor_who_was_forgotten_and_the_event_is_nobodys(
    api: Api, shop: World
) -> None:
    api.storage.writer.commit(ForgetVisitor(VISITOR, 9, NOW_MS))
    event = looked(shop, rtclid=click_id(api, shop, shop.campaign))
    assert results(tell(api, shop, event, looked(shop, event_id="b", rtclid="AQb3"))) == [
        ("accepted", None), ("rejected", "unknown_visitor")
    ]  # fmt: skip
    assert api.storage.profiles.profile(VISITOR) is None
    assert api.storage.reader.rows("SELECT COUNT(*) FROM events WHERE visitor_key != 0", ()) == [(0,)]


def test_a_click_names_a_visitor_to_its_own_merchant_only(api: Api, shop: World) -> None:
    """The visitor of this click has no cookie: the event is kept, and nobody's."""
    other = World(api, "B")
    event = {"name": "view_item", "rtclid": click_id(api, shop, shop.campaign)}
    assert results(tell(api, shop, event)) == [("accepted", None)]
    assert api.storage.reader.rows("SELECT visitor_key FROM events WHERE event_key > 2", ()) == [(0,)]
    assert results(tell(api, other, event)) == [("rejected", "unknown_visitor")]
    api.now_ms += 31 * 86_400_000
    assert results(tell(api, shop, event, consent=CONSENT | {"time": api.now_ms // 1000})) == [
        ("rejected", "unknown_visitor")
    ]


def test_an_order_in_an_event_is_billed_once_for_ever(api: Api, shop: World) -> None:
    campaign = paid_by_the_sale(api, shop)
    order = bought(shop, rtclid=click_id(api, shop, campaign))
    assert orders(tell(api, shop, order)) == ["taken"]
    again = tell(api, shop, order, bought(shop, event_id="another"))
    assert results(again) == [("duplicate", None), ("accepted", None)]
    assert orders(again) == ["duplicate", "duplicate"]
    assert spend(api, campaign) == PRICE
    told = {"advertiser_id": shop.advertiser, "event": "purchase", "order_id": "R-1"}
    same = api.call("POST", "/conversions", told, headers={"Idempotency-Key": "k"})
    assert same.json()["result"] == "duplicate"


def test_a_server_confirms_what_a_browser_told_of_the_same_order(api: Api, shop: World) -> None:
    """The browser's event has the same id: the event is a duplicate, and the order is believed now."""
    campaign, advertiser_key = paid_by_the_sale(api, shop), key_behind(shop.advertiser)
    key = conversion_key(api.secrets.orders, advertiser_key, EventName.PURCHASE, "R-1")
    sold = Event(EventName.PURCHASE, event_id="b-1", order_id="R-1", click_id=click_id(api, shop, campaign))
    api.storage.writer.commit(
        StoreEvent(3, advertiser_key, 0, False, sold, NOW_MS, conversion_key=key)  # of a page not trusted
    )
    api.convert.credit_new()
    (pending,) = api.call("GET", f"/conversions?advertiser_id={shop.advertiser}").json()["items"]
    assert (pending["amount_micros"], spend(api, campaign)) == (PRICE, 0)
    response = tell(api, shop, bought(shop, event_id="b-1", rtclid=sold.click_id))
    assert results(response) == [("duplicate", None)] and orders(response) == ["taken"]
    assert spend(api, campaign) == PRICE
    assert api.call("GET", f"/conversions?advertiser_id={shop.advertiser}").json()["items"] == []


def test_an_order_without_its_id_is_an_event_only(api: Api, shop: World) -> None:
    response = tell(api, shop, bought(shop, transaction_id=None))
    assert results(response) == [("accepted", None)] and orders(response) == [None]
    assert everything(api)["conversions"] == []


def test_a_lead_without_an_id_counts_once_for_its_click(api: Api, shop: World) -> None:
    terms = {"pricing_model": "cpa", "rate_micros": PRICE, "conversion_event": "generate_lead"}
    campaign = api.make("/campaigns", campaign_body(shop.advertiser, **terms))["id"]
    api.refresh.load()
    lead = {"name": "generate_lead", "rtclid": click_id(api, shop, campaign)}
    response = tell(api, shop, lead, lead)
    assert results(response) == [("accepted", None)] * 2 and orders(response) == [None] * 2
    api.convert.credit_new()
    assert spend(api, campaign) == PRICE


def test_an_order_from_before_the_click_is_not_the_ads(api: Api, shop: World) -> None:
    campaign = paid_by_the_sale(api, shop)
    clicked = {"rtclid": click_id(api, shop, campaign)}  # an hour ago
    before, after = write_time(NOW_MS - 2 * 3_600_000), write_time(NOW_MS - 1_800_000)
    early = bought(shop, transaction_id="R-1", occurred_at=before, **clicked)
    assert orders(
        tell(api, shop, early, bought(shop, transaction_id="R-2", occurred_at=after, **clicked))
    ) == [
        "unattributed",
        "taken",
    ]


@pytest.mark.parametrize("lost", ["commit_many", "commit"], ids=["its event", "its order"])
def test_what_could_not_be_recorded_may_be_told_again(
    api: Api, shop: World, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    campaign = paid_by_the_sale(api, shop)
    order = bought(shop, rtclid=click_id(api, shop, campaign))
    full = Outcome(Result.UNRECORDED)
    with monkeypatch.context() as patch:
        patch.setattr(api.storage.writer, lost, lambda write: full if lost == "commit" else [full])
        response = tell(api, shop, order)
        assert results(response) == [("rejected", "unrecorded")] and orders(response) == [None]
    assert orders(tell(api, shop, order)) == ["taken"]
    assert (spend(api, campaign), len(list(kept(api, shop)))) == (PRICE, 1)


def test_an_order_belongs_to_the_ad_that_its_visitor_clicked(api: Api, shop: World) -> None:
    """No click id: the visitor says whose order it is, and the server's row does not keep who."""
    assert orders(tell(api, shop, bought(shop, transaction_id="R-0"))) == ["unattributed"]
    campaign = paid_by_the_sale(api, shop)
    clicked = make_record(shop, AdEvent.CLICK, 77, 0)
    of_sale = replace(clicked, campaign_key=key_behind(campaign), visitor_key=VISITOR, at_ms=NOW_MS - 1_000)
    api.storage.writer.commit(RecordAd((of_sale,)))
    assert orders(tell(api, shop, bought(shop))) == ["taken"]
    assert spend(api, campaign) == PRICE
    assert api.storage.reader.rows("SELECT DISTINCT by_server, visitor_key FROM conversions", ()) == [(1, 0)]


def test_no_e_mail_and_no_order_id_reaches_the_disk(api: Api, shop: World) -> None:
    address, order_id = "jane.doe@shop.example", "ORDER-4711-SECRET"
    shapes = (address, "jane.doe%40shop.example", "jane.doe%2540shop.example")
    fields = ("transaction_id", "event_id", "visitor", "url", "rtclid", "search_term")
    events = [bought(shop, **{field: shape}) for field in fields for shape in shapes]
    answered = results(tell(api, shop, *events, bought(shop, transaction_id=order_id)))
    assert answered == [("rejected", "personal_data")] * len(events) + [("accepted", None)]
    rows = repr(everything(api))
    assert "jane.doe" not in rows and order_id not in rows


def test_a_thousand_events_are_heard_and_one_more_is_not(api: Api, shop: World) -> None:
    assert len(results(tell(api, shop, *[{}] * 1_000))) == 1_000
    for events in ([{}] * 1_001, []):
        response = tell(api, shop, *events)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"events": {}}', b'{"events": [{}], "m": "shop"}',
     b'{"events": [{}], "consent": true}', b'{"events": [{}], "advertiser_id": "cmp_0000000000000"}'],
)  # fmt: skip
def test_a_letter_of_another_shape_is_refused_whole(api: Api, shop: World, body: bytes) -> None:
    response = api.call("POST", "/events", key=shop.advertiser_key, content=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_only_the_merchant_and_the_operator_tell_events(api: Api, shop: World) -> None:
    other = World(api, "B")
    named = {"advertiser_id": shop.advertiser}
    assert results(tell(api, shop, looked(shop), key=api.operator, **named)) == [("accepted", None)]
    assert tell(api, shop, looked(shop), key=api.operator).status_code == 422
    assert tell(api, shop, looked(shop), key=other.advertiser_key, **named).status_code == 404
    assert tell(api, shop, looked(shop), key=shop.publisher_key, **named).status_code == 403
    assert tell(api, shop, looked(shop), key="").status_code == 401
