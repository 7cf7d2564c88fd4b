"""How far a difference is known: against published tables, by their own laws, and in simulation."""

from math import exp, log1p, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.intervals import (
    Difference,
    Moments,
    difference,
    information_needed,
    mismatch_chance,
    more_visitors,
    per_visitor,
    smallest_seen,
)

variances = st.floats(1e-6, 1.0)
ratios = st.floats(-0.7, 0.7)


@pytest.mark.parametrize(
    ("arms", "statistic", "chance"),
    [
        (2, 3.841, 0.05), (2, 10.828, 0.001), (3, 5.991, 0.05), (3, 13.816, 0.001), (4, 7.815, 0.05),
        (5, 9.488, 0.05), (6, 11.070, 0.05), (10, 27.877, 0.001),
    ],
)  # fmt: skip
def test_the_chance_of_a_mismatch_is_that_of_the_published_tables(
    arms: int, statistic: float, chance: float
) -> None:
    """One arm is off by as much as gives the table's statistic."""
    each = 1_000_000
    off = sqrt(statistic * each / (1 + 1 / (arms - 1)))
    counts = [each + off, *[each - off / (arms - 1)] * (arms - 1)]
    assert mismatch_chance(counts, [1] * arms) == pytest.approx(chance, rel=0.01)  # type: ignore[arg-type]


def test_arms_of_nobody_are_no_mismatch() -> None:
    assert mismatch_chance((0, 0), (1, 1)) == 1.0


@given(st.lists(st.integers(0, 500), min_size=2, max_size=6))
def test_a_chance_lies_between_nothing_and_one(counts: list[int]) -> None:
    assert 0.0 <= mismatch_chance(counts, [1] * len(counts)) <= 1.0


@given(ratios, variances)
def test_the_any_day_interval_holds_the_fixed_one_and_that_what_was_seen(
    ratio: float, variance: float
) -> None:
    found = Difference(ratio, variance)
    assert found.any_day.low < found.fixed.low < found.relative < found.fixed.high < found.any_day.high


@given(ratios, variances, st.floats(1.1, 10.0))
def test_intervals_narrow_as_more_is_known(ratio: float, variance: float, more: float) -> None:
    now, later = Difference(ratio, variance), Difference(ratio, variance / more)
    for kind in ("fixed", "any_day"):
        wide, narrow = getattr(now, kind), getattr(later, kind)
        assert narrow.high - narrow.low < wide.high - wide.low


@given(ratios, variances)
def test_who_is_compared_with_whom_turns_the_interval_round(ratio: float, variance: float) -> None:
    there, back = Difference(ratio, variance).any_day, Difference(-ratio, variance).any_day
    assert (1 + there.low) * (1 + back.high) == pytest.approx(1)


def test_the_any_day_interval_is_as_in_the_mixture_of_robbins() -> None:
    """At the information of a fifth, r is known: 1 / V is 8.78 times r."""
    variance = 1 / information_needed(0.2)
    found = Difference(0.0, variance)
    weight = 1 / 8.7805
    half = sqrt(variance * (1 + weight) * log1p(9.7805 / 0.05**2 - 1))
    assert found.any_day.high == pytest.approx(exp(half) - 1, rel=1e-3)
    assert log1p(found.any_day.high) / log1p(found.fixed.high) == pytest.approx(1.55, abs=0.01)


def test_a_difference_of_nothing_is_not_told() -> None:
    some, none = per_visitor(100, 5, 5), per_visitor(100, 0, 0)
    assert difference(some, none) is difference(none, some) is None
    assert difference(some, per_visitor(0, 0, 0)) is None


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 5)), min_size=3, max_size=60))
def test_the_variance_of_a_rate_is_the_delta_methods(visitors: list[tuple[int, int]]) -> None:
    n, xs, ys = len(visitors), [x for x, _ in visitors], [float(min(x, y)) for x, y in visitors]
    if not sum(ys):
        return
    moments = Moments(
        n, sum(ys), sum(y * y for y in ys), sum(xs), sum(x * x for x in xs),
        sum(x * y for x, y in zip(xs, ys, strict=True)),
    )  # fmt: skip
    rate = sum(ys) / sum(xs)
    residuals = sum((y - rate * x) ** 2 for x, y in zip(xs, ys, strict=True))
    assert moments.relative_variance == pytest.approx(residuals / sum(ys) ** 2, abs=1e-9)


def test_as_many_visitors_as_are_missing_are_enough() -> None:
    """A tenth more at 2 %: the published size is about 80,000 in each arm (Lehr: 16 p (1 - p) / (0.1 p)^2)."""
    arm = per_visitor(1_000, 20, 20)
    found = difference(arm, arm)
    assert found is not None
    missing = more_visitors(found.variance, 2_000)
    assert 2_000 + missing == pytest.approx(2 * 16 * 0.98 / (0.02 * 0.1**2), rel=0.1)
    enough = found.variance * 2_000 / (2_000 + missing)
    assert more_visitors(enough, 2_000 + missing) == 0
    assert smallest_seen(enough) == pytest.approx(0.10, rel=1e-3)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Thirty looks at each of 400 experiments with 12 % more; `make eval` has thousands, and more cases."""
    dice, truth = Random(11), log1p(0.12)
    fixed = any_day = 0
    for _ in range(400):
        arms, missed = [[0, 0], [0, 0]], False
        for _ in range(30):
            for arm, mean in zip(arms, (100 * 1.12, 100.0), strict=True):
                arm[0] += 5_000
                arm[1] += max(0, round(dice.gauss(mean, sqrt(mean))))
            found = difference(*(per_visitor(n, bought, bought) for n, bought in arms))
            assert found is not None
            missed |= not log1p(found.any_day.low) <= truth <= log1p(found.any_day.high)
        fixed += log1p(found.fixed.low) <= truth <= log1p(found.fixed.high)
        any_day += not missed
    assert 0.92 < fixed / 400 < 0.975
    assert any_day / 400 > 0.95
