"""What a visitor did is remembered kind by kind: the newest few, within a stated size, for as long as it may."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.doings import (
    ITEM_KINDS,
    LONGEST_PACKED,
    MOST_DOINGS,
    MOST_ITEMS,
    Doing,
    Doings,
    ItemDone,
    Reaction,
    noted,
    packed,
)
from adserver.domain.identity import LARGEST_KEY, product_key
from adserver.domain.pricing import AdEvent
from adserver.domain.retention import Retention, due_ms, let_go
from adserver.domain.visitor import Profile, Shop, fold_event, fold_touch
from pixel.events import EventName, Item
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_event, make_shop, make_touch

KEPT = Retention()
VIEW, BUY = EventName.VIEW_ITEM, EventName.PURCHASE


def after(*events: tuple[EventName, int], **fields: object) -> Shop:
    """The shop after events at ages in milliseconds, in the order they were told."""
    profile = Profile(NOW_MS)
    for name, age_ms in events:
        fold_event(profile, ADVERTISER, make_event(name, "boots", **fields), NOW_MS - age_ms)
    (shop,) = profile.shops
    return shop


def times(shop: Shop, kind: str) -> list[int]:
    return [NOW_MS - one.at_ms for one in shop.doings[kind].each()]


def test_an_event_is_remembered_with_its_value_and_its_items() -> None:
    items = (Item("boots", 2, 5_000_000), Item("hat"))
    shop = after((BUY, 0), items=items, value_micros=9_000_000, currency="EUR")
    (order,) = shop.doings[BUY].each()
    keys = [product_key(ADVERTISER, name) for name in ("boots", "hat")]
    assert order == Doing(NOW_MS, 9_000_000, "EUR", [ItemDone(keys[0], 5_000_000), ItemDone(keys[1])])


def test_a_value_that_was_not_told_is_the_sum_of_its_items_where_each_has_a_price() -> None:
    priced = (Item("boots", 2, 5_000_000), Item("hat", 1, 1_000_000))
    (order,) = after((BUY, 0), items=priced, currency="EUR").doings[BUY].each()
    assert order.value_micros == 11_000_000
    (order,) = after((BUY, 0), items=(*priced, Item("scarf")), currency="EUR").doings[BUY].each()
    assert (order.value_micros, order.currency) == (0, "EUR")


def test_events_that_name_nothing_are_remembered_by_their_time_alone() -> None:
    assert after((EventName.PAGE_VIEW, 0)).doings["page_view"].each() == [Doing(NOW_MS)]


def test_the_newest_of_a_kind_are_kept_in_order_whenever_they_are_told() -> None:
    shop = after((VIEW, 5), (VIEW, 9), (VIEW, 2))
    assert times(shop, VIEW) == [9, 5, 2]
    assert shop.doings[VIEW].oldest_ms == NOW_MS - 9
    many = after(*((VIEW, 1_000 - n) for n in range(MOST_DOINGS + 5)))
    assert len(times(many, VIEW)) == MOST_DOINGS and times(many, VIEW)[-1] == 1_000 - MOST_DOINGS - 4


def test_when_an_event_came_last_does_not_go_back_for_one_that_is_told_late() -> None:
    assert after((VIEW, 5), (VIEW, 9)).last_event_ms == {VIEW: NOW_MS - 5}


def test_a_kind_never_takes_more_bytes_than_is_said() -> None:
    worst = [
        Doing(NOW_MS, LARGEST_KEY, "EUR", [ItemDone(LARGEST_KEY, LARGEST_KEY)] * MOST_ITEMS)
        for _ in range(MOST_DOINGS * 2)
    ]
    spread = [Doing(NOW_MS, LARGEST_KEY, "EUR", [ItemDone(LARGEST_KEY, LARGEST_KEY)] * 2)] * MOST_DOINGS
    for doings in (worst, spread):
        kept = packed(doings)
        assert sum(len(one.items) for one in kept.each()) == MOST_ITEMS
        filled = fill(kept, Doing(NOW_MS, LARGEST_KEY, "EUR", [ItemDone(LARGEST_KEY, LARGEST_KEY)] * 3))
        assert len(kept.packed) <= filled <= LONGEST_PACKED < 2_700


def fill(doings: Doings, doing: Doing) -> int:
    """The most bytes that are packed while the same is done over and over."""
    most = 0
    for _ in range(200):
        doings = noted(doings, doing, 0)
        most = max(most, len(doings.packed))
        assert len(doings.each()) <= MOST_DOINGS
    return most


def test_a_year_of_clicking_about_stays_small() -> None:
    profile = Profile(NOW_MS)
    for hour in range(0, 24 * 365, 3):
        for name in (EventName.PAGE_VIEW, VIEW, EventName.ADD_TO_CART):
            event = make_event(name, f"item-{hour % 90}", currency="EUR", value_micros=19_990_000)
            fold_event(profile, ADVERTISER, event, NOW_MS + hour * 3_600_000)
    shop = profile.shops[0]
    assert len(msgspec.msgpack.encode(shop.doings)) < 5_000
    assert {kind: len(doings.each()) for kind, doings in shop.doings.items()} == dict.fromkeys(
        ("page_view", "view_item", "add_to_cart"), MOST_DOINGS
    )


@pytest.mark.parametrize("kind", [*EventName, Reaction.AD_SEEN, Reaction.AD_CLICKED])
def test_a_doing_leaves_on_its_day(kind: str) -> None:
    ends_ms = NOW_MS + KEPT.of_event(kind)
    shop = make_shop(doings={kind: packed([Doing(NOW_MS), Doing(NOW_MS + 5)])}, blocked_at_ms=NOW_MS)
    profile = Profile(NOW_MS, [shop])
    assert due_ms(profile, KEPT, NOW_MS + DAY_MS) == min(ends_ms, NOW_MS + DAY_MS + KEPT.longest_ms)
    let_go(profile, KEPT, ends_ms - 1)
    assert len(shop.doings[kind].each()) == 2
    let_go(profile, KEPT, ends_ms)
    assert [one.at_ms for one in shop.doings[kind].each()] == [NOW_MS + 5]
    let_go(profile, KEPT, ends_ms + 5)
    assert shop.doings == {}


def test_reactions_are_noted_at_shops_that_the_visitor_knows_and_keep_none_alive() -> None:
    profile = Profile(NOW_MS)
    seen = make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS)
    fold_touch(profile, seen, ADVERTISER)
    assert profile.shops == []
    fold_event(profile, ADVERTISER, make_event(VIEW, "boots"), NOW_MS)
    fold_touch(profile, seen, ADVERTISER)
    fold_touch(profile, make_touch(AdEvent.CLICK, at_ms=NOW_MS), ADVERTISER)
    fold_touch(profile, make_touch(AdEvent.CLICK, at_ms=NOW_MS, suspect=True), ADVERTISER)
    fold_touch(profile, seen, ADVERTISER + 1)
    (shop,) = profile.shops
    assert {kind: len(doings.each()) for kind, doings in shop.doings.items()} == {
        "view_item": 1, "ad_seen": 1, "ad_clicked": 1,
    }  # fmt: skip
    let_go(profile, KEPT, NOW_MS + 30 * DAY_MS)
    assert profile.shops == []


stories = st.lists(
    st.tuples(st.sampled_from(list(EventName)), st.integers(0, 200), st.integers(0, 3)), max_size=60
)


@given(stories)
def test_what_is_kept_is_what_happened_of_each_kind_of_late(story: list[tuple[EventName, int, int]]) -> None:
    """Told in any order: of each kind the newest, none of which has been kept for as long as it may be."""
    profile, happened = Profile(NOW_MS), dict[str, list[int]]()
    newest_ms = NOW_MS
    for name, hours, items in story:
        at_ms = NOW_MS + hours * 3_600_000
        newest_ms = max(newest_ms, at_ms)
        fold_event(profile, ADVERTISER, make_event(name, *"abc"[:items]), at_ms)
        happened.setdefault(name, []).append(at_ms)
    let_go(profile, KEPT, newest_ms)
    for shop in profile.shops:
        told = {kind: [one.at_ms for one in doings.each()] for kind, doings in shop.doings.items()}
        assert told == {kind: sorted(ms)[-MOST_DOINGS:] for kind, ms in happened.items()}
        assert all(doings.oldest_ms == told[kind][0] for kind, doings in shop.doings.items())
        named = [one for kind in set(told) - ITEM_KINDS for one in shop.doings[kind].each()]
        assert not any(one.items for one in named)
