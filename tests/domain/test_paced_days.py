"""An even budget is spent as the traffic comes, wholly and never over, on days that nobody foresaw."""

from random import Random
from statistics import mean

import pytest

from adserver.domain.campaign import Pacing
from adserver.domain.money import Micros
from adserver.domain.traffic import local_days, profile_of
from tests.domain.makers import DAY_MS, HOUR_MS, NOW_MS
from tests.domain.paced_day import (
    PAID,
    PRICE,
    WINS,
    ZONE,
    PacedDay,
    Simulation,
    unforeseen_day,
    usual_day,
)

REQUESTS = 40_000  # in a usual day
DAYS = 12
ONE_BURST = frozenset({5})
EVERY_DAY = frozenset(range(-7, DAYS))
MIDNIGHT_MS = local_days(NOW_MS, ZONE).today.start_ms


def budget_of(share: float) -> Micros:
    """What so much of a usual day's traffic would cost."""
    return Micros(int(REQUESTS * share * WINS * PAID) * PRICE)


def twelve_days(seed: int, share: float, pacing: Pacing, bursts: frozenset[int]) -> list[PacedDay]:
    """Twelve days after a week of others; those of `bursts` have one."""
    simulation, world = Simulation(seed, pacing, budget_of(share)), Random(seed)
    done = []
    for day in range(-7, DAYS):
        rates = unforeseen_day(world, REQUESTS, has_burst=day in bursts)
        if day < 0:
            simulation.remember(MIDNIGHT_MS + day * DAY_MS, rates)
        else:
            done.append(simulation.run(MIDNIGHT_MS + day * DAY_MS, rates))
    return done


def told(days: list[PacedDay]) -> str:
    spent, shape = mean(day.spent_share for day in days), mean(day.shape_error for day in days)
    last = mean(day.last_ms for day in days) / HOUR_MS
    return f"spent {spent:.4f}, shape error {shape:.3f}, last charge at {last:.1f} h"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("share", "least_spent"), [(0.1, 0.99), (0.5, 0.99), (0.95, 0.85)])
def test_an_even_budget_follows_the_traffic_and_is_spent(share: float, least_spent: float, seed: int) -> None:
    days = twelve_days(seed, share, Pacing.EVEN, ONE_BURST)
    print(f"even, budget {share:.0%} of traffic, a burst: {told(days)}")
    assert mean(day.shape_error for day in days) <= 0.10
    assert mean(day.spent_share for day in days) >= least_spent
    assert all(day.unbilled == 0 and day.spent_share <= 1 for day in days)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_burst_on_every_day_bends_the_shape_and_still_spends_the_budget(seed: int) -> None:
    """Nobody can know beforehand that a quarter of the day comes in one hour; what follows must make do."""
    days = twelve_days(seed, 0.5, Pacing.EVEN, EVERY_DAY)
    print(f"even, budget 50% of traffic, a burst each day: {told(days)}")
    assert mean(day.shape_error for day in days) <= 0.15
    assert mean(day.spent_share for day in days) >= 0.99
    assert all(day.unbilled == 0 and day.spent_share <= 1 for day in days)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_does_not_wait_is_gone_early_and_is_not_over_either() -> None:
    days = twelve_days(1, 0.5, Pacing.ASAP, ONE_BURST)
    print(f"asap, budget 50% of traffic, a burst: {told(days)}")
    assert mean(day.shape_error for day in days) > 0.3
    assert all(day.unbilled == 0 and day.spent_share <= 1 for day in days)


@pytest.mark.parametrize(("begin_hour", "least_spent"), [(0, 0.99), (9, 0.99), (18, 0.95)])
def test_a_campaigns_first_day_is_paced_by_what_it_sees(begin_hour: int, least_spent: float) -> None:
    """Without any history a night looks as if its day were small: the worst case, and no budget starves."""
    simulation = Simulation(5, Pacing.EVEN, budget_of(0.1))
    day = simulation.run(MIDNIGHT_MS, usual_day(REQUESTS), begin_hour)
    print(f"first day, begun at {begin_hour} h, nothing known: {told([day])}")
    assert day.spent_share >= least_spent
    assert day.last_ms > 22 * HOUR_MS
    assert day.shape_error <= (0.10 if begin_hour else 0.45)


@pytest.mark.parametrize("begin_hour", [0, 9, 18])
def test_a_first_day_on_a_network_with_history_has_its_shape(begin_hour: int) -> None:
    simulation = Simulation(5, Pacing.EVEN, budget_of(0.1))
    simulation.network = profile_of(usual_day(1))
    day = simulation.run(MIDNIGHT_MS, usual_day(REQUESTS), begin_hour)
    print(f"first day, begun at {begin_hour} h, network known: {told([day])}")
    assert day.spent_share >= 0.99
    assert day.shape_error <= 0.10


@pytest.mark.parametrize("budget", [1, 3, 20])
def test_the_smallest_budgets_are_spent_too(budget: int) -> None:
    simulation = Simulation(5, Pacing.EVEN, Micros(budget * PRICE))
    simulation.remember(MIDNIGHT_MS - DAY_MS, usual_day(2_000))
    assert simulation.run(MIDNIGHT_MS, usual_day(2_000)).spent_share == 1


def test_traffic_of_the_opposite_shape_spends_what_a_flat_plan_would() -> None:
    simulation = Simulation(5, Pacing.EVEN, budget_of(0.1))
    morning, evening = [[1.0] * 12 + [0.0] * 12, [0.0] * 12 + [1.0] * 12]
    for day in range(-7, 0):
        simulation.remember(MIDNIGHT_MS + day * DAY_MS, [rate * REQUESTS / 12 for rate in evening])
    assert simulation.run(MIDNIGHT_MS, [rate * REQUESTS / 12 for rate in morning]).spent_share >= 0.5
