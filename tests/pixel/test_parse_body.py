"""What a beacon's body and server-to-server records become."""

import json

import pytest

from pixel.consent import Said
from pixel.events import Event, EventName, Flaw, Item, Rejection
from pixel.parse import Hit, decode_json, events_from_records, from_body


def body_of(*events: object, **envelope: object) -> bytes:
    return json.dumps({"m": "shop", "events": list(events), **envelope}).encode()


def hit_of(*events: object, **envelope: object) -> Hit:
    hit = from_body(body_of(*events, **envelope))
    assert isinstance(hit, Hit)
    return hit


def event_of(**fields: object) -> Event:
    (event,) = hit_of(fields).events
    return event


def test_every_field_of_the_contract_is_read() -> None:
    body = (
        b'{"m": "shop", "events": [{"name": "purchase", "event_id": "E1", "transaction_id": 77,'
        b' "lead_id": "L1",'
        b' "items": [{"item_id": "A", "price": 12.50, "quantity": 2, "item_name": "Lamp"}, {"item_id": 9}],'
        b' "value": "25.00", "currency": "eur", "rtclid": "c1", "url": "https://shop.example/a?b"}],'
        b' "consent": {"granted": true, "cmp": "Klaro", "time": 1790000000, "gdpr": 1, "gdpr_consent": "CP",'
        b' "gpp": "DB", "gpp_sid": [7, 8], "coppa": false, "gpc": 1,'
        b' "us_privacy": "1YNN", "ad_storage": "granted", "ad_user_data": "denied",'
        b' "ad_personalization": "${AD}"}, "debug": 1}'
    )
    event = Event(
        EventName.PURCHASE, "E1", (Item("A", 2, 12_500_000), Item("9")), 25_000_000, "EUR", "77", "L1", "c1",
        "https://shop.example/a",
    )  # fmt: skip
    assert from_body(body) == Hit(
        "shop",
        (event,),
        (),
        Said("1", "CP", "DB", "7,8", "1YNN", "0", True, "Klaro", 1_790_000_000, True, False, None, True),
        True,
        posted=True,
    )


def test_one_bad_event_of_a_batch_does_not_cost_the_others() -> None:
    hit = hit_of({"name": "view_item"}, {"name": "dance"}, 7, {"name": "login", "note": "a@b.example"})
    assert [event.name for event in hit.events] == [EventName.VIEW_ITEM]
    assert hit.rejections == (Rejection.UNKNOWN_EVENT, Rejection.MALFORMED, Rejection.PERSONAL_DATA)


@pytest.mark.parametrize(
    ("body", "rejection"),
    [
        (b"", Rejection.MALFORMED),
        (b"{", Rejection.MALFORMED),
        (b"\xff\xfe", Rejection.MALFORMED),
        (b"[" * 60_000, Rejection.MALFORMED),
        (b"[]", Rejection.MALFORMED),
        (b'{"m": "shop"}', Rejection.MALFORMED),
        (b'{"m": "shop", "events": {}}', Rejection.MALFORMED),
        (b'{"m": "shop", "events": [{"value": NaN}]}', Rejection.MALFORMED),
        (b'{"events": []}', Rejection.UNKNOWN_MERCHANT),
        (b'{"m": 7, "events": []}', Rejection.UNKNOWN_MERCHANT),
        (body_of(*[{"name": "login"}] * 21), Rejection.TOO_MANY_EVENTS),
        (body_of(pad="x" * 65_536), Rejection.BODY_TOO_LARGE),
        (body_of(consent={"cmp": "a@b.example"}), Rejection.PERSONAL_DATA),
    ],
)
def test_an_unreadable_body_has_a_named_rejection(body: bytes, rejection: Rejection) -> None:
    assert from_body(body) is rejection


def test_a_body_of_sixty_four_kilobytes_and_twenty_events_is_read() -> None:
    body = body_of(*[{"name": "login"}] * 20).ljust(65_536)
    hit = from_body(body)
    assert isinstance(hit, Hit) and len(hit.events) == 20


@pytest.mark.parametrize(
    ("items", "rejection"),
    [
        ([{"item_id": "x"}] * 201, Rejection.TOO_MANY_ITEMS),
        ([{"item_name": "no id"}], Rejection.BAD_ITEM_ID),
        ([7], Rejection.BAD_ITEM_ID),
        ([{"item_id": True}], Rejection.BAD_ITEM_ID),
        ("x", Rejection.MALFORMED),
    ],
)
def test_bad_items_have_a_named_rejection(items: object, rejection: Rejection) -> None:
    assert hit_of({"name": "view_item", "items": items}).rejections == (rejection,)


def test_a_bad_item_among_good_ones_is_left_out() -> None:
    event = event_of(name="purchase", items=[{"item_id": "A"}, {"item_id": "\n"}, None])
    assert event.items == (Item("A"),)
    assert event.flaws == (Flaw.BAD_ITEM_ID,)


@pytest.mark.parametrize("value", [None, ""])
def test_an_absent_value_is_no_flaw(value: object) -> None:
    assert event_of(name="view_item", value=value, currency=value, transaction_id=value).flaws == ()


@pytest.mark.parametrize("value", [True, [1], {"amount": 1}, -1, "1 000", "٣", 10**30])
def test_a_value_that_is_no_amount_is_a_flaw(value: object) -> None:
    event = event_of(name="purchase", value=value, currency="EUR")
    assert (event.value_micros, event.currency, event.flaws) == (None, "EUR", (Flaw.BAD_VALUE,))


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (
            {"event_name": "Purchase", "event_id": "1", "custom_data": {
                "content_ids": ["A", "B"], "value": 2, "currency": "USD", "order_id": "O1"}},
            Event(EventName.PURCHASE, "1", (Item("A"), Item("B")), 2_000_000, "USD", "O1"),
        ),
        (
            {"name": "AddToCart", "eventID": "2", "currency": "EUR",
             "contents": [{"id": "A", "quantity": 3, "item_price": 1.5}], "content_ids": ["A"]},
            Event(EventName.ADD_TO_CART, "2", (Item("A", 3, 1_500_000),), None, "EUR"),
        ),
        ({"event": "viewItem", "item": "A"}, Event(EventName.VIEW_ITEM, None, (Item("A"),))),
        ({"event": "viewList", "item": ["A"]}, Event(EventName.VIEW_ITEM_LIST, None, (Item("A"),))),
        ({"event": "purchase", "id": "anything"}, Event(EventName.PURCHASE)),
        (
            {"event": "trackTransaction", "id": "O9", "currency": "EUR",
             "item": [{"id": "A", "price": 10, "quantity": 1}]},
            Event(EventName.PURCHASE, None, (Item("A", 1, 10_000_000),), None, "EUR", "O9"),
        ),
        ({"event": "ItemView", "items": [{"id": "A"}]}, Event(EventName.VIEW_ITEM, None, (Item("A"),))),
    ],
)  # fmt: skip
def test_shapes_of_other_pixels_become_ours(record: object, event: Event) -> None:
    assert hit_of(record).events == (event,)


def test_server_to_server_records_have_one_outcome_each_in_order() -> None:
    records = decode_json(
        b'[{"name": "purchase", "value": 0.1, "currency": "EUR"}, {"name": "x"}, {"u": "a@b.example"}]'
    )
    assert isinstance(records, list)
    assert events_from_records(records) == [
        Event(EventName.PURCHASE, value_micros=100_000, currency="EUR"),
        Rejection.UNKNOWN_EVENT,
        Rejection.PERSONAL_DATA,
    ]  # fmt: skip


def test_a_binary_float_is_never_taken_for_money() -> None:
    (event,) = events_from_records([{"name": "purchase", "value": 0.1, "currency": "EUR"}])
    assert isinstance(event, Event) and event.flaws == (Flaw.BAD_VALUE,)
