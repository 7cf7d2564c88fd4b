"""What a campaign's day will probably bring: how many requests, spread how, and what each of them costs."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from statistics import median

import msgspec

from adserver.domain.budget import DaySpan, day_span

HOUR_MS = 3_600_000
QUARTER_MS = 900_000
SETTLED_MS = 5 * 60_000  # after so long, an hour's count says more than the part of an hour before it
PARTS = 24  # of a local day, all of one length: the hours of most days
DAYS = 7

# What is believed beforehand weighs as much as so much that was seen.
SHAPE_DAYS, SHAPE_REQUESTS = 0.5, 50.0
LEVEL_SHARE = 0.1  # of a day
COST_BILLED = 10.0  # billed events

# An hour of more than twice the usual is a burst, unless it is one of a few requests.
CALM_TIMES, CALM_REQUESTS = 2.0, 10.0


class TrafficProfile(msgspec.Struct, frozen=True):
    """How a local day's traffic is spread: the share that is over at each 24th of the day, from 0 to 1."""

    over: tuple[float, ...]


class Traffic(msgspec.Struct, frozen=True):
    """What pacing expects of a campaign's day.

    `requests_per_day` are those it could answer if money were no question; `cost_micros` is what one that
    pacing lets pass will be billed, weighed with how often it wins and is paid. `begun_share` of the day's
    traffic was over when the campaign was first asked today.
    """

    profile: TrafficProfile
    requests_per_day: float
    cost_micros: float
    begun_share: float = 0.0


class Counted(msgspec.Struct, frozen=True):
    """A campaign's counts of the last days, by the UTC start of their hour in milliseconds.

    `eligible`: it could have answered, money apart; `passed`: its budgets let it try.
    """

    eligible: dict[int, int] = {}
    passed: dict[int, int] = {}
    spend_micros: dict[int, int] = {}


class PastDays(msgspec.Struct, frozen=True):
    """What the last week tells of a day; no requests where there is no history."""

    profile: TrafficProfile
    requests_per_day: float


class LocalDays(msgspec.Struct, frozen=True):
    """Today and the week before it in one zone: which 24ths of its day the halves of a UTC hour belong to."""

    today: DaySpan
    parts: dict[int, tuple[int, int]]


def profile_of(weights: Sequence[float]) -> TrafficProfile:
    """The profile of a day whose 24 parts see traffic in proportion to `weights`."""
    total = sum(weights)
    over = [weight / total for weight in accumulate(weights, initial=0.0)]
    return TrafficProfile((*over[:-1], 1.0))


FLAT = profile_of([1.0] * PARTS)


def remaining_share(profile: TrafficProfile, elapsed_ms: int, day_length_ms: int) -> float:
    """The share of a day's traffic that is still to come; days of 23 to 25 hours have 24 parts as well."""
    if elapsed_ms <= 0 or elapsed_ms >= day_length_ms:
        return 1.0 if elapsed_ms <= 0 else 0.0
    at = elapsed_ms / day_length_ms * PARTS
    part = int(at)
    before, after = profile.over[part], profile.over[part + 1]
    return 1.0 - before - (after - before) * (at - part)


def local_days(now_ms: int, timezone: str) -> LocalDays:
    """Today in the zone, and the seven days before it."""
    today = span = day_span(now_ms, timezone)
    parts: dict[int, tuple[int, int]] = {}
    quarters: dict[int, int] = {}  # halves are placed by their middles, so that zones of half hours fit
    for _ in range(DAYS + 1):
        first = span.start_ms - span.start_ms % QUARTER_MS
        for at_ms in range(first, span.end_ms, QUARTER_MS):
            if at_ms >= span.start_ms:
                quarters[at_ms] = (at_ms - span.start_ms) * PARTS // (span.end_ms - span.start_ms)
        span = day_span(span.start_ms - 1, timezone)
    for at_ms, part in quarters.items():
        later = quarters.get(at_ms + 2 * QUARTER_MS)
        if at_ms % HOUR_MS == QUARTER_MS and later is not None:
            parts[at_ms - QUARTER_MS] = (part, later)
    return LocalDays(today, parts)


def learn(counts: Mapping[int, int], days: LocalDays, believed: TrafficProfile) -> PastDays:
    """What whole hours of past days tell; `believed` and no requests where there are none.

    Each part's share is a posterior mean: what was counted there, over the days on which it could be, with
    the believed share as half a day more (or fifty requests, of a campaign that sees few). Hours before the
    first count are no evidence: on its first day a campaign began somewhere in the middle.
    """
    prior = [after - before for before, after in zip(believed.over, believed.over[1:], strict=False)]
    past: dict[int, list[int]] = {}
    first = min(counts, default=days.today.start_ms)
    for hour, parts in days.parts.items():
        if first <= hour <= days.today.start_ms - HOUR_MS:
            for part in parts:
                past.setdefault(part, []).append(counts.get(hour, 0))
    seen = [sum(_calm(n, median(past[part])) for n in past[part]) / 2 if part in past else 0.0
            for part in range(PARTS)]  # fmt: skip
    if not sum(seen):
        return PastDays(believed, 0.0)
    exposed = [len(past.get(part, ())) / 2 for part in range(PARTS)]
    per_day = sum(seen) / sum(times * share for times, share in zip(exposed, prior, strict=True))
    weight = max(SHAPE_DAYS, SHAPE_REQUESTS / per_day)
    shares = [
        (n / per_day + weight * share) / (times + weight)
        for n, times, share in zip(seen, exposed, prior, strict=True)
    ]
    return PastDays(profile_of(shares), per_day)


def _calm(n: float, usual: float) -> float:
    """A count without its burst: a burst tells nothing of the hours that follow it."""
    return min(n, max(CALM_TIMES * usual, CALM_REQUESTS))


def forecast(
    counted: Counted,
    days: LocalDays,
    past: PastDays,
    now_ms: int,
    started_ms: int,
    worth: tuple[float, float],
) -> Traffic | None:
    """What to expect of the whole of today, of its past days and of today so far; None before any request.

    `started_ms` is the earliest moment at which the campaign can have run. `worth` is what an ad is expected
    to cost in micros before there are figures, and its chance of being billed at all.
    """
    profile = past.profile
    per_day = _per_day(_observed(counted.eligible, days, profile, now_ms, started_ms), past.requests_per_day)
    if not per_day:
        return None
    asked = [hour for hour in _hours_of(days.today) if hour in counted.eligible]
    begun = 1.0 - _to_come(profile, days, max(min(asked, default=0), started_ms))
    return Traffic(profile, per_day, _cost(counted, days.today, worth), begun)


def _hours_of(day: DaySpan) -> range:
    """The UTC hours that touch a local day."""
    return range(day.start_ms - day.start_ms % HOUR_MS, day.end_ms, HOUR_MS)


def _observed(
    eligible: Mapping[int, int], days: LocalDays, profile: TrafficProfile, now_ms: int, started_ms: int
) -> list[tuple[int, float]]:
    """Requests of each hour since the first of today, and the share of the day that hour should have."""
    begin_ms = days.today.start_ms
    first = min((hour for hour in _hours_of(days.today) if hour in eligible), default=now_ms)
    if first != begin_ms and now_ms >= first + HOUR_MS + SETTLED_MS:
        first += HOUR_MS  # nobody knows how much of its first hour the campaign was there for
    hours = range(first, now_ms, HOUR_MS)
    edges = [*(max(hour, begin_ms, started_ms) for hour in hours), now_ms]  # one's end is the next's begin
    to_come = [_to_come(profile, days, at_ms) for at_ms in edges]
    shares = [before - after for before, after in pairwise(to_come)]
    return [(eligible.get(hour, 0), share) for hour, share in zip(hours, shares, strict=True) if share > 0]


def _per_day(observed: Sequence[tuple[int, float]], usual: float) -> float:
    """The day's requests: those observed over their share of a day, with a little of the `usual` day.

    An hour of more than twice the median's level counts as twice.
    """
    rows = [*observed, (usual * LEVEL_SHARE, LEVEL_SHARE)] if usual else observed
    share = sum(share for _, share in rows)
    if not share:
        return 0.0
    level = _middle(sorted((n / share, share) for n, share in rows))
    return sum(_calm(n, level * share) for n, share in rows) / share


def _middle(weighted: Sequence[tuple[float, float]]) -> float:
    """The median of sorted (value, weight)."""
    half = sum(weight for _, weight in weighted) / 2
    for value, weight in weighted:
        half -= weight
        if half <= 0:
            return value
    return weighted[-1][0]


def _to_come(profile: TrafficProfile, days: LocalDays, at_ms: int) -> float:
    span = days.today
    return remaining_share(profile, at_ms - span.start_ms, span.end_ms - span.start_ms)


def _cost(counted: Counted, today: DaySpan, worth: tuple[float, float]) -> float:
    """Micros billed for each request that passed: of today, leaning on the past week, and that on `worth`."""
    cost, chance = worth
    weight = COST_BILLED / chance
    hours = _hours_of(today)
    spend, passed = (
        sum([counts.get(hour, 0) for hour in hours]) for counts in (counted.spend_micros, counted.passed)
    )
    past_spend, past_passed = (
        sum(counted.spend_micros.values()) - spend,
        sum(counted.passed.values()) - passed,
    )
    cost = (past_spend + weight * cost) / (past_passed + weight)
    return (spend + weight * cost) / (passed + weight)
