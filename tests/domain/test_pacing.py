"""A paced day is spent as its traffic comes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.money import LARGEST, Micros
from adserver.domain.pacing import DayBudget, chance_to_pass, dice_of, may_spend
from adserver.domain.traffic import FLAT, Traffic
from tests.domain.makers import DAY_MS


def make_day(**fields: object) -> DayBudget:
    """A million for a day that is half over, of which nothing is spent."""
    day = DayBudget(Micros(1_000_000), Micros(0), Micros(1_000), DAY_MS // 2, DAY_MS)
    return msgspec.structs.replace(day, **fields)


def make_traffic(cost: float = 1_000.0, per_day: float = 2_000.0) -> Traffic:
    """As much is still to come as would cost a million."""
    return Traffic(FLAT, per_day, cost)


@pytest.mark.parametrize(
    ("committed", "chance"), [(0, 1.0), (500_000, 0.5), (900_000, 0.1), (1_000_000, 0.0), (2_000_000, 0.0)]
)
def test_the_chance_to_pass_is_what_is_left_over_what_is_to_come(committed: int, chance: float) -> None:
    assert chance_to_pass(make_day(committed=Micros(committed)), make_traffic()) == pytest.approx(chance)


@given(
    st.integers(min_value=1, max_value=LARGEST),
    st.integers(min_value=0, max_value=LARGEST),
    st.integers(min_value=0, max_value=DAY_MS),
    st.floats(min_value=0, max_value=1e6),
    st.floats(min_value=0, max_value=1e6),
)
def test_the_chance_to_pass_is_a_chance(
    budget: int, committed: int, elapsed_ms: int, cost: float, per_day: float
) -> None:
    day = make_day(budget=Micros(budget), committed=Micros(committed), elapsed_ms=elapsed_ms)
    assert 0.0 <= chance_to_pass(day, make_traffic(cost, per_day)) <= 1.0


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_campaigns_throw_is_its_own_and_the_same_again(dice: float) -> None:
    throws = {dice_of(key, dice) for key in range(5)}
    assert len(throws) == 5
    assert all(0.0 <= throw < 1.0 for throw in throws)
    assert dice_of(3, dice) == dice_of(3, dice)


def test_an_ad_passes_by_the_dice_until_nothing_is_left() -> None:
    half = make_day(committed=Micros(500_000))
    assert may_spend(half, make_traffic(), 0.49)
    assert not may_spend(half, make_traffic(), 0.51)
    assert not may_spend(make_day(committed=Micros(1_000_000)), make_traffic(), 0.0)


def test_a_forecast_that_was_far_too_high_does_not_hold_a_budget_back() -> None:
    far_behind = make_day(committed=Micros(200_000))
    assert may_spend(far_behind, make_traffic(per_day=200_000.0), 0.999)
