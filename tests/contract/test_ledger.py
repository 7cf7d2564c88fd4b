"""The ledger port: charges once, refusals with a name, orders once for ever, guards behind the guard."""

import pytest

from adserver.domain.budget import BucketId
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.statement import Tally, month_with
from adserver.storage import batch as batches
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage
from adserver.writes import Outcome, RecordAd, RecordDecision, Result
from pixel.events import EventName
from tests.contract.mutants import FREE_MOVE
from tests.contract.stores import (
    CLICK_PRICE,
    CPA_CAMPAIGN,
    SALE_PRICE,
    balances,
    credit_by_pixel,
    credit_by_server,
    make_arrival,
    make_order_event,
    make_record,
    make_sale_record,
    rows_of,
    save,
)
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    DAY_MS,
    NOW_MS,
    PUBLISHER,
    SLOT,
    TODAY,
    make_advertiser,
    make_campaign,
    make_event,
)

TOMORROW = TODAY + 1


def charge(storage: Storage, impression_id: int = 1, **fields: object) -> Result:
    return storage.writer.commit(RecordAd((make_record(impression_id, **fields),))).result


def cap(storage: Storage, daily: int | None, version: int = 2) -> None:
    campaign = make_campaign(version=version, daily_budget_micros=daily)
    assert save(storage, campaign).result is Result.SAVED


def assert_audit_is_clean(storage: Storage) -> None:
    assert not [finding.violations for finding in audit(storage.path) if finding.violation_count]


def test_a_charge_moves_four_balances_once(storage: Storage) -> None:
    assert [charge(storage) for _ in range(3)] == [Result.TAKEN, Result.REPEATED, Result.REPEATED]
    assert balances(storage) == [(CLICK_PRICE, 0)] * 4
    assert_audit_is_clean(storage)


def test_a_charge_over_the_cap_is_refused_and_may_be_retried(storage: Storage) -> None:
    cap(storage, CLICK_PRICE)
    assert charge(storage, 1) is Result.TAKEN
    assert charge(storage, 2) is Result.CAP_REACHED
    assert storage.ledger.unbilled_at_cap(CAMPAIGN) == 1
    assert charge(storage, 2) is Result.CAP_REACHED
    assert storage.ledger.unbilled_at_cap(CAMPAIGN) == 1
    cap(storage, CLICK_PRICE * 2, version=3)
    assert charge(storage, 2) is Result.TAKEN
    assert storage.ledger.unbilled_at_cap(CAMPAIGN) == 0
    assert_audit_is_clean(storage)


def test_a_retry_bills_the_day_it_was_first_seen(storage: Storage) -> None:
    cap(storage, 0)
    assert charge(storage) is Result.CAP_REACHED
    cap(storage, CLICK_PRICE, version=3)
    assert charge(storage, day=TOMORROW) is Result.TAKEN
    assert balances(storage)[1] == (CLICK_PRICE, 0)
    assert balances(storage, day=TOMORROW)[1] == (0, 0)


def test_a_balance_never_charged_is_empty_and_has_no_cap(storage: Storage) -> None:
    found = storage.ledger.buckets([BucketId(CAMPAIGN, TODAY), BucketId(12345, 0)])
    assert [(bucket.cap, bucket.spent, bucket.pending) for bucket in found] == [(None, 0, 0)] * 2


def test_a_new_day_begins_with_the_cap_of_that_moment(storage: Storage) -> None:
    cap(storage, CLICK_PRICE)
    assert charge(storage, 1) is Result.TAKEN
    cap(storage, CLICK_PRICE * 2, version=3)
    charge(storage, 2, day=TOMORROW)
    found = storage.ledger.buckets([BucketId(CAMPAIGN, TODAY), BucketId(CAMPAIGN, TOMORROW)])
    assert [bucket.cap for bucket in found] == [CLICK_PRICE * 2, CLICK_PRICE * 2]


def test_a_daily_cap_holds_on_a_day_that_has_begun_elsewhere_and_not_on_one_that_is_over(
    storage: Storage,
) -> None:
    """A worker's change of just before midnight is committed after it; or the clock was ahead for a while."""
    cap(storage, CLICK_PRICE * 3)
    assert [charge(storage, 1), charge(storage, 2, day=TOMORROW)] == [Result.TAKEN] * 2
    cap(storage, CLICK_PRICE, version=3)
    assert charge(storage, 3, day=TOMORROW) is Result.CAP_REACHED
    lowered = make_campaign(version=4, daily_budget_micros=Micros(CLICK_PRICE - 1))
    assert save(storage, lowered) == Outcome(Result.BELOW_SPENT, CLICK_PRICE)
    raised = make_campaign(version=4, daily_budget_micros=Micros(CLICK_PRICE * 2))
    assert save(storage, raised, today=TOMORROW).result is Result.SAVED
    assert [charge(storage, 4), charge(storage, 5, day=TOMORROW)] == [Result.CAP_REACHED, Result.TAKEN]


def test_a_cap_is_not_lowered_below_what_is_spent(storage: Storage) -> None:
    charge(storage)
    lowered = make_campaign(version=2, total_budget_micros=Micros(CLICK_PRICE - 1))
    outcome = save(storage, lowered)
    assert (outcome.result, outcome.figure) == (Result.BELOW_SPENT, CLICK_PRICE)
    assert storage.campaigns.campaign(CAMPAIGN) == make_campaign()
    assert save(storage, make_campaign(version=2, total_budget_micros=CLICK_PRICE)).result is Result.SAVED


def test_an_event_that_costs_nothing_is_recorded_once(storage: Storage) -> None:
    view = RecordAd((make_record(1, AdEvent.IMPRESSION),))
    results = [storage.writer.commit(view).result for _ in range(2)]
    assert results == [Result.NOT_BILLABLE, Result.REPEATED]
    assert storage.stats.counts(CAMPAIGN, 0)["impressions"] == 1


def test_a_click_after_a_suspect_one_is_the_first_valid_click(storage: Storage) -> None:
    assert charge(storage, amount_micros=ZERO, not_billed="too_soon") is Result.NOT_BILLABLE
    assert charge(storage) is Result.TAKEN
    assert charge(storage) is Result.REPEATED
    counts = storage.stats.counts(CAMPAIGN, 0)
    assert (counts["clicks_too_soon"], counts["clicks"]) == (1, 1)
    assert rows_of(storage, "SELECT not_billed FROM ad_events") == [("",)]


def test_what_is_admitted_wrongly_is_refused_by_the_statement(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap(storage, CLICK_PRICE)
    monkeypatch.setattr(batches, "admit", lambda amount, buckets: True)
    assert [charge(storage, 1), charge(storage, 2)] == [Result.TAKEN, Result.UNRECORDED]
    assert balances(storage)[1] == (CLICK_PRICE, 0)
    assert_audit_is_clean(storage)


def test_behind_the_statement_the_table_itself_refuses(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cap(storage, CLICK_PRICE)
    monkeypatch.setattr(batches, "admit", lambda amount, buckets: True)
    monkeypatch.setattr(batches, "_MOVE", FREE_MOVE)
    assert [charge(storage, 1), charge(storage, 2)] == [Result.TAKEN, Result.UNRECORDED]
    assert balances(storage)[1] == (CLICK_PRICE, 0)
    assert_audit_is_clean(storage)


# ---- orders ----


def test_a_trusted_pixels_order_is_billed_once(storage: Storage) -> None:
    storage.writer.commit(make_order_event(trusted=True))
    assert [conversion.conversion_key for conversion in storage.conversions.new(9)] == [100]
    outcome = storage.writer.commit(credit_by_pixel())
    assert (outcome.result, outcome.figure) == (Result.TAKEN, 100 << 2 | AdEvent.CONVERSION)
    assert storage.writer.commit(credit_by_pixel()).result is Result.REPEATED
    assert storage.writer.commit(credit_by_server()).result is Result.DUPLICATE
    assert storage.conversions.new(9) == []
    assert balances(storage, CPA_CAMPAIGN) == [(SALE_PRICE, 0)] * 4


def test_an_untrusted_pixels_order_reserves_until_the_server_speaks(storage: Storage) -> None:
    storage.writer.commit(make_order_event())
    assert storage.writer.commit(credit_by_pixel(reserve=True)).result is Result.PENDING
    assert balances(storage, CPA_CAMPAIGN) == [(0, SALE_PRICE)] * 4
    assert storage.writer.commit(credit_by_server()).result is Result.TAKEN
    assert balances(storage, CPA_CAMPAIGN) == [(SALE_PRICE, 0)] * 4
    assert storage.writer.commit(credit_by_server()).result is Result.DUPLICATE
    assert_audit_is_clean(storage)


def test_what_is_reserved_counts_against_the_cap(storage: Storage) -> None:
    sale = storage.campaigns.campaign(CPA_CAMPAIGN)
    assert sale is not None
    capped = make_campaign(key=CPA_CAMPAIGN, terms=sale.terms, version=2, total_budget_micros=SALE_PRICE)
    assert save(storage, capped).result is Result.SAVED
    for order in (100, 101):
        storage.writer.commit(make_order_event(order, order))
    assert storage.writer.commit(credit_by_pixel(100, reserve=True)).result is Result.PENDING
    assert storage.writer.commit(credit_by_pixel(101, reserve=True)).result is Result.CAP_REACHED
    assert storage.writer.commit(credit_by_server(101)).result is Result.CAP_REACHED
    assert (
        storage.writer.commit(credit_by_server(100, record=None, reason="no_touch")).result == "unattributed"
    )
    assert (
        storage.writer.commit(credit_by_server(101)).result is Result.TAKEN
    )  # what a cap refused is retried
    assert balances(storage, CPA_CAMPAIGN)[0] == (SALE_PRICE, 0)
    assert storage.stats.counts(CPA_CAMPAIGN, 0)["conversions"] == 3
    assert_audit_is_clean(storage)


def test_an_order_that_the_server_told_first_is_not_billed_by_the_pixel(storage: Storage) -> None:
    assert storage.writer.commit(credit_by_server()).result is Result.TAKEN
    storage.writer.commit(make_order_event(trusted=True))
    assert storage.writer.commit(credit_by_pixel()).result is Result.DUPLICATE
    assert balances(storage, CPA_CAMPAIGN)[0] == (SALE_PRICE, 0)
    assert_audit_is_clean(storage)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"record": None, "reason": "no_touch"}, Result.UNATTRIBUTED),
        ({"record": make_sale_record(amount_micros=ZERO), "reason": "not_cpa"}, Result.NOT_BILLABLE),
    ],
)
def test_an_order_that_costs_nobody_anything_is_settled_with_its_reason(
    storage: Storage, fields: dict[str, object], expected: Result
) -> None:
    outcome = storage.writer.commit(credit_by_server(**fields))
    assert (outcome.result, outcome.figure) == (expected, 0)
    assert rows_of(storage, "SELECT state, reason FROM conversions") == [(expected, fields["reason"])]
    assert balances(storage, CPA_CAMPAIGN) == [(0, 0)] * 4


def test_orders_wait_for_attribution_oldest_first(storage: Storage) -> None:
    for order, age in ((101, 5), (102, 9), (103, 1)):
        storage.writer.commit(make_order_event(order, order, at_ms=NOW_MS - age))
    waiting = storage.conversions.new(2)
    assert [conversion.conversion_key for conversion in waiting] == [102, 101]
    assert waiting[0].event is EventName.PURCHASE
    assert (waiting[0].value_micros, waiting[0].currency) == (80_000_000, "EUR")
    assert (waiting[0].by_server, waiting[0].trusted, waiting[0].has_reference) == (False, False, True)


# ---- leads without an id ----


def tell_lead(storage: Storage, key: int, *, at_ms: int = NOW_MS, **fields: object) -> None:
    lead = make_event(EventName.GENERATE_LEAD)
    known = {"event": lead, "visitor_key": 5, "has_reference": False, "at_ms": at_ms}
    storage.writer.commit(make_order_event(key, key, **known | fields))


def reason_of(storage: Storage, key: int) -> str:
    sql = f"SELECT state, reason FROM conversions WHERE conversion_key = {key}"
    ((state, reason),) = rows_of(storage, sql)
    return str(reason or state)


def test_two_leads_of_a_visitor_credited_at_once_are_one(storage: Storage) -> None:
    """Both were attributed before either was credited: the transaction knows."""
    for key in (100, 101):
        tell_lead(storage, key)
    both = [credit_by_pixel(key, reserve=True) for key in (100, 101)]
    first, second = storage.writer.commit_all(both, False)
    assert (first.result, second.result) == (Result.PENDING, Result.UNATTRIBUTED)
    assert (reason_of(storage, 100), reason_of(storage, 101)) == ("pending", "repeated_lead")
    assert balances(storage, CPA_CAMPAIGN) == [(0, SALE_PRICE)] * 4
    assert storage.stats.counts(CPA_CAMPAIGN, 0)["conversions"] == 1
    assert_audit_is_clean(storage)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"at_ms": NOW_MS + 30 * DAY_MS - 1}, "repeated_lead"),
        ({"at_ms": NOW_MS + 30 * DAY_MS}, "pending"),
        ({"has_reference": True}, "pending"),
        ({"visitor_key": 6}, "pending"),
        ({"event": make_event(EventName.SIGN_UP)}, "pending"),
    ],
)
def test_a_lead_is_repeated_by_the_same_visitor_for_thirty_days(
    storage: Storage, second: dict[str, object], expected: str
) -> None:
    tell_lead(storage, 100)
    storage.writer.commit(credit_by_pixel(100, reserve=True))
    tell_lead(storage, 101, **second)
    storage.writer.commit(credit_by_pixel(101, reserve=True))
    assert reason_of(storage, 101) == expected


def test_a_lead_of_nobody_known_counts_once_for_its_ad(storage: Storage) -> None:
    for key in (100, 101, 102):
        tell_lead(storage, key, visitor_key=0)
    for key, ad in ((100, 1), (101, 1), (102, 2)):
        storage.writer.commit(credit_by_pixel(key, reserve=True, touch_impression_id=ad))
    found = [reason_of(storage, key) for key in (100, 101, 102)]
    assert found == ["pending", "repeated_lead", "pending"]


def test_an_unattributed_lead_is_no_credited_one(storage: Storage) -> None:
    for key in (100, 101):
        tell_lead(storage, key)
    storage.writer.commit(credit_by_pixel(100, record=None, reason="no_touch"))
    storage.writer.commit(credit_by_pixel(101, reserve=True))
    assert (reason_of(storage, 100), reason_of(storage, 101)) == ("no_touch", "pending")


def test_the_newest_picture_under_a_key_is_the_one_that_is_clicked(storage: Storage) -> None:
    for impression, at_ms in ((1, NOW_MS), (2, NOW_MS + 1)):
        write = RecordDecision(impression, at_ms, SLOT, CAMPAIGN, 700, 5, (9,), 44, f"token {impression}")
        assert storage.writer.commit(write).result is Result.ACCEPTED
    assert storage.ledger.image_token(44) == "token 2"
    assert storage.ledger.image_token(45) is None


def test_a_settled_order_keeps_what_the_server_said_but_no_click_id(storage: Storage) -> None:
    arrival = make_arrival(click_id="abc", occurred_at_ms=NOW_MS - 5)
    storage.writer.commit(credit_by_server(arrival=arrival))
    columns = "click_id, occurred_at_ms, arrived_at_ms, day, amount_micros"
    found = rows_of(storage, f"SELECT {columns} FROM conversions")
    assert found == [(None, NOW_MS - 5, NOW_MS, TODAY, SALE_PRICE)]


def test_what_caps_left_unpaid_is_summed_past_64_bits(storage: Storage) -> None:
    """Anyone with a small budget and a huge price can be refused so often: the statements bear it."""
    save(storage, make_campaign(version=2, total_budget_micros=Micros(1)))
    prices = [Micros(4 * 10**18 + n) for n in range(5)]
    for number, price in enumerate(prices):
        record = make_record(number + 1, amount_micros=price)
        assert storage.writer.commit(RecordAd((record,))).result is Result.CAP_REACHED
    month = month_with(NOW_MS, "UTC")
    assert storage.statements.unbilled(ADVERTISER, month) == {CAMPAIGN: Tally(5, Micros(sum(prices)))}
    (lost,) = storage.payouts.unbilled(PUBLISHER, month)
    assert lost.tally == Tally(5, Micros(sum(prices)))


def test_a_raise_after_midnight_is_not_for_what_arrived_before(storage: Storage) -> None:
    """A charge may come to be made after the day it belongs to has ended, and its cap was changed."""
    cap(storage, CLICK_PRICE - 1)
    raised = make_campaign(version=3, daily_budget_micros=Micros(10 * CLICK_PRICE))
    assert save(storage, raised, today=TOMORROW).result is Result.SAVED
    assert charge(storage, 1, day=TODAY) is Result.CAP_REACHED
    assert charge(storage, 2, day=TOMORROW) is Result.TAKEN
    assert_audit_is_clean(storage)


def test_an_accounts_raise_after_midnight_is_not_for_what_arrived_before(storage: Storage) -> None:
    assert charge(storage, 1, day=TODAY - 1) is Result.TAKEN
    for version, daily, today in ((2, CLICK_PRICE - 1, TODAY), (3, 10 * CLICK_PRICE, TOMORROW)):
        changed = make_advertiser(version=version, daily_budget_micros=Micros(daily))
        assert save(storage, changed, today=today).result is Result.SAVED
    assert charge(storage, 2, day=TODAY) is Result.CAP_REACHED
    assert charge(storage, 3, day=TOMORROW) is Result.TAKEN
    assert_audit_is_clean(storage)


def test_an_account_that_never_spent_may_change_its_zone_after_its_budget(storage: Storage) -> None:
    for version, fields in ((2, {"daily_budget_micros": Micros(5)}), (3, {"timezone": "Asia/Kolkata"})):
        assert save(storage, make_advertiser(version=version, **fields)).result is Result.SAVED
