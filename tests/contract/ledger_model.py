"""The ledger in plain Python: what each write must come to, one after the other, without any database."""

import msgspec

from adserver.domain.budget import day_before
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.money import Micros
from adserver.writes import (
    AdRecord,
    CancelConversion,
    CreditConversion,
    Deposit,
    Outcome,
    RecordAd,
    RefundCharge,
    Result,
    SaveEntity,
    StoreEvent,
    Write,
)

LIFE = 0
CONVERSION = 3


def _sum(one: int | None, other: int | None) -> int | None:
    """Of returned values; None is all there was."""
    return None if one is None or other is None else one + other


class Balance(msgspec.Struct):
    cap: int | None
    spent: int = 0
    pending: int = 0

    def takes(self, amount: int) -> bool:
        return self.cap is None or self.spent + self.pending + amount <= self.cap


class Order(msgspec.Struct):
    """A conversion as one side told it; `held` is the amount it has billed or reserved, or would have."""

    state: str
    arrived_at_ms: int
    campaign_key: int = 0
    advertiser_key: int = 0
    day: int = 0
    held: int = 0
    value: int | None = None
    lead_of: int | None = None  # of a lead without an id: its visitor, 0 where nobody knows them
    ad: int = 0


class LedgerModel:
    """`apply` answers what the ledger must answer, and changes what the ledger must hold."""

    def __init__(self) -> None:
        self.owners: dict[int, Campaign | Advertiser] = {}
        self.balances: dict[tuple[int, int], Balance] = {}
        self.charges: dict[int, tuple[int, int, int]] = {}  # id -> campaign, day, amount
        self.refused: dict[int, int] = {}  # id -> day of first sight
        self.refunds: dict[tuple[int, str], int] = {}  # charge and name -> amount
        self.deposits: dict[tuple[int, str], int] = {}  # advertiser and reference -> amount
        self.returns: dict[
            tuple[int, str], tuple[int | None, Outcome]
        ] = {}  # order and name -> value, answer
        self.seen: set[int] = set()  # ad events
        self.valid: set[int] = set()  # those that are not, or no longer, suspect
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
            case CancelConversion():
                return self._cancel(write)
            case RefundCharge():
                return self._refund(write)
            case Deposit():
                return self._deposit(write)
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
        if not record.not_billed:
            self.valid.add(charge_id)
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

    # ---- money back, and money paid in ----

    def _refund(self, write: RefundCharge) -> Outcome:
        if write.charge_id not in self.charges:
            return Outcome(Result.NOT_CHARGED)
        campaign, day, billed = self.charges[write.charge_id]
        left = billed - sum(n for (charge, _), n in self.refunds.items() if charge == write.charge_id)
        known = self.refunds.get((write.charge_id, write.refund_id))
        if known is not None:
            same = left == 0 if write.amount_micros is None else write.amount_micros == known
            return Outcome(Result.REFUNDED if same else Result.REFUND_DIFFERS, known)
        amount = left if write.amount_micros is None else write.amount_micros
        if amount > left or not left:
            return Outcome(Result.OVER_REFUNDED, left)
        self.refunds[write.charge_id, write.refund_id] = amount
        owner = self.owners[campaign]
        assert isinstance(owner, Campaign)
        for key in (campaign, owner.advertiser_key):
            for of_day in (LIFE, day):
                self.balances[key, of_day].spent -= amount
        return Outcome(Result.REFUNDED, amount)

    def _deposit(self, write: Deposit) -> Outcome:
        key = write.advertiser_key
        known = self.deposits.get((key, write.reference))
        if known is not None:
            same = known == write.amount_micros
            return Outcome(Result.SAVED if same else Result.DEPOSIT_EXISTS, known)
        owner, life = self.owners[key], self.balances[key, LIFE]
        assert isinstance(owner, Advertiser)
        total = self._deposited(key) + write.amount_micros
        least = life.spent + life.pending if owner.prepaid else 0
        if total < least:
            return Outcome(Result.BELOW_SPENT, least)
        self.deposits[key, write.reference] = write.amount_micros
        life.cap = self._whole_life(owner)
        return Outcome(Result.SAVED, write.amount_micros)

    def _deposited(self, key: int) -> int:
        return sum(amount for (owner, _), amount in self.deposits.items() if owner == key)

    def _whole_life(self, owner: Campaign | Advertiser) -> int | None:
        caps = [] if owner.total_budget_micros is None else [int(owner.total_budget_micros)]
        if isinstance(owner, Advertiser) and owner.prepaid:
            caps.append(self._deposited(owner.key))
        return min(caps, default=None)

    # ---- events and orders ----

    def _event(self, write: StoreEvent) -> Result:
        if write.event.event_id is not None:
            if write.event.event_id in self.event_ids:
                return Result.DUPLICATE
            self.event_ids.add(write.event.event_id)
        self.event_keys.add(write.event_key)
        if write.conversion_key:
            lead_of = None if write.has_reference else write.visitor_key
            order = Order("new", write.at_ms, value=write.event.value_micros, lead_of=lead_of)
            self.orders.setdefault((write.conversion_key, False), order)
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
        value = write.arrival.value_micros
        server = self.orders[key, True] = Order("new", write.arrival.arrived_at_ms, value=value)
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
        record, order.held = write.record, 0
        if record is None or self._is_repeated_lead(order, write.touch_impression_id):
            order.state = Result.UNATTRIBUTED
            return Outcome(Result.UNATTRIBUTED)
        order.ad = write.touch_impression_id
        returned = self._returned(write.conversion_key)
        if returned != 0 and record.amount_micros:
            left = min(record.amount_micros, self._price_left(record.campaign_key, order, returned))
            record = msgspec.structs.replace(record, amount_micros=left)
        order.state = self._price(record, write.reserve)
        order.campaign_key, order.advertiser_key, order.day = (
            record.campaign_key,
            record.advertiser_key,
            record.day,
        )
        if order.state in (Result.TAKEN, Result.PENDING, Result.CAP_REACHED):
            order.held = record.amount_micros
        if order.state not in (Result.TAKEN, Result.PENDING):
            return Outcome(Result(order.state))
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

    def _is_repeated_lead(self, lead: Order, ad: int) -> bool:
        """Of the same visitor, or where that is unknown of the same ad; all of them come within 30 days."""
        credited = [
            other for other in self.orders.values() if other.lead_of is not None and other.campaign_key
        ]
        if lead.lead_of is None:
            return False
        if lead.lead_of:
            return any(other.lead_of == lead.lead_of for other in credited)
        return any(other.ad == ad for other in credited)

    # ---- what is taken back ----

    def _cancel(self, write: CancelConversion) -> Outcome:
        name, returned = (write.conversion_key, write.refund_id), write.returned_micros
        if name in self.returns:
            known, answer = self.returns[name]
            return answer if known == returned else Outcome(Result.REFUND_DIFFERS, answer.figure)
        answer = Outcome(Result.NOT_CHARGED)
        for side in (False, True):
            order = self.orders.get((write.conversion_key, side))
            if order is not None and order.state == Result.TAKEN:
                answer = self._give_back(write, order)
            elif order is not None and order.state == Result.PENDING:
                answer = self._reserve_less(write, order)
        if answer.result not in (Result.OVER_REFUNDED, Result.REFUND_DIFFERS):
            self.returns[name] = (returned, answer)
        return answer

    def _give_back(self, write: CancelConversion, order: Order) -> Outcome:
        before = self._returned(write.conversion_key)
        after = _sum(before, write.returned_micros)
        left = self._price_left(order.campaign_key, order, after)
        fall = None if left == 0 else self._price_left(order.campaign_key, order, before) - left
        if fall == 0:
            return Outcome(Result.NOT_BILLABLE)
        charge_id = write.conversion_key * 4 + CONVERSION
        amount = None if fall is None else Micros(fall)
        refund = RefundCharge(charge_id, write.refund_id, amount, write.reason, write.at_ms)
        answer = self._refund(refund)
        return (
            Outcome(Result.REPEATED) if answer == Outcome(Result.OVER_REFUNDED, 0) and left == 0 else answer
        )

    def _reserve_less(self, write: CancelConversion, order: Order) -> Outcome:
        after = _sum(self._returned(write.conversion_key), write.returned_micros)
        left = min(order.held, self._price_left(order.campaign_key, order, after))
        if left == order.held:
            return Outcome(Result.NOT_BILLABLE)
        for owner in (order.campaign_key, order.advertiser_key):
            for day in (LIFE, order.day):
                self.balances[owner, day].pending -= order.held - left
        order.held = left
        order.state = Result.PENDING if left else Result.DECLINED
        return Outcome(Result(order.state), left)

    def _returned(self, order: int) -> int | None:
        """The value that is back of an order so far; None where all of it is."""
        total: int | None = 0
        for (key, _), (returned, _) in self.returns.items():
            if key == order:
                total = _sum(total, returned)
        return total

    def _price_left(self, campaign_key: int, order: Order, returned: int | None) -> int:
        """A fixed price until all is back, a share of what was kept."""
        if returned is None or (order.value is not None and returned >= order.value):
            return 0
        campaign = self.owners[campaign_key]
        assert isinstance(campaign, Campaign)
        terms = campaign.terms
        kept = (order.value or 0) - returned
        return kept * terms.basket_bps // 10_000 if terms.basket_bps else terms.rate_micros

    # ---- caps ----

    def _keep_yesterday(self, old: Campaign | Advertiser, today: int) -> None:
        has_days = any(key == old.key and day != LIFE for key, day in self.balances)
        if has_days or isinstance(old, Campaign):
            self.balances.setdefault((old.key, day_before(today)), Balance(old.daily_budget_micros))

    def _save(self, write: SaveEntity) -> Outcome:
        new = write.entity
        assert isinstance(new, Campaign | Advertiser)
        old = self.owners.get(new.key)
        if old == new:
            return Outcome(Result.SAVED)
        if old is not None and new.version != old.version + 1:
            return Outcome(Result.CONFLICT)
        later = sorted(day for key, day in self.balances if key == new.key and day > write.today)
        days = ((day, new.daily_budget_micros) for day in (write.today, *later))
        caps = ((LIFE, self._whole_life(new)), *days)
        for day, cap in caps:
            known = self.balances.get((new.key, day))
            if known is not None and cap is not None and known.spent + known.pending > cap:
                return Outcome(Result.BELOW_SPENT, known.spent + known.pending)
            if known is None and day == LIFE:
                self.balances[new.key, LIFE] = Balance(cap)
        for day, cap in caps:
            if (new.key, day) in self.balances:
                self.balances[new.key, day].cap = cap
        if old is not None and old.daily_budget_micros != new.daily_budget_micros:
            self._keep_yesterday(old, write.today)
        self.owners[new.key] = new
        return Outcome(Result.SAVED)
