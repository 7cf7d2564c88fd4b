"""What a report may look at: the campaigns and slots of whose report it is, as far as filters let through."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.report import Dimension, ReportQuery, ReportRefusal, ReportRefused, Side
from adserver.domain.report_sums import Where, Whose
from adserver.domain.slot import Publisher
from adserver.ports import Stores

Account = Advertiser | Publisher | None
Known = TypeVar("Known")

COLUMNS = {  # of sums, from which a dimension follows
    Dimension.ADVERTISER: "campaign_key",
    Dimension.CAMPAIGN: "campaign_key",
    Dimension.CREATIVE: "creative_key",
    Dimension.PRODUCT: "product_key",
    Dimension.PUBLISHER: "slot_key",
    Dimension.SITE: "slot_key",
    Dimension.SLOT: "slot_key",
    Dimension.COUNTRY: "country",
    Dimension.DEVICE: "device",
    Dimension.AUDIENCE: "audience_key",
}
_OWN_COLUMNS = (
    Dimension.CREATIVE,
    Dimension.PRODUCT,
    Dimension.COUNTRY,
    Dimension.DEVICE,
    Dimension.AUDIENCE,
)


class Scope(msgspec.Struct, frozen=True):
    """`filters` are of columns; slots are among them where not all may be looked at."""

    side: Side
    timezone: str
    campaigns: Mapping[int, Whose]
    slots: Mapping[int, Where]
    filters: Mapping[str, tuple[int | str, ...]]
    by_campaign: bool  # whether only some campaigns are looked at
    by_slot: bool

    def value(self, dimension: Dimension, column: int | str) -> int | str:
        """What a column's value is as one of the dimension; 0 for what is not known."""
        if dimension is Dimension.ADVERTISER:
            return self.campaigns[int(column)].advertiser_key
        if dimension in (Dimension.PUBLISHER, Dimension.SITE):
            where = self.slots.get(int(column))
            if where is None:
                return 0
            return where.publisher_key if dimension is Dimension.PUBLISHER else where.site_key
        return column


def side_of(of: Account) -> Side:
    if of is None:
        return Side.NETWORK
    return Side.ADVERTISER if isinstance(of, Advertiser) else Side.PUBLISHER


def _owner(one: Whose) -> int:
    return one.advertiser_key


def _campaign(one: Whose) -> int:
    return one.campaign_key


def _publisher(one: Where) -> int:
    return one.publisher_key


def _site(one: Where) -> int:
    return one.site_key


def _slot(one: Where) -> int:
    return one.slot_key


_OF_CAMPAIGN: dict[Dimension, Callable[[Whose], int]] = {
    Dimension.ADVERTISER: _owner,
    Dimension.CAMPAIGN: _campaign,
}
_OF_SLOT: dict[Dimension, Callable[[Where], int]] = {
    Dimension.PUBLISHER: _publisher,
    Dimension.SITE: _site,
    Dimension.SLOT: _slot,
}


def _filtered(
    known: Mapping[int, Known], asked: ReportQuery, keys: Mapping[Dimension, Callable[[Known], int]]
) -> dict[int, Known]:
    """Those that every filter lets through."""
    let = [
        (key_of, asked.filters[dimension]) for dimension, key_of in keys.items() if dimension in asked.filters
    ]
    return {key: one for key, one in known.items() if all(key_of(one) in keys for key_of, keys in let)}


def _unknown(
    stores: Stores,
    dimension: Dimension,
    values: frozenset[int | str],
    campaigns: Mapping[int, Whose],
    slots: Mapping[int, Where],
) -> str | None:
    """The dimension, where one of the values is nothing that the account may look at."""
    if dimension in _OF_CAMPAIGN:
        known = set(map(_OF_CAMPAIGN[dimension], campaigns.values()))
    elif dimension in _OF_SLOT:
        known = set(map(_OF_SLOT[dimension], slots.values()))
    elif dimension is Dimension.CREATIVE:
        found = [stores.campaigns.creative(int(key)) for key in values]
        known = {one.key for one in found if one is not None and one.campaign_key in campaigns}
    elif dimension is Dimension.AUDIENCE:
        owners = {one.advertiser_key for one in campaigns.values()}
        sets = [stores.audiences.audience(int(key)) for key in values]
        known = {one.key for one in sets if one is not None and one.advertiser_key in owners}
    else:  # a product that left the catalogue was shown all the same, and countries are many
        return None
    return None if values <= known else dimension


def scope_of(stores: Stores, of: Account, asked: ReportQuery, timezone: str) -> Scope | ReportRefused:
    """Filters name what exists within reach: a misspelt one must not be an empty report."""
    own_key = of.key if isinstance(of, Advertiser) else None
    campaigns: Mapping[int, Whose] = stores.report_sources.campaigns(own_key)
    slots: Mapping[int, Where] = stores.report_sums.slots()
    if isinstance(of, Publisher):
        slots = {key: one for key, one in slots.items() if one.publisher_key == of.key}
    filters: dict[str, tuple[int | str, ...]] = {}
    for dimension, values in asked.filters.items():
        if unknown := _unknown(stores, dimension, values, campaigns, slots):
            return ReportRefused(ReportRefusal.UNKNOWN_FILTER, unknown)
        if dimension in _OWN_COLUMNS:
            filters[COLUMNS[dimension]] = tuple(sorted(values, key=str))
    some_campaigns = _filtered(campaigns, asked, _OF_CAMPAIGN)
    some_slots = _filtered(slots, asked, _OF_SLOT)
    by_slot = isinstance(of, Publisher) or len(some_slots) < len(slots)
    if by_slot:
        filters["slot_key"] = tuple(some_slots)
    zone = of.timezone if isinstance(of, Advertiser) else timezone
    by_campaign = isinstance(of, Advertiser) or len(some_campaigns) < len(campaigns)
    return Scope(side_of(of), zone, some_campaigns, some_slots, filters, by_campaign, by_slot)
