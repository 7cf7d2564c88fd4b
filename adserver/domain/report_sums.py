"""What reports are added up from: counts and money of a quarter of an hour at one place, and of days."""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum, StrEnum
from operator import add

import msgspec

MOST_CELLS = 400_000  # read for one report: what is more than fits in memory at ease
QUARTER_MS = 900_000  # no zone's day begins within one
FIGURES = ("fills", "impressions", "viewable", "clicks", "spend_micros", "revenue_micros")

Sums = tuple[int, ...]  # in the order of FIGURES


class Source(StrEnum):
    """What is summed up apart from the others, each up to a place of its own."""

    ADS = "report ads"  # impressions, views and clicks, up to a time
    FILLS = "report fills"  # decisions, up to a key
    MONEY = "report money"  # charges and refunds, up to an entry of each campaign's chain


class Sheet(IntEnum):
    """Whose days a row counts in, and what it tells apart."""

    OWN_BY_CAMPAIGN = 1  # the advertiser's days
    OWN_BY_BOTH = 2  # by campaign and slot
    NETWORK_BY_CAMPAIGN = 3
    NETWORK_BY_SLOT = 4
    NETWORK_BY_BOTH = 5
    NETWORK = 6  # all together


OWN = frozenset({Sheet.OWN_BY_CAMPAIGN, Sheet.OWN_BY_BOTH})
OF_CAMPAIGN = frozenset(Sheet) - {Sheet.NETWORK_BY_SLOT, Sheet.NETWORK}
OF_SLOT = frozenset({Sheet.OWN_BY_BOTH, Sheet.NETWORK_BY_SLOT, Sheet.NETWORK_BY_BOTH})
_RULED = tuple((int(one), one in OWN, one in OF_CAMPAIGN, one in OF_SLOT) for one in Sheet)

MONTHS = 10  # more than a sheet's number: the same by month, whose days are numbered 0


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was shown, where and to whom as far as that is of nobody; 0 or empty where it is not known."""

    campaign_key: int
    begin_ms: int
    slot_key: int
    creative_key: int
    product_key: int
    audience_key: int
    country: str
    device: str
    currency: str = ""


class DayPlace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    sheet: int
    campaign_key: int
    day: int
    slot_key: int
    currency: str


class Fact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    place: Place
    sums: Sums


class Whose(msgspec.Struct, frozen=True):
    """A campaign as reports know it."""

    campaign_key: int
    advertiser_key: int
    name: str
    currency: str


def added(facts: Iterable[Fact]) -> dict[Place, Sums]:
    """Facts of one place together."""
    sums: dict[Place, Sums] = {}
    for fact in facts:
        known = sums.get(fact.place)
        sums[fact.place] = fact.sums if known is None else plus(known, fact.sums)
    return sums


def plus(some: Sums, others: Sums) -> Sums:
    return tuple(map(add, some, others))


def days_of(
    sums: Mapping[Place, Sums], own_day: Callable[[int, int], int], network_day: Callable[[int], int]
) -> dict[DayPlace, Sums]:
    """The same by days and months: `own_day` of a campaign's quarter of an hour, `network_day` of any."""
    found: dict[DayPlace, Sums] = {}
    for place, figures in sums.items():
        campaign_key, begin_ms = place.campaign_key, place.begin_ms
        own, network = own_day(campaign_key, begin_ms), network_day(begin_ms)
        for sheet, is_own, of_campaign, of_slot in _RULED:
            day = own if is_own else network
            campaign = campaign_key if of_campaign else 0
            slot = place.slot_key if of_slot else 0
            for number, whole in ((sheet, day), (sheet + MONTHS, day - day % 100)):
                day_place = DayPlace(number, campaign, whole, slot, place.currency)
                known = found.get(day_place)
                found[day_place] = figures if known is None else plus(known, figures)
    return found


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A time of a report as instants, [begin, end)."""

    number: int
    begin_ms: int
    end_ms: int


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What of the sums a report needs. `by` and `filters` name columns of a Place.

    With a `sheet`, its days are read, `divisor` of them as one: 100 makes months of yyyymmdd. Without one,
    the `spans` are.
    """

    spans: tuple[Span, ...]
    first_day: int
    last_day: int
    campaign_keys: tuple[int, ...]
    by: tuple[str, ...]
    filters: Mapping[str, tuple[int | str, ...]]
    sheet: int | None = None
    divisor: int = 1


class Cell(msgspec.Struct, frozen=True):
    """Figures of one span (or part of a day's number, of sheets), in the order of the cut's columns."""

    span: int
    group: tuple[int | str, ...]
    currency: str
    figures: tuple[int, ...]


class Where(msgspec.Struct, frozen=True):
    """A slot as reports know it."""

    slot_key: int
    name: str
    site_key: int
    site: str
    publisher_key: int
    publisher: str
