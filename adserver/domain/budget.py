"""Budgets: which buckets a charge touches, and whether it fits all of them."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.money import LARGEST, ZERO, Micros

LARGEST_BALANCE = Micros(100 * LARGEST)  # without a cap too: sums of dozens of them fit 64 bits
WHOLE_LIFE = 0  # the `day` of a total budget's bucket


class BucketId(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One balance: a campaign's or an advertiser's, of one local day (yyyymmdd) or of its whole life."""

    owner_key: int
    day: int


class Bucket(msgspec.Struct, gc=False):
    """A balance under its cap; invariant: 0 <= spent, 0 <= pending, spent + pending <= cap."""

    cap: Micros | None = None
    spent: Micros = ZERO
    pending: Micros = ZERO

    @property
    def remaining(self) -> Micros | None:
        """What may still be charged or reserved; None without a cap."""
        return None if self.cap is None else Micros(self.cap - self.spent - self.pending)


class DaySpan(msgspec.Struct, frozen=True):
    """A local day as instants, [start, end); 23, 24, 24.5 or 25 hours of them."""

    day: int
    start_ms: int
    end_ms: int


def day_span(at_ms: int, timezone: str) -> DaySpan:
    """The local day that holds `at_ms`. Where midnight does not exist, the day begins when the clock goes on.

    A clock that goes back over midnight does not bring yesterday back: the new day has begun.
    """
    zone = ZoneInfo(timezone)
    day = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).date()
    start, end = (_first_second(day + timedelta(days=days), zone) * 1000 for days in (0, 1))
    if at_ms >= end:
        day += timedelta(days=1)
        start, end = end, _first_second(day + timedelta(days=1), zone) * 1000
    return DaySpan(day.year * 10_000 + day.month * 100 + day.day, start, end)


def _first_second(day: date, zone: ZoneInfo) -> int:
    """The first second, since the epoch, at which a zone's clocks show this date or a later one."""
    midnight = datetime.combine(day, time.min, zone)
    second = int(midnight.timestamp())
    if datetime.fromtimestamp(second, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return second
    before = int(midnight.replace(fold=1).timestamp())  # in a gap, the clock goes on between these two
    passed = range(before, second + 1)
    return before + bisect_left(passed, True, key=lambda at: datetime.fromtimestamp(at, zone).date() >= day)


def local_day(at_ms: int, timezone: str) -> int:
    """The local date of an instant as yyyymmdd; every instant has exactly one, whatever the clocks do."""
    return day_span(at_ms, timezone).day


def days_span(first: date, last: date, timezone: str) -> tuple[int, int]:
    """Local days as instants, the last one included: [start, end)."""
    zone = ZoneInfo(timezone)
    return _first_second(first, zone) * 1000, _first_second(last + timedelta(days=1), zone) * 1000


def day_before(day: int) -> int:
    """The date before, both as yyyymmdd."""
    before = date(day // 10_000, day // 100 % 100, day % 100) - timedelta(days=1)
    return before.year * 10_000 + before.month * 100 + before.day


class Calendar:
    """The current day of each zone, reckoned once a day and not at each event."""

    def __init__(self) -> None:
        self._spans: dict[str, DaySpan] = {}

    def span(self, at_ms: int, timezone: str) -> DaySpan:
        span = self._spans.get(timezone)
        if span is None or not span.start_ms <= at_ms < span.end_ms:
            span = self._spans[timezone] = day_span(at_ms, timezone)
        return span


def buckets_of(campaign_key: int, advertiser_key: int, day: int) -> tuple[BucketId, ...]:
    """The four balances that one charge moves together."""
    return (
        BucketId(campaign_key, WHOLE_LIFE),
        BucketId(campaign_key, day),
        BucketId(advertiser_key, WHOLE_LIFE),
        BucketId(advertiser_key, day),
    )


def life_cap(total: Micros | None, deposited: Micros | None) -> Micros | None:
    """What an owner may spend in its whole life; `deposited` None where it need not pay first."""
    caps = [cap for cap in (total, deposited) if cap is not None]
    return min(caps) if caps else None


def admit(amount: Micros, buckets: Sequence[Bucket]) -> bool:
    """Whether `amount` fits every bucket; whole or nothing."""
    for bucket in buckets:
        cap = LARGEST_BALANCE if bucket.cap is None else bucket.cap
        if amount > cap - bucket.spent - bucket.pending:
            return False
    return True


MARK_PERCENT, REACHED_PERCENT = 80, 100


def mark_passed(bucket: Bucket, rise: Micros) -> int | None:
    """Which mark of its budget a balance came to by its last rise, in per cent; None for none.

    The second where the same again would not fit: what is left may never be spent.
    """
    if bucket.cap is None:
        return None
    used = bucket.spent + bucket.pending
    if bucket.cap - used < rise:
        return REACHED_PERCENT
    mark = bucket.cap * MARK_PERCENT
    return MARK_PERCENT if (used - rise) * 100 < mark <= used * 100 else None
