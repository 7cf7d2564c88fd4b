"""The outbox hands out what is due, and keeps what became of it."""

import pytest
from msgspec.structs import replace

from adserver.domain.money import Micros
from adserver.storage.embedded import Storage
from adserver.storage.notices import MOST_OF_ONE
from adserver.writes import RecordAd, Result, SettleNotice
from tests.contract.outbox import keep, make_notice
from tests.contract.stores import CLICK_PRICE, make_record, save
from tests.domain.makers import ADVERTISER, NOW_MS, make_campaign

LATER_MS = NOW_MS + 10_000


def settle(
    storage: Storage, key: int = 1, attempts: int = 1, due_ms: int | None = None, status: str = "delivered"
) -> Result:
    return storage.writer.commit(SettleNotice(key, attempts, due_ms, status)).result


def due_keys(storage: Storage, now_ms: int = NOW_MS, limit: int = 1000) -> list[int]:
    return [notice.key for notice in storage.notices.due(now_ms, limit)]


def test_a_notice_comes_out_as_it_went_in(empty: Storage) -> None:
    notice = make_notice(attempts=3, status="timed_out")
    keep(empty.path, notice)
    assert empty.notices.due(NOW_MS, 10) == empty.notices.recent(ADVERTISER, 10) == [notice]


def test_only_what_is_due_by_now_is_handed_out_and_the_least_tried_first(empty: Storage) -> None:
    keep(
        empty.path,
        make_notice(1, due_ms=NOW_MS + 1),
        make_notice(2, due_ms=NOW_MS, attempts=4),
        make_notice(3, due_ms=NOW_MS),
        make_notice(4, due_ms=NOW_MS - 5),
        make_notice(5, due_ms=None, status="delivered"),
    )
    assert due_keys(empty) == [4, 3, 2]
    assert due_keys(empty, limit=1) == [4]


def test_one_advertisers_backlog_leaves_room_for_the_others(empty: Storage) -> None:
    keep(empty.path, *(make_notice(key, due_ms=NOW_MS - 1000) for key in range(1, 101)))
    keep(empty.path, make_notice(500, advertiser_key=77))
    assert sorted(due_keys(empty, limit=MOST_OF_ONE + 1)) == [*range(1, MOST_OF_ONE + 1), 500]


def test_the_newest_of_an_advertiser_are_shown_first_and_no_others(empty: Storage) -> None:
    keep(empty.path, *(make_notice(key, NOW_MS + key) for key in (1, 2, 3)))
    keep(empty.path, make_notice(9, advertiser_key=77))
    assert [notice.key for notice in empty.notices.recent(ADVERTISER, 2)] == [3, 2]


def test_a_failed_attempt_is_due_again_and_a_delivered_one_no_more(empty: Storage) -> None:
    notice = make_notice()
    keep(empty.path, notice)
    assert settle(empty, due_ms=LATER_MS, status="status_500") is Result.SAVED
    assert due_keys(empty) == []
    assert empty.notices.due(LATER_MS, 10) == [
        replace(notice, attempts=1, due_ms=LATER_MS, status="status_500")
    ]
    assert settle(empty, attempts=2) is Result.SAVED
    assert due_keys(empty, LATER_MS) == []
    assert empty.notices.recent(ADVERTISER, 10) == [
        replace(notice, attempts=2, due_ms=None, status="delivered")
    ]


@pytest.mark.parametrize("status", ["delivered", "given_up", "no_address"])
def test_what_is_settled_stays_so_whatever_a_slower_courier_says(empty: Storage, status: str) -> None:
    keep(empty.path, make_notice())
    settle(empty, status=status)
    assert settle(empty, status=status) is Result.SAVED  # a batch sent twice
    assert settle(empty, due_ms=LATER_MS, status="timed_out") is Result.CONFLICT
    assert settle(empty, key=404) is Result.CONFLICT
    assert due_keys(empty, LATER_MS) == []
    assert empty.notices.recent(ADVERTISER, 1)[0].status == status


def test_a_charge_that_comes_to_a_mark_of_a_budget_leaves_a_notice_that_is_due(storage: Storage) -> None:
    capped = make_campaign(version=2, total_budget_micros=Micros(CLICK_PRICE * 5), daily_budget_micros=None)
    assert save(storage, capped).result is Result.SAVED
    told = []
    for impression_id in range(1, 6):
        storage.writer.commit(RecordAd((make_record(impression_id),)))
        told.append(sorted(notice.kind for notice in storage.notices.due(NOW_MS, 10)))
    assert told == [[], [], [], ["budget_80"], ["budget_80", "budget_reached"]]
    storage.writer.commit(RecordAd((make_record(5),)))  # a repeat is no news
    assert len(storage.notices.due(NOW_MS, 10)) == 2
