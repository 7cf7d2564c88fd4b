"""Estimates from another policy's records are right where the truth is known."""

from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean

import pytest

from tests.eval.bandit import (
    Place,
    Shown,
    Weighed,
    doubly_robust,
    interval,
    ips,
    shares_of,
    snips,
    weighed_for,
)

RATES = {(1, 1): 0.05, (2, 1): 0.10, (3, 1): 0.30}
SHARES = {(1, 1): 0.5, (2, 1): 0.3, (3, 1): 0.2}
WANTED = {(1, 1): 0.1, (2, 1): 0.2, (3, 1): 0.7}
TRUTH = sum(WANTED[place] * rate for place, rate in RATES.items())


def log_of(shares: dict[Place, float], n: int) -> list[Shown]:
    dice = Random(2)
    places = dice.choices(list(shares), list(shares.values()), k=n)
    return [Shown(place, int(dice.random() < RATES[place]), shares[place]) for place in places]


@pytest.mark.parametrize("estimate", [ips, snips, doubly_robust])
def test_an_estimate_finds_what_another_policy_would_get(
    estimate: Callable[[Sequence[Weighed]], float],
) -> None:
    weighed = weighed_for(log_of(SHARES, 20_000), WANTED)
    assert estimate(weighed) == pytest.approx(TRUTH, rel=0.08)
    low, high = interval(weighed, estimate)
    assert low < TRUTH < high and high - low < 0.1
    assert abs(fmean(one.clicked for one in weighed) - TRUTH) > 0.1  # the log itself tells another story


def test_shares_are_those_of_each_position() -> None:
    log = [Shown((1, 1), 0, 1.0), Shown((2, 1), 0, 1.0), Shown((1, 2), 0, 1.0)]
    assert shares_of(log) == {(1, 1): 0.5, (2, 1): 0.5, (1, 2): 1.0}
