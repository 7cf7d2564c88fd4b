"""A conversion belongs to the latest click in its window, else to a billed view, else to nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.attribution import conversion_key, credit, may_have_occurred
from adserver.domain.pricing import AdEvent, Terms
from adserver.domain.visitor import Touch
from pixel.events import EventName
from tests.domain.makers import DAY_MS, NOW_MS, make_terms, make_touch

CLICK, VIEW = AdEvent.CLICK, AdEvent.IMPRESSION
TERMS = make_terms(click_window_days=30, view_window_days=1, bill_post_view=True)
PURCHASE = EventName.PURCHASE


def credited(*touches: Touch, terms: Terms | None = TERMS, event: EventName = PURCHASE) -> Touch | None:
    return credit(event, NOW_MS, touches, lambda touch: terms)


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
    assert credited(touch) == (touch if counts else None)


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
    assert credited(make_touch(suspect=True)) is None


def test_another_advertisers_campaign_is_not_credited() -> None:
    ours, theirs = make_touch(campaign_key=1, at_ms=NOW_MS - 9), make_touch(campaign_key=2, at_ms=NOW_MS - 1)
    found = credit(PURCHASE, NOW_MS, [ours, theirs], lambda t: TERMS if t.campaign_key == 1 else None)
    assert found == ours
    assert credited(theirs, terms=None) is None


def test_a_view_counts_only_where_the_campaign_bills_views() -> None:
    assert credited(make_touch(VIEW), terms=make_terms(bill_post_view=False)) is None


def test_a_campaign_is_credited_for_the_conversion_it_names() -> None:
    leads = make_terms(conversion_event=EventName.GENERATE_LEAD)
    touch = make_touch()
    assert credited(touch, terms=leads) is None
    assert credited(touch, terms=leads, event=EventName.GENERATE_LEAD) == touch


def test_each_touch_is_judged_by_the_terms_it_was_shown_under() -> None:
    old, new = make_touch(campaign_version=1, at_ms=NOW_MS - 9 * DAY_MS), make_touch(campaign_version=2)
    windows = {1: make_terms(click_window_days=30), 2: make_terms(click_window_days=0)}
    assert credit(PURCHASE, NOW_MS, [old, new], lambda t: windows[t.campaign_version]) == old


touches = st.lists(
    st.builds(
        make_touch,
        st.sampled_from([CLICK, VIEW]),
        impression_id=st.integers(min_value=1, max_value=9),
        at_ms=st.integers(min_value=-32 * DAY_MS, max_value=DAY_MS).map(lambda ms: NOW_MS + ms),
        suspect=st.booleans(),
    ),
    max_size=8,
)


@given(touches, st.randoms(use_true_random=False))
def test_the_order_of_touches_does_not_matter(found: list[Touch], dice: object) -> None:
    shuffled = list(found)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = credited(*found), credited(*shuffled)
    assert (one is None) is (other is None)
    if one is not None and other is not None:
        assert (one.event, one.at_ms, one.impression_id) == (other.event, other.at_ms, other.impression_id)


@given(touches)
def test_whoever_is_credited_came_before_the_order_and_is_not_suspect(found: list[Touch]) -> None:
    winner = credited(*found)
    if winner is not None:
        assert not winner.suspect
        assert winner.at_ms <= NOW_MS
        assert winner.event is CLICK or not any(
            t.event is CLICK and not t.suspect and NOW_MS - 30 * DAY_MS < t.at_ms <= NOW_MS for t in found
        )


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
