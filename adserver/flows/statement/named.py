"""Lines of the ledger with the names of what they are about."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.campaign import Campaign
from adserver.domain.pricing import Terms
from adserver.domain.slot import Site, Slot
from adserver.domain.statement import Kind, Line, Month, Origin, checks
from adserver.ports import Accounts, Campaigns, Catalogue, Inventory, Origins


class NamedLine(msgspec.Struct, frozen=True):
    """A charge, or what was given back of one, as its statement shows it."""

    line: Line
    kind: Kind
    hour: str  # its hour on the statement's clocks
    campaign: str
    advertiser: str
    site: str
    domain: str
    slot: str
    item_id: str | None
    origin: Origin
    checks: tuple[str, ...]


class Place(msgspec.Struct, frozen=True):
    """Where an ad was shown."""

    site_key: int
    site: str
    domain: str
    slot: str


NOWHERE = Place(0, "", "", "")


class Ports(msgspec.Struct, frozen=True):
    """Where names are looked up."""

    accounts: Accounts
    campaigns: Campaigns
    inventory: Inventory
    catalogue: Catalogue
    origins: Origins


class Names:
    """Names looked up for one statement, each once; a new one of these for the next."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._campaigns: dict[int, Campaign | None] = {}
        self._advertisers: dict[int, str] = {}
        self._places: dict[int, Place] = {}
        self._terms: dict[tuple[int, int], Terms | None] = {}

    def campaign(self, key: int) -> str:
        if key not in self._campaigns:
            self._campaigns[key] = self._ports.campaigns.campaign(key)
        found = self._campaigns[key]
        return found.name if found else ""

    def advertiser(self, key: int) -> str:
        if key not in self._advertisers:
            found = self._ports.accounts.advertiser(key)
            self._advertisers[key] = found.name if found else ""
        return self._advertisers[key]

    def place(self, slot_key: int) -> Place:
        """The slot and its site, named by its first domain."""
        if slot_key not in self._places:
            slot = self._ports.inventory.slot(slot_key)
            site = self._ports.inventory.site(slot.site_key) if slot else None
            self._places[slot_key] = _place(slot, site)
        return self._places[slot_key]

    def lines(self, lines: Sequence[Line], month: Month, zone: ZoneInfo) -> list[NamedLine]:
        """The lines, each with what it came from."""
        origins = self._ports.origins.origins([line.charge_id for line in lines])
        products = self._ports.catalogue.products({line.product_key for line in lines})
        named = []
        for line in lines:
            product, origin = products.get(line.product_key), origins[line.charge_id]
            named.append(self._named(line, month, zone, product.item_id if product else None, origin))
        return named

    def _named(
        self, line: Line, month: Month, zone: ZoneInfo, item_id: str | None, origin: Origin
    ) -> NamedLine:
        place = self.place(line.slot_key)
        return NamedLine(
            line,
            line.kind(month),
            _hour(line.at_ms, zone),
            self.campaign(line.campaign_key),
            self.advertiser(line.advertiser_key),
            place.site,
            place.domain,
            place.slot,
            item_id,
            origin,
            checks(line, origin, self._terms_of(line)),
        )

    def _terms_of(self, line: Line) -> Terms | None:
        key = line.campaign_key, line.campaign_version
        if key not in self._terms:
            self._terms[key] = self._ports.campaigns.terms(*key)
        return self._terms[key]


def _place(slot: Slot | None, site: Site | None) -> Place:
    if slot is None or site is None:
        return NOWHERE
    return Place(site.key, site.name, site.domains[0], slot.name)


def _hour(at_ms: int, zone: ZoneInfo) -> str:
    """With its offset: an hour that the clocks pass twice is told apart."""
    return datetime.fromtimestamp(at_ms // 1000, zone).replace(minute=0).isoformat(timespec="minutes")
