"""Reports of what became of clicks: by campaign, landing page, day or site, the largest groups by name."""

from datetime import UTC, date, datetime, timedelta

import msgspec

from adserver.domain.arrival import Arrived, ClickPlace, Grouped, Grouping, total
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.identity import write_id
from adserver.domain.landing import page_of
from adserver.domain.pixel_doctor import WEEK_MS
from adserver.domain.retention import COUNT_RETENTION_MS
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stores

USUAL_DAYS = 30
MOST_DAYS = COUNT_RETENTION_MS // DAY_MS
MOST_SUMS = 2_000  # read at once; several of them may be of one page
MOST_ROWS = 500
OTHER, UNKNOWN = "(other)", "(unknown)"

Name = tuple[str | None, str]  # an id where there is one, and a name


class ArrivalRow(msgspec.Struct, frozen=True):
    """A group of clicks: its name, and the id of its campaign or site."""

    id: str | None
    name: str
    arrived: Arrived


class ArrivalReport(msgspec.Struct, frozen=True):
    """Days are UTC's, of the clicks; the rows add up to `total`."""

    first: date
    last: date
    rows: list[ArrivalRow]
    total: Arrived


class ArrivalReports:
    """Reads only."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._arrivals = stores.arrivals
        self._campaigns = stores.campaigns
        self._catalogue = stores.catalogue
        self._inventory = stores.inventory
        self._clock = clock
        self._names = {
            Grouping.CAMPAIGN: self._by_campaign,
            Grouping.PAGE: self._by_page,
            Grouping.SITE: self._by_site,
            Grouping.DAY: _by_day,
        }

    def report(
        self, advertiser: Advertiser, first: date | None, last: date | None, by: Grouping
    ) -> ArrivalReport | None:
        """Both days may be left out; None where they are in no order, or further apart than is kept."""
        last = last or datetime.fromtimestamp(self._clock() / 1000, UTC).date()
        first = first or last - timedelta(days=USUAL_DAYS - 1)
        if not first <= last < first + timedelta(days=MOST_DAYS):
            return None
        since_ms, until_ms = _start_ms(first), _start_ms(last) + DAY_MS
        groups = self._arrivals.groups(advertiser.key, since_ms, until_ms, by, MOST_SUMS)
        whole = total(group.arrived for group in groups)
        if len(groups) == MOST_SUMS:  # there may be more; read later, it is no less than they are
            whole = self._arrivals.total(advertiser.key, since_ms, until_ms)
        return ArrivalReport(first, last, _with_others(self._named(groups, by), whole), whole)

    def pages(self, advertiser: Advertiser) -> list[tuple[str, Arrived]]:
        """The week's landing pages, those with the most clicks first; for the pixel's doctor."""
        now_ms = self._clock()
        by = Grouping.PAGE
        groups = self._arrivals.groups(advertiser.key, now_ms - WEEK_MS, now_ms, by, MOST_SUMS)
        return [(row.name, row.arrived) for row in self._named(groups, by) if row.name != UNKNOWN]

    def _named(self, groups: list[Grouped], by: Grouping) -> list[ArrivalRow]:
        """Groups of one name are one; the largest first, days in their own order."""
        merged: dict[Name, list[Arrived]] = {}
        for name, group in zip(self._names[by](groups), groups, strict=True):
            merged.setdefault(name, []).append(group.arrived)
        rows = [ArrivalRow(*name, total(parts)) for name, parts in merged.items()]
        key = _by_name if by is Grouping.DAY else _by_size
        return sorted(rows, key=key)

    def _by_campaign(self, groups: list[Grouped]) -> list[Name]:
        named: list[Name] = []
        for group in groups:
            campaign = self._campaigns.campaign(group.place.campaign_key)
            name = campaign.name if campaign else UNKNOWN
            named.append((write_id("cmp", group.place.campaign_key), name))
        return named

    def _by_site(self, groups: list[Grouped]) -> list[Name]:
        named: list[Name] = []
        for group in groups:
            slot = self._inventory.slot(group.place.slot_key)
            site = self._inventory.site(slot.site_key) if slot else None
            named.append((write_id("site", site.key), site.name) if site else (None, UNKNOWN))
        return named

    def _by_page(self, groups: list[Grouped]) -> list[Name]:
        products = self._catalogue.products({group.place.product_key for group in groups})
        links = {key: product.link for key, product in products.items()}
        campaigns = {group.place.campaign_key for group in groups}
        fallbacks = {key: _fallback(self._campaigns.campaign(key)) for key in campaigns}
        creatives = {group.place.creative_key for group in groups} - {0}
        links |= {key: link for key in creatives if (link := self._link_of(key)) is not None}

        def page(place: ClickPlace) -> str:
            link = links.get(place.product_key or place.creative_key) or fallbacks[place.campaign_key]
            return page_of(link) if link else UNKNOWN

        return [(None, page(group.place)) for group in groups]

    def _link_of(self, creative_key: int) -> str | None:
        creative = self._campaigns.creative(creative_key)
        return creative.link if creative else None


def _by_day(groups: list[Grouped]) -> list[Name]:
    days = (datetime.fromtimestamp(group.place.day_ms // 1000, UTC).date() for group in groups)
    return [(None, day.isoformat()) for day in days]


def _by_name(row: ArrivalRow) -> tuple[int, str]:
    return 0, row.name


def _by_size(row: ArrivalRow) -> tuple[int, str]:
    return -row.arrived.clicks - row.arrived.clicks_suspect, row.name


def _fallback(campaign: Campaign | None) -> str | None:
    return campaign.fallback_url if campaign else None


def _with_others(rows: list[ArrivalRow], whole: Arrived) -> list[ArrivalRow]:
    """The first rows, and what is left of the whole as one more."""
    shown = rows[:MOST_ROWS]
    rest = whole.without(total(row.arrived for row in shown))
    return [*shown, ArrivalRow(None, OTHER, rest)] if rest != Arrived() else shown


def _start_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
