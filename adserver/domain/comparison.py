"""What is known of a difference between two arms, in figures and in one plain sentence."""

from collections.abc import Sequence

import msgspec

from adserver.domain.experiment import Metric
from adserver.domain.intervals import (
    FEWEST,
    MISMATCH,
    SEEN,
    Difference,
    Interval,
    Moments,
    difference,
    mismatch_chance,
    more_visitors,
)
from adserver.domain.participant import Sums

_DOES = {
    Metric.CLICK_RATE: ("is clicked", "clicks"),
    Metric.PURCHASES: ("sells", "purchases"),
    Metric.LEADS: ("brings", "leads"),
    Metric.REVENUE: ("earns", "purchases"),
}
CAUSES = (
    "a share was changed while it ran",
    "one arm fails to load or to be counted: compare the arms' pages in a browser",
    "robots or staff see one arm more than the other",
    "visitors were erased or lost their cookies in one arm only",
)


class Comparison(msgspec.Struct, frozen=True):
    """One figure of an arm beside the first arm's.

    `fixed` holds for one look at the planned end, `any_day` on all days; None with too few to tell.
    `more_visitors` are needed until a tenth more would be seen; None before anything can be told of that.
    Of fewer than FEWEST visitors no rate is told either: each of them has done what it says.
    """

    metric: Metric
    rate: float | None
    base_rate: float | None
    relative: float | None
    fixed: Interval | None
    any_day: Interval | None
    more_visitors: int | None
    said: str


class Sizes(msgspec.Struct, frozen=True):
    """Whether the arms are as large as their shares say; where not, nothing else can be believed."""

    visitors: tuple[int, ...]
    shares: tuple[float, ...]
    chance: float

    @property
    def are_sound(self) -> bool:
        return self.chance >= MISMATCH

    @property
    def said(self) -> str:
        if self.are_sound:
            return "The arms are as large as their shares say."
        return (
            f"The arms are not as large as their shares say (an accident of {self.chance:.1g}):"
            " do not believe the result. Likely causes: " + "; ".join(CAUSES) + "."
        )


def sizes_of(visitors: Sequence[int], shares: Sequence[float]) -> Sizes:
    return Sizes(tuple(visitors), tuple(shares), mismatch_chance(visitors, shares))


def moments(metric: Metric, sums: Sums) -> Moments:
    match metric:
        case Metric.CLICK_RATE:
            return sums.click_rate
        case Metric.PURCHASES:
            return sums.of_purchases
        case Metric.LEADS:
            return sums.of_leads
        case Metric.REVENUE:
            return sums.of_revenue


def compare(metric: Metric, name: str, arm: Sums, base_name: str, base: Sums) -> Comparison:
    """How the arm does beside the base."""
    own, other = moments(metric, arm), moments(metric, base)
    found = difference(own, other)
    enough = min(events(metric, arm), events(metric, base)) >= FEWEST
    told = found if enough else None
    more = visitors_missing(metric, arm, base)
    return Comparison(
        metric,
        own.rate if own.visitors >= FEWEST else None,
        other.rate if other.visitors >= FEWEST else None,
        None if told is None else told.relative,
        None if told is None else told.fixed,
        None if told is None else told.any_day,
        more,
        _sentence(metric, name, base_name, told) + _missing(more),
    )


def events(metric: Metric, sums: Sums) -> int:
    """How many of what the figure is made of there were."""
    counts = {Metric.CLICK_RATE: sums.clicks, Metric.LEADS: sums.leads}
    return counts.get(metric, sums.purchases)


def visitors_missing(metric: Metric, arm: Sums, base: Sums) -> int | None:
    """By how much both arms' visitors vary together: they would, were there no difference."""
    both = Sums()
    both.add(arm)
    both.add(base)
    pooled = moments(metric, both)
    if pooled.figure <= 0 or not (arm.entered and base.entered):
        return None
    each = pooled.relative_variance * pooled.visitors
    return more_visitors(each * (1 / arm.entered + 1 / base.entered), pooled.visitors)


def _sentence(metric: Metric, name: str, base_name: str, told: Difference | None) -> str:
    does, what = _DOES[metric]
    if told is None:
        return f"Too few yet: {name} and {base_name} need at least {FEWEST} {what} each."
    interval = told.any_day
    if interval.low > 0:
        verdict = f"{name} wins"
    elif interval.high < 0:
        verdict = f"{name} loses"
    else:
        verdict = "not decided"
    return f"{name} {does} {between(interval)} than {base_name}: {verdict}."


def percent(share: float) -> str:
    return f"{round(share * 100)} %"


def between(interval: Interval) -> str:
    """`between 2 % less and 14 % more`."""
    low, high = round(interval.low * 100), round(interval.high * 100)
    if low < 0 <= high or low == high:
        return f"between {_share(low)} and {_share(high)}"
    nearer, farther = sorted((abs(low), abs(high)))
    return f"between {nearer} % and {farther} % {'more' if low >= 0 else 'less'}"


def _share(percent: int) -> str:
    return f"{abs(percent)} % {'less' if percent < 0 else 'more'}"


def _missing(more: int | None) -> str:
    if more is None:
        return " How many visitors it takes is known once somebody has done what is compared."
    if not more:
        return f" There are enough visitors to see a difference of {percent(SEEN)}."
    return f" It needs {more:,} more visitors to see a difference of {percent(SEEN)}."
