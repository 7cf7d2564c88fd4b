"""Places and campaigns whose traffic looks odd: more that is suspect, or more clicks, than usual there."""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from adserver.domain.validity import Suspicion

DAY_MS = 86_400_000
DAYS = 28
REASONS = (*(one.value for one in Suspicion), "too_soon")
EVENTS = ("impressions", "viewable_impressions", "clicks")
NAMES = (*EVENTS, *(f"{event}_{reason}" for event in EVENTS for reason in REASONS))
FEWEST_SUSPECT, FEWEST_SHOWN = 10, 100  # of fewer, a day says nothing
FEWEST_DAYS = 5
ODD = 3.5  # modified z-score, as Iglewicz and Hoaglin recommend
MAD_TO_SIGMA = 1.4826


class Day(msgspec.Struct, frozen=True):
    """What was counted of somebody on a UTC day."""

    start_ms: int
    impressions: int
    clicks: int
    suspect: int
    reasons: Mapping[str, int]

    @property
    def click_rate(self) -> float | None:
        """Clicks that count, for each impression that does."""
        return self.clicks / self.impressions if self.impressions >= FEWEST_SHOWN else None


class Suspect(msgspec.Struct, frozen=True):
    """Somebody's days, oldest first, and on which of them what was odd."""

    owner_key: int
    days: Sequence[Day]
    much_suspect: Sequence[int]  # the days' starts
    many_clicks: Sequence[int]

    @property
    def suspect(self) -> int:
        return sum(day.suspect for day in self.days)

    @property
    def is_odd(self) -> bool:
        return bool(self.much_suspect or self.many_clicks)


def day_of(start_ms: int, counted: Mapping[str, int]) -> Day:
    reasons = {
        reason: n for reason in REASONS if (n := sum(counted.get(f"{event}_{reason}", 0) for event in EVENTS))
    }
    return Day(
        start_ms, counted.get("impressions", 0), counted.get("clicks", 0), sum(reasons.values()), reasons
    )


def judged(owner_key: int, days: Sequence[Day]) -> Suspect:
    """Each day against all the others of the same place or campaign."""
    suspect = [
        day.start_ms
        for at, day in enumerate(days)
        if day.suspect >= FEWEST_SUSPECT
        and _is_odd(day.suspect, [one.suspect for one in _others(days, at)], least=FEWEST_SUSPECT)
    ]
    clicks = [
        day.start_ms
        for at, day in enumerate(days)
        if (rate := day.click_rate) is not None
        and _is_odd(
            rate, [one.click_rate for one in _others(days, at) if one.click_rate is not None], least=rate / 2
        )
    ]
    return Suspect(owner_key, days, suspect, clicks)


def _others(days: Sequence[Day], at: int) -> list[Day]:
    return [*days[:at], *days[at + 1 :]]


def _is_odd(value: float, usual: Sequence[float], least: float) -> bool:
    """Whether it is far above what is usual, in robust deviations; at least by so much at all."""
    if len(usual) < FEWEST_DAYS:
        return False
    middle = median(usual)
    deviation = MAD_TO_SIGMA * median(abs(one - middle) for one in usual)
    return value - middle > max(ODD * deviation, least * 0.999)
