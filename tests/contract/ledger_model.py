"""The ledger in plain Python: what each write must come to, one after the other, without any database."""

import msgspec

from adserver.domain.campaign import Advertiser, Campaign
from adserver.writes import (
    AdRecord,
    CreditConversion,
    Outcome,
    RecordAd,
    Result,
    SaveEntity,
    StoreEvent,
    Write,
)

LIFE = 0
CONVERSION = 3


class Balance(msgspec.Struct):
    cap: int | None
    spent: int = 0
    pending: int = 0

    def takes(self, amount: int) -> bool:
        return self.cap is None or self.spent + self.pending + amount <= self.cap


class Order(msgspec.Struct):
    """A conversion as one side told it; `held` is the amount it has billed or reserved."""

    state: str
    arrived_at_ms: int
    campaign_key: int = 0
    advertiser_key: int = 0
    day: int = 0
    held: int = 0


class LedgerModel:
    """`apply` answers what the ledger must answer, and changes what the ledger must hold."""

    def __init__(self) -> None:
        self.owners: dict[int, Campaign | Advertiser] = {}
        self.balances: dict[tuple[int, int], Balance] = {}
        self.charges: dict[int, tuple[int, int, int]] = {}  # id -> campaign, day, amount
        self.refused: dict[int, int] = {}  # id -> day of first sight
        self.seen: set[int] = set()  # ad events
        self.orders: dict[tuple[int, bool], Order] = {}
        self.event_ids: set[str] = set()
        self.event_keys: set[int] = set()

    def apply(self, write: Write) -> Outcome:
        match write:
            case RecordAd():
                return [self._ad_event(record) for record in write.records][-1]
            case StoreEvent():
                return Outcome(self._event(write))
            case CreditConversion():
                return self._credit(write)
            case SaveEntity(entity=Campaign() | Advertiser()):
                return self._save(write)
        raise TypeError(write)

    # ---- charges ----

    def _ad_event(self, record: AdRecord) -> Outcome:
        if record.campaign_key not in self.owners:
            return Outcome(Result.UNRECORDED)
        charge_id = record.impression_id * 4 + record.event
        known = charge_id in self.seen
        self.seen.add(charge_id)
        if not record.amount_micros:
            return Outcome(Result.REPEATED if known else Result.NOT_BILLABLE)
        return Outcome(self._bill(charge_id, record))

    def _bill(self, charge_id: int, record: AdRecord) -> Result:
        if charge_id in self.charges:
            return Result.REPEATED
        day, amount = self.refused.get(charge_id, record.day), record.amount_micros
        if not self._move(record, day, amount, 0):
            self.refused[charge_id] = day
            return Result.CAP_REACHED
        self.refused.pop(charge_id, None)
        self.charges[charge_id] = (record.campaign_key, day, amount)
        return Result.TAKEN

    def _move(self, record: AdRecord, day: int, spend: int, reserve: int) -> bool:
        found = [
            self._balance(owner, of_day)
            for owner in (record.campaign_key, record.advertiser_key)
            for of_day in (LIFE, day)
        ]
        if not all(balance.takes(spend + reserve) for balance in found):
            return False
        for balance in found:
            balance.spent += spend
            balance.pending += reserve
        return True

    def _balance(self, owner: int, day: int) -> Balance:
        if (owner, day) not in self.balances:
            self.balances[owner, day] = Balance(self.owners[owner].daily_budget_micros)
        return self.balances[owner, day]

    # ---- events and orders ----

    def _event(self, write: StoreEvent) -> Result:
        if write.event.event_id is not None:
            if write.event.event_id in self.event_ids:
                return Result.DUPLICATE
            self.event_ids.add(write.event.event_id)
        self.event_keys.add(write.event_key)
        if write.conversion_key:
            self.orders.setdefault((write.conversion_key, False), Order("new", write.at_ms))
        return Result.ACCEPTED

    def _credit(self, write: CreditConversion) -> Outcome:
        key = write.conversion_key
        browser, server = self.orders.get((key, False)), self.orders.get((key, True))
        if write.arrival is None:
            if browser is None or browser.state != "new":
                return Outcome(Result.REPEATED)
            if server is not None:
                browser.state = Result.DUPLICATE
                return Outcome(Result.DUPLICATE)
            return self._settle(browser, write)
        if server is not None:
            return self._again(server, write)
        if browser is not None and browser.state == Result.TAKEN:
            return Outcome(Result.DUPLICATE)
        if browser is not None:
            self._supersede(browser)
        server = self.orders[key, True] = Order("new", write.arrival.arrived_at_ms)
        return self._settle(server, write)

    def _again(self, server: Order, write: CreditConversion) -> Outcome:
        if server.state == Result.CAP_REACHED and write.record is not None and write.record.amount_micros:
            return self._settle(server, write)
        return Outcome(Result.DUPLICATE)

    def _supersede(self, browser: Order) -> None:
        if browser.state == Result.PENDING:
            for owner in (browser.campaign_key, browser.advertiser_key):
                for day in (LIFE, browser.day):
                    self.balances[owner, day].pending -= browser.held
        browser.state, browser.held = "superseded", 0

    def _settle(self, order: Order, write: CreditConversion) -> Outcome:
        record = write.record
        if record is None:
            order.state = Result.UNATTRIBUTED
            return Outcome(Result.UNATTRIBUTED)
        order.state = self._price(record, write.reserve)
        order.campaign_key, order.advertiser_key, order.day = (
            record.campaign_key,
            record.advertiser_key,
            record.day,
        )
        if order.state not in (Result.TAKEN, Result.PENDING):
            return Outcome(Result(order.state))
        order.held = record.amount_micros
        return Outcome(Result(order.state), write.conversion_key * 4 + CONVERSION)

    def _price(self, record: AdRecord, reserve: bool) -> Result:
        charge_id = record.impression_id * 4 + CONVERSION
        if not record.amount_micros:
            return Result.NOT_BILLABLE
        if reserve:
            if self._move(record, record.day, 0, record.amount_micros):
                return Result.PENDING
            self.refused.setdefault(charge_id, record.day)
            return Result.CAP_REACHED
        result = self._bill(charge_id, record)
        return Result.DUPLICATE if result is Result.REPEATED else result

    # ---- caps ----

    def _save(self, write: SaveEntity) -> Outcome:
        new = write.entity
        assert isinstance(new, Campaign | Advertiser)
        old = self.owners.get(new.key)
        if old == new:
            return Outcome(Result.SAVED)
        if old is not None and new.version != old.version + 1:
            return Outcome(Result.CONFLICT)
        for day, cap in ((LIFE, new.total_budget_micros), (write.today, new.daily_budget_micros)):
            known = self.balances.get((new.key, day))
            if known is not None and cap is not None and known.spent + known.pending > cap:
                return Outcome(Result.BELOW_SPENT, known.spent + known.pending)
            if known is None and day == LIFE:
                self.balances[new.key, LIFE] = Balance(cap)
        for day, cap in ((LIFE, new.total_budget_micros), (write.today, new.daily_budget_micros)):
            if (new.key, day) in self.balances:
                self.balances[new.key, day].cap = cap
        self.owners[new.key] = new
        return Outcome(Result.SAVED)
