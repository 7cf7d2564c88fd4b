"""Periods with a name: which days they are, whatever the month."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis.strategies import dates

from adserver.domain.named_period import NamedPeriod, days_of


@pytest.mark.parametrize(
    ("period", "today", "first", "last"),
    [
        (NamedPeriod.TODAY, "2026-03-01", "2026-03-01", "2026-03-01"),
        (NamedPeriod.YESTERDAY, "2026-03-01", "2026-02-28", "2026-02-28"),
        (NamedPeriod.WEEK, "2026-03-01", "2026-02-23", "2026-03-01"),
        (NamedPeriod.FORTNIGHT, "2026-03-01", "2026-02-16", "2026-03-01"),
        (NamedPeriod.MONTH, "2026-03-01", "2026-01-31", "2026-03-01"),
        (NamedPeriod.THIS_MONTH, "2026-03-31", "2026-03-01", "2026-03-31"),
        (NamedPeriod.LAST_MONTH, "2024-03-31", "2024-02-01", "2024-02-29"),
        (NamedPeriod.LAST_MONTH, "2026-01-01", "2025-12-01", "2025-12-31"),
    ],
)
def test_a_period_is_these_days(period: NamedPeriod, today: str, first: str, last: str) -> None:
    days = days_of(period, date.fromisoformat(today))
    assert [day.isoformat() for day in days] == [first, last]


@given(dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_no_period_has_days_to_come_nor_is_without_any(today: date) -> None:
    for period in NamedPeriod:
        first, last = days_of(period, today)
        assert first <= last <= today
        assert last - first < timedelta(days=31)
