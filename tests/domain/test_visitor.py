"""What a visitor does is remembered warmest first, burnt by a purchase, and forgotten in time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.identity import product_key
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import (
    FORM_DONE,
    MOST_CAMPAIGNS,
    MOST_INTERESTS,
    MOST_PURCHASES,
    MOST_SHOPS,
    MOST_SHOWN,
    MOST_TOUCHES,
    TOUCH_RETENTION_MS,
    Level,
    Profile,
    Shop,
    fold_event,
    fold_touch,
)
from pixel.events import EventName
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, NOW_MS, make_event, make_touch

VIEW, WISH, CART = EventName.VIEW_ITEM, EventName.ADD_TO_WISHLIST, EventName.ADD_TO_CART
BUY, REMOVE = EventName.PURCHASE, EventName.REMOVE_FROM_CART
NAMES = {product_key(ADVERTISER, name): name for name in "abcdefgh"}


def fold(*story: tuple[EventName, str], step_ms: int = 1000) -> Shop:
    """The shop after events at a steady pace; each names its items by letters."""
    profile = Profile(NOW_MS)
    for place, (name, letters) in enumerate(story):
        fold_event(profile, ADVERTISER, make_event(name, *letters), NOW_MS + place * step_ms)
    shop = profile.shop(ADVERTISER)
    assert shop is not None
    return shop


def interests(shop: Shop) -> str:
    return "".join(NAMES[interest.product_key] for interest in shop.interests)


def test_the_cart_comes_before_the_wishlist_and_that_before_views() -> None:
    assert interests(fold((CART, "a"), (WISH, "b"), (VIEW, "c"))) == "abc"


def test_within_a_level_the_newest_comes_first() -> None:
    shop = fold((VIEW, "a"), (VIEW, "b"), (CART, "c"), (CART, "d"), (VIEW, "e"))
    assert interests(shop) == "dceba"


def test_looking_again_at_what_is_in_the_cart_leaves_it_there() -> None:
    shop = fold((CART, "a"), (CART, "b"), (VIEW, "a"))
    assert interests(shop) == "ab"
    assert {interest.level for interest in shop.interests} == {Level.IN_CART}


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (EventName.VIEW_ITEM, Level.VIEWED),
        (EventName.SELECT_ITEM, Level.VIEWED),
        (EventName.ADD_TO_WISHLIST, Level.WISHED),
        (EventName.VIEW_CART, Level.IN_CART),
        (EventName.BEGIN_CHECKOUT, Level.IN_CART),
    ],
)
def test_each_event_says_how_near_a_product_is(name: EventName, level: Level) -> None:
    assert [interest.level for interest in fold((name, "a")).interests] == [level]


@pytest.mark.parametrize("name", [EventName.PAGE_VIEW, EventName.VIEW_ITEM_LIST, EventName.SEARCH])
def test_a_list_or_a_page_is_no_interest_in_a_product(name: EventName) -> None:
    shop = fold((name, "ab"))
    assert shop.interests == []
    assert shop.last_seen_ms == NOW_MS


def test_what_leaves_the_cart_is_only_viewed() -> None:
    shop = fold((CART, "a"), (VIEW, "b"), (REMOVE, "a"))
    assert interests(shop) == "ab"
    assert {interest.level for interest in shop.interests} == {Level.VIEWED}


def test_a_purchase_takes_its_items_and_remembers_them() -> None:
    shop = fold((CART, "a"), (CART, "b"), (VIEW, "c"), (BUY, "ac"))
    assert interests(shop) == "b"
    assert {NAMES[purchase.product_key] for purchase in shop.purchases} == {"a", "c"}


def test_a_purchase_that_names_nothing_took_the_cart() -> None:
    shop = fold((CART, "a"), (VIEW, "b"), (CART, "c"), (BUY, ""))
    assert interests(shop) == "b"
    assert {NAMES[purchase.product_key] for purchase in shop.purchases} == {"a", "c"}


def test_a_product_bought_twice_is_remembered_once_with_the_later_time() -> None:
    shop = fold((BUY, "a"), (BUY, "b"), (BUY, "a"))
    assert [(NAMES[p.product_key], p.at_ms - NOW_MS) for p in shop.purchases] == [("b", 1000), ("a", 2000)]


def test_interests_are_forgotten_after_thirty_days() -> None:
    assert interests(fold((CART, "a"), (VIEW, "b"), step_ms=30 * DAY_MS)) == "b"
    assert interests(fold((CART, "a"), (VIEW, "b"), step_ms=30 * DAY_MS - 1)) == "ab"


def test_a_view_after_thirty_days_does_not_revive_the_cart() -> None:
    shop = fold((CART, "a"), (VIEW, "a"), step_ms=30 * DAY_MS)
    assert [interest.level for interest in shop.interests] == [Level.VIEWED]


def test_purchases_are_forgotten_after_a_hundred_and_eighty_days() -> None:
    assert len(fold((BUY, "a"), (BUY, "b"), step_ms=180 * DAY_MS).purchases) == 1
    assert len(fold((BUY, "a"), (BUY, "b"), step_ms=180 * DAY_MS - 1).purchases) == 2


@pytest.mark.parametrize("done", sorted(FORM_DONE))
def test_a_form_is_begun_and_sent(done: EventName) -> None:
    shop = fold((EventName.FORM_START, ""), (done, ""))
    assert (shop.form_started_ms, shop.form_submitted_ms) == (NOW_MS, NOW_MS + 1000)


def test_the_shop_longest_unseen_leaves_a_full_profile() -> None:
    profile = Profile(NOW_MS)
    for place in range(MOST_SHOPS):
        fold_event(profile, place, make_event(VIEW, "a"), NOW_MS + place)
    fold_event(profile, 0, make_event(VIEW, "b"), NOW_MS + 900)
    fold_event(profile, 999, make_event(VIEW, "a"), NOW_MS)  # even with the oldest time of all
    assert profile.shop(0) is not None and profile.shop(999) is not None
    assert profile.shop(1) is None
    assert len(profile.shops) == MOST_SHOPS


# ---- ads ----


def test_impressions_are_counted_per_campaign_and_period() -> None:
    profile = Profile(NOW_MS)
    for hours in range(3):
        fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS + hours))
    fold_touch(profile, make_touch(AdEvent.CLICK, at_ms=NOW_MS + 9))
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, campaign_key=71, at_ms=NOW_MS + 9))
    assert profile.times_shown(CAMPAIGN, NOW_MS - 1) == 3
    assert profile.times_shown(CAMPAIGN, NOW_MS) == 2  # a period of n ms begins with the impression
    assert profile.times_shown(71, NOW_MS) == 1
    assert profile.times_shown(72, 0) == 0


def test_touches_are_forgotten_after_thirty_five_days() -> None:
    profile = Profile(NOW_MS)
    fold_touch(profile, make_touch(at_ms=NOW_MS))
    fold_touch(profile, make_touch(at_ms=NOW_MS + TOUCH_RETENTION_MS))
    assert [touch.at_ms for touch in profile.touches] == [NOW_MS + TOUCH_RETENTION_MS]


def test_no_number_of_later_views_pushes_a_click_out() -> None:
    profile = Profile(NOW_MS)
    click = make_touch(AdEvent.CLICK, at_ms=NOW_MS)
    fold_touch(profile, click)
    for place in range(3 * MOST_TOUCHES):
        fold_touch(profile, make_touch(AdEvent.IMPRESSION, impression_id=place, at_ms=NOW_MS + place))
    assert click in profile.touches
    assert len(profile.touches) == MOST_TOUCHES
    assert profile.touches[-1].impression_id == 3 * MOST_TOUCHES - 1


def test_campaigns_not_shown_for_long_leave_the_profile() -> None:
    profile = Profile(NOW_MS)
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, campaign_key=1, at_ms=NOW_MS))
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, campaign_key=2, at_ms=NOW_MS + TOUCH_RETENTION_MS))
    assert [shown.campaign_key for shown in profile.shown] == [2]


# ---- the last time of each kind of event ----


def test_the_last_time_of_each_kind_of_event_is_remembered() -> None:
    shop = fold((VIEW, "a"), (CART, "a"), (VIEW, "b"), (EventName.PAGE_VIEW, ""), (BUY, "a"))
    assert {name: (ms - NOW_MS) // 1000 for name, ms in shop.last_event_ms.items()} == {
        CART: 1, VIEW: 2, EventName.PAGE_VIEW: 3, BUY: 4,
    }  # fmt: skip


def test_a_profile_of_before_audiences_is_read_without_them() -> None:
    touch = [2, 1, CAMPAIGN, 1, 800, 700, 0, NOW_MS, False]
    shop = [ADVERTISER, [[5, 1, NOW_MS]], [], 0, 0, NOW_MS, [], 0]
    old = msgspec.msgpack.encode([NOW_MS, [shop], [], [touch]])
    profile = msgspec.msgpack.decode(old, type=Profile)
    assert profile.shops[0].last_event_ms == {}
    assert profile.touches[0].audience_key == 0
    fold_event(profile, ADVERTISER, make_event(VIEW, "a"), NOW_MS)
    assert profile.shops[0].last_event_ms == {VIEW: NOW_MS}


def test_the_times_of_one_shop_take_a_few_hundred_bytes_at_most() -> None:
    shop = fold(*((name, "a") for name in EventName))
    whole = len(msgspec.msgpack.encode(shop))
    shop.last_event_ms = {}
    assert whole - len(msgspec.msgpack.encode(shop)) < 600


# ---- any story ----

advertisers = st.integers(min_value=1, max_value=4) | st.integers(min_value=1, max_value=200)
gaps = st.integers(min_value=0, max_value=3 * DAY_MS) | st.just(40 * DAY_MS)
events = st.builds(
    lambda name, letters: make_event(name, *letters),
    st.sampled_from(EventName),
    st.lists(st.text("abcdefgh", min_size=1, max_size=3), max_size=30),
)
shown_ads = st.builds(
    make_touch,
    st.sampled_from([AdEvent.IMPRESSION, AdEvent.CLICK]),
    campaign_key=st.integers(min_value=1, max_value=500),
)
stories = st.lists(st.tuples(gaps, advertisers, events | shown_ads), max_size=60)


def assert_sound(profile: Profile) -> None:
    assert len(profile.shops) <= MOST_SHOPS
    assert len({shop.advertiser_key for shop in profile.shops}) == len(profile.shops)
    assert len(profile.touches) <= MOST_TOUCHES
    assert len(profile.shown) <= MOST_CAMPAIGNS
    assert all(0 < len(shown.at_ms) <= MOST_SHOWN for shown in profile.shown)
    for shop in profile.shops:
        assert len(shop.interests) <= MOST_INTERESTS
        assert len(shop.purchases) <= MOST_PURCHASES
        keys = [interest.product_key for interest in shop.interests]
        assert len(set(keys)) == len(keys)
        warmth = [(interest.level, interest.at_ms) for interest in shop.interests]
        assert warmth == sorted(warmth, reverse=True)
        assert len(shop.last_event_ms) <= len(EventName)
        assert max(shop.last_event_ms.values()) == shop.last_seen_ms
        bought = [purchase.product_key for purchase in shop.purchases]
        assert len(set(bought)) == len(bought)


@given(stories)
def test_a_profile_stays_small_and_in_order_whatever_happens(story: list[tuple[int, int, object]]) -> None:
    profile, at_ms = Profile(NOW_MS), NOW_MS
    for gap_ms, advertiser_key, thing in story:
        at_ms += gap_ms
        if hasattr(thing, "impression_id"):
            fold_touch(profile, make_touch(thing.event, campaign_key=thing.campaign_key, at_ms=at_ms))
        else:
            fold_event(profile, advertiser_key, thing, at_ms)  # type: ignore[arg-type]
        assert_sound(profile)


def test_bounds_hold_when_everything_happens_too_often() -> None:
    profile = Profile(NOW_MS)
    for place in range(3 * MOST_PURCHASES):
        name = (VIEW, CART, BUY)[place % 3]
        fold_event(profile, ADVERTISER, make_event(name, f"item {place}"), NOW_MS + place)
        fold_event(profile, 1000 + place, make_event(VIEW, "a"), NOW_MS + place)
        fold_touch(profile, make_touch(AdEvent.IMPRESSION, campaign_key=place, at_ms=NOW_MS + place))
        fold_touch(profile, make_touch(AdEvent.CLICK, campaign_key=1, at_ms=NOW_MS + place))
    assert_sound(profile)
    shop = profile.shop(ADVERTISER)
    assert (
        shop is not None and len(shop.interests) == MOST_INTERESTS and len(shop.purchases) == MOST_PURCHASES
    )
