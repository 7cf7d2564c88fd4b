"""The experiments port: each visitor once in an arm, what they do counted once, and sums that stay."""

from itertools import count

import msgspec
import pytest

from adserver.domain.experiment import HELD_OUT, SHOWN, UNTRIED, WINDOW_MS, Entry
from adserver.domain.participant import Participant, Sums, change
from adserver.domain.pricing import AdEvent
from adserver.storage.embedded import Storage
from adserver.writes import (
    CancelConversion,
    EnterExperiments,
    ForgetVisitor,
    RecordAd,
    RecordDecision,
    RefundCharge,
    SettleConversion,
    StoreEvent,
    Withdraw,
    Write,
)
from pixel.events import EventName
from tests.contract.stores import (
    CLICK_PRICE,
    CPA_CAMPAIGN,
    HOLDOUT,
    SALE_PRICE,
    credit_by_pixel,
    credit_by_server,
    make_arrival,
    make_ghost,
    make_order_event,
    make_record,
    make_sale_record,
    rows_of,
)
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, NOW_MS, SLOT, make_event

VISITOR = 4_242
BASKET = 80_000_000
_keys = count(70_000)


@pytest.fixture
def known(storage: Storage) -> Storage:
    """Visitors who have looked at something, so that they have profiles."""
    for visitor_key in range(VISITOR, VISITOR + 4):
        event = make_event(EventName.VIEW_ITEM, "boots")
        storage.writer.commit(StoreEvent(next(_keys), ADVERTISER, visitor_key, False, event, NOW_MS))
    return storage


def win(
    storage: Storage, *entries: Entry, visitor_key: int = VISITOR, at_ms: int = NOW_MS, currency: str = "EUR"
) -> RecordDecision:
    write = RecordDecision(
        next(_keys), at_ms, SLOT, CAMPAIGN, 700, visitor_key, (), 0, "",
        advertiser_key=ADVERTISER, currency=currency, entries=entries or (Entry(HOLDOUT, SHOWN),),
    )  # fmt: skip
    storage.writer.commit(write)
    return write


def see(storage: Storage, *events: AdEvent, **fields: object) -> None:
    key = next(_keys)
    told = {"visitor_key": VISITOR} | fields
    storage.writer.commit(RecordAd(tuple(make_record(key, event, **told) for event in events)))


def buy(storage: Storage, order_key: int, **fields: object) -> None:
    storage.writer.commit(make_order_event(order_key, next(_keys), **{"visitor_key": VISITOR} | fields))


def sums(storage: Storage, arm: int = SHOWN, key: int = HOLDOUT) -> Sums:
    return storage.experiments.sums(key).get(arm, Sums())


def settle(order_key: int, *, approve: bool) -> SettleConversion:
    return SettleConversion(order_key, approve, "", NOW_MS)


def cancel(order_key: int, refund_id: str, returned_micros: int | None = None) -> CancelConversion:
    currency = None if returned_micros is None else "EUR"
    return CancelConversion(
        order_key, ADVERTISER, refund_id, returned_micros, currency, "back", NOW_MS, NOW_MS - 30 * DAY_MS
    )


def test_a_visitor_is_counted_once_in_the_arm_of_their_first_ad(known: Storage) -> None:
    win(known)
    win(known, Entry(HOLDOUT, HELD_OUT))
    win(known, visitor_key=VISITOR + 1)
    assert {arm: one.entered for arm, one in known.experiments.sums(HOLDOUT).items()} == {SHOWN: 2}


def test_a_ghost_is_kept_once_enters_its_arm_and_counts_as_shown(known: Storage) -> None:
    for _ in range(2):
        known.writer.commit(make_ghost(1, visitor_key=VISITOR))
    assert sums(known, HELD_OUT).entered == 1
    assert len(rows_of(known, "SELECT * FROM ghosts")) == 1
    profile = known.profiles.profile(VISITOR)
    assert profile is not None
    assert profile.times_shown(CAMPAIGN, 0) == 1
    assert profile.touches == []  # no order can be credited to it
    assert known.stats.counts(CAMPAIGN, 0) == {"ghosts": 1}


def test_a_ghost_of_nobody_known_is_not_kept(known: Storage) -> None:
    known.writer.commit(make_ghost(1, visitor_key=999))
    assert rows_of(known, "SELECT * FROM ghosts") == []


def test_an_order_counts_for_two_weeks_from_the_first_ad_and_not_before(known: Storage) -> None:
    buy(known, 1, at_ms=NOW_MS - 1)
    win(known)
    buy(known, 2)
    buy(known, 3, at_ms=NOW_MS + WINDOW_MS - 1)
    buy(known, 4, at_ms=NOW_MS + WINDOW_MS)
    found = sums(known)
    assert (found.purchases, found.revenue_micros, found.purchase_squares) == (2, 2 * BASKET, 4)
    assert found.revenue_squares == 160.0**2


def test_an_order_of_somebody_else_or_of_nobody_changes_nothing(known: Storage) -> None:
    win(known)
    buy(known, 1, visitor_key=VISITOR + 1)
    buy(known, 2, visitor_key=0)
    assert sums(known) == Sums(entered=1)


def test_an_order_told_by_browser_and_server_counts_once(known: Storage) -> None:
    win(known)
    buy(known, 100)
    known.writer.commit(credit_by_server(100, visitor_key=VISITOR))
    buy(known, 100)
    assert sums(known).purchases == 1


def test_an_order_that_only_a_server_tells_counts_where_it_names_the_visitor(known: Storage) -> None:
    win(known)
    known.writer.commit(credit_by_server(100))
    assert sums(known).purchases == 0
    known.writer.commit(
        credit_by_server(101, record=make_sale_record(101), arrival=make_arrival(101), visitor_key=VISITOR)
    )
    assert sums(known).purchases == 1


def test_leads_are_counted_apart_and_money_of_another_currency_is_not_added_up(known: Storage) -> None:
    win(known)
    lead = make_event(EventName.GENERATE_LEAD, value_micros=5_000_000, currency="USD")
    buy(known, 1, event=lead)
    found = sums(known)
    assert (found.leads, found.purchases, found.revenue_micros) == (1, 0, 0)


def test_what_is_returned_is_taken_off_and_never_more_than_there_was(known: Storage) -> None:
    win(known)
    buy(known, 100)
    for _ in range(2):
        known.writer.commit(cancel(100, "part", 30_000_000))
    found = sums(known)
    assert (found.purchases, found.revenue_micros) == (1, BASKET - 30_000_000)
    known.writer.commit(cancel(100, "rest"))
    known.writer.commit(cancel(100, "once more"))
    assert sums(known) == Sums(entered=1)


def test_what_was_returned_before_the_order_was_told_is_taken_off_too(known: Storage) -> None:
    win(known)
    known.writer.commit(cancel(100, "part", 30_000_000))
    known.writer.commit(cancel(101, "all"))
    buy(known, 100)
    buy(known, 101)
    found = sums(known)
    assert (found.purchases, found.revenue_micros) == (1, BASKET - 30_000_000)


def test_however_many_visitors_a_result_is_read_from_a_row_for_each_arm_and_day(known: Storage) -> None:
    for day in range(2):
        writes: list[Write] = [
            EnterExperiments(
                1_000 * day + n, ADVERTISER, "EUR", NOW_MS + day * DAY_MS, (Entry(HOLDOUT, n % 2),)
            )
            for n in range(1, 201)
        ]
        known.writer.commit_many(writes)
    assert rows_of(known, "SELECT COUNT(*) FROM experiment_sums") == [(4,)]
    assert {arm: one.entered for arm, one in known.experiments.sums(HOLDOUT).items()} == {0: 200, 1: 200}


def test_writes_of_experiments_travel_between_processes_as_they_are() -> None:
    writes: list[Write] = [
        make_ghost(1, visitor_key=VISITOR),
        EnterExperiments(VISITOR, ADVERTISER, "EUR", NOW_MS, (Entry(HOLDOUT, SHOWN, CAMPAIGN),)),
    ]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(writes), type=list[Write]) == writes


def test_a_declined_order_was_none(known: Storage) -> None:
    win(known)
    buy(known, 100)
    known.writer.commit(credit_by_pixel(100, reserve=True))
    assert sums(known).credited_micros == BASKET
    known.writer.commit(settle(100, approve=False))
    assert sums(known) == Sums(entered=1)


def test_what_ads_cost_is_counted_with_their_visitors_and_what_is_given_back_taken_off(
    known: Storage,
) -> None:
    win(known)
    see(known, AdEvent.IMPRESSION, AdEvent.CLICK)
    see(known, AdEvent.IMPRESSION, AdEvent.CLICK, visitor_key=VISITOR + 1)
    assert sums(known).spend_micros == CLICK_PRICE
    (charge_id, *_) = rows_of(
        known, "SELECT charge_id FROM ad_events WHERE visitor_key = 4242 AND charge_id & 3 = 2"
    )[0]
    known.writer.commit(RefundCharge(int(str(charge_id)), "r", None, "bad", NOW_MS))
    assert sums(known).spend_micros == 0


def test_a_sale_that_is_paid_for_is_counted_with_its_visitor(known: Storage) -> None:
    win(known)
    buy(known, 100)
    known.writer.commit(credit_by_pixel(100, reserve=True))
    known.writer.commit(settle(100, approve=True))
    found = sums(known)
    assert (found.spend_micros, found.credited_micros) == (SALE_PRICE, BASKET)


def test_an_experiment_of_a_campaign_counts_that_campaigns_ads_alone(known: Storage) -> None:
    win(known, Entry(1, 0, CAMPAIGN), Entry(2, 1, CPA_CAMPAIGN))
    see(known, AdEvent.IMPRESSION, AdEvent.CLICK)
    see(known, AdEvent.IMPRESSION)
    own, other = sums(known, 0, 1), sums(known, 1, 2)
    assert (own.impressions, own.clicks) == (2, 1)
    assert (own.impression_squares, own.click_squares, own.impression_clicks) == (4, 1, 2)
    assert (other.entered, other.impressions) == (1, 0)


def test_what_is_suspect_is_no_click(known: Storage) -> None:
    win(known, Entry(1, 0, CAMPAIGN))
    see(known, AdEvent.CLICK, not_billed="too_soon", amount_micros=0)
    assert sums(known, 0, 1).clicks == 0


def test_without_a_holdout_what_visitors_buy_is_known_and_their_ads_are_not_counted(known: Storage) -> None:
    win(known, Entry(HOLDOUT, UNTRIED))
    see(known, AdEvent.IMPRESSION)
    buy(known, 1)
    found = sums(known, UNTRIED)
    assert (found.entered, found.purchases, found.impressions, found.spend_micros) == (1, 1, 0, 0)


def test_sums_are_told_by_the_day_on_which_visitors_entered(known: Storage) -> None:
    win(known)
    win(known, visitor_key=VISITOR + 1, at_ms=NOW_MS + 2 * DAY_MS)
    later = known.experiments.sums(HOLDOUT, NOW_MS + DAY_MS)
    assert {arm: one.entered for arm, one in later.items()} == {SHOWN: 1}


def test_a_batch_that_is_sent_again_counts_nothing_twice(known: Storage) -> None:
    writes: list[Write] = [
        EnterExperiments(VISITOR, ADVERTISER, "EUR", NOW_MS, (Entry(HOLDOUT, SHOWN),)),
        make_ghost(1, visitor_key=VISITOR + 1),
        make_order_event(100, next(_keys), visitor_key=VISITOR),
        RecordAd((make_record(1, AdEvent.CLICK, visitor_key=VISITOR),)),
    ]
    known.writer.commit_all(writes, False)  # type: ignore[union-attr]
    before = known.experiments.sums(HOLDOUT)
    assert before[SHOWN].clicks == before[SHOWN].purchases == before[HELD_OUT].entered == 1
    known.writer.commit_all(writes, True)  # type: ignore[union-attr]
    assert known.experiments.sums(HOLDOUT) == before


def test_a_visitor_who_is_forgotten_leaves_their_arm_and_the_sums_name_nobody(known: Storage) -> None:
    win(known)
    buy(known, 100)
    known.writer.commit(make_ghost(1, visitor_key=VISITOR))
    before = sums(known)
    known.writer.commit(ForgetVisitor(VISITOR, 1, NOW_MS))
    win(known)  # an answer that was under way
    known.writer.commit(make_ghost(2, visitor_key=VISITOR))
    assert sums(known) == before
    for table in ("ghosts", "experiment_visitors", "experiment_orders"):
        assert rows_of(known, f"SELECT * FROM {table}") == []


def test_a_visitor_who_withdraws_from_a_shop_leaves_its_comparison_alone(known: Storage) -> None:
    win(known)
    other = EnterExperiments(VISITOR, ADVERTISER + 1, "EUR", NOW_MS, (Entry(9, SHOWN),))
    known.writer.commit(other)
    known.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS))
    assert rows_of(known, "SELECT experiment_key FROM experiment_visitors") == [(9,)]


def test_sums_are_what_adding_up_each_visitor_gives(known: Storage) -> None:
    """However the doings of several visitors come mixed within a batch and over several."""
    writes: list[Write] = []
    for visitor_key in range(VISITOR, VISITOR + 4):
        entry = Entry(HOLDOUT, visitor_key % 2)
        writes.append(EnterExperiments(visitor_key, ADVERTISER, "EUR", NOW_MS, (entry,)))
        for n in range(visitor_key - VISITOR):
            writes.append(make_order_event(visitor_key * 10 + n, next(_keys), visitor_key=visitor_key))
            writes.append(RecordAd((make_record(next(_keys), AdEvent.IMPRESSION, visitor_key=visitor_key),)))
    known.writer.commit_all(writes[:7], False)  # type: ignore[union-attr]
    for write in writes[7:]:
        known.writer.commit(write)
    added = {0: Sums(), 1: Sums()}
    for arm, *did in rows_of(
        known,
        "SELECT arm, impressions, clicks, purchases, leads, revenue_micros, credited_micros, spend_micros FROM experiment_visitors",
    ):
        added[int(str(arm))].add(change(None, Participant(*did)))  # type: ignore[arg-type]
    assert known.experiments.sums(HOLDOUT) == added
    assert msgspec.structs.asdict(added[1])["purchases"] == 4
