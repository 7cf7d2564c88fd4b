"""Periods that have a name and move on with the calendar, as the days that they are on a day."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import StrEnum


class NamedPeriod(StrEnum):
    TODAY = "today"
    YESTERDAY = "yesterday"
    WEEK = "7_days"
    FORTNIGHT = "14_days"
    MONTH = "30_days"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"


def days_of(period: NamedPeriod, today: date) -> tuple[date, date]:
    """The first and the last, both included; what goes up to now has today in it."""
    return _DAYS[period](today)


def _yesterday(today: date) -> tuple[date, date]:
    day = today - timedelta(days=1)
    return day, day


def _last_month(today: date) -> tuple[date, date]:
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


_DAYS: Mapping[NamedPeriod, Callable[[date], tuple[date, date]]] = {
    NamedPeriod.TODAY: lambda today: (today, today),
    NamedPeriod.YESTERDAY: _yesterday,
    NamedPeriod.WEEK: lambda today: (today - timedelta(days=6), today),
    NamedPeriod.FORTNIGHT: lambda today: (today - timedelta(days=13), today),
    NamedPeriod.MONTH: lambda today: (today - timedelta(days=29), today),
    NamedPeriod.THIS_MONTH: lambda today: (today.replace(day=1), today),
    NamedPeriod.LAST_MONTH: _last_month,
}
