"""How far a difference between two arms is known: by one look at a planned end, or by a look on any day.

All is said of the logarithm of a ratio of means, so that "14 % more" and "12 % less" are as far from nothing.
"""

from collections.abc import Sequence
from math import erfc, exp, expm1, log, log1p, pi, sqrt
from statistics import NormalDist

import msgspec

ALPHA = 0.05  # one true difference in twenty lies outside of its interval
POWER = 0.8
SEEN = 0.10  # the difference that sizes are told for: one arm has a tenth more
FEWEST = 10  # of what is counted, in each arm: with less, no interval is told at all
MISMATCH = 0.001  # below this chance, the arms' sizes are no accident

_Z = NormalDist().inv_cdf(1 - ALPHA / 2)


def information_needed(difference: float = SEEN) -> float:
    """1 / variance of the log ratio with which a true difference is seen four times out of five."""
    return float(((_Z + NormalDist().inv_cdf(POWER)) / log1p(difference)) ** 2)


# Fixed in advance, as it must be: the any-day interval is tightest where a fifth could just be seen, and
# where a tenth could, it is a thirtieth wider than it might be.
_PRIOR = information_needed(0.20) / (-2 * log(ALPHA) + log(-2 * log(ALPHA)) + 1)


class Moments(msgspec.Struct, frozen=True):
    """Sums over an arm's visitors: of a figure, of what it is told per, their squares and their product."""

    visitors: int
    figure: float
    figure_squares: float
    per: float
    per_squares: float
    product: float

    @property
    def rate(self) -> float:
        return self.figure / self.per if self.per else 0.0

    @property
    def relative_variance(self) -> float:
        """Of the rate, by the delta method: what one visitor does is independent of what another does."""
        own = self.figure_squares / self.figure**2 + self.per_squares / self.per**2
        return max(0.0, own - 2 * self.product / (self.figure * self.per))


def per_visitor(visitors: int, figure: float, squares: float) -> Moments:
    return Moments(visitors, figure, squares, visitors, visitors, figure)


class Interval(msgspec.Struct, frozen=True):
    """Bounds of a relative difference: 0.14 is 14 % more than the other arm."""

    low: float
    high: float

    @property
    def holds_nothing(self) -> bool:
        """Whether no difference at all is among what may be so."""
        return self.low <= 0.0 <= self.high


class Difference(msgspec.Struct, frozen=True):
    """How much more one arm has than another, as the logarithm of their ratio, and its variance."""

    log_ratio: float
    variance: float

    @property
    def relative(self) -> float:
        return expm1(self.log_ratio)

    @property
    def fixed(self) -> Interval:
        """The 95 % interval for whoever looks once, at the end that was planned."""
        return self._within(_Z * sqrt(self.variance))

    @property
    def any_day(self) -> Interval:
        """The 95 % interval that holds on all days at once, so that anyone may look and stop on any.

        A normal mixture bounds a Brownian motion B for ever (Robbins 1970; Howard, Ramdas, McAuliffe and
        Sekhon 2021; the mSPRT of Johari, Koomen, Pekelis and Walsh 2022):

            P(for some I: |B(I)| >= sqrt((I + r) log((I + r) / (r alpha^2)))) <= alpha

        The log ratio times its information I = 1 / V is such a motion once there are some dozens of
        conversions (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024: asymptotic confidence sequences):

            log ratio +- sqrt(V (1 + r V) log((1 + 1 / (r V)) / alpha^2))

        `r` is fixed before anything is seen: I* / (-2 log alpha + log(-2 log alpha) + 1), where I* is the
        information that shows a difference of a fifth. There the interval is 1.55 times as wide as `fixed`.
        """
        weight = _PRIOR * self.variance
        return self._within(sqrt(self.variance * (1 + weight) * log((1 + 1 / weight) / ALPHA**2)))

    def _within(self, half: float) -> Interval:
        return Interval(expm1(self.log_ratio - half), expm1(self.log_ratio + half))


def difference(arm: Moments, base: Moments) -> Difference | None:
    """How much more `arm` has than `base`; None where one of them has nothing to compare."""
    if min(arm.figure, base.figure, arm.per, base.per) <= 0:
        return None
    variance = arm.relative_variance + base.relative_variance
    return Difference(log(arm.rate / base.rate), variance) if variance > 0 else None


def more_visitors(variance: float, visitors: int, difference: float = SEEN) -> int:
    """How many more are needed, in the same shares, until such a difference would be seen."""
    return max(0, round(visitors * (variance * information_needed(difference) - 1)))


def smallest_seen(variance: float) -> float:
    """The relative difference that would be seen four times out of five with this variance."""
    return expm1(sqrt(variance) * (_Z + NormalDist().inv_cdf(POWER)))


def mismatch_chance(counts: Sequence[int], shares: Sequence[float]) -> float:
    """How likely the arms' sizes are at least so far from their shares by accident (chi-square)."""
    total, whole = sum(counts), sum(shares)
    expected = [total * share / whole for share in shares]
    if not total or min(expected) <= 0:
        return 1.0
    statistic = sum((n - due) ** 2 / due for n, due in zip(counts, expected, strict=True))
    return _chi_square_above(statistic, len(counts) - 1)


def _chi_square_above(statistic: float, freedom: int) -> float:
    """The upper tail, by the recurrence over degrees of freedom, two at a time."""
    half = statistic / 2
    above = erfc(sqrt(half)) if freedom % 2 else exp(-half)
    term = sqrt(half / pi) * exp(-half) * 2 if freedom % 2 else half * exp(-half)
    for known in range(2 - freedom % 2, freedom, 2):
        above += term
        term *= half / (known / 2 + 1)
    return min(1.0, above)
