"""Earnings are withheld while traffic is looked into, then paid to the publisher or given back."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from adserver.domain.audit_log import OURSELVES
from adserver.domain.identity import write_id
from adserver.domain.money import Micros
from adserver.domain.payout_hold import Ending, PayoutHold, Span, conflicting
from adserver.domain.statement import FIRST_PLACE, Line, Month
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why, until_settled
from adserver.ports import Holds, Payouts
from adserver.writes import RefundCharge, Result

AT_ONCE = 500
MOST_REFUNDS = 20_000  # with one word: some seconds
REASON = "invalid traffic"


class Withheld(msgspec.Struct, frozen=True):
    """What a hold withholds in one currency; `charged` is what the advertisers paid for it."""

    currency: str
    charges: int
    earned: Micros
    charged: Micros


class Held(msgspec.Struct, frozen=True):
    hold: PayoutHold
    sums: list[Withheld]


class Holding(msgspec.Struct, frozen=True):
    """The ports of it."""

    holds: Holds
    payouts: Payouts


class ManageHolds:
    def __init__(self, desk: Desk, accounts: ManageAccounts, holding: Holding) -> None:
        self._desk = desk
        self._holds = holding.holds
        self._payouts = holding.payouts
        self._accounts = accounts

    def holds(
        self, reach: Reach, publisher_key: int | None, after: int, limit: int
    ) -> list[PayoutHold] | Refused:
        """A publisher's; all of them, for the operator, where none is named."""
        if publisher_key is None and not reach.is_operator:
            return NOT_FOUND
        if publisher_key is not None:
            publisher = self._accounts.publisher(reach, publisher_key)
            if isinstance(publisher, Refused):
                return publisher
        return self._holds.holds(publisher_key, after, limit)

    def hold(self, reach: Reach, key: int) -> PayoutHold | Refused:
        found = self._holds.hold(key)
        return found if found is not None and reach.publisher(found.publisher_key) else NOT_FOUND

    def withheld(self, hold: PayoutHold) -> Held:
        """What it is about, in each currency: as far as it has been earned by now."""
        span = hold.earned(self._desk.clock())
        sums: dict[str, Withheld] = {}
        for one in self._payouts.sums(hold.publisher_key, _as_month(span)):
            if hold.covers(one.slot_key) and one.earned.charges.count:
                known = sums.get(one.currency, Withheld(one.currency, 0, Micros(0), Micros(0)))
                sums[one.currency] = Withheld(
                    one.currency,
                    known.charges + one.earned.charges.count,
                    Micros(known.earned + one.earned.charges.micros),
                    Micros(known.charged + one.charged.charges.micros),
                )
        return Held(hold, [sums[currency] for currency in sorted(sums)])

    def place(
        self, reach: Reach, draft: PayoutHold, receipt_of: ReceiptOf[PayoutHold] | None = None
    ) -> PayoutHold | Refused:
        """Withhold from now on; its key and times are ours to give."""
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        desk = self._desk
        now_ms = desk.clock()
        hold = replace(draft, key=desk.mint_key(), placed_ms=now_ms, ended_ms=None, ending=None, version=1)
        if desk.accounts.publisher(hold.publisher_key) is None or not self._is_of_publisher(hold):
            return Refused(Why.UNKNOWN_OWNER)
        if hold.until_ms is not None and hold.until_ms <= hold.since_ms:
            return Refused(Why.BAD_SPAN)
        if conflicting(hold, self._open(hold.publisher_key)) is not None:
            return Refused(Why.ALREADY_HELD)
        return desk.create(hold, receipt_of)

    def release(self, reach: Reach, key: int) -> PayoutHold | Refused:
        """The publisher is paid after all, with the next statement."""
        return until_settled(lambda: self._end(reach, key, Ending.RELEASED))

    def refund(self, reach: Reach, key: int) -> Held | Refused:
        """Give every charge under it back to the advertisers, and end it; once more goes on."""
        hold = self.hold(reach, key) if reach.is_operator else Refused(Why.FORBIDDEN)
        if isinstance(hold, Refused):
            return hold
        if sum(one.charges for one in self.withheld(hold).sums) > MOST_REFUNDS:
            return Refused(Why.TOO_MANY_CHARGES)
        if hold.ending is not Ending.REFUNDED:
            # It ends before its charges go back: what is earned meanwhile is another hold's matter.
            hold = until_settled(lambda: self._end(reach, key, Ending.REFUNDED))
        if isinstance(hold, Refused):
            return hold
        return self._give_back(hold) or self.withheld(hold)

    def _give_back(self, hold: PayoutHold) -> Refused | None:
        now_ms = self._desk.clock()
        for lines in self._lines(hold):
            refund_id = write_id("hold", hold.key)
            writes = [
                RefundCharge(one.charge_id, refund_id, None, REASON, now_ms, by=OURSELVES) for one in lines
            ]
            for outcome in self._desk.writer.commit_many(writes):
                if outcome.result not in _DONE:
                    return Refused(outcome.result)
        return None

    def _lines(self, hold: PayoutHold) -> Iterator[list[Line]]:
        """Its charges, page by page."""
        month, place = _as_month(hold.earned(self._desk.clock())), FIRST_PLACE
        while lines := self._payouts.lines(hold.publisher_key, month, place, AT_ONCE):
            yield [one for one in lines if one.refund_id is None and hold.covers(one.slot_key)]
            place = lines[-1].place

    def _end(self, reach: Reach, key: int, ending: Ending) -> PayoutHold | Refused:
        hold = self.hold(reach, key) if reach.is_operator else Refused(Why.FORBIDDEN)
        if isinstance(hold, Refused):
            return hold
        if not hold.is_open:
            return Refused(Why.HOLD_ENDED)
        ended = replace(hold, ended_ms=self._desk.clock(), ending=ending, version=hold.version + 1)
        return self._desk.replace(ended)

    def _open(self, publisher_key: int) -> list[PayoutHold]:
        found: list[PayoutHold] = []
        after = -1
        while page := self._holds.holds(publisher_key, after, AT_ONCE):
            found += [one for one in page if one.is_open]
            after = page[-1].key
        return found

    def _is_of_publisher(self, hold: PayoutHold) -> bool:
        if hold.slot_key is None:
            return True
        slot = self._desk.inventory.slot(hold.slot_key)
        site = None if slot is None else self._desk.inventory.site(slot.site_key)
        return site is not None and site.publisher_key == hold.publisher_key


_DONE = frozenset({Result.REFUNDED, Result.OVER_REFUNDED})  # the latter: it was given back before


def _as_month(span: Span) -> Month:
    return Month(0, 0, span.start_ms, max(span.start_ms, span.end_ms))
