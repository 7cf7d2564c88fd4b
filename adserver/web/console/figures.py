"""Numbers, money and times as a page writes them, and money as people type it."""

import re
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import NumberFormatError, format_decimal, format_percent, parse_decimal

from adserver.domain.money import LARGEST, MICROS_PER_UNIT, Micros
from creatives.price import format_price, locale_for

_NUMBER = re.compile("[0-9][0-9.,]{0,30}")


class BadAmount(Exception):
    """What was typed is no amount of money."""


def price(micros: int, currency: str, language: str) -> str:
    return format_price(micros, currency, language)


def number(value: float, language: str) -> str:
    """With the language's separators; up to three decimals."""
    return format_decimal(value, locale=locale_for(language))


def share(value: float, language: str) -> str:
    """A part of one, in percent with one decimal."""
    return format_percent(
        value, "#,##0.0\u00a0%" if language == "fr" else "#,##0.0%", locale=locale_for(language)
    )


def typed(micros: int, language: str) -> str:
    """An amount as it stands in a field in which it is changed."""
    return format_decimal(Decimal(micros).scaleb(-6), locale=locale_for(language), group_separator=False)


def moment(at_ms: int, timezone: str, language: str) -> str:
    """Day and time, to the minute, in an account's time zone."""
    at, locale = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)), locale_for(language)
    return f"{format_date(at, 'medium', locale=locale)}, {format_time(at, 'short', locale=locale)}"


def day(at_ms: int, timezone: str, language: str) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone))
    return format_date(at.date(), "medium", locale=locale_for(language))


def date_of(yyyymmdd: int, language: str) -> str:
    """A date that is kept as a number."""
    found = date(yyyymmdd // 10_000, yyyymmdd // 100 % 100, yyyymmdd % 100)
    return format_date(found, "medium", locale=locale_for(language))


def amount_of(text: str, language: str) -> Micros | None:
    """Whole micros of what was typed, as the language writes numbers; None for nothing. BadAmount else."""
    written = "".join(text.split())
    if not written:
        return None
    if not _NUMBER.fullmatch(written):
        raise BadAmount
    try:
        micros = parse_decimal(written, locale=locale_for(language), strict=True) * MICROS_PER_UNIT
    except NumberFormatError:
        micros = _plainly(written) * MICROS_PER_UNIT
    if micros != micros.to_integral_value() or not 0 < micros <= LARGEST:
        raise BadAmount
    return Micros(int(micros))


def _plainly(text: str) -> Decimal:
    """A number with a point, which every language's keyboards have."""
    if not text.replace(".", "", 1).isdigit():
        raise BadAmount
    return Decimal(text)
