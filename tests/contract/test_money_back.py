"""Refunds, deposits and their receipts: each once, within its limits, in the transaction of its effect."""

import json
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, life_cap, mark_passed
from adserver.domain.money import Micros, part_of_share
from adserver.domain.pricing import AdEvent
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage
from adserver.writes import (
    Answered,
    CreditConversion,
    Deposit,
    Outcome,
    Receipt,
    RecordAd,
    RefundCharge,
    Result,
    WithReceipt,
)
from tests.contract.stores import (
    CLICK_PRICE,
    SALE_PRICE,
    balances,
    credit_by_server,
    make_record,
    make_sale_record,
    rows_of,
    save,
)
from tests.domain.makers import ADVERTISER, CAMPAIGN, NOW_MS, TODAY, make_advertiser, make_campaign

CLICK = 1 << 2 | AdEvent.CLICK


def click(storage: Storage, impression_id: int = 1, **fields: object) -> Result:
    return storage.writer.commit(RecordAd((make_record(impression_id, **fields),))).result


def refund(storage: Storage, amount: int | None = None, refund_id: str = "full", **fields: object) -> Outcome:
    row = {"charge_id": CLICK, "reason": "goods returned", "at_ms": NOW_MS + 5} | fields
    return storage.writer.commit(RefundCharge(refund_id=refund_id, amount_micros=amount, **row))  # type: ignore[arg-type]


def pay_in(storage: Storage, amount: int, reference: str = "bank 1", key: int = 900) -> Outcome:
    return storage.writer.commit(Deposit(key, ADVERTISER, "EUR", Micros(amount), reference, NOW_MS))


def assert_audit_is_clean(storage: Storage) -> None:
    assert not [finding.violations for finding in audit(storage.path) if finding.violation_count]


# ---- refunds ----


def test_a_refund_goes_back_into_the_day_it_came_from(storage: Storage) -> None:
    click(storage)
    click(storage, 2, day=TODAY + 1)
    assert refund(storage) == Outcome(Result.REFUNDED, CLICK_PRICE)
    assert balances(storage, day=TODAY) == [(CLICK_PRICE, 0), (0, 0), (CLICK_PRICE, 0), (0, 0)]
    assert balances(storage, day=TODAY + 1) == [(CLICK_PRICE, 0)] * 4
    assert_audit_is_clean(storage)


def test_the_same_refund_once_more_is_the_same_and_another_under_its_name_is_refused(
    storage: Storage,
) -> None:
    click(storage)
    first = refund(storage, 100, "rma 1")
    assert first == refund(storage, 100, "rma 1")
    assert refund(storage, 101, "rma 1").result is Result.REFUND_DIFFERS
    assert refund(storage, None, "rma 1").result is Result.REFUND_DIFFERS  # all that is left is not this part
    assert refund(storage, 100, "rma 1", reason="other").result is Result.REFUND_DIFFERS
    assert rows_of(storage, "SELECT SUM(amount_micros) FROM refunds") == [(100,)]


def test_all_that_was_left_is_the_same_however_it_is_asked_for_again(storage: Storage) -> None:
    click(storage)
    rest = refund(storage, None)
    assert rest == refund(storage, None) == refund(storage, CLICK_PRICE)
    assert rows_of(storage, "SELECT amount_micros FROM refunds") == [(CLICK_PRICE,)]


def test_never_more_is_refunded_than_was_billed(storage: Storage) -> None:
    click(storage)
    assert refund(storage, CLICK_PRICE + 1) == Outcome(Result.OVER_REFUNDED, CLICK_PRICE)
    assert refund(storage, 100, "a").result is Result.REFUNDED
    assert refund(storage, CLICK_PRICE, "b") == Outcome(Result.OVER_REFUNDED, CLICK_PRICE - 100)
    assert refund(storage, None, "c") == Outcome(Result.REFUNDED, CLICK_PRICE - 100)
    assert refund(storage, None, "d") == Outcome(Result.OVER_REFUNDED, 0)
    assert balances(storage) == [(0, 0)] * 4
    assert_audit_is_clean(storage)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"charge_id": CLICK + 4}, Result.NOT_CHARGED),
        ({"advertiser_key": ADVERTISER + 1}, Result.NOT_CHARGED),
        ({"since_ms": NOW_MS + 1}, Result.REFUND_TOO_LATE),
        ({"amount": 0}, Result.OVER_REFUNDED),
        ({"amount": -5}, Result.OVER_REFUNDED),
    ],
)
def test_what_cannot_be_refunded_changes_nothing(
    storage: Storage, fields: dict[str, int], result: Result
) -> None:
    click(storage)
    assert refund(storage, **fields).result is result  # type: ignore[arg-type]
    assert balances(storage) == [(CLICK_PRICE, 0)] * 4
    assert rows_of(storage, "SELECT COUNT(*) FROM refunds") == [(0,)]
    assert_audit_is_clean(storage)


def test_a_refund_in_the_batch_of_its_charge_finds_it(storage: Storage) -> None:
    back = RefundCharge(CLICK, "full", None, "returned", NOW_MS)
    outcomes = storage.writer.commit_all([RecordAd((make_record(),)), back], False)
    assert [outcome.result for outcome in outcomes] == [Result.TAKEN, Result.REFUNDED]
    assert balances(storage) == [(0, 0)] * 4


@given(st.lists(st.integers(1, CLICK_PRICE), min_size=1, max_size=6), st.integers(0, CLICK_PRICE))
def test_both_parties_give_back_in_proportion_to_the_last_micro(parts: list[int], share: int) -> None:
    """The publisher's part of any sequence of refunds is the rounded share of their sum, never off by one."""
    refunded, returned = 0, 0
    for part in parts:
        amount = min(part, CLICK_PRICE - refunded)
        refunded += amount
        back = part_of_share(share, CLICK_PRICE, refunded) - returned
        returned += back
        assert 0 <= back <= amount
    assert returned <= share and (returned == share or refunded < CLICK_PRICE)


def test_refunds_of_thirds_leave_nobody_a_micro(storage: Storage) -> None:
    click(storage)
    third = CLICK_PRICE // 3
    for name, amount in (("a", third), ("b", third), ("c", None)):
        assert refund(storage, amount, name).result is Result.REFUNDED
    assert set(rows_of(storage, "SELECT SUM(amount_micros) FROM postings GROUP BY account")) == {(0,)}
    assert_audit_is_clean(storage)


def test_a_refunded_order_is_not_billed_again(storage: Storage) -> None:
    storage.writer.commit(credit_by_server())
    sale = make_sale_record()
    charge = sale.impression_id << 2 | AdEvent.CONVERSION
    assert refund(storage, charge_id=charge) == Outcome(Result.REFUNDED, SALE_PRICE)
    assert storage.writer.commit(credit_by_server()).result is Result.DUPLICATE
    assert balances(storage, sale.campaign_key) == [(0, 0)] * 4
    assert_audit_is_clean(storage)


# ---- deposits ----


def prepaid(storage: Storage, version: int = 2, **fields: object) -> Outcome:
    return save(storage, make_advertiser(version=version, prepaid=True, **fields))


def test_a_prepaid_account_spends_what_it_has_paid_in_and_no_more(storage: Storage) -> None:
    assert prepaid(storage).result is Result.SAVED
    assert click(storage, 1) is Result.CAP_REACHED
    assert pay_in(storage, CLICK_PRICE).result is Result.SAVED
    assert [click(storage, 1), click(storage, 2)] == [Result.TAKEN, Result.CAP_REACHED]
    assert pay_in(storage, CLICK_PRICE, "bank 2", 901).result is Result.SAVED
    assert click(storage, 2) is Result.TAKEN
    assert_audit_is_clean(storage)


def test_a_deposit_counts_once_for_its_reference(storage: Storage) -> None:
    assert pay_in(storage, 100) == pay_in(storage, 100, key=901) == Outcome(Result.SAVED, 100)
    assert pay_in(storage, 101, key=902) == Outcome(Result.DEPOSIT_EXISTS, 100)
    assert rows_of(storage, "SELECT SUM(amount_micros) FROM deposits") == [(100,)]
    assert_audit_is_clean(storage)


def test_what_is_spent_or_was_never_paid_is_not_paid_back(storage: Storage) -> None:
    prepaid(storage)
    pay_in(storage, CLICK_PRICE + 50)
    click(storage)
    assert pay_in(storage, -51, "back", 901) == Outcome(Result.BELOW_SPENT, CLICK_PRICE)
    assert pay_in(storage, -50, "back", 902).result is Result.SAVED
    assert click(storage, 2) is Result.CAP_REACHED
    assert_audit_is_clean(storage)


def test_an_account_becomes_prepaid_only_when_its_deposits_cover_what_it_spent(storage: Storage) -> None:
    click(storage)
    assert prepaid(storage) == Outcome(Result.BELOW_SPENT, CLICK_PRICE)
    pay_in(storage, CLICK_PRICE)
    assert prepaid(storage).result is Result.SAVED
    assert_audit_is_clean(storage)


@given(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))
def test_a_whole_life_is_capped_by_the_smaller_of_budget_and_deposits(
    total: Micros | None, deposited: Micros | None
) -> None:
    caps = [cap for cap in (total, deposited) if cap is not None]
    assert life_cap(total, deposited) == (min(caps) if caps else None)


# ---- what is fixed once there is money ----


def test_days_that_have_begun_keep_their_zone(storage: Storage) -> None:
    assert save(storage, make_advertiser(version=2, timezone="Asia/Kolkata")).result is Result.SAVED
    click(storage)
    refund(storage)  # spent nothing in the end, but in a day of that zone
    assert save(storage, make_advertiser(version=3, timezone="Europe/Paris")).result is Result.TIMEZONE_FIXED


def test_amounts_keep_their_currency(storage: Storage) -> None:
    assert save(storage, make_advertiser(version=2, currency="USD")).result is Result.CURRENCY_FIXED
    alone = make_advertiser(key=555, public_id="alone")
    save(storage, alone, is_new=True)
    changed = make_advertiser(key=555, public_id="alone", version=2, currency="USD")
    assert save(storage, changed).result is Result.SAVED
    late = Deposit(1, 555, "EUR", Micros(10), "paid before the change", NOW_MS)
    assert storage.writer.commit(late).result is Result.CONFLICT
    assert_audit_is_clean(storage)


# ---- receipts ----


def receipt(key: str = "k", digest: str = "d", context: bytes = b"context") -> Receipt:
    return Receipt("owner", key, digest, 0, context, NOW_MS)


def kept(storage: Storage, key: str = "k") -> Answered | None:
    found = storage.keys.receipt("owner", key)
    return None if found is None else msgspec.msgpack.decode(found.body, type=Answered)


@pytest.mark.parametrize(
    ("write", "result"),
    [
        (RefundCharge(CLICK, "full", None, "returned", NOW_MS), Result.REFUNDED),
        (RefundCharge(CLICK, "full", Micros(10**9), "returned", NOW_MS), Result.OVER_REFUNDED),
        (Deposit(900, ADVERTISER, "EUR", Micros(5), "bank", NOW_MS), Result.SAVED),
        (credit_by_server(), Result.TAKEN),
    ],
)
def test_a_receipt_holds_the_outcome_of_its_own_transaction(
    storage: Storage, write: RefundCharge | Deposit | CreditConversion, result: Result
) -> None:
    click(storage)
    outcome = storage.writer.commit(WithReceipt(write, receipt()))
    assert outcome.result is result
    assert kept(storage) == Answered(outcome, b"context")
    before = rows_of(storage, "SELECT owner_key, day, spent, entries, head FROM budgets")
    again = storage.writer.commit(WithReceipt(write, receipt(digest="other")))
    assert again.result is Result.RECEIPT_EXISTS
    assert rows_of(storage, "SELECT owner_key, day, spent, entries, head FROM budgets") == before


def test_a_write_that_fails_leaves_no_receipt(storage: Storage) -> None:
    broken = Deposit(900, ADVERTISER, "EUR", Micros(5), "bank", None)  # type: ignore[arg-type]
    assert storage.writer.commit(WithReceipt(broken, receipt())).result is Result.UNRECORDED
    assert kept(storage) is None


# ---- chains ----


def test_a_campaigns_chain_is_replayed_from_its_rows_alone(storage: Storage) -> None:
    """Reckoned here with nothing but the documented rule, from what the tables hold."""
    click(storage, 1)
    click(storage, 2)
    refund(storage, 100, "a")
    save(storage, make_campaign(version=2, total_budget_micros=10**6))
    rows: list[tuple[object, ...]] = rows_of(
        storage, "SELECT entry, body FROM chain_notes WHERE owner_key = :key", key=CAMPAIGN
    )
    notes = {row[0]: json.loads(row[1]) for row in rows}  # type: ignore[arg-type]
    assert {note["kind"] for note in notes.values()} == {"caps"}
    entries, head = rows_of(storage, "SELECT entries, head FROM budgets WHERE owner_key = :key AND day = 0",
                            key=CAMPAIGN)[0]  # fmt: skip
    charged = rows_of(storage, "SELECT entry FROM charges")
    refunded = rows_of(storage, "SELECT entry FROM refunds")
    assert sorted([*notes, *(row[0] for row in charged), *(row[0] for row in refunded)]) == [1, 2, 3, 4, 5]
    assert entries == 5 and isinstance(head, bytes) and len(head) == len(sha256().digest())


def test_saving_a_campaign_with_the_same_budgets_chains_nothing(storage: Storage) -> None:
    save(storage, make_campaign(version=2, name="renamed"))
    assert rows_of(storage, "SELECT entry FROM chain_notes WHERE owner_key = :key", key=CAMPAIGN) == [(1,)]


# ---- notices of budgets ----


@pytest.mark.parametrize(
    ("cap", "used", "rise", "mark"),
    [
        (None, 50, 10, None),
        (100, 79, 9, None),
        (100, 80, 10, 80),
        (100, 89, 9, None),  # it was there before
        (100, 90, 10, None),
        (100, 91, 10, 100),
        (100, 100, 100, 100),
        (1, 1, 1, 100),
    ],
)
def test_a_budget_comes_to_its_marks(
    cap: Micros | None, used: Micros, rise: Micros, mark: int | None
) -> None:
    assert mark_passed(Bucket(cap, used), rise) == mark


def test_a_notice_is_left_with_the_charge_that_brought_its_budget_to_a_mark(storage: Storage) -> None:
    save(storage, make_campaign(version=2, total_budget_micros=CLICK_PRICE * 5))
    told = []
    for impression in range(1, 7):
        click(storage, impression)
        told.append([row[0] for row in rows_of(storage, "SELECT kind FROM notices ORDER BY at_ms, kind")])
    assert told[:3] == [[], [], []] and told[3] == ["budget_80"]
    assert told[4] == told[5] == ["budget_80", "budget_reached"]
    body = json.loads(rows_of(storage, "SELECT body FROM notices WHERE kind = 'budget_reached'")[0][0])  # type: ignore[arg-type]
    assert (body["cap_micros"], body["spent_micros"], body["budget"]) == (CLICK_PRICE * 5,) * 2 + ("total",)


def test_a_raised_budget_has_marks_of_its_own(storage: Storage) -> None:
    for version, clicks in ((2, 1), (3, 2)):
        save(storage, make_campaign(version=version, total_budget_micros=CLICK_PRICE * clicks))
        click(storage, clicks)
    assert rows_of(storage, "SELECT COUNT(*) FROM notices WHERE kind = 'budget_reached'") == [(2,)]
    (life,) = storage.ledger.buckets([BucketId(CAMPAIGN, WHOLE_LIFE)])
    assert life.remaining == 0
