"""What scenarios say in words: times as `3 hours ago`, money as `2.50 EUR CPM`, doings as `view_item boots`."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel

_UNITS_MS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_SPAN = r"(?P<count>\d+) (?P<unit>second|minute|hour|day|week)s?"
_WHEN = re.compile(rf"{_SPAN} ago|in {_SPAN.replace('<', '<in_')}|now")
_MONEY = re.compile(r"(\d+(?:\.\d{1,6})?) ([A-Z]{3})")
_DOING = re.compile(
    r"(?:(?P<times>\d+) times )?(?P<what>[a-z_]+)(?: (?P<whom>.+?))?"
    r"(?: for (?P<value>\d[\d.]* [A-Z]{3}))?(?: at (?P<shop>.+))?"
)


class Misspelt(ValueError):
    """A scenario says something that nobody can read; the message says what, and how it is written."""


class Money(NamedTuple):
    micros: Micros
    currency: str


class Doing(NamedTuple):
    """Something that the visitor did, or was shown: at a time, so often, and to what."""

    at_ms: int
    times: int
    what: str
    whom: str
    shop: str | None
    value: Money | None = None


def read_time(text: str, now_ms: int) -> int:
    """`now`, `3 hours ago`, `in 2 days`, or a time of the calendar like 2026-11-28T00:00:00Z."""
    found = _WHEN.fullmatch(text)
    if found is None:
        return _read_instant(text)
    if found["count"]:
        return now_ms - int(found["count"]) * _UNITS_MS[found["unit"]]
    if found["in_count"]:
        return now_ms + int(found["in_count"]) * _UNITS_MS[found["in_unit"]]
    return now_ms


def _read_instant(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Misspelt(f"{text!r} is no time: write `3 hours ago`, `in 2 days` or `now`") from None
    if instant.tzinfo is None:
        raise Misspelt(f"{text!r} has no zone: end it with Z")
    return int(instant.timestamp() * 1000)


def is_relative(text: str) -> bool:
    return _WHEN.fullmatch(text) is not None


def is_money(text: str) -> bool:
    return _MONEY.fullmatch(text) is not None


def read_money(text: str) -> Money:
    """`10 EUR`, as exactly as it is written."""
    found = _MONEY.fullmatch(text)
    if found is None:
        raise Misspelt(f"{text!r} is no money: write it like `2.50 EUR`")
    return Money(Micros(int(Decimal(found[1]) * 1_000_000)), found[2])


def read_rate(text: str) -> tuple[PricingModel, Money]:
    """`0.25 EUR CPC`."""
    amount, _, model = text.rpartition(" ")
    if model.lower() not in set(PricingModel):
        models = ", ".join(one.upper() for one in PricingModel)
        raise Misspelt(f"{text!r} is no rate: write it like `0.25 EUR CPC`, with one of {models}")
    return PricingModel(model.lower()), read_money(amount)


def read_doing(text: str, now_ms: int) -> Doing:
    """`3 hours ago: add_to_cart boots, scarf for 80 EUR at Shop`, `1 day ago: 5 times impression Autumn`."""
    when, colon, rest = text.partition(": ")
    found = _DOING.fullmatch(rest)
    if not colon or found is None:
        raise Misspelt(f"{text!r} is nothing one can do: write it like `3 hours ago: view_item boots`")
    times = int(found["times"] or 1)
    value = None if found["value"] is None else read_money(found["value"])
    return Doing(read_time(when, now_ms), times, found["what"], found["whom"] or "", found["shop"], value)


def check_keys(given: dict[str, Any], known: set[str], where: str) -> None:
    """A misspelt key must not be a wish that nobody hears."""
    unknown = sorted(given.keys() - known)
    if unknown:
        raise Misspelt(f"{where}: nobody knows {', '.join(unknown)}; known are {', '.join(sorted(known))}")
