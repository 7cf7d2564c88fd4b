"""A worker notes a little of each event for the doctor, and who says everything twice."""

import msgspec
import pytest

from adserver.domain.pixel_sample import MOST_ITEMS, MOST_REMEMBERED, MOST_SAMPLES, TWICE_MS, Repeats, Samples
from pixel.events import EventName, Item
from tests.domain.makers import ADVERTISER, NOW_MS, make_event

VISITOR = 42
VIEW = make_event(EventName.VIEW_ITEM, "boots", event_id="e-1", url="https://shop.example/boots")


def test_the_first_event_of_each_name_and_advertiser_is_noted_until_it_is_taken() -> None:
    samples = Samples()
    cart = make_event(EventName.ADD_TO_CART, "boots", "scarf")
    for advertiser_key, event in ((1, VIEW), (1, VIEW), (1, cart), (2, VIEW)):
        samples.offer(advertiser_key, event, NOW_MS)
    taken = [(one.advertiser_key, one.event, one.item_id) for one in samples.take()]
    assert taken == [
        (1, "view_item", "boots"),
        (1, "add_to_cart", "boots"),
        (1, "add_to_cart", "scarf"),
        (2, "view_item", "boots"),
    ]
    assert samples.take() == ()
    samples.offer(1, VIEW, NOW_MS)
    assert len(samples.take()) == 1


def test_a_sample_has_the_items_price_in_the_events_currency() -> None:
    samples = Samples()
    event = make_event(EventName.VIEW_ITEM, items=(Item("boots", 2, 5_000_000),), currency="EUR")
    samples.offer(ADVERTISER, event, NOW_MS)
    (sample,) = samples.take()
    assert (sample.price_micros, sample.currency, sample.at_ms) == (5_000_000, "EUR", NOW_MS)


def test_nothing_is_noted_of_an_event_without_items() -> None:
    samples = Samples()
    samples.offer(ADVERTISER, make_event(EventName.PAGE_VIEW), NOW_MS)
    assert samples.take() == ()


def test_memory_for_samples_is_bounded() -> None:
    samples = Samples()
    cart = make_event(EventName.VIEW_CART, *map(str, range(200)))
    for advertiser_key in range(1_000):
        samples.offer(advertiser_key, cart, NOW_MS)
    assert MOST_SAMPLES <= len(samples.take()) < MOST_SAMPLES + MOST_ITEMS


AGAIN: list[tuple[dict[str, object], int, int, bool]] = [
    ({"event_id": "e-2"}, VISITOR, 500, True),
    ({"event_id": None}, VISITOR, 500, True),
    ({"event_id": "e-2"}, VISITOR, TWICE_MS, True),
    ({"event_id": "e-2"}, VISITOR, TWICE_MS + 1, False),
    ({}, VISITOR, 500, False),  # the same event, sent again
    ({"event_id": "e-2"}, VISITOR + 1, 500, False),
    ({"event_id": "e-2", "items": (Item("scarf"),)}, VISITOR, 500, False),
    ({"event_id": "e-2", "name": EventName.ADD_TO_CART}, VISITOR, 500, False),
    ({"event_id": "e-2", "url": "https://shop.example/scarf"}, VISITOR, 500, False),
    ({"event_id": "e-2", "order_id": "R-1"}, VISITOR, 500, False),
]


@pytest.mark.parametrize(("fields", "visitor_key", "later_ms", "double"), AGAIN)
def test_the_same_of_one_visitor_under_another_event_id_is_a_double(
    fields: dict[str, object], visitor_key: int, later_ms: int, double: bool
) -> None:
    repeats = Repeats()
    assert not repeats.is_double(VISITOR, ADVERTISER, VIEW, NOW_MS)
    again = msgspec.structs.replace(VIEW, **fields)
    assert repeats.is_double(visitor_key, ADVERTISER, again, NOW_MS + later_ms) is double


def test_only_so_many_events_are_remembered() -> None:
    repeats = Repeats()
    for visitor_key in range(MOST_REMEMBERED + 1):
        repeats.is_double(visitor_key, ADVERTISER, VIEW, NOW_MS)
    again = msgspec.structs.replace(VIEW, event_id="e-2")
    assert repeats.is_double(MOST_REMEMBERED, ADVERTISER, again, NOW_MS)
    assert not repeats.is_double(0, ADVERTISER, again, NOW_MS)
