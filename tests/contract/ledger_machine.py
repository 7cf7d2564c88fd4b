"""A stateful test: bursts of writes with few ids go to the real committer and to a ledger in plain Python."""

import atexit
import shutil
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec.structs import replace

from adserver.domain.budget import Bucket, BucketId
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.storage.audit import audit_over
from adserver.storage.changes import SqliteChanges
from adserver.storage.sqlite import Reader, connect
from adserver.storage.writer import Committer
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
from pixel.events import EventName
from tests.contract.ledger_model import Balance, LedgerModel
from tests.contract.stores import (
    IMPLEMENTATIONS,
    credit_by_pixel,
    credit_by_server,
    make_arrival,
    make_order_event,
    make_record,
    make_sale_record,
)
from tests.domain.makers import ADVERTISER, NOW_MS, make_advertiser, make_campaign, make_event
from tests.new_database import folder_in_memory

CLICKS, OTHER_CLICKS, SALES, SHARES, NOBODY = 71, 72, 73, 74, 99
PRICES = {CLICKS: 30, OTHER_CLICKS: 50, SALES: 40, SHARES: 40}
BASKET = Micros(400_000)  # of every order; the campaign paid by shares pays a ten-thousandth of it
DAYS = (20261118, 20261119)
CAMPAIGN_OF_IMPRESSION = {1: CLICKS, 2: CLICKS, 3: CLICKS, 4: OTHER_CLICKS, 5: OTHER_CLICKS}
TRUSTED_ORDERS = {103}  # told by a pixel that its merchant trusts

impressions, days = st.sampled_from(sorted(CAMPAIGN_OF_IMPRESSION)), st.sampled_from(DAYS)
SHARED_ORDER = 104
LEADS = {201: 5, 202: 5, 203: 0, 204: 0}  # without ids, and whose they are; 0: of visitors unknown
AD_OF_LEADS = 6
orders = st.sampled_from([101, 102, 103, SHARED_ORDER])
caps = st.sampled_from([None, 0, 40, 60, 80, 120, 200])
touches = st.sampled_from(["paid", "paid", "paid", "free", "none"])

clicks = st.tuples(st.just("click"), impressions, days, st.booleans())
suspects = st.tuples(st.just("suspect"), impressions, days)
events = st.tuples(st.just("event"), st.sampled_from(["a", "b", "c", None]), st.none() | orders)
credits_ = st.tuples(st.sampled_from(["pixel", "server"]), orders, days, touches)
sales = st.tuples(st.just("sold"), orders, days, touches)
cap_changes = st.tuples(
    st.just("caps"), st.sampled_from([CLICKS, SALES, ADVERTISER]), caps, caps, days, st.booleans()
)
refunds = st.tuples(
    st.just("refund"),
    st.sampled_from(sorted(CAMPAIGN_OF_IMPRESSION)) | orders,
    st.sampled_from(["full", "part"]),
    st.sampled_from([None, 10, 30]),
)
deposits = st.tuples(st.just("deposit"), st.sampled_from("abc"), st.sampled_from([60, 150, -50]))
prepaid = st.tuples(st.just("prepaid"), st.booleans(), days)
leads = st.tuples(st.just("lead"), st.sampled_from(sorted(LEADS)), days, touches)
cancels = st.tuples(
    st.just("cancel"),
    orders | st.just(SHARED_ORDER),
    st.sampled_from(["full", "first", "second"]),
    st.sampled_from([None, Micros(150_000), Micros(250_000)]),
)
poison = st.tuples(st.just("poison"))

hot = st.lists(clicks | suspects | events | credits_ | sales | leads | poison, min_size=1, max_size=7)
money = refunds | cancels | deposits | prepaid
mixed = st.lists(clicks | events | credits_ | sales | cap_changes | money | poison, min_size=1, max_size=7)

_template: list[Path] = []


def template() -> Path:
    """An empty database with its tables, made once."""
    if not _template:
        folder = folder_in_memory()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        IMPLEMENTATIONS["sqlite"](folder).close()
        _template.append(folder / "adserver.db")
    return _template[0]


def make_owners() -> list[Campaign | Advertiser]:
    small = {"daily_budget_micros": 70, "total_budget_micros": 100}
    sale = {"pricing_model": PricingModel.CPA, "rate_micros": PRICES[SALES]}
    share = {"pricing_model": PricingModel.CPA, "rate_micros": ZERO, "daily_budget_micros": 80}
    return [
        make_advertiser(daily_budget_micros=150, total_budget_micros=230),
        make_campaign(key=CLICKS, rate_micros=PRICES[CLICKS], **small),
        make_campaign(key=OTHER_CLICKS, rate_micros=PRICES[OTHER_CLICKS], daily_budget_micros=100),
        make_campaign(key=SALES, daily_budget_micros=80, total_budget_micros=120, **sale),
        make_campaign(key=SHARES, basket_bps=1, max_charge_micros=1_000, **share),
    ]


class LedgerMachine(RuleBasedStateMachine):
    """After each burst: the outcomes are the model's, so are the tables, and the auditor finds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = folder_in_memory()
        self.path = Path(shutil.copy(template(), self.folder))
        self.committer = Committer(self.path)
        self.reader = Reader(self.path)
        self.changes = SqliteChanges(self.reader)
        self.auditors = connect(self.path, writing=False)
        self.model = LedgerModel()
        self.now_ms = NOW_MS
        self.followed: dict[BucketId, Bucket] = {}
        self.follow_from = 0

    def teardown(self) -> None:
        self.auditors.close()
        self.reader.close()
        self.committer.close()
        shutil.rmtree(self.folder)

    @initialize()
    def open_accounts(self) -> None:
        self.settle([SaveEntity(owner, True, DAYS[0]) for owner in make_owners()])

    @rule(specs=mixed)
    def burst(self, specs: list[tuple[object, ...]]) -> None:
        """Writes of many requests in one batch."""
        self.settle(self.writes_of(specs))

    @rule(specs=hot)
    def burst_of_traffic(self, specs: list[tuple[object, ...]]) -> None:
        self.settle(self.writes_of(specs))

    @rule(spec=clicks | credits_, times=st.integers(min_value=2, max_value=3))
    def the_same_again(self, spec: tuple[object, ...], times: int) -> None:
        """One event told several times within one batch."""
        self.settle(self.writes_of([spec] * times))

    @rule(day=days)
    def a_rush(self, day: int) -> None:
        """More orders and clicks at once than a day can pay, and then the server's word on the orders."""
        sold = [("sold", order, day, "paid") for order in (101, 102, 103)]
        confirmed = [("server", order, day, "paid") for order in (103, 102, 101)]
        clicked = [("click", impression, day, False) for impression in CAMPAIGN_OF_IMPRESSION]
        for specs in (sold, confirmed, clicked):
            self.settle(self.writes_of(specs))

    @rule(day=days, cap=st.sampled_from([0, 40]))
    def a_day_begins_with_small_caps(self, day: int, cap: int) -> None:
        """The first charges of a day may already be refused."""
        self.settle([self.change_caps(ADVERTISER, None, cap, day, False)])
        self.settle(self.writes_of([("click", 1, day, False)]))

    @rule(spec=refunds | deposits, again=refunds | deposits)
    def money_comes_back(self, spec: tuple[object, ...], again: tuple[object, ...]) -> None:
        """Each refund and deposit once more, in its own batch and in a later one."""
        for specs in ([spec, again], [spec], [again, spec]):
            self.settle(self.writes_of(specs))

    @rule(impression=impressions, day=days, again=st.booleans())
    def a_click_is_refunded_in_parts(self, impression: int, day: int, again: bool) -> None:
        parts = [("refund", impression, name, 10) for name in ("part", "full")]
        self.settle(self.writes_of([("click", impression, day, False), *parts]))
        self.settle(self.writes_of([("refund", impression, "rest", None), *(parts if again else [])]))

    @rule(specs=st.lists(cancels, min_size=1, max_size=3), day=days, by=st.sampled_from(["sold", "server"]))
    def goods_come_back(self, specs: list[tuple[object, ...]], day: int, by: str) -> None:
        """Before their orders, with them in one batch, and after them."""
        told = [(by, order, day, "paid") for order in (101, SHARED_ORDER)]
        for burst in (specs[:1], [*told, *specs], specs):
            self.settle(self.writes_of(burst))

    @rule(day=days, at_once=st.booleans())
    def leads_are_left_again(self, day: int, at_once: bool) -> None:
        specs = [("lead", lead, day, "paid") for lead in LEADS]
        for burst in [specs] if at_once else [[spec] for spec in specs]:
            self.settle(self.writes_of(burst))

    @rule(day=days)
    def caps_are_raised_and_the_refused_come_again(self, day: int) -> None:
        refused = sorted(self.model.refused)
        self.settle([self.change_caps(key, None, None, day, False) for key in (CLICKS, SALES, ADVERTISER)])
        again = [charge_id >> 2 for charge_id in refused if charge_id & 3 == AdEvent.CLICK]
        if again:
            self.settle(self.writes_of([("click", impression, day, False) for impression in again]))

    @rule(specs=hot, committed=st.booleans())
    def crash_and_resend(self, specs: list[tuple[object, ...]], committed: bool) -> None:
        """The writer dies before or after its commit, and the unanswered batch is sent again."""
        writes = self.writes_of(specs)
        if committed:
            first = self.committer.commit(writes)
            assert first == [self.model.apply(write) for write in writes]
        self.committer.close()
        self.committer = Committer(self.path)
        answers = self.committer.commit(writes, resent=True)
        if committed:
            assert answers == [self.resent(*pair) for pair in zip(writes, first, strict=True)]
        else:
            assert answers == [self.model.apply(write) for write in writes]
        self.check()

    def resent(self, write: Write, first: Outcome) -> Outcome:
        """What a write that was committed is answered again: the same, unless it asks for a second try.

        A suspect ad event that a valid one has redeemed since is a repeat of that: it costs nothing either way.
        """
        if isinstance(write, RecordAd) and write.records[-1].not_billed and self.is_valid(write.records[-1]):
            return Outcome(Result.REPEATED)
        refused_charge = isinstance(write, RecordAd) and first.result is Result.CAP_REACHED
        by_the_job = isinstance(write, CreditConversion) and write.arrival is None
        if refused_charge or by_the_job or self.found_nothing_left(write, first):
            return self.model.apply(write)
        return first

    def found_nothing_left(self, write: Write, first: Outcome) -> bool:
        """A second try of an order whose charge had been refused, after all of it had come back: a duplicate."""
        if not isinstance(write, CreditConversion) or write.arrival is None:
            return False
        told_ms = self.model.orders[write.conversion_key, True].arrived_at_ms
        return first.result is Result.NOT_BILLABLE and told_ms != write.arrival.arrived_at_ms

    def is_valid(self, record: AdRecord) -> bool:
        return record.impression_id << 2 | record.event in self.model.valid

    def settle(self, writes: list[Write]) -> None:
        answers = self.committer.commit(writes)
        assert answers == [self.model.apply(write) for write in writes]
        self.check()

    # ---- what specs mean ----

    def writes_of(self, specs: list[tuple[object, ...]]) -> list[Write]:
        makers: dict[str, Callable[..., Write | list[Write]]] = {
            "click": self.click,
            "suspect": self.suspect,
            "event": self.event,
            "pixel": self.credit_pixel,
            "server": self.credit_server,
            "sold": self.sold,
            "lead": self.lead,
            "cancel": self.cancel,
            "caps": self.change_caps,
            "prepaid": self.change_prepaid,
            "refund": self.refund,
            "deposit": self.deposit,
            "poison": self.poisoned,
        }
        made = [makers[str(kind)](*rest) for kind, *rest in specs]
        return [write for part in made for write in (part if isinstance(part, list) else [part])]

    def tick(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def click(self, impression_id: int, day: int, whole: bool) -> RecordAd:
        """A click, alone or with the impression and view that it proves."""
        campaign = CAMPAIGN_OF_IMPRESSION[impression_id]
        row = {"campaign_key": campaign, "day": day, "at_ms": self.tick()}
        before = (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION) if whole else ()
        records = [make_record(impression_id, event, **row) for event in before]
        click = make_record(impression_id, amount_micros=PRICES[campaign], **row)
        return RecordAd((*records, click))

    def suspect(self, impression_id: int, day: int) -> RecordAd:
        campaign = CAMPAIGN_OF_IMPRESSION[impression_id]
        row = {"campaign_key": campaign, "day": day, "at_ms": self.tick(), "not_billed": "too_soon"}
        return RecordAd((make_record(impression_id, amount_micros=ZERO, **row),))

    def event(self, event_id: str | None, order: int | None) -> StoreEvent:
        told = make_event(EventName.PURCHASE, "boots", event_id=event_id, value_micros=BASKET, currency="EUR")
        row = {"event": told, "at_ms": self.tick()}
        return make_order_event(order or 0, self.now_ms, trusted=order in TRUSTED_ORDERS, **row)

    def sale(self, order: int, day: int, touch: str) -> dict[str, object]:
        campaign = SHARES if order == SHARED_ORDER else SALES
        amount = ZERO if touch == "free" else PRICES[campaign]
        row = {"campaign_key": campaign, "day": day, "at_ms": self.tick(), "amount_micros": amount}
        record = None if touch == "none" else make_sale_record(order, **row)
        return {"record": record, "touch_impression_id": 5 if record else 0}

    def sold(self, order: int, day: int, touch: str) -> list[Write]:
        """An order told by the pixel and credited at once."""
        return [self.event(None, order), self.credit_pixel(order, day, touch)]

    def credit_pixel(self, order: int, day: int, touch: str) -> CreditConversion:
        return credit_by_pixel(order, reserve=order not in TRUSTED_ORDERS, **self.sale(order, day, touch))

    def credit_server(self, order: int, day: int, touch: str) -> CreditConversion:
        sale = self.sale(order, day, touch)
        arrival = make_arrival(order, arrived_at_ms=self.now_ms, value_micros=BASKET)
        return credit_by_server(order, arrival=arrival, **sale)

    def lead(self, lead: int, day: int, touch: str) -> list[Write]:
        """A lead without an id, told by the pixel and credited at once."""
        row = {"event": make_event(EventName.GENERATE_LEAD), "at_ms": self.tick(), "has_reference": False}
        told = make_order_event(lead, self.now_ms, visitor_key=LEADS[lead], **row)
        sale = self.sale(lead, day, touch)
        ad = {"touch_impression_id": AD_OF_LEADS} if sale["record"] else {}
        return [told, credit_by_pixel(lead, reserve=True, **sale | ad)]

    def cancel(self, order: int, refund_id: str, returned: Micros | None) -> CancelConversion:
        currency = None if returned is None else "EUR"
        return CancelConversion(
            order, ADVERTISER, refund_id, returned, currency, "returned", self.tick(), since_ms=0
        )

    def change_caps(
        self, key: int, total: int | None, daily: int | None, today: int, stale: bool
    ) -> SaveEntity:
        owner = self.model.owners[key]
        fields = {"total_budget_micros": total, "daily_budget_micros": daily}
        make = make_advertiser if isinstance(owner, Advertiser) else make_campaign
        terms = {"prepaid": owner.prepaid} if isinstance(owner, Advertiser) else {"terms": owner.terms}
        version = owner.version + (0 if stale else 1)
        return SaveEntity(make(key=key, version=version, **fields, **terms), False, today)

    def change_prepaid(self, prepaid: bool, today: int) -> SaveEntity:
        owner = self.model.owners[ADVERTISER]
        changed = replace(owner, prepaid=prepaid, version=owner.version + 1)
        return SaveEntity(changed, False, today, self.tick())

    def refund(self, of: int, refund_id: str, amount: Micros | None) -> RefundCharge:
        event = AdEvent.CLICK if of in CAMPAIGN_OF_IMPRESSION else AdEvent.CONVERSION
        return RefundCharge(of << 2 | event, refund_id, amount, "returned", self.tick(), ADVERTISER)

    def deposit(self, reference: str, amount: Micros) -> Deposit:
        return Deposit(self.tick(), ADVERTISER, "EUR", amount, reference, self.now_ms)

    def poisoned(self) -> RecordAd:
        """A charge that no ledger can take: nobody has a budget for it."""
        return RecordAd((make_record(9, campaign_key=NOBODY, amount_micros=1, at_ms=self.tick()),))

    # ---- what must hold ----

    def check(self) -> None:
        self.check_tables()
        self.check_followers()
        wrong = [violation for finding in audit_over(self.auditors) for violation in finding.violations]
        assert not wrong, wrong

    def check_tables(self) -> None:
        rows = self.reader.rows
        budgets = rows("SELECT owner_key, day, cap, spent, pending FROM budgets")
        kept = {(owner, day): Balance(cap, spent, pending) for owner, day, cap, spent, pending in budgets}
        assert kept == self.model.balances
        for balance in kept.values():
            assert balance.spent >= 0 and balance.pending >= 0 and balance.takes(0)
        charges = rows("SELECT charge_id, campaign_key, day, amount_micros FROM charges")
        assert {row[0]: row[1:] for row in charges} == self.model.charges
        assert dict(rows("SELECT charge_id, day FROM refused_charges")) == self.model.refused
        refunded = rows("SELECT charge_id, refund_id, amount_micros FROM refunds")
        assert {row[:2]: row[2] for row in refunded} == self.model.refunds
        paid = rows("SELECT advertiser_key, reference, amount_micros FROM deposits")
        assert {row[:2]: row[2] for row in paid} == self.model.deposits
        ad_events = dict(rows("SELECT charge_id, not_billed = '' FROM ad_events"))
        assert ad_events == {known: known in self.model.valid for known in self.model.seen}
        told = rows("SELECT conversion_key, by_server, state, amount_micros FROM conversions")
        expected = {(*key, order.state, order.held) for key, order in self.model.orders.items()}
        assert set(told) == expected
        returned = rows("SELECT conversion_key, refund_id, returned_micros FROM returns")
        assert {row[:2]: row[2] for row in returned} == {key: n for key, (n, _) in self.model.returns.items()}
        assert {row[0] for row in rows("SELECT event_key FROM events")} == self.model.event_keys

    def check_followers(self) -> None:
        """A worker that only ever asks what has changed knows every balance."""
        self.follow_from, moved = self.changes.buckets_since(self.follow_from)
        self.followed.update(moved)
        assert self.follow_from == self.committer.sequence
        known = {
            (id_.owner_key, id_.day): Balance(b.cap, b.spent, b.pending) for id_, b in self.followed.items()
        }
        assert known == self.model.balances
        spend = self.reader.rows(
            "SELECT owner_key, SUM(n) FROM counts WHERE name = 'spend_micros' GROUP BY 1"
        )
        sums: dict[int, int] = {}
        for campaign, _, amount in self.model.charges.values():
            sums[campaign] = sums.get(campaign, 0) + amount
        assert dict(spend) == sums
