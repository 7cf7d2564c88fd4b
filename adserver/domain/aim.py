"""A campaign's targeting made ready, to be asked of each request's page."""

from collections.abc import Callable, Hashable, Iterable
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter

import msgspec

from adserver.domain.hours import EVERY_HOUR, hour_of
from adserver.domain.page import Page, category_from
from adserver.domain.targeting import ANY, NO_TARGETING, Condition, Targeting, hours_of

MOST_REMEMBERED = 20_000  # most campaigns of an advertiser say the same, and then have one in common


class Miss(StrEnum):
    """Why a campaign's targeting leaves a request out; a decision's Refusal has the same name."""

    COUNTRY_NOT_TARGETED = "country_not_targeted"
    COUNTRY_UNKNOWN = "country_unknown"
    SUBDIVISION_NOT_TARGETED = "subdivision_not_targeted"
    SUBDIVISION_UNKNOWN = "subdivision_unknown"
    DEVICE_NOT_TARGETED = "device_not_targeted"
    DEVICE_UNKNOWN = "device_unknown"
    LANGUAGE_NOT_TARGETED = "language_not_targeted"
    LANGUAGE_UNKNOWN = "language_unknown"
    SITE_NOT_TARGETED = "site_not_targeted"
    PUBLISHER_NOT_TARGETED = "publisher_not_targeted"
    CATEGORY_NOT_TARGETED = "category_not_targeted"
    CATEGORY_UNKNOWN = "category_unknown"
    KEYWORD_NOT_TARGETED = "keyword_not_targeted"
    KEYWORD_UNKNOWN = "keyword_unknown"
    HOUR_NOT_TARGETED = "hour_not_targeted"


# By dimension: the no to a fact that is not addressed, and to one that nobody knows where some are asked for.
NOES = {
    "countries": (Miss.COUNTRY_NOT_TARGETED, Miss.COUNTRY_UNKNOWN),
    "subdivisions": (Miss.SUBDIVISION_NOT_TARGETED, Miss.SUBDIVISION_UNKNOWN),
    "devices": (Miss.DEVICE_NOT_TARGETED, Miss.DEVICE_UNKNOWN),
    "languages": (Miss.LANGUAGE_NOT_TARGETED, Miss.LANGUAGE_UNKNOWN),
    "sites": (Miss.SITE_NOT_TARGETED, Miss.SITE_NOT_TARGETED),
    "publishers": (Miss.PUBLISHER_NOT_TARGETED, Miss.PUBLISHER_NOT_TARGETED),
    "categories": (Miss.CATEGORY_NOT_TARGETED, Miss.CATEGORY_UNKNOWN),
    "keywords": (Miss.KEYWORD_NOT_TARGETED, Miss.KEYWORD_UNKNOWN),
}


class _Question(msgspec.Struct, frozen=True):
    """What is asked on one dimension."""

    facts: Callable[[Page], frozenset[Hashable]]
    included: frozenset[Hashable]
    excluded: frozenset[Hashable]
    other: Miss
    unknown: Miss

    def miss(self, page: Page) -> Miss | None:
        facts = self.facts(page)
        if not facts:
            return self.unknown if self.included else None
        if self.included and self.included.isdisjoint(facts):
            return self.other
        return None if self.excluded.isdisjoint(facts) else self.other


class Aim(msgspec.Struct, frozen=True, eq=False):
    """Whom a campaign addresses; `hours` are bits of the week in its advertiser's `timezone`."""

    questions: tuple[_Question, ...]
    hours: int
    timezone: str

    def miss(self, page: Page, now_ms: int) -> Miss | None:
        """The first reason against a request; None for none."""
        for question in self.questions:
            miss = question.miss(page)
            if miss is not None:
                return miss
        if self.hours == EVERY_HOUR or self.hours & hour_of(now_ms, self.timezone):
            return None
        return Miss.HOUR_NOT_TARGETED


@lru_cache(maxsize=MOST_REMEMBERED)
def aim_of(targeting: Targeting, timezone: str) -> Aim | None:
    """The same one for the same targeting; None where every request will do."""
    if targeting == NO_TARGETING:
        return None
    asked = [(name, getattr(targeting, name)) for name in NOES]
    questions = tuple(_question(name, condition) for name, condition in asked if condition != ANY)
    return Aim(questions, _hours(targeting.hours), timezone)


def _question(name: str, condition: Condition) -> _Question:
    included, excluded = _prepared(name, condition.included), _prepared(name, condition.excluded)
    return _Question(attrgetter(name), included, excluded, *NOES[name])


def _prepared(name: str, values: Iterable[str]) -> frozenset[Hashable]:
    """As the page's own facts are compared."""
    return frozenset(map(category_from, values)) if name == "categories" else frozenset(values)


def _hours(condition: Condition) -> int:
    asked = hours_of(condition.included) if condition.included else EVERY_HOUR
    return asked & ~hours_of(condition.excluded)
