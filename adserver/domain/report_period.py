"""The days of a report as spans of time in its zone, and the period that it is compared with."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.budget import day_span
from adserver.domain.report import Dimension, GroupName
from adserver.domain.report_sums import Span

HOUR_MS = 3_600_000
_OF_MONTHS = 100
_DIVISORS = {
    Dimension.DAY: 1,
    Dimension.WEEK: 1,
    Dimension.MONTH: _OF_MONTHS,
    Dimension.QUARTER: _OF_MONTHS,
}
_OF_YEARS, _OF_ALL = 10_000, 100_000_000


class Period(msgspec.Struct, frozen=True):
    """Spans in their order, each with its name; `span_of` finds that of (a part of) a day's number."""

    first: date
    last: date
    spans: tuple[Span, ...]
    names: tuple[GroupName, ...]
    divisor: int
    span_of: dict[int, int]

    @property
    def begin_ms(self) -> int:
        return self.spans[0].begin_ms

    @property
    def end_ms(self) -> int:
        return self.spans[-1].end_ms


class Piece(msgspec.Struct, frozen=True):
    """Days of a period, or months of it that are whole, by their numbers; of a month, its day 0."""

    are_months: bool
    first: int
    last: int


def pieces_of(period: "Period") -> list[Piece]:
    """The fewest rows that tell a period: months where days need not be told apart."""
    first, last = period.first, period.last
    after = last + timedelta(days=1)
    begin = first if first.day == 1 else (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    end = after.replace(day=1)  # what is before it is whole
    if period.divisor < _OF_MONTHS or begin >= end:
        return [Piece(False, number_of(first), number_of(last))]
    months = Piece(True, number_of(begin) - 1, number_of(end - timedelta(days=1)))
    edges = ((first, begin - timedelta(days=1)), (end, last))
    return [months, *(Piece(False, number_of(one), number_of(other)) for one, other in edges if one <= other)]


def number_of(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def starts_of(first: date, last: date, timezone: str) -> list[int]:
    """When each of the days begins, and the one after them."""
    zone = ZoneInfo(timezone)
    noons = (
        datetime(day.year, day.month, day.day, 12, tzinfo=zone)
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
    )
    spans = [day_span(int(noon.timestamp()) * 1000, timezone) for noon in noons]
    return [*(span.start_ms for span in spans), spans[-1].end_ms]


def period_of(first: date, last: date, timezone: str, time: Dimension | None) -> Period:
    """The days by hour, day, week, month, quarter or year; without a time, as one span."""
    starts = starts_of(first, last, timezone)
    if time is Dimension.HOUR:
        return _by_hour(first, last, starts, timezone)
    spans: list[Span] = []
    names: list[GroupName] = []
    span_of: dict[int, int] = {}
    divisor = _OF_YEARS if time is Dimension.YEAR else _OF_ALL if time is None else _DIVISORS[time]
    for place, (begin_ms, end_ms) in enumerate(pairwise(starts)):
        day = first + timedelta(days=place)
        name = _name(day, time)
        if names and names[-1].id == name:
            spans[-1] = Span(spans[-1].number, spans[-1].begin_ms, end_ms)
        else:
            spans.append(Span(len(spans), begin_ms, end_ms))
            names.append(GroupName(name, name))
        span_of[number_of(day) // divisor] = spans[-1].number
    return Period(first, last, tuple(spans), tuple(names), divisor, span_of)


def _by_hour(first: date, last: date, starts: list[int], timezone: str) -> Period:
    """Hours begin with their day; where clocks move by half an hour, its last one is half as long."""
    zone = ZoneInfo(timezone)
    spans: list[Span] = []
    names: list[GroupName] = []
    for begin_ms, end_ms in pairwise(starts):
        for at_ms in range(begin_ms, end_ms, HOUR_MS):
            spans.append(Span(len(spans), at_ms, min(at_ms + HOUR_MS, end_ms)))
            name = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).isoformat(timespec="minutes")
            names.append(GroupName(name, name))
    return Period(first, last, tuple(spans), tuple(names), 1, {})


def _name(day: date, time: Dimension | None) -> str:
    if time is Dimension.WEEK:
        return (day - timedelta(days=day.weekday())).isoformat()
    if time is Dimension.MONTH:
        return f"{day.year}-{day.month:02}"
    if time is Dimension.QUARTER:
        return f"{day.year}-Q{(day.month + 2) // 3}"
    if time is Dimension.YEAR:
        return str(day.year)
    return "" if time is None else day.isoformat()


def before(first: date, last: date) -> tuple[date, date]:
    """As many whole months as these are, just before; else as many days."""
    if first.day == 1 and last.day == monthrange(last.year, last.month)[1]:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        year, month = divmod(first.year * 12 + first.month - 1 - months, 12)
        return date(year, month + 1, 1), first - timedelta(days=1)
    days = (last - first).days + 1
    return first - timedelta(days=days), first - timedelta(days=1)
