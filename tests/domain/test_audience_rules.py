"""Which audiences are refused, each by name; and what the ready-made ones stand for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.audience import (
    ANY_EVENT,
    MOST_RULES,
    Audience,
    AudienceRefusal,
    Clause,
    ItemFilter,
    Rule,
    check,
    days_kept_instead,
)
from adserver.domain.audience_presets import LEVELS, Preset, expanded
from adserver.domain.membership import is_member
from adserver.domain.retention import Retention
from adserver.domain.visitor import Profile, fold_event
from pixel.events import EventName
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_audience, make_event

VIEW, BUY = Rule("view_item", 30), Rule("purchase", 30)
SEEN, BOUGHT = Clause(rule=VIEW), Clause(rule=BUY)
OUT = Clause(exclude=BOUGHT)
KEPT = Retention()


def everyone(*parts: Clause) -> Clause:
    return Clause(all=parts)


def anyone(*parts: Clause) -> Clause:
    return Clause(any=parts)


def nested(clause: Clause) -> Audience:
    return make_audience(inclusions=(), rules=clause)


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (SEEN, None),
        (everyone(SEEN, OUT), None),
        (anyone(SEEN, everyone(SEEN, OUT)), None),
        (everyone(SEEN, Clause(exclude=anyone(BOUGHT, SEEN))), None),
        (anyone(everyone(anyone(SEEN))), None),
        (everyone(anyone(SEEN, everyone(SEEN, Clause(exclude=BOUGHT))), OUT), None),
        (Clause(), AudienceRefusal.EMPTY_GROUP),
        (everyone(SEEN, anyone()), AudienceRefusal.EMPTY_GROUP),
        (everyone(SEEN, Clause(exclude=anyone())), AudienceRefusal.EMPTY_GROUP),
        (OUT, AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION),
        (everyone(OUT), AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION),
        (anyone(SEEN, everyone(OUT)), AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION),
        (anyone(SEEN, OUT), AudienceRefusal.EXCLUSION_IN_ANY),
        (anyone(OUT), AudienceRefusal.EXCLUSION_IN_ANY),
        (everyone(SEEN, OUT, OUT), AudienceRefusal.TWO_EXCLUSIONS),
        (everyone(SEEN, Clause(exclude=OUT)), AudienceRefusal.EXCLUSION_IN_EXCLUSION),
        (everyone(SEEN, Clause(exclude=everyone(SEEN, OUT))), AudienceRefusal.EXCLUSION_IN_EXCLUSION),
        (anyone(everyone(anyone(everyone(SEEN)))), AudienceRefusal.TOO_DEEP),
        (everyone(SEEN, Clause(exclude=anyone(everyone(anyone(SEEN))))), AudienceRefusal.TOO_DEEP),
        (anyone(*[SEEN] * MOST_RULES), None),
        (anyone(*[SEEN] * (MOST_RULES + 1)), AudienceRefusal.TOO_MANY_RULES),
        (anyone(*[everyone(*[SEEN] * 7)] * 3), AudienceRefusal.TOO_MANY_RULES),
    ],
)
def test_nested_rules_have_guard_rails(clause: Clause, expected: AudienceRefusal | None) -> None:
    assert check(nested(clause)) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"inclusions": (VIEW,)}, None),
        ({"inclusions": (VIEW,) * 20, "exclusions": (BUY,) * 20}, None),
        ({"inclusions": ()}, AudienceRefusal.SAYS_NOTHING),
        ({"inclusions": (), "exclusions": (BUY,)}, AudienceRefusal.EXCLUSION_WITHOUT_INCLUSION),
        ({"inclusions": (VIEW,) * 21}, AudienceRefusal.TOO_MANY_RULES),
        ({"exclusions": (VIEW,) * 21}, AudienceRefusal.TOO_MANY_RULES),
        ({"rules": SEEN}, AudienceRefusal.SAID_TWICE),
    ],
)
def test_lists_have_guard_rails(fields: dict[str, object], expected: AudienceRefusal | None) -> None:
    assert check(make_audience(**fields)) is expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("view_item", 1, ItemFilter(brands=("Acme",))), None),
        (Rule("view_item", 1, ItemFilter()), AudienceRefusal.FILTER_SAYS_NOTHING),
        (Rule("page_view", 1, ItemFilter(brands=("Acme",))), AudienceRefusal.ITEMS_NOT_KEPT),
        (Rule("ad_seen", 1, ItemFilter(item_ids=("a",))), AudienceRefusal.ITEMS_NOT_KEPT),
        (Rule("search", 1, average_at_most_micros=1), AudienceRefusal.ITEMS_NOT_KEPT),
        (Rule("generate_lead", 1, total_at_least_micros=1), None),
        (Rule("ad_clicked", 1, one_at_least_micros=1), AudienceRefusal.VALUE_NOT_KEPT),
        (Rule(ANY_EVENT, 1, total_at_least_micros=1), AudienceRefusal.VALUE_NOT_KEPT),
        (Rule("view_item", 1, at_least=3, at_most=3), None),
        (Rule("view_item", 1, at_least=3, at_most=2), AudienceRefusal.LIMITS_REVERSED),
        (
            Rule("view_item", 1, average_at_least_micros=2, average_at_most_micros=1),
            AudienceRefusal.LIMITS_REVERSED,
        ),
    ],
)
def test_a_rule_that_cannot_be_answered_is_refused_wherever_it_stands(
    rule: Rule, expected: AudienceRefusal | None
) -> None:
    assert check(make_audience(inclusions=(rule,))) is expected
    assert check(make_audience(exclusions=(rule,))) is expected
    assert check(nested(everyone(SEEN, Clause(exclude=anyone(Clause(rule=rule)))))) is expected


@pytest.mark.parametrize(
    ("audience", "never"),
    [
        (make_audience(stop_days=8), False),
        (make_audience(stop_days=1, wait_minutes=24 * 60 - 1), False),
        (make_audience(stop_days=1, wait_minutes=24 * 60), True),
        # Who bought is let in after 30 days, when ads have stopped for long.
        (make_audience(inclusions=(Rule("purchase", 180),), exclusions=(BUY,), stop_days=8), True),
        (make_audience(inclusions=(Rule("purchase", 180),), exclusions=(BUY,), stop_days=30), True),
        (make_audience(inclusions=(Rule("purchase", 180),), exclusions=(BUY,), stop_days=31), False),
        (make_audience(inclusions=(Rule("purchase", 180),), exclusions=(BUY,)), False),
        (make_audience(inclusions=(VIEW, Rule("purchase", 9)), exclusions=(BUY,), stop_days=8), False),
        (make_audience(inclusions=(), rules=everyone(BOUGHT, OUT), stop_days=8), True),
        (make_audience(inclusions=(), rules=everyone(SEEN, OUT), stop_days=8), False),
        (
            make_audience(
                inclusions=(), rules=everyone(SEEN, Clause(exclude=everyone(SEEN, BOUGHT))), stop_days=8
            ),
            False,
        ),
    ],
)
def test_an_audience_that_could_never_be_served_is_refused(audience: Audience, never: bool) -> None:
    assert check(audience) is (AudienceRefusal.NEVER_SERVED if never else None)


def test_windows_longer_than_kept_are_found_in_any_depth() -> None:
    deep = anyone(everyone(SEEN, Clause(exclude=anyone(Clause(rule=Rule("ad_seen", 36))))))
    assert days_kept_instead(nested(deep), KEPT) == 35
    assert days_kept_instead(nested(anyone(Clause(rule=Rule("ad_landed", 31)))), KEPT) == 30
    assert days_kept_instead(nested(anyone(Clause(rule=Rule("ad_clicked", 35)))), KEPT) is None


# ---- ready-made ----


def made(preset: Preset, retention: Retention = KEPT, threshold: int = 100) -> Audience:
    found = expanded(preset, retention, threshold)
    return make_audience(
        inclusions=found.inclusions,
        exclusions=found.exclusions,
        stop_days=found.stop_days,
        currency="EUR",
    )


short_times = st.integers(1, 40).map(lambda days: days * DAY_MS)


@given(st.sampled_from(Preset), st.builds(Retention, short_times, short_times, short_times))
def test_each_preset_is_sound_under_any_retention(preset: Preset, retention: Retention) -> None:
    audience = made(preset, retention)
    assert days_kept_instead(audience, retention) is None
    if min(retention.views_ms, retention.purchases_ms) > DAY_MS:  # else nobody ever lapses
        assert check(audience) is None


def visitor(*story: str) -> Profile:
    """What happened on each day from the first to now, such as "view_item 2" for two days ago."""
    profile = Profile(NOW_MS)
    for line in story:
        name, _, age = line.partition(" ")
        event = make_event(EventName(name), "boots", value_micros=60, currency="EUR")
        fold_event(profile, ADVERTISER, event, NOW_MS - int(age or 0) * DAY_MS)
    return profile


@pytest.mark.parametrize(
    ("preset", "story", "member"),
    [
        (Preset.PRODUCT_VIEWERS, ("view_item 29",), True),
        (Preset.PRODUCT_VIEWERS, ("view_item 29", "purchase"), False),
        (Preset.PRODUCT_VIEWERS, ("page_view",), False),
        (Preset.CART_ABANDONERS, ("view_item",), False),
        (Preset.CART_ABANDONERS, ("add_to_cart 3",), True),
        (Preset.CART_ABANDONERS, ("add_to_cart 3", "purchase 2"), False),
        (Preset.FORM_ABANDONERS, ("form_start 13",), True),
        (Preset.FORM_ABANDONERS, ("form_start 14",), False),
        (Preset.FORM_ABANDONERS, ("form_start 2", "generate_lead 2"), False),
        (Preset.WISHLIST, ("add_to_wishlist",), True),
        (Preset.WISHLIST, ("add_to_cart",), False),
        (Preset.FIRST_BUYERS, ("purchase 179",), True),
        (Preset.FIRST_BUYERS, ("purchase 179", "purchase 2"), False),
        (Preset.FREQUENT_BUYERS, ("purchase 90", "purchase 2"), False),
        (Preset.FREQUENT_BUYERS, ("purchase 90", "purchase 40", "purchase 2"), True),
        (Preset.LAPSED_BUYERS, ("purchase 29",), False),
        (Preset.LAPSED_BUYERS, ("purchase 30",), True),
        (Preset.LAPSED_BUYERS, ("purchase 90", "view_item 3"), True),
        (Preset.HIGH_CART_VALUE, ("add_to_cart",), False),
        (Preset.HIGH_CART_VALUE, ("add_to_cart", "add_to_cart 5"), True),
        (Preset.HIGH_CART_VALUE, ("add_to_cart", "add_to_cart 5", "purchase"), False),
        (Preset.HIGH_CART_VALUE, ("view_cart", "view_cart"), False),  # the same cart twice
    ],
)
def test_the_ready_made_hold_whom_they_are_named_for(
    preset: Preset, story: tuple[str, ...], member: bool
) -> None:
    assert is_member(made(preset), visitor(*story), NOW_MS) is member


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(EventName)), st.integers(0, 45)), max_size=8))
def test_levels_of_interest_are_disjoint_and_hold_everyone(story: list[tuple[EventName, int]]) -> None:
    profile = visitor(*(f"{name} {age}" for name, age in story))
    levels = [level for level in LEVELS if is_member(made(level), profile, NOW_MS)]
    assert len(levels) == any(age < 30 for _, age in story)
