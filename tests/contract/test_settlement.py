"""What a browser's order reserved is billed or set free, once, whatever is asked and however often."""

import re

import pytest

from adserver.domain.money import Micros
from adserver.storage import told
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage
from adserver.writes import Result, SettleConversion
from tests.contract.stores import (
    CPA_CAMPAIGN,
    SALE_PRICE,
    balances,
    credit_by_pixel,
    credit_by_server,
    make_order_event,
    rows_of,
    save,
)
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_campaign

LATER_MS = NOW_MS + 3 * DAY_MS


@pytest.fixture
def reserved(storage: Storage) -> Storage:
    """A pending order, 100, that takes the whole of its campaign's budget."""
    sale = storage.campaigns.campaign(CPA_CAMPAIGN)
    assert sale is not None
    capped = make_campaign(key=CPA_CAMPAIGN, terms=sale.terms, version=2, total_budget_micros=SALE_PRICE)
    assert save(storage, capped).result is Result.SAVED
    storage.writer.commit(make_order_event())
    assert storage.writer.commit(credit_by_pixel(reserve=True)).result is Result.PENDING
    return storage


def settle(storage: Storage, *, approve: bool, key: int = 100) -> Result:
    return storage.writer.commit(SettleConversion(key, approve, "a word", LATER_MS)).result


def assert_settled(storage: Storage, spent: int, state: str) -> None:
    assert balances(storage, CPA_CAMPAIGN) == [(spent, 0)] * 4
    assert rows_of(storage, "SELECT state, record FROM conversions") == [(state, None)]
    assert not any(finding.violation_count for finding in audit(storage.path))


def test_an_approved_order_is_billed_in_the_day_it_was_reserved_for(reserved: Storage) -> None:
    assert settle(reserved, approve=True) is Result.TAKEN
    assert rows_of(reserved, "SELECT at_ms, amount_micros FROM charges") == [(LATER_MS, SALE_PRICE)]
    assert_settled(reserved, SALE_PRICE, "taken")


def test_a_declined_order_sets_its_reserve_free_for_another(reserved: Storage) -> None:
    assert settle(reserved, approve=False) is Result.DECLINED
    assert_settled(reserved, 0, "declined")
    reserved.writer.commit(make_order_event(101, 101))
    assert reserved.writer.commit(credit_by_pixel(101, reserve=True)).result is Result.PENDING


@pytest.mark.parametrize("approve", [True, False])
def test_the_same_word_twice_is_a_repeat_and_the_other_a_conflict(reserved: Storage, approve: bool) -> None:
    settle(reserved, approve=approve)
    assert settle(reserved, approve=approve) is Result.REPEATED
    assert settle(reserved, approve=not approve) is Result.CONFLICT
    assert_settled(reserved, SALE_PRICE if approve else 0, "taken" if approve else "declined")


def test_nobody_settles_what_is_not_pending(storage: Storage) -> None:
    assert settle(storage, approve=True, key=404) is Result.CONFLICT
    storage.writer.commit(make_order_event(trusted=True))
    assert settle(storage, approve=False) is Result.CONFLICT


def test_a_server_that_confirms_a_declined_order_is_believed(reserved: Storage) -> None:
    settle(reserved, approve=False)
    assert reserved.writer.commit(credit_by_server()).result is Result.TAKEN
    assert balances(reserved, CPA_CAMPAIGN) == [(SALE_PRICE, 0)] * 4


def test_a_server_that_tells_an_approved_order_tells_nothing_new(reserved: Storage) -> None:
    settle(reserved, approve=True)
    assert reserved.writer.commit(credit_by_server()).result is Result.DUPLICATE
    assert balances(reserved, CPA_CAMPAIGN) == [(SALE_PRICE, 0)] * 4


def test_both_words_in_one_batch_leave_the_first_one_standing(reserved: Storage) -> None:
    words = [SettleConversion(100, approve, "", LATER_MS) for approve in (True, False)]
    outcomes = reserved.writer.commit_all(words, False)
    assert [outcome.result for outcome in outcomes] == [Result.TAKEN, Result.CONFLICT]
    assert_settled(reserved, SALE_PRICE, "taken")


def test_pending_orders_are_listed_with_what_they_reserve_until_settled(reserved: Storage) -> None:
    (listed,) = reserved.pending.conversions(ADVERTISER, NOW_MS, -1, 10)
    assert (listed.key, listed.campaign_key, listed.amount_micros) == (100, CPA_CAMPAIGN, SALE_PRICE)
    assert listed.value_micros == Micros(80_000_000)
    assert reserved.pending.reported(100) == listed
    assert reserved.pending.conversions(ADVERTISER, NOW_MS - 1, -1, 10) == []
    assert reserved.pending.conversions(ADVERTISER, NOW_MS, 100, 10) == []
    settle(reserved, approve=True)
    assert reserved.pending.conversions(ADVERTISER, NOW_MS, -1, 10) == []
    assert reserved.pending.reported(100) is not None
    assert reserved.pending.reported(404) is None


@pytest.mark.parametrize(
    ("statement", "index"),
    [(told.PENDING, "conversions_pending"), (told.OF_STATE, "conversions_by_arrival")],
)
def test_orders_are_listed_by_an_index_and_what_is_pending_by_its_own(
    storage: Storage, statement: str, index: str
) -> None:
    names = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    plan = [row[3] for row in storage.reader.rows(f"EXPLAIN QUERY PLAN {statement}", names)]
    assert plan[0].startswith(f"SEARCH conversions USING INDEX {index}"), plan
