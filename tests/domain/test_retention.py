"""What is remembered of a visitor leaves a profile when its time has come, and not before."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.pricing import AdEvent
from adserver.domain.retention import Retention, due_ms, let_go
from adserver.domain.visitor import (
    Preference,
    Profile,
    fold_event,
    fold_preference,
    fold_slot,
    fold_touch,
)
from pixel.events import EventName
from tests.domain.makers import (
    ADVERTISER,
    DAY_MS,
    NOW_MS,
    make_event,
    make_interest,
    make_profile,
    make_purchase,
    make_shop,
    make_touch,
)

KEPT = Retention()


def days(event: EventName) -> int:
    return KEPT.of_event(event) // DAY_MS


def test_the_times_are_those_of_the_contract() -> None:
    assert (days(EventName.VIEW_ITEM), days(EventName.ADD_TO_CART), days(EventName.PAGE_VIEW)) == (30, 30, 30)
    assert (days(EventName.PURCHASE), days(EventName.GENERATE_LEAD)) == (180, 180)
    assert (days(EventName.FORM_START), days(EventName.FORM_SUBMIT)) == (14, 14)
    assert KEPT.ads_ms == 35 * DAY_MS


@pytest.mark.parametrize(("name", "kept_days"), [("interests", 30), ("purchases", 180)])
def test_what_was_done_leaves_on_its_day(name: str, kept_days: int) -> None:
    made = make_interest("boots") if name == "interests" else make_purchase("boots")
    profile = make_profile(make_shop(**{name: [made]}, blocked_at_ms=NOW_MS))
    let_go(profile, KEPT, NOW_MS + kept_days * DAY_MS - 1)
    assert getattr(profile.shops[0], name) == [made]
    let_go(profile, KEPT, NOW_MS + kept_days * DAY_MS)
    assert getattr(profile.shops[0], name) == []


def test_a_form_leaves_after_two_weeks_and_its_shop_with_it() -> None:
    profile = make_profile(make_shop(form_started_ms=NOW_MS, form_submitted_ms=NOW_MS + 5))
    let_go(profile, KEPT, NOW_MS + 14 * DAY_MS)
    assert (profile.shops[0].form_started_ms, profile.shops[0].form_submitted_ms) == (0, NOW_MS + 5)
    let_go(profile, KEPT, NOW_MS + 14 * DAY_MS + 5)
    assert profile.shops == []


def test_ads_that_were_seen_leave_after_35_days() -> None:
    profile = make_profile()
    for n in range(2):
        fold_touch(profile, make_touch(AdEvent.IMPRESSION, impression_id=n, at_ms=NOW_MS + n * DAY_MS))
    let_go(profile, KEPT, NOW_MS + 35 * DAY_MS)
    assert [touch.at_ms for touch in profile.touches] == [NOW_MS + DAY_MS]
    assert [shown.at_ms for shown in profile.shown] == [[NOW_MS + DAY_MS]]
    let_go(profile, KEPT, NOW_MS + 36 * DAY_MS)
    assert (profile.touches, profile.shown) == ([], [])


def test_the_day_of_the_last_slot_leaves_as_ads_do() -> None:
    profile = make_profile(make_shop(blocked_at_ms=NOW_MS))
    fold_slot(profile, NOW_MS)
    ends_ms = NOW_MS - NOW_MS % DAY_MS + DAY_MS
    assert due_ms(profile, KEPT, NOW_MS) == ends_ms + KEPT.ads_ms
    let_go(profile, KEPT, ends_ms + KEPT.ads_ms - 1)
    assert profile.slot_day == NOW_MS // DAY_MS
    let_go(profile, KEPT, ends_ms + KEPT.ads_ms)
    assert profile.slot_day == 0
    assert due_ms(profile, KEPT, NOW_MS) == NOW_MS + KEPT.longest_ms


def test_a_wish_stays_for_as_long_as_the_profile() -> None:
    profile = make_profile(make_shop())
    fold_preference(profile, ADVERTISER, Preference.NOT_THIS_SHOP, 0, NOW_MS)
    let_go(profile, KEPT, NOW_MS + 1_000 * DAY_MS)
    assert profile.shops[0].blocked_at_ms == NOW_MS


@pytest.mark.parametrize("name", list(EventName))
def test_when_an_event_came_last_is_known_for_as_long_as_the_event_itself(name: EventName) -> None:
    profile = make_profile(make_shop(last_event_ms={name: NOW_MS}))
    ends_ms = NOW_MS + KEPT.of_event(name)
    assert due_ms(profile, KEPT, NOW_MS) == ends_ms
    let_go(profile, KEPT, ends_ms - 1)
    assert profile.shops[0].last_event_ms == {name: NOW_MS}
    let_go(profile, KEPT, ends_ms)
    assert profile.shops == []


@pytest.mark.parametrize("name", [name for name in EventName if name is not EventName.LOGIN])
def test_the_next_event_lets_go_of_times_that_are_past_the_contract(name: EventName) -> None:
    for age_ms, known in ((KEPT.of_event(name) - 1, {name}), (KEPT.of_event(name), set())):
        profile = make_profile(make_shop(last_event_ms={name: NOW_MS - age_ms}))
        fold_event(profile, ADVERTISER, make_event(EventName.LOGIN), NOW_MS)
        assert set(profile.shops[0].last_event_ms) == {EventName.LOGIN} | known


def test_shorter_times_are_the_operators_choice() -> None:
    short = msgspec.structs.replace(KEPT, views_ms=DAY_MS)
    profile = make_profile(make_shop(make_interest("boots"), form_started_ms=NOW_MS))
    assert due_ms(profile, short, NOW_MS) == NOW_MS + DAY_MS
    let_go(profile, short, NOW_MS + DAY_MS)
    assert (profile.shops[0].interests, profile.shops[0].form_started_ms) == ([], NOW_MS)


def test_an_unseen_profile_is_due_as_a_whole() -> None:
    blocked = make_profile(make_shop(blocked_at_ms=NOW_MS))
    assert due_ms(blocked, KEPT, NOW_MS) == NOW_MS + 180 * DAY_MS


ACTS = st.lists(st.tuples(st.sampled_from(list(EventName)), st.integers(0, 300)), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(ACTS, st.integers(0, 600))
def test_what_is_due_later_has_nothing_to_let_go_before(acts: list[tuple[EventName, int]], wait: int) -> None:
    profile, now_ms = Profile(NOW_MS), NOW_MS
    for name, gap_hours in acts:
        now_ms += gap_hours * 3_600_000
        fold_event(profile, ADVERTISER, make_event(name, "boots"), now_ms)
        fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=now_ms))
        let_go(profile, KEPT, now_ms)
    due = due_ms(profile, KEPT, now_ms)
    assert due > now_ms
    before = msgspec.msgpack.encode(profile)
    let_go(profile, KEPT, due - 1)
    assert msgspec.msgpack.encode(profile) == before
    later_ms = due + wait * DAY_MS
    let_go(profile, KEPT, later_ms)
    assert due_ms(profile, KEPT, later_ms) > later_ms
