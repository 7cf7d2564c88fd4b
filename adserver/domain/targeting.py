"""Whom and where a campaign addresses, as its advertiser says it: what is included, and what is not."""

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from adserver.domain.countries import COUNTRIES, meant_by
from adserver.domain.hours import EVERY_HOUR, hours_from
from adserver.domain.identity import read_id
from adserver.domain.page import category_from, word_from
from pixel.events import Device

MOST_VALUES = 500  # of one dimension

_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LOCALE = re.compile(r"([a-z]{2,3})[-_][a-z0-9_-]{1,12}")


class Flaw(StrEnum):
    """Why a value, or all of a targeting, is not understood."""

    UNKNOWN_COUNTRY = "unknown_country"
    BAD_SUBDIVISION = "bad_subdivision"
    UNKNOWN_DEVICE = "unknown_device"
    BAD_LANGUAGE = "bad_language"
    BAD_HOURS = "bad_hours"
    BAD_SITE = "bad_site"
    BAD_PUBLISHER = "bad_publisher"
    BAD_CATEGORY = "bad_category"
    BAD_KEYWORD = "bad_keyword"
    VALUE_TWICE = "value_twice"
    NEVER_MET = "never_met"


class Operand(StrEnum):
    IN = "in"
    NOT_IN = "not_in"


class BadValue(msgspec.Struct, frozen=True):
    """A value that is not understood, and what was probably meant."""

    flaw: Flaw
    meant: str | None = None


class Condition(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """On one dimension: one of `included`, where there are any, and none of `excluded`."""

    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


ANY = Condition()


class Targeting(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where all of it holds, the campaign may answer. Hours are its advertiser's."""

    countries: Condition = ANY
    subdivisions: Condition = ANY
    devices: Condition = ANY
    languages: Condition = ANY
    hours: Condition = ANY
    sites: Condition = ANY
    publishers: Condition = ANY
    categories: Condition = ANY
    keywords: Condition = ANY

    @property
    def by_place(self) -> bool:
        """Whether it narrows an audience by where people are."""
        return self.countries != ANY or self.subdivisions != ANY

    def leaves_out(self, country: str) -> bool:
        """Whether it is known to address nobody there."""
        included, excluded = self.countries.included, self.countries.excluded
        return country in excluded or bool(included and country not in included)


NO_TARGETING = Targeting()
DIMENSIONS = Targeting.__struct_fields__


def read_value(dimension: str, text: str) -> str | BadValue:
    """The value in the one spelling that is kept, or why it is none of its dimension's."""
    return _READERS[dimension](text.strip())


def flaw_of(targeting: Targeting) -> Flaw | None:
    """Whether it contradicts itself; None where some request may meet it."""
    for name in DIMENSIONS:
        condition: Condition = getattr(targeting, name)
        if not set(condition.included).isdisjoint(condition.excluded):
            return Flaw.VALUE_TWICE
    hours = targeting.hours
    asked = hours_of(hours.included) if hours.included else EVERY_HOUR
    if not asked & ~hours_of(hours.excluded):
        return Flaw.NEVER_MET
    inside = targeting.subdivisions.included
    return None if not inside or any(_is_reachable(one, targeting) for one in inside) else Flaw.NEVER_MET


def hours_of(values: Iterable[str]) -> int:
    """The hours of a week that any of the values names, a bit for each."""
    named = 0
    for value in values:
        named |= hours_from(value) or 0
    return named


def _is_reachable(subdivision: str, targeting: Targeting) -> bool:
    country, countries = subdivision[:2], targeting.countries
    return country not in countries.excluded and (not countries.included or country in countries.included)


def _country(text: str) -> str | BadValue:
    code = text.upper()
    return code if code in COUNTRIES else BadValue(Flaw.UNKNOWN_COUNTRY, meant_by(code))


def _subdivision(text: str) -> str | BadValue:
    code = text.upper()
    found = _SUBDIVISION.fullmatch(code)
    if found is not None and found[1] in COUNTRIES:
        return code
    country, *rest = code.split("-", 1)
    meant = meant_by(country)
    return BadValue(Flaw.BAD_SUBDIVISION, None if meant is None else "-".join((meant, *rest)))


def _device(text: str) -> str | BadValue:
    word = text.lower()
    if word in set(Device):
        return word
    return BadValue(Flaw.UNKNOWN_DEVICE, _DEVICES_MEANT.get(word))


_DEVICES_MEANT = {
    "phone": "mobile", "smartphone": "mobile", "iphone": "mobile", "android": "mobile", "ipad": "tablet",
    "pc": "desktop", "computer": "desktop", "laptop": "desktop", "ctv": "tv", "television": "tv",
}  # fmt: skip


def _language(text: str) -> str | BadValue:
    word = text.lower()
    if _LANGUAGE.fullmatch(word):
        return word
    found = _LOCALE.fullmatch(word)
    return BadValue(Flaw.BAD_LANGUAGE, None if found is None else found[1])


def _hours(text: str) -> str | BadValue:
    value = " ".join(text.lower().split())
    return BadValue(Flaw.BAD_HOURS) if hours_from(value) is None else value


def _site(text: str) -> str | BadValue:
    return BadValue(Flaw.BAD_SITE) if read_id("site", text) is None else text


def _publisher(text: str) -> str | BadValue:
    return BadValue(Flaw.BAD_PUBLISHER) if read_id("pub", text) is None else text


def _category(text: str) -> str | BadValue:
    return text if category_from(text) is not None else BadValue(Flaw.BAD_CATEGORY)


def _keyword(text: str) -> str | BadValue:
    return word_from(text) or BadValue(Flaw.BAD_KEYWORD)


_READERS = {
    "countries": _country,
    "subdivisions": _subdivision,
    "devices": _device,
    "languages": _language,
    "hours": _hours,
    "sites": _site,
    "publishers": _publisher,
    "categories": _category,
    "keywords": _keyword,
}
