"""What people typed about a campaign becomes what the API's schemas read; each flaw by its field."""

from collections.abc import Mapping
from datetime import date, datetime, time
from functools import cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from babel import Locale
from pydantic import BaseModel, ValidationError

from adserver.domain.budget import DaySpan, day_span
from adserver.domain.countries import COUNTRIES
from adserver.web.console.figures import BadAmount, amount_of
from adserver.web.console.page import translations
from adserver.web.schemas.fields import write_time
from creatives.price import locale_for

NOON = time(12)
MOST_DIGITS = 9
Body = TypeVar("Body", bound=BaseModel)
_FIELD_OF = {  # a schema's, by the last part of where the flaw is
    "name": "name", "pricing_model": "model", "rate_micros": "rate", "conversion_event": "event",
    "daily_budget_micros": "daily", "total_budget_micros": "total", "starts_at": "starts", "ends_at": "ends",
    "pacing": "pacing", "impressions": "cap", "per": "cap_per", "audiences": "audiences",
    "targeting": "countries", "product_set_id": "product_set", "retention_days": "days",
    "item_ids": "item_ids", "categories": "categories", "brands": "brands",
    "template": "template", "brand": "brand", "primary": "primary", "accent": "accent", "theme": "theme",
    "headline": "headline", "body": "body", "button": "button", "link": "link",
    "offer": "off", "amount_micros": "off", "percent": "off", "pool": "pool", "code": "code",
}  # fmt: skip


class Reading:
    """A form as it is read: what stands in it, and what is wrong with which field."""

    def __init__(self, form: Mapping[str, str], language: str) -> None:
        self.form = form
        self.language = language
        self.flaws: dict[str, str] = {}

    def text(self, name: str) -> str:
        return self.form.get(name, "").strip()

    def ticked(self, beginning: str) -> list[str]:
        """What follows the beginning in the names of the boxes that are ticked."""
        return [name.removeprefix(beginning) for name in self.form if name.startswith(beginning)]

    def amount(self, name: str) -> int | None:
        """Micros; None for nothing, and for what is none."""
        words = translations(self.language).gettext
        try:
            return amount_of(self.text(name), self.language)
        except BadAmount:
            self.flaws[name] = words("That is no amount. Write it like 30 or 30.50.")
            return None

    def whole(self, name: str, most: int) -> int | None:
        words, text = translations(self.language).gettext, self.text(name)
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and 1 <= int(text) <= most:
            return int(text)
        self.flaws[name] = words("Write a whole number from 1 to %(most)s.") % {"most": most}
        return None

    def day(self, name: str, timezone: str) -> DaySpan | None:
        """A date as a date field sends it, as the account's local day."""
        words, text = translations(self.language).gettext, self.text(name)
        if not text:
            return None
        try:
            noon = datetime.combine(date.fromisoformat(text), NOON, ZoneInfo(timezone))
            return day_span(int(noon.timestamp()) * 1000, timezone)
        except (ValueError, OverflowError):
            self.flaws[name] = words("That is no date. Write it like 2026-11-28.")
            return None

    def countries(self, name: str) -> list[str]:
        """Codes, or names as the language writes them."""
        words, found = translations(self.language).gettext, []
        for part in filter(None, (one.strip() for one in self.text(name).split(","))):
            code = part.upper() if part.upper() in COUNTRIES else _by_name(self.language).get(part.casefold())
            if code is None:
                told = words("“%(name)s” is no country that we know. Write names or codes like FR.")
                self.flaws[name] = told % {"name": part[:40]}
            else:
                found.append(code)
        return list(dict.fromkeys(found))

    def body(self, kind: type[Body], given: Mapping[str, object]) -> Body | None:
        """As the API's schema reads it; None where something is wrong, here or before."""
        try:
            read = kind.model_validate(given)
        except ValidationError as error:
            for flaw in error.errors():
                self._note([str(part) for part in flaw["loc"]])
            return None
        return None if self.flaws else read

    def _note(self, path: list[str]) -> None:
        inside = [part for part in path if part in _FIELD_OF]
        field = _FIELD_OF[inside[-1]] if inside else "name"
        if field == "name" and "brand" in path:
            field = "brand"
        self.flaws.setdefault(field, self.said(field))

    def said(self, field: str) -> str:
        words = translations(self.language).gettext
        return {
            "name": words("Give it a name of at most 100 letters."),
            "brand": words("Give your brand's name, of at most 100 letters."),
            "audiences": words("Choose at most 20 audiences that are there."),
            "rate": words("Say what you pay: a price above zero."),
            "primary": words("That is no colour. Write it like #1f3a5f."),
            "accent": words("That is no colour. Write it like #1f3a5f."),
            "headline": words("A headline has at most 40 letters above products, 90 in a message."),
            "button": words("A button has at most 20 letters on products, 30 in a message."),
            "body": words("The text of a message has 1 to 300 letters."),
            "link": words("That is no link. Write it like https://shop.example/summer."),
            "off": words("A discount is 1 to 90 per cent, or an amount."),
            "code": words("A code has at most 40 letters; leave it empty where each click gets its own."),
        }.get(field, words("Look at this again: it cannot be saved so."))


def first_of(day: DaySpan | None) -> str | None:
    return None if day is None else write_time(day.start_ms)


def end_of(day: DaySpan | None) -> str | None:
    """The last day is one of those on which it is shown."""
    return None if day is None else write_time(day.end_ms)


def date_in(at_ms: int | None, timezone: str) -> str:
    """As a date field holds it."""
    return (
        "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)).date().isoformat()
    )


def country_names(codes: tuple[str, ...], language: str) -> str:
    names = locale_for(language).territories
    return ", ".join(names.get(code, code) for code in codes)


@cache
def _by_name(language: str) -> dict[str, str]:
    locales = (locale_for(language), Locale("en"))
    return {
        str(one.territories[code]).casefold(): code
        for one in locales
        for code in COUNTRIES
        if code in one.territories
    }
