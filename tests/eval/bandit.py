"""What the records of one policy tell of another: the Open Bandit Dataset, each way, beside what was really clicked."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import NamedTuple

from adserver.domain.rates import NETWORK_UNKNOWN, Rates, informed
from tests.eval.figures import Figure, Options
from tests.shared_data import MISSING, SHARED_DATA

RESAMPLES = 300
POLICIES = {"random": "bts", "bts": "random"}
Place = tuple[int, int]  # an item at a position of the page


class Shown(NamedTuple):
    """One impression as it was recorded."""

    place: Place
    clicked: int
    propensity: float


class Weighed(NamedTuple):
    """An impression of one policy as it counts for the other."""

    weight: float
    clicked: int
    expected: float  # of what was shown, by the model
    expected_of_other: float  # of what the other policy would show there


def run(options: Options) -> list[Figure]:
    """Inverse propensity, self-normalised, and doubly robust, with bootstrap intervals of 95 %."""
    logs = {policy: read(SHARED_DATA / "bandit" / policy / "men" / "men.csv") for policy in POLICIES}
    figures = []
    for logged, wanted in POLICIES.items():
        truth = fmean(one.clicked for one in logs[wanted])
        weighed = weighed_for(logs[logged], shares_of(logs[wanted]))
        for name, estimate in (("IPS", ips), ("SNIPS", snips), ("DR", doubly_robust)):
            low, high = interval(weighed, estimate)
            note = f"on policy {truth:.4f}, {'within' if low <= truth <= high else 'OUTSIDE'}"
            figures.append(
                Figure("bandit", f"{logged} -> {wanted}, {name}", estimate(weighed), low, high, note=note)
            )
    return figures


def read(path: Path) -> list[Shown]:
    """A policy's log."""
    if not path.exists():
        raise SystemExit(MISSING)
    with path.open(newline="") as file:
        return [
            Shown(
                (int(row["item_id"]), int(row["position"])),
                int(row["click"]),
                float(row["propensity_score"]),
            )
            for row in csv.DictReader(file)
        ]


def shares_of(log: Sequence[Shown]) -> dict[Place, float]:
    """How likely a policy shows each item at a position: as often as it did; it looked at no visitor."""
    counts, at_position = dict[Place, int](), dict[int, int]()
    for shown in log:
        counts[shown.place] = counts.get(shown.place, 0) + 1
        at_position[shown.place[1]] = at_position.get(shown.place[1], 0) + 1
    return {place: n / at_position[place[1]] for place, n in counts.items()}


def weighed_for(log: Sequence[Shown], shares: dict[Place, float]) -> list[Weighed]:
    """The logged impressions for a policy of such shares; the model is the ranking's shrunken rates."""
    expected = model_of(log)
    of_other = dict.fromkeys({position for _, position in expected}, 0.0)
    for place, share in shares.items():
        of_other[place[1]] += share * expected.get(place, expected[0, 0])
    return [
        Weighed(
            shares.get(one.place, 0.0) / one.propensity,
            one.clicked,
            expected[one.place],
            of_other[one.place[1]],
        )
        for one in log
    ]


def model_of(log: Sequence[Shown]) -> dict[Place, float]:
    """By item and position, each shrunken towards all of them; (0, 0) is what a newcomer is believed to be."""
    counted: dict[Place, tuple[int, int]] = {}
    for shown in log:
        impressions, clicks = counted.get(shown.place, (0, 0))
        counted[shown.place] = impressions + 1, clicks + shown.clicked
    figures = {key: Rates(*both) for key, both in enumerate(counted.values(), 1)}
    found = informed(NETWORK_UNKNOWN, figures, {key: [] for key in (0, *figures)}, [0, *figures])
    return {(0, 0): found[0].click.mean} | {
        place: found[key].click.mean for key, place in enumerate(counted, 1)
    }


def ips(weighed: Sequence[Weighed]) -> float:
    return fmean([one.weight * one.clicked for one in weighed])


def snips(weighed: Sequence[Weighed]) -> float:
    return sum([one.weight * one.clicked for one in weighed]) / sum([one.weight for one in weighed])


def doubly_robust(weighed: Sequence[Weighed]) -> float:
    return fmean([one.expected_of_other + one.weight * (one.clicked - one.expected) for one in weighed])


def interval(
    weighed: Sequence[Weighed], estimate: Callable[[Sequence[Weighed]], float]
) -> tuple[float, float]:
    """Of 95 %, by drawing as many impressions anew, many times."""
    dice = Random(1)
    drawn = sorted(estimate(dice.choices(weighed, k=len(weighed))) for _ in range(RESAMPLES))
    return drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES)]
