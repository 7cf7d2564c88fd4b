"""How much is lost by not knowing true click rates: log loss of shrunken rates beside the oracle's and others'."""

from collections.abc import Callable, Sequence
from math import log
from random import Random
from statistics import fmean

from adserver.domain.rates import NETWORK_UNKNOWN, Rates, informed, learn, trials_of
from tests.eval.figures import Figure, Options

ARMS, SEEDS = 300, 20
MEAN, STRENGTH = 0.005, 250.0  # true rates are Beta(1.25, 248.75): half a percent in the mean
IMPRESSIONS = (20, 100, 500, 2_000)
MOST_AT_100 = 1.05
LEAST = 1e-5  # what a raw rate of nothing is taken for


def run(options: Options) -> list[Figure]:
    """The shrunken rates' log loss over the oracle's, by impressions of each campaign."""
    figures = []
    for impressions in IMPRESSIONS:
        losses = [_losses(Random(seed), impressions) for seed in range(SEEDS)]
        oracle, raw, laplace, exact, shrunken = (fmean(column) for column in zip(*losses, strict=True))
        figures.append(
            Figure(
                "rates",
                f"log loss / oracle's, {impressions} impressions an arm",
                shrunken / oracle,
                at_most=MOST_AT_100 if impressions == 100 else None,
                note=f"raw {raw / oracle:.3f}, Laplace {laplace / oracle:.3f}, who knows the prior "
                f"{exact / oracle:.4f}; {SEEDS} seeds",
            )
        )
    return figures


def _losses(dice: Random, impressions: int) -> tuple[float, ...]:
    """Of the truth, raw rates, (clicks + 1) / (impressions + 2), Bayes with the true prior, and the product."""
    true = [dice.betavariate(MEAN * STRENGTH, (1 - MEAN) * STRENGTH) for _ in range(ARMS)]
    clicks = [sum(dice.random() < rate for _ in range(impressions)) for rate in true]
    rated = believed(clicks, impressions)
    return (
        _loss(true, lambda arm: true[arm]),
        _loss(true, lambda arm: clicks[arm] / impressions),
        _loss(true, lambda arm: (clicks[arm] + 1) / (impressions + 2)),
        _loss(true, lambda arm: (clicks[arm] + MEAN * STRENGTH) / (impressions + STRENGTH)),
        _loss(true, lambda arm: rated[arm]),
    )


def believed(clicks: Sequence[int], impressions: int) -> list[float]:
    """What the ranking believes of an advertiser's campaigns with these figures, one creative each."""
    figures = {arm: Rates(impressions, one) for arm, one in enumerate(clicks, 1)}
    network = learn({1: [trials_of(one) for one in figures.values()]}) if figures else NETWORK_UNKNOWN
    found = informed(network, figures, {arm: [-arm] for arm in figures}, list(figures))
    return [found[-arm].click.mean for arm in figures]


def _loss(true: Sequence[float], told: Callable[[int], float]) -> float:
    """Expected over clicks to come, so that no noise of theirs is in it."""
    total = 0.0
    for arm, rate in enumerate(true):
        p = min(1 - LEAST, max(LEAST, told(arm)))
        total -= rate * log(p) + (1 - rate) * log(1 - p)
    return total / len(true)
