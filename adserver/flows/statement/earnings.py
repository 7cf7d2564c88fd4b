"""A publisher's month by slot: what was asked for, shown and clicked, and what of it nobody pays for."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import msgspec

from adserver.domain.money import Micros, per_thousand
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.statement import Month, month_of
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
        counts = self._counts(list(places), month_of(year, number, self._statements.timezone))
        nets: dict[int, dict[str, Micros]] = {key: {} for key in places}
        for part in statement.slots:
            nets[part.slot_key][part.currency] = part.earned.net
        slots = [
            SlotMonth(
                key,
                place,
                {name: counts[key].get(name, 0) for name in COUNTED},
                nets[key],
                _by_reason(counts[key]),
            )
            for key, place in places.items()
        ]
        return PublisherMonth(statement, slots)

    def _counts(self, slot_keys: list[int], month: Month) -> dict[int, dict[str, int]]:
        """Of all slots at once: the month is within one step, since a step is as long as all time before."""
        found: dict[int, dict[str, int]] = {key: {} for key in slot_keys}
        names = [*COUNTED, *_BY_REASON]
        for key, name, _, n in self._stats.parts(
            slot_keys, names, month.start_ms, month.end_ms, month.end_ms
        ):
            found[key][name] = n
        return found

    def _places(self, publisher_key: int) -> dict[int, Place]:
        """All of them, however many."""
        found: dict[int, Place] = {}
        for site in _all(partial(self._inventory.sites, publisher_key)):
            domain = site.domains[0] if site.domains else ""
            for slot in _all(partial(self._inventory.slots, site.key)):
                found[slot.key] = Place(site.key, site.name, domain, slot.name)
        return found


Kept = TypeVar("Kept", Site, Slot)


def _all(page: Callable[[int, int], list[Kept]]) -> Iterator[Kept]:
    """`page(after, limit)` after page."""
    after = -1
    while some := page(after, AT_ONCE):
        yield from some
        after = some[-1].key


def _by_reason(counts: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, reason in _BY_REASON.items():
        if counts.get(name):
            found[reason] = found.get(reason, 0) + counts[name]
    return found
