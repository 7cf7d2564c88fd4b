"""The auditor finds each way in which somebody may have changed the books behind the server's back."""

import sqlite3

import pytest

from adserver.domain.money import Micros
from adserver.domain.offer import AddCodes, HandCode
from adserver.domain.pricing import AdEvent
from adserver.storage import audit as auditing
from adserver.storage.audit import CHECKS, Finding, audit
from adserver.storage.embedded import Storage
from adserver.writes import Deposit, RecordAd, RefundCharge, SealDay
from tests.contract.stores import (
    CPA_CAMPAIGN,
    credit_by_pixel,
    credit_by_server,
    make_order_event,
    make_record,
    save,
)
from tests.domain.makers import ADVERTISER, CAMPAIGN, NOW_MS, TODAY, make_advertiser

CLICK = 3 << 2 | AdEvent.CLICK


@pytest.fixture
def busy(storage: Storage) -> Storage:
    """Some of everything that the ledger knows."""
    save(storage, make_advertiser(version=2, prepaid=False, total_budget_micros=10**9))
    storage.writer.commit(Deposit(900, ADVERTISER, "EUR", Micros(10**8), "bank", NOW_MS))
    for impression in range(1, 8):
        storage.writer.commit(RecordAd((make_record(impression),)))
    storage.writer.commit(RefundCharge(CLICK, "part", Micros(1000), "returned", NOW_MS))
    storage.writer.commit(credit_by_server(100))
    storage.writer.commit(make_order_event(101))
    storage.writer.commit(credit_by_pixel(101, reserve=True))
    storage.writer.commit(SealDay(ADVERTISER, TODAY, NOW_MS))
    storage.writer.commit(RecordAd((make_record(9),)))
    storage.writer.commit(AddCodes(93, ADVERTISER, 1, ("CODE-1", "CODE-2", "CODE-3"), NOW_MS))
    for click in (1, 2):
        storage.writer.commit(HandCode(93, ADVERTISER, click, "click", 0, NOW_MS, None, 10, None))
    return storage


def found(storage: Storage) -> dict[str, Finding]:
    return {finding.name: finding for finding in audit(storage.path) if finding.violation_count}


def test_books_that_are_right_are_clean_and_every_check_looked_at_something(busy: Storage) -> None:
    findings = audit(busy.path)
    assert [finding.name for finding in findings] == list(CHECKS)
    assert all(finding.rows for finding in findings), findings
    assert not found(busy)


SPENT, CHAINS, POSTINGS = auditing.SPENT, auditing.CHAINS, auditing.POSTINGS
TAMPERED = {
    "UPDATE offer_stocks SET free = free + 1, handed = handed - 1": {auditing.CODES},
    "DELETE FROM offer_codes WHERE handed_ms IS NULL": {auditing.CODES},
    "UPDATE offer_codes SET redeemed_ms = 1 WHERE click_impression_id = 1": {auditing.CODES},
    "UPDATE budgets SET spent = spent + 1 WHERE day != 0 AND owner_key = :campaign": {SPENT},
    "UPDATE budgets SET pending = pending + 1 WHERE owner_key = :sales AND day = 0": {auditing.PENDING},
    "UPDATE budgets SET spent = spent + 1 WHERE day = 0 AND owner_key = :advertiser": {auditing.ACCOUNTS},
    "UPDATE budgets SET cap = 10 WHERE owner_key = :advertiser AND day = 0": {
        auditing.WITHIN_CAPS,
        auditing.CAPS_ORDERED,
    },
    "UPDATE charges SET amount_micros = amount_micros - 1 WHERE entry = 4": {
        auditing.FULL_PRICE,
        SPENT,
        CHAINS,
    },
    "UPDATE charges SET at_ms = at_ms + 1 WHERE entry = 4": {CHAINS},
    "DELETE FROM charges WHERE entry = 4": {SPENT, CHAINS, POSTINGS},
    "UPDATE charges SET entry = 100 - entry WHERE entry IN (3, 4)": {CHAINS},
    "UPDATE refunds SET amount_micros = 1001": {SPENT, CHAINS},
    "UPDATE refunds SET reason = 'other'": {CHAINS},
    "DELETE FROM refunds": {SPENT, CHAINS, POSTINGS},
    "UPDATE chain_notes SET body = CAST(replace(body, '1000000000', '2') AS BLOB)": {CHAINS},
    "UPDATE budgets SET head = zeroblob(32) WHERE owner_key = :campaign AND day = 0": {CHAINS},
    "UPDATE daily_heads SET head = zeroblob(32) WHERE owner_key = :campaign": {auditing.SEALS},
    "UPDATE postings SET amount_micros = amount_micros + 1 WHERE account = 'network'": {auditing.ZERO_SUM},
    "DELETE FROM ad_events WHERE charge_id = (SELECT MIN(charge_id) FROM charges)": {auditing.EVENTS},
    "DELETE FROM charges WHERE charge_id & 3 = 3": {auditing.PAID},
    "UPDATE conversions SET state = 'declined' WHERE state = 'pending'": {auditing.PENDING},
    "INSERT INTO refused_charges SELECT charge_id, campaign_key, slot_key, 'cap', at_ms, day, 1 FROM charges": {
        auditing.EVENTS
    },
    "DELETE FROM deposits": {auditing.CAPS_ORDERED},
}


@pytest.mark.parametrize(("sql", "names"), TAMPERED.items())
def test_a_change_behind_the_servers_back_is_found(busy: Storage, sql: str, names: set[str]) -> None:
    if sql == "DELETE FROM deposits":
        save(busy, make_advertiser(version=3, prepaid=True, total_budget_micros=10**9))
    known = {"campaign": CAMPAIGN, "sales": CPA_CAMPAIGN, "advertiser": ADVERTISER}
    with sqlite3.connect(busy.path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        used = {name: value for name, value in known.items() if f":{name}" in sql}
        assert connection.execute(sql, used).rowcount
    connection.close()
    assert names <= found(busy).keys()


def test_a_head_that_was_made_to_fit_a_changed_day_still_betrays_itself(busy: Storage) -> None:
    """Somebody who rewrites yesterday and reckons today's head anew is told by yesterday's sealed head."""
    rewritten = "UPDATE charges SET at_ms = at_ms + 1 WHERE entry = 2 AND campaign_key = :campaign"
    with sqlite3.connect(busy.path) as connection:
        connection.execute(rewritten, {"campaign": CAMPAIGN})
        (head,) = chain_head(connection, busy)
        connection.execute("UPDATE budgets SET head = ? WHERE owner_key = ? AND day = 0", (head, CAMPAIGN))
    connection.close()
    assert auditing.SEALS in found(busy) and CHAINS not in found(busy)


def chain_head(connection: sqlite3.Connection, storage: Storage) -> tuple[bytes]:
    connection.commit()
    (told,) = found(storage)[CHAINS].violations
    return (bytes.fromhex(told.split(" entries to ")[1].split(",")[0]),)


def test_the_audit_reads_in_pages_and_what_is_charged_meanwhile_is_no_fault(
    busy: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two pages the server goes on billing, refunding and taking deposits."""
    monkeypatch.setattr(auditing, "PAGE", 2)
    numbers = iter(range(1000, 9000))

    def bill_meanwhile(rows: int) -> None:
        number = next(numbers)
        busy.writer.commit(RecordAd((make_record(number),)))
        busy.writer.commit(RefundCharge(number << 2 | AdEvent.CLICK, "x", Micros(7), "returned", NOW_MS))
        busy.writer.commit(Deposit(number, ADVERTISER, "EUR", Micros(5), f"bank {number}", NOW_MS))

    findings = audit(busy.path, bill_meanwhile)
    assert not [finding.violations for finding in findings if finding.violation_count]
    assert next(numbers) > 1005
