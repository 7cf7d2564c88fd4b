"""A publisher's month: what their places earned, what went back, and what is to be paid out."""

from collections import defaultdict
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.money import ZERO, Micros, basis_points_of
from adserver.domain.payout_hold import PayoutHold, Span
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
from adserver.ports import Clock, Holds, Payouts

LINES_AT_ONCE = 500
SETTLED_MS = 10 * 60_000  # after which nothing is booked into a month any more
KEPT_MONTHS = 200  # of all publishers together: their sums never change

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
    withheld: Micros = ZERO
    freed: Micros = ZERO

    @property
    def payable(self) -> Micros:
        return Micros(max(ZERO, self.carried + self.earned.net - self.withheld + self.freed))


class HeldPart(msgspec.Struct, frozen=True):
    """What one hold withholds in the month, and what it frees, in one currency."""

    hold: PayoutHold
    currency: str
    withheld: Micros
    freed: Micros


class PublisherStatement(msgspec.Struct, frozen=True):
    month: Month
    is_closed: bool
    slots: list[SlotPart]
    totals: list[PayoutTotal]
    held: list[HeldPart] = []


class PublisherStatements:
    """Months are the network's, the same for every publisher."""

    def __init__(self, payouts: Payouts, holds: Holds, names: Ports, clock: Clock, timezone: str) -> None:
        self._payouts = payouts
        self._holds = holds
        self._names = names
        self._clock = clock
        self.timezone = timezone
        self._over: dict[tuple[int, int, int], list[SlotSums]] = {}

    def statement(self, publisher: Publisher, year: int, number: int) -> PublisherStatement:
        month = month_of(year, number, self.timezone)
        slots = self._slots(publisher, month)
        holds = self._of_publisher(publisher.key)
        carried, held = self._carried(publisher.key, holds, month), self._held(holds, month)
        currencies = sorted({*(one.currency for one in slots), *(one.currency for one in held), *carried})
        return PublisherStatement(
            month,
            month.end_ms <= self._clock(),
            slots,
            [_total(currency, slots, held, carried[currency]) for currency in currencies],
            held,
        )

    def _booked(self, publisher_key: int, month: Month) -> list[SlotSums]:
        """Each charge of a month is read for it: of one that is over, once."""
        place = (publisher_key, month.start_ms, month.end_ms)
        known = self._over.get(place)
        if known is not None:
            return known
        booked = self._payouts.sums(publisher_key, month)
        if month.end_ms + SETTLED_MS <= self._clock():
            while len(self._over) >= KEPT_MONTHS:
                self._over.pop(next(iter(self._over)), None)
            self._over[place] = booked
        return booked

    def _of_publisher(self, publisher_key: int) -> list[PayoutHold]:
        holds: list[PayoutHold] = []
        while page := self._holds.holds(publisher_key, holds[-1].key if holds else -1, LINES_AT_ONCE):
            holds += page
        return holds

    def _held(self, holds: list[PayoutHold], month: Month) -> list[HeldPart]:
        """By hold and currency; those that the month does not know are left out."""
        parts = []
        for hold in sorted(holds, key=lambda one: one.placed_ms):
            withheld, freed = self._earned(hold, hold.withheld_in(month)), self._freed(hold, month)
            parts += [
                HeldPart(hold, currency, withheld[currency], freed[currency])
                for currency in sorted(withheld.keys() | freed.keys())
            ]
        return parts

    def _earned(self, hold: PayoutHold, span: Span) -> defaultdict[str, Micros]:
        """By currency, what was earned under the hold, before anything of it went back."""
        earned: defaultdict[str, Micros] = defaultdict(lambda: ZERO)
        if span.is_empty:
            return earned
        for one in self._booked(hold.publisher_key, Month(0, 0, span.start_ms, span.end_ms)):
            if hold.covers(one.slot_key) and one.earned.charges.count:
                earned[one.currency] = Micros(earned[one.currency] + one.earned.charges.micros)
        return earned

    def _freed(self, hold: PayoutHold, month: Month) -> defaultdict[str, Micros]:
        """By currency, what is paid after all; and what went back, which is not earned any more."""
        released = hold.freed_in(month)
        if released.is_empty:
            return self._given_back(hold, month, hold.given_back_in(month))
        freed = self._earned(hold, released)
        for currency, micros in self._given_back(hold, month, hold.before(month)).items():
            freed[currency] = Micros(freed[currency] - micros)
        return freed

    def _given_back(self, hold: PayoutHold, month: Month, when: Span) -> defaultdict[str, Micros]:
        """By currency, what of its earnings went back to the advertisers at that time."""
        back: defaultdict[str, Micros] = defaultdict(lambda: ZERO)
        if when.is_empty:
            return back
        earned, asked = (Month(0, 0, one.start_ms, one.end_ms) for one in (hold.earned(month.end_ms), when))
        for slot_key, currency, micros in self._payouts.given_back(hold.publisher_key, earned, asked):
            if hold.covers(slot_key):
                back[currency] = Micros(back[currency] + micros)
        return back

    def _slots(self, publisher: Publisher, month: Month) -> list[SlotPart]:
        names = Names(self._names)
        booked = {(one.slot_key, one.currency): one for one in self._booked(publisher.key, month)}
        lost = self._payouts.unbilled(publisher.key, month)
        unbilled = {(one.owner_key, one.currency): one.tally for one in lost}
        parts = []
        for key in sorted(booked.keys() | unbilled.keys()):
            sums = booked.get(key) or SlotSums(*key, Sums(), Sums())
            tally = unbilled.get(key, Tally())
            share = Tally(tally.count, basis_points_of(tally.micros, publisher.revenue_share_bps))
            parts.append(SlotPart(key[0], names.place(key[0]), key[1], sums.earned, sums.charged, share))
        return parts

    def _carried(self, publisher_key: int, holds: list[PayoutHold], month: Month) -> defaultdict[str, Micros]:
        """What earlier months left to be made good, by currency; none before a refund or hold."""
        carried: defaultdict[str, Micros] = defaultdict(lambda: ZERO)
        refund_ms = self._payouts.first_refund_ms(publisher_key)
        began = [one.placed_ms for one in holds] + ([] if refund_ms is None else [refund_ms])
        if not began:
            return carried
        first_ms = min(began)
        nets: defaultdict[str, list[Micros]] = defaultdict(list)
        for earlier in months_until(first_ms, month, self.timezone):
            by_currency: defaultdict[str, Micros] = defaultdict(lambda: ZERO)
            for one in self._booked(publisher_key, earlier):
                by_currency[one.currency] = Micros(by_currency[one.currency] + one.earned.net)
            for part in self._held(holds, earlier):
                moved = part.freed - part.withheld
                by_currency[part.currency] = Micros(by_currency[part.currency] + moved)
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


def _total(currency: str, slots: list[SlotPart], held: list[HeldPart], carried: Micros) -> PayoutTotal:
    parts = [part for part in slots if part.currency == currency]
    unbilled = Tally(
        sum(part.unbilled.count for part in parts), Micros(sum(part.unbilled.micros for part in parts))
    )
    earned, charged = total(part.earned for part in parts), total(part.charged for part in parts)
    withheld, freed = (
        Micros(sum(getattr(one, name) for one in held if one.currency == currency))
        for name in ("withheld", "freed")
    )
    return PayoutTotal(currency, earned, charged, unbilled, carried, withheld, freed)
