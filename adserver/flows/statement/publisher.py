"""A publisher's month: what their places earned, what went back, and what is to be paid out."""

from collections import defaultdict
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.money import ZERO, Micros, basis_points_of
from adserver.domain.slot import Publisher
from adserver.domain.statement import (
    FIRST_PLACE,
    Month,
    SlotSums,
    Sums,
    Tally,
    carried_forward,
    month_of,
    months_until,
    total,
)
from adserver.flows.statement.named import NamedLine, Names, Place, Ports
from adserver.ports import Clock, Payouts

LINES_AT_ONCE = 500

LinePlace = tuple[int, bool, int, str]


class SlotPart(msgspec.Struct, frozen=True):
    """A slot's part of the month in one currency; `unbilled` is what their share of it would have been."""

    slot_key: int
    place: Place
    currency: str
    earned: Sums
    charged: Sums
    unbilled: Tally


class PayoutTotal(msgspec.Struct, frozen=True):
    """The month in one currency; `carried` is zero or less, `payable` zero or more."""

    currency: str
    earned: Sums
    charged: Sums
    unbilled: Tally
    carried: Micros

    @property
    def payable(self) -> Micros:
        return Micros(max(ZERO, self.carried + self.earned.net))


class PublisherStatement(msgspec.Struct, frozen=True):
    month: Month
    is_closed: bool
    slots: list[SlotPart]
    totals: list[PayoutTotal]


class PublisherStatements:
    """Months are the network's, the same for every publisher."""

    def __init__(self, payouts: Payouts, names: Ports, clock: Clock, timezone: str) -> None:
        self._payouts = payouts
        self._names = names
        self._clock = clock
        self.timezone = timezone

    def statement(self, publisher: Publisher, year: int, number: int) -> PublisherStatement:
        month = month_of(year, number, self.timezone)
        slots = self._slots(publisher, month)
        carried = self._carried(publisher.key, month)
        currencies = sorted({part.currency for part in slots} | set(carried))
        return PublisherStatement(
            month,
            month.end_ms <= self._clock(),
            slots,
            [_total(currency, slots, carried[currency]) for currency in currencies],
        )

    def _slots(self, publisher: Publisher, month: Month) -> list[SlotPart]:
        names = Names(self._names)
        booked = {(one.slot_key, one.currency): one for one in self._payouts.sums(publisher.key, month)}
        lost = self._payouts.unbilled(publisher.key, month)
        unbilled = {(one.owner_key, one.currency): one.tally for one in lost}
        parts = []
        for key in sorted(booked.keys() | unbilled.keys()):
            sums = booked.get(key) or SlotSums(*key, Sums(), Sums())
            tally = unbilled.get(key, Tally())
            share = Tally(tally.count, basis_points_of(tally.micros, publisher.revenue_share_bps))
            parts.append(SlotPart(key[0], names.place(key[0]), key[1], sums.earned, sums.charged, share))
        return parts

    def _carried(self, publisher_key: int, month: Month) -> defaultdict[str, Micros]:
        """What earlier months left to be made good, by currency; none before something was given back."""
        carried: defaultdict[str, Micros] = defaultdict(lambda: ZERO)
        first_ms = self._payouts.first_refund_ms(publisher_key)
        if first_ms is None:
            return carried
        nets: defaultdict[str, list[Micros]] = defaultdict(list)
        for earlier in months_until(first_ms, month, self.timezone):
            by_currency: defaultdict[str, Micros] = defaultdict(lambda: ZERO)
            for one in self._payouts.sums(publisher_key, earlier):
                by_currency[one.currency] = Micros(by_currency[one.currency] + one.earned.net)
            for currency, net in by_currency.items():
                nets[currency].append(net)
        carried.update({key: owed for key, months in nets.items() if (owed := carried_forward(months))})
        return carried

    def page(
        self, publisher: Publisher, year: int, number: int, after: LinePlace, limit: int
    ) -> tuple[list[NamedLine], LinePlace | None]:
        """Lines by time, and where the next page begins."""
        month, names = month_of(year, number, self.timezone), Names(self._names)
        lines = self._payouts.lines(publisher.key, month, after, limit + 1)
        shown = lines[:limit]
        named = names.lines(shown, month, ZoneInfo(self.timezone))
        return named, shown[-1].place if len(lines) > limit else None

    def pieces(self, publisher: Publisher, year: int, number: int) -> Iterator[list[NamedLine]]:
        """All lines of the month, a piece at a time."""
        month, names = month_of(year, number, self.timezone), Names(self._names)
        place = FIRST_PLACE
        while lines := self._payouts.lines(publisher.key, month, place, LINES_AT_ONCE):
            yield names.lines(lines, month, ZoneInfo(self.timezone))
            place = lines[-1].place


def _total(currency: str, slots: list[SlotPart], carried: Micros) -> PayoutTotal:
    parts = [part for part in slots if part.currency == currency]
    unbilled = Tally(
        sum(part.unbilled.count for part in parts), Micros(sum(part.unbilled.micros for part in parts))
    )
    earned, charged = total(part.earned for part in parts), total(part.charged for part in parts)
    return PayoutTotal(currency, earned, charged, unbilled, carried)
