"""A conversion belongs to the latest click in its window, else to a billed view, else to nobody."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.attribution import NoCredit, Ordered, conversion_key, credit, may_have_occurred
from adserver.domain.pricing import AdEvent, ProductMatch, Terms
from adserver.domain.visitor import Touch
from pixel.events import EventName
from tests.domain.makers import DAY_MS, NOW_MS, make_terms, make_touch

CLICK, VIEW = AdEvent.CLICK, AdEvent.IMPRESSION
TERMS = make_terms(click_window_days=30, view_window_days=1, bill_post_view=True)
PURCHASE = EventName.PURCHASE


NOTHING_SAID = Ordered()


def credited(
    *touches: Touch,
    terms: Terms | None = TERMS,
    event: EventName = PURCHASE,
    ordered: Ordered = NOTHING_SAID,
) -> Touch | NoCredit:
    return credit(event, NOW_MS, touches, lambda touch: terms, ordered)


@pytest.mark.parametrize(
    ("event", "age_ms", "counts"),
    [
        (CLICK, 0, True),
        (CLICK, -1, False),  # after the order
        (CLICK, 30 * DAY_MS - 1, True),
        (CLICK, 30 * DAY_MS, False),
        (VIEW, 0, True),
        (VIEW, DAY_MS - 1, True),
        (VIEW, DAY_MS, False),
    ],
)
def test_a_window_is_open_at_its_far_end(event: AdEvent, age_ms: int, counts: bool) -> None:
    touch = make_touch(event, at_ms=NOW_MS - age_ms)
    assert credited(touch) == (touch if counts else NoCredit.NO_TOUCH)


def test_any_click_beats_any_later_view() -> None:
    click = make_touch(CLICK, impression_id=1, at_ms=NOW_MS - 29 * DAY_MS)
    view = make_touch(VIEW, impression_id=2, at_ms=NOW_MS - 1)
    assert credited(view, click) == click


def test_the_latest_click_wins() -> None:
    early = make_touch(impression_id=1, at_ms=NOW_MS - 2)
    late = make_touch(impression_id=2, at_ms=NOW_MS - 1)
    assert credited(early, late) == credited(late, early) == late


def test_a_tie_goes_to_the_smaller_id() -> None:
    small, large = make_touch(impression_id=1), make_touch(impression_id=2)
    assert credited(small, large) == credited(large, small) == small


def test_a_suspect_touch_never_counts() -> None:
    good = make_touch(at_ms=NOW_MS - DAY_MS)
    assert credited(make_touch(suspect=True), good) == good
    assert credited(make_touch(suspect=True)) is NoCredit.NO_TOUCH


def test_another_advertisers_campaign_is_not_credited() -> None:
    ours, theirs = make_touch(campaign_key=1, at_ms=NOW_MS - 9), make_touch(campaign_key=2, at_ms=NOW_MS - 1)
    found = credit(
        PURCHASE, NOW_MS, [ours, theirs], lambda t: TERMS if t.campaign_key == 1 else None, NOTHING_SAID
    )
    assert found == ours
    assert credited(theirs, terms=None) is NoCredit.NO_TOUCH


def test_a_view_counts_only_where_the_campaign_bills_views() -> None:
    assert credited(make_touch(VIEW), terms=make_terms(bill_post_view=False)) is NoCredit.NO_TOUCH


def test_a_campaign_is_credited_for_the_conversion_it_names() -> None:
    leads = make_terms(conversion_event=EventName.GENERATE_LEAD)
    touch = make_touch()
    assert credited(touch, terms=leads) is NoCredit.NO_TOUCH
    assert credited(touch, terms=leads, event=EventName.GENERATE_LEAD) == touch


def test_each_touch_is_judged_by_the_terms_it_was_shown_under() -> None:
    old, new = make_touch(campaign_version=1, at_ms=NOW_MS - 9 * DAY_MS), make_touch(campaign_version=2)
    windows = {1: make_terms(click_window_days=30), 2: make_terms(click_window_days=0)}
    assert credit(PURCHASE, NOW_MS, [old, new], lambda t: windows[t.campaign_version], NOTHING_SAID) == old


# ---- the product ----

BOOTS, SOCKS, BLUE_BOOTS, NO_PRODUCT = 1, 2, 3, 0
GROUPS = {BOOTS: "boots", BLUE_BOOTS: "boots", SOCKS: "socks"}
ANY, ITEM, GROUP = ProductMatch.ANY, ProductMatch.SAME_ITEM, ProductMatch.SAME_GROUP


@pytest.mark.parametrize(
    ("match", "advertised", "bought", "counts"),
    [
        (ANY, BOOTS, {SOCKS}, True),
        (ANY, NO_PRODUCT, set(), True),
        (ITEM, BOOTS, {SOCKS, BOOTS}, True),
        (ITEM, BOOTS, {BLUE_BOOTS}, False),
        (ITEM, BOOTS, set(), False),
        (ITEM, NO_PRODUCT, {BOOTS}, False),
        (GROUP, BOOTS, {BLUE_BOOTS}, True),
        (GROUP, BOOTS, {BOOTS}, True),
        (GROUP, BOOTS, {SOCKS}, False),
        (GROUP, NO_PRODUCT, {BOOTS}, False),
        (GROUP, 77, {78}, False),  # neither is in any group, which makes them no family
        (GROUP, 77, {77}, True),
    ],
)
def test_a_campaign_pays_for_what_it_says_it_pays_for(
    match: ProductMatch, advertised: int, bought: set[int], counts: bool
) -> None:
    touch = make_touch(product_key=advertised)
    found = credited(touch, terms=make_terms(product_match=match), ordered=Ordered(frozenset(bought), GROUPS))
    assert found == (touch if counts else NoCredit.OTHER_PRODUCT)


def test_another_product_is_the_reason_only_where_nothing_else_was_in_the_way() -> None:
    terms = make_terms(product_match=ITEM)
    assert credited(make_touch(suspect=True), terms=terms) is NoCredit.NO_TOUCH
    assert credited(make_touch(at_ms=NOW_MS + 1), terms=terms) is NoCredit.NO_TOUCH


def test_an_older_click_on_what_was_bought_beats_a_later_one_on_something_else() -> None:
    boots = make_touch(impression_id=1, product_key=BOOTS, at_ms=NOW_MS - 9)
    socks = make_touch(impression_id=2, product_key=SOCKS, at_ms=NOW_MS - 1)
    ordered = Ordered(frozenset({BOOTS}))
    for touches in ([boots, socks], [socks, boots]):
        assert credited(*touches, terms=make_terms(product_match=ITEM), ordered=ordered) == boots
        assert credited(*touches, ordered=ordered) == socks


# ---- over generated touches ----

CAMPAIGNS = {
    1: TERMS,
    2: make_terms(click_window_days=7, view_window_days=2, bill_post_view=False),
    3: make_terms(product_match=ITEM, bill_post_view=True),
    4: make_terms(product_match=GROUP),
    5: make_terms(conversion_event=EventName.GENERATE_LEAD),
    6: None,  # another advertiser's
}
edges_ms = st.sampled_from([0, -1, 1, -DAY_MS, 1 - DAY_MS, -7 * DAY_MS, 1 - 7 * DAY_MS, -30 * DAY_MS])
touches = st.lists(
    st.builds(
        make_touch,
        st.sampled_from([CLICK, VIEW]),
        impression_id=st.integers(min_value=1, max_value=9),
        campaign_key=st.sampled_from(sorted(CAMPAIGNS)),
        product_key=st.sampled_from([NO_PRODUCT, BOOTS, SOCKS, BLUE_BOOTS]),
        at_ms=(edges_ms | st.integers(-32 * DAY_MS, DAY_MS)).map(lambda ms: NOW_MS + ms),
        suspect=st.booleans(),
    ),
    max_size=8,
)
orders = st.frozensets(st.sampled_from([BOOTS, SOCKS, BLUE_BOOTS])).map(lambda keys: Ordered(keys, GROUPS))


def chosen(found: list[Touch], ordered: Ordered) -> Touch | NoCredit:
    return credit(PURCHASE, NOW_MS, found, lambda touch: CAMPAIGNS[touch.campaign_key], ordered)


def is_eligible(touch: Touch, ordered: Ordered, *, any_product: bool = False) -> bool:
    """The rule in words: whose, not suspect, in its window, a view only if billed, the product if asked."""
    terms = CAMPAIGNS[touch.campaign_key]
    if terms is None or terms.conversion_event is not PURCHASE or touch.suspect:
        return False
    clicked = touch.event is CLICK
    days = terms.click_window_days if clicked else terms.view_window_days
    in_time = 0 <= NOW_MS - touch.at_ms < days * DAY_MS and (clicked or terms.bill_post_view)
    family = {"boots": {BOOTS, BLUE_BOOTS}, "socks": {SOCKS}}.get(GROUPS.get(touch.product_key, ""), set())
    wanted = {ANY: None, ITEM: {touch.product_key}, GROUP: family}[terms.product_match]
    return in_time and (any_product or wanted is None or bool(wanted & ordered.product_keys))


@given(touches, orders)
def test_the_credited_touch_is_the_best_of_those_that_may_be(found: list[Touch], ordered: Ordered) -> None:
    able = [touch for touch in found if is_eligible(touch, ordered)]
    winner = chosen(found, ordered)
    if isinstance(winner, NoCredit):
        assert not able
        only_the_product = any(is_eligible(touch, ordered, any_product=True) for touch in found)
        assert winner is (NoCredit.OTHER_PRODUCT if only_the_product else NoCredit.NO_TOUCH)
        return
    assert winner in able
    rivals = [touch for touch in able if touch.event is CLICK] or able
    latest_ms = max(touch.at_ms for touch in rivals)
    assert winner.event is rivals[0].event
    assert winner.at_ms == latest_ms
    assert winner.impression_id == min(t.impression_id for t in rivals if t.at_ms == latest_ms)


@given(touches, orders, st.randoms(use_true_random=False))
def test_the_order_of_touches_does_not_matter(found: list[Touch], ordered: Ordered, dice: Random) -> None:
    shuffled = list(found)
    dice.shuffle(shuffled)
    one, other = chosen(found, ordered), chosen(shuffled, ordered)
    if isinstance(one, NoCredit) or isinstance(other, NoCredit):
        assert one is other
    else:
        assert (one.event, one.at_ms, one.impression_id) == (other.event, other.at_ms, other.impression_id)


@pytest.mark.parametrize(
    ("offset_ms", "believed"),
    [(0, True), (-7 * DAY_MS, True), (-7 * DAY_MS - 1, False), (300_000, True), (300_001, False)],
)
def test_a_servers_word_on_time_is_believed_for_a_week(offset_ms: int, believed: bool) -> None:
    assert may_have_occurred(NOW_MS + offset_ms, NOW_MS) is believed


def test_an_order_has_one_key_per_merchant_event_and_exact_id() -> None:
    secret = b"o" * 32
    keys = {
        conversion_key(secret, 7, PURCHASE, "1"),
        conversion_key(secret, 7, PURCHASE, "0001"),
        conversion_key(secret, 8, PURCHASE, "1"),
        conversion_key(secret, 7, EventName.GENERATE_LEAD, "1"),
        conversion_key(b"p" * 32, 7, PURCHASE, "1"),
    }
    assert len(keys) == 5
    assert all(0 <= key < 2**61 for key in keys)  # four charge ids fit into 63 bits
    assert conversion_key(secret, 7, PURCHASE, "1") in keys
