"""A size is counted or read from a panel with its interval; a few people are never told of, and words say what to do."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.audience_reach import (
    FEWEST_TOLD,
    GroupSize,
    Panel,
    Share,
    SizeWarning,
    estimate,
    exactly,
    group_key,
    is_reachable,
    overlap_words,
    sampled,
    shared,
    told,
    told_overlap,
    warnings_of,
    words_of,
)
from adserver.domain.visitor import Profile, fold_slot, was_at_slot
from pixel.events import EventName
from tests.domain.makers import (
    CARTERS,
    DAY_MS,
    NOW_MS,
    make_audience,
    make_profile,
    make_shop,
)

VIEWED = make_audience()
CARTED = make_audience(EventName.ADD_TO_CART, key=CARTERS)


def visitor(*events: EventName, slot_days_ago: int | None = None) -> Profile:
    profile = make_profile(make_shop(last_event_ms=dict.fromkeys(events, NOW_MS - 1)))
    if slot_days_ago is not None:
        fold_slot(profile, NOW_MS - slot_days_ago * DAY_MS)
    return profile


def size(members: int, reachable: int) -> GroupSize:
    return GroupSize(exactly(members), exactly(reachable), NOW_MS)


# ---- reach ----


@pytest.mark.parametrize(("days_ago", "reached"), [(0, True), (6, True), (7, False), (None, False)])
def test_who_was_at_a_slot_on_one_of_the_last_seven_days_is_reachable(
    days_ago: int | None, reached: bool
) -> None:
    assert is_reachable(visitor(slot_days_ago=days_ago), NOW_MS) is reached


def test_a_day_at_slots_is_noted_once_and_never_taken_back() -> None:
    profile = visitor()
    assert not was_at_slot(profile, NOW_MS)
    fold_slot(profile, NOW_MS)
    assert was_at_slot(profile, NOW_MS) and not was_at_slot(profile, NOW_MS + DAY_MS)
    fold_slot(profile, NOW_MS - 3 * DAY_MS)  # what comes late says nothing new
    assert was_at_slot(profile, NOW_MS)


# ---- panels ----


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 5_000))
def test_an_estimate_lies_within_its_interval_and_the_interval_within_what_was_seen(
    found: int, more: int, unseen: int
) -> None:
    looked_at = found + more
    share = estimate(found, looked_at, looked_at + unseen)
    assert share.least <= share.best <= share.most
    assert found <= share.least and share.most <= found + unseen
    assert share.is_exact or unseen


def test_an_interval_holds_the_truth_in_95_of_100_samples() -> None:
    dice, covered, population = random.Random(11), 0, 4_000
    truths = [40, 400, 2_000, 3_900]
    for truth in truths * 250:
        found = sum(one < truth for one in dice.sample(range(population), 500))
        share = estimate(found, 500, population)
        covered += share.least <= truth <= share.most
    assert covered >= 935  # of 1,000; with 0.95 fewer than once in a hundred


def test_a_group_holds_each_visitor_once_and_says_who_of_them_may_be_reached() -> None:
    both = [visitor(EventName.VIEW_ITEM, EventName.ADD_TO_CART, slot_days_ago=1)] * 3
    profiles = [*both, *[visitor(EventName.VIEW_ITEM)] * 4, *[visitor(EventName.PURCHASE)] * 5]
    panel = Panel(12, 3, NOW_MS, tuple(range(12)))
    assert sampled((VIEWED, CARTED), profiles, panel, NOW_MS) == size(7, 3)
    assert sampled((CARTED,), profiles, panel, NOW_MS) == size(3, 3)
    assert sampled((), (), panel, NOW_MS) == size(12, 3)
    assert shared(VIEWED, CARTED, profiles, panel, NOW_MS) == exactly(3)


def test_whoever_was_erased_or_is_of_another_shop_is_not_looked_at() -> None:
    stranger = make_profile(make_shop(advertiser_key=99))
    panel = Panel(3, 0, NOW_MS, (1, 2, 3))
    assert sampled((VIEWED,), [visitor(EventName.VIEW_ITEM), stranger], panel, NOW_MS) == size(1, 0)
    many = Panel(30, 0, NOW_MS, (1, 2, 3))
    members = sampled((VIEWED,), [visitor(EventName.VIEW_ITEM), stranger], many, NOW_MS).members
    assert (members.best, members.is_exact) == (30, False)


def test_a_changed_audience_is_counted_anew_and_the_order_of_several_says_nothing() -> None:
    assert group_key([VIEWED, CARTED]) == group_key([CARTED, VIEWED])
    assert len({group_key([VIEWED]), group_key([CARTED]), group_key([VIEWED, CARTED]),
                group_key([make_audience(version=2)])}) == 4  # fmt: skip


# ---- what is told ----


def test_one_to_nine_people_are_never_told_of() -> None:
    assert [told(count) for count in (0, 1, 9, 10)] == [0, None, None, 10]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_an_overlap_that_is_told_leaves_no_few_to_be_worked_out(both: int, one: int, other: int) -> None:
    shown = told_overlap(both, both + one, both + other)
    few = any(0 < part < FEWEST_TOLD for part in (both, one, other))
    assert shown == (None if few else both)


@pytest.mark.parametrize(
    ("known", "warnings", "words"),
    [
        (None, [SizeWarning.NOT_COUNTED], "not counted yet"),
        (size(0, 0), [SizeWarning.NOBODY], "nobody in this audience yet"),
        (size(3, 1), [SizeWarning.TOO_FEW], "fewer than 10 people in this audience: too few to launch"),
        (size(40, 12), [SizeWarning.FEW], "an audience needs 50 to be served"),
        (size(40, 0), [SizeWarning.FEW, SizeWarning.NOBODY_REACHABLE], "none were seen on our slots"),
        (size(900, 0), [SizeWarning.NOBODY_REACHABLE], "hardly anybody would see the ads now"),
        (size(2_140, 96), [], "of 2,140 in this audience, 96 were seen on our slots in 7 days"),
        (size(2_140, 4), [], "fewer than 10 were seen"),
        (GroupSize(Share(21_400, 20_900, 21_900), exactly(0), 0), [SizeWarning.NOBODY_REACHABLE], "about 21,400"),
    ],
)  # fmt: skip
def test_each_size_has_its_words_and_its_warnings(
    known: GroupSize | None, warnings: list[SizeWarning], words: str
) -> None:
    assert warnings_of(known) == warnings
    assert words in words_of(known)


@pytest.mark.parametrize(
    ("both", "one", "other", "words"),
    [
        (0, 0, 0, "nobody is in both"),
        (5, 50, 50, "fewer than 10 people are in both"),
        (50, 55, 500, "all but fewer than 10"),
        (1_200, 2_400, 4_800, "1,200 are in both: 50% of this audience, 25% of the other"),
    ],
)
def test_an_overlap_has_its_words(both: int, one: int, other: int, words: str) -> None:
    assert words in overlap_words(both, one, other)
