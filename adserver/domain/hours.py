"""The hours of a week, as bits: what a campaign's times say, and which one an instant lies in."""

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS_OF_WEEK = 168
EVERY_HOUR = (1 << HOURS_OF_WEEK) - 1
QUARTER_MS = 900_000  # every zone is whole quarters of an hour away from every other

_VALUE = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?(?: ([0-9]{2})-([0-9]{2}))?")


@lru_cache(maxsize=4_096)
def hours_from(value: str) -> int | None:
    """`mon 08-20`, `mon-fri 08-20`, `sat`: from the first hour until the second one begins.

    Where the second is the earlier one it is the next day's: `fri 22-02`. None where nothing is named so.
    """
    found = _VALUE.fullmatch(value)
    if found is None or found[1] not in DAYS or found[2] not in (None, *DAYS):
        return None
    begins, ends = (0, 24) if found[3] is None else (int(found[3]), int(found[4]))
    if begins > 23 or ends > 24 or begins == ends:
        return None
    first = DAYS.index(found[1])
    days = (DAYS.index(found[2] or found[1]) - first) % 7 + 1
    named = 0
    for day in range(first, first + days):
        for hour in range(begins, ends if ends > begins else ends + 24):
            named |= 1 << (day * 24 + hour) % HOURS_OF_WEEK
    return named


def hour_of(at_ms: int, timezone: str) -> int:
    """The bit of the hour of the week that an instant lies in, there."""
    return _hour_of(at_ms // QUARTER_MS, timezone)


@lru_cache(maxsize=1_024)  # a quarter of an hour is asked about at every ad
def _hour_of(quarter: int, timezone: str) -> int:
    local = datetime.fromtimestamp(quarter * QUARTER_MS / 1_000, ZoneInfo(timezone))
    return 1 << local.weekday() * 24 + local.hour
