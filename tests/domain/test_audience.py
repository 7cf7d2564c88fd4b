"""Who belongs to an audience is a rule over what they did, and the dearest audience sets the rate."""

from collections.abc import Callable
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.audience import Audience, Rule, days_kept_instead
from adserver.domain.membership import Memberships, Standing, audience_for, is_member
from adserver.domain.money import Micros
from adserver.domain.pricing import AudienceRate, rate_of
from adserver.domain.retention import Retention
from adserver.domain.visitor import Profile, fold_event
from pixel.events import EventName
from tests.domain.makers import (
    ADVERTISER,
    CARTERS,
    DAY_MS,
    NOW_MS,
    VIEWERS,
    make_audience,
    make_event,
    make_profile,
    make_shop,
    make_terms,
)

VIEW, CART, BUY = EventName.VIEW_ITEM, EventName.ADD_TO_CART, EventName.PURCHASE
LEFT_CART = make_audience(CART, 14, exclusions=(Rule(BUY, 30),))


def visitor(**last_ms: int) -> Profile:
    """A visitor of the shop, by how long ago they did what."""
    times = {EventName(name): NOW_MS - age_ms for name, age_ms in last_ms.items()}
    return make_profile(make_shop(last_event_ms=times))


# ---- membership ----


@pytest.mark.parametrize(
    ("profile", "member"),
    [
        (visitor(), False),
        (visitor(view_item=0), False),
        (visitor(add_to_cart=0), True),
        (visitor(add_to_cart=0, view_item=0), True),
        (visitor(add_to_cart=14 * DAY_MS - 1), True),
        (visitor(add_to_cart=14 * DAY_MS), False),
        (visitor(add_to_cart=-5), True),  # another server's clock is ahead of ours
        (visitor(add_to_cart=0, purchase=0), False),
        (visitor(add_to_cart=0, purchase=30 * DAY_MS - 1), False),
        (visitor(add_to_cart=0, purchase=30 * DAY_MS), True),
        (visitor(purchase=0), False),
        (Profile(NOW_MS), False),
    ],
)
def test_who_left_a_cart_and_bought_nothing_lately_belongs(profile: Profile, member: bool) -> None:
    assert is_member(LEFT_CART, profile, NOW_MS) is member


def test_any_one_inclusion_is_enough() -> None:
    either = make_audience(inclusions=(Rule(VIEW, 1), Rule(CART, 30)))
    assert is_member(either, visitor(add_to_cart=2 * DAY_MS), NOW_MS)
    assert is_member(either, visitor(view_item=0, add_to_cart=40 * DAY_MS), NOW_MS)
    assert not is_member(either, visitor(view_item=2 * DAY_MS), NOW_MS)


def test_what_was_done_at_another_shop_counts_for_nothing() -> None:
    elsewhere = make_audience(CART, advertiser_key=ADVERTISER + 1)
    assert not is_member(elsewhere, visitor(add_to_cart=0), NOW_MS)


def test_membership_follows_what_a_visitor_does() -> None:
    profile, at_ms = Profile(NOW_MS), NOW_MS
    story = []
    for name in (VIEW, CART, EventName.PAGE_VIEW, BUY, CART):
        at_ms += 1
        fold_event(profile, ADVERTISER, make_event(name, "boots"), at_ms)
        story.append(is_member(LEFT_CART, profile, at_ms))
    assert story == [False, True, True, False, False]


names = st.sampled_from([VIEW, CART, BUY, EventName.PAGE_VIEW, EventName.FORM_START])
rules = st.builds(Rule, names, st.sampled_from([1, 2, 30, 540]))
ages = st.sampled_from([0, 1, DAY_MS - 1, DAY_MS, 2 * DAY_MS, 40 * DAY_MS])
profiles = st.dictionaries(names, ages).map(lambda found: visitor(**{str(k): v for k, v in found.items()}))
several = st.lists(rules, min_size=1, max_size=3).map(tuple)
audiences = st.builds(make_audience, inclusions=several, exclusions=st.lists(rules, max_size=3).map(tuple))


def applies(rule: Rule, profile: Profile) -> bool:
    """The rule in other words: the age of the event is less than the window."""
    (shop,) = profile.shops
    at_ms = shop.last_event_ms.get(rule.event)
    return at_ms is not None and (NOW_MS - at_ms) / DAY_MS < rule.retention_days


@given(audiences, profiles)
def test_a_member_matches_an_inclusion_and_no_exclusion(audience: Audience, profile: Profile) -> None:
    included = any(applies(rule, profile) for rule in audience.inclusions)
    excluded = any(applies(rule, profile) for rule in audience.exclusions)
    assert is_member(audience, profile, NOW_MS) is (included and not excluded)


@given(audiences, profiles)
def test_the_order_of_rules_changes_nothing(audience: Audience, profile: Profile) -> None:
    member = is_member(audience, profile, NOW_MS)
    for order in permutations(audience.inclusions):
        for excluded in permutations(audience.exclusions):
            other = msgspec.structs.replace(audience, inclusions=order, exclusions=excluded)
            assert is_member(other, profile, NOW_MS) is member


@given(audiences, profiles, rules)
def test_an_exclusion_never_lets_anyone_in_and_an_inclusion_never_keeps_out(
    audience: Audience, profile: Profile, rule: Rule
) -> None:
    member = is_member(audience, profile, NOW_MS)
    stricter = msgspec.structs.replace(audience, exclusions=(*audience.exclusions, rule))
    wider = msgspec.structs.replace(audience, inclusions=(*audience.inclusions, rule))
    assert is_member(stricter, profile, NOW_MS) <= member <= is_member(wider, profile, NOW_MS)


@pytest.mark.parametrize(("event", "days"), [(VIEW, 30), (BUY, 180), (EventName.FORM_START, 14)])
def test_the_longest_window_is_what_a_profile_remembers(event: EventName, days: int) -> None:
    longest, ends_ms = make_audience(event, days), NOW_MS + days * DAY_MS
    assert days_kept_instead(longest, Retention()) is None
    profile = Profile(NOW_MS)
    fold_event(profile, ADVERTISER, make_event(event, "boots"), NOW_MS)
    fold_event(profile, ADVERTISER, make_event(CART, "boots"), ends_ms - 1)
    assert is_member(longest, profile, ends_ms - 1)
    fold_event(profile, ADVERTISER, make_event(CART, "boots"), ends_ms)
    assert set(profile.shops[0].last_event_ms) == {CART}
    assert not is_member(longest, profile, ends_ms)


def test_a_window_beyond_what_is_kept_is_told_with_the_days_that_are() -> None:
    short = Retention(views_ms=7 * DAY_MS)
    assert days_kept_instead(make_audience(VIEW, 31), Retention()) == 30
    assert days_kept_instead(make_audience(CART, 8), short) == 7
    assert days_kept_instead(make_audience(CART, 7, exclusions=(Rule(BUY, 181),)), short) == 180


# ---- whose rate ----

KNOWN = {
    VIEWERS: make_audience(VIEW, key=VIEWERS),
    CARTERS: make_audience(CART, key=CARTERS),
    77: make_audience(CART, key=77),
}
KEPT = Memberships(KNOWN)


def standing_to(profile: Profile) -> Callable[[int], Standing]:
    def standing(key: int) -> Standing:
        membership = KEPT.get(key)
        return Standing.OUTSIDE if membership is None else membership.standing(profile, NOW_MS)

    return standing


def rated(**rates: int | None) -> tuple[AudienceRate, ...]:
    keys = {"viewers": VIEWERS, "carters": CARTERS, "again": 77, "unheard": 99}
    return tuple(
        AudienceRate(keys[name], None if rate is None else Micros(rate)) for name, rate in rates.items()
    )


BOTH = visitor(view_item=0, add_to_cart=0)


@pytest.mark.parametrize(
    ("rates", "profile", "expected"),
    [
        ((), BOTH, 0),
        ((), visitor(), 0),
        (rated(viewers=1_000), visitor(), Standing.OUTSIDE),
        (rated(viewers=1_000), BOTH, VIEWERS),
        (rated(viewers=1_000, carters=2_000), BOTH, CARTERS),
        (rated(viewers=2_000, carters=1_000), BOTH, VIEWERS),
        (rated(viewers=1_000, carters=2_000), visitor(view_item=0), VIEWERS),
        (rated(viewers=1_000, carters=1_000), BOTH, VIEWERS),  # a tie: the smaller key
        (rated(again=1_000, carters=1_000), BOTH, CARTERS),
        (rated(viewers=None, carters=249_999), BOTH, VIEWERS),  # null is the campaign's 250,000
        (rated(viewers=None, carters=250_001), BOTH, CARTERS),
        (rated(unheard=9_000, viewers=1_000), BOTH, VIEWERS),  # not known to this worker yet
        (rated(unheard=9_000), BOTH, Standing.OUTSIDE),
    ],
)
def test_the_highest_rate_that_matches_wins(
    rates: tuple[AudienceRate, ...], profile: Profile, expected: int | Standing
) -> None:
    assert audience_for(make_terms(audience_rates=rates), standing_to(profile)) == expected


@given(
    st.dictionaries(
        st.sampled_from(list(KNOWN)), st.sampled_from([None, 1, 5, 250_000, 300_000]), min_size=1
    ),
    profiles,
)
def test_nobody_who_matches_would_have_paid_more(rates: dict[int, int | None], profile: Profile) -> None:
    named = tuple(AudienceRate(key, None if rate is None else Micros(rate)) for key, rate in rates.items())
    matching = [key for key in rates if is_member(KNOWN[key], profile, NOW_MS)]
    for order in permutations(named):
        terms = make_terms(audience_rates=order)
        best = max(((rate_of(terms, key), -key) for key in matching), default=None)
        expected = Standing.OUTSIDE if best is None else -best[1]
        assert audience_for(terms, standing_to(profile)) == expected
