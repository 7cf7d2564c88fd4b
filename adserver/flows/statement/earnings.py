"""A publisher's month by slot: what was asked for, shown and clicked, and what of it nobody pays for."""

import msgspec

from adserver.domain.money import Micros, per_thousand
from adserver.domain.slot import Publisher
from adserver.domain.statement import month_of
from adserver.domain.validity import NOT_BILLED
from adserver.flows.statement.named import Place
from adserver.flows.statement.publisher import PublisherStatement, PublisherStatements
from adserver.ports import Inventory, Stats

AT_ONCE = 500
COUNTED = ("requests", "foreign", "fills", "impressions", "viewable_impressions", "clicks")
_BY_REASON = {f"{name}_{reason}": reason for name in COUNTED[3:] for reason in NOT_BILLED}


class SlotMonth(msgspec.Struct, frozen=True):
    """What a slot did in a month; `nets` by currency, `not_billed` its suspect events by their reason."""

    slot_key: int
    place: Place
    counts: dict[str, int]
    nets: dict[str, Micros]
    not_billed: dict[str, int]

    def ecpm(self, currency: str) -> Micros | None:
        """What a thousand impressions earned; None where there were none."""
        return per_thousand(self.nets[currency], self.counts["impressions"])


class PublisherMonth(msgspec.Struct, frozen=True):
    statement: PublisherStatement
    slots: list[SlotMonth]

    @property
    def counts(self) -> dict[str, int]:
        return {name: sum(one.counts[name] for one in self.slots) for name in COUNTED}

    @property
    def not_billed(self) -> dict[str, int]:
        """By reason, of all slots; the most frequent first."""
        found: dict[str, int] = {}
        for one in self.slots:
            for reason, n in one.not_billed.items():
                found[reason] = found.get(reason, 0) + n
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def ecpm(self, currency: str) -> Micros | None:
        net = next((one.earned.net for one in self.statement.totals if one.currency == currency), 0)
        return per_thousand(Micros(net), self.counts["impressions"])


class Earnings:
    """Money is the statement's; the other figures are the hourly counts of the same month."""

    def __init__(self, statements: PublisherStatements, inventory: Inventory, stats: Stats) -> None:
        self._statements = statements
        self._inventory = inventory
        self._stats = stats

    def month(self, publisher: Publisher, year: int, number: int) -> PublisherMonth:
        """Every slot of the publisher, and those that earned while they were its own."""
        statement = self._statements.statement(publisher, year, number)
        places = self._places(publisher.key) | {part.slot_key: part.place for part in statement.slots}
        span = month_of(year, number, self._statements.timezone)
        slots = []
        for key, place in places.items():
            counts = self._stats.named(key, [*COUNTED, *_BY_REASON], span.start_ms, span.end_ms)
            nets = {part.currency: part.earned.net for part in statement.slots if part.slot_key == key}
            shown = {name: counts.get(name, 0) for name in COUNTED}
            slots.append(SlotMonth(key, place, shown, nets, _by_reason(counts)))
        return PublisherMonth(statement, slots)

    def _places(self, publisher_key: int) -> dict[int, Place]:
        found: dict[int, Place] = {}
        for site in self._inventory.sites(publisher_key, -1, AT_ONCE):
            domain = site.domains[0] if site.domains else ""
            for slot in self._inventory.slots(site.key, -1, AT_ONCE):
                found[slot.key] = Place(site.key, site.name, domain, slot.name)
        return found


def _by_reason(counts: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, reason in _BY_REASON.items():
        if counts.get(name):
            found[reason] = found.get(reason, 0) + counts[name]
    return found
