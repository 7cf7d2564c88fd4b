"""What a process hears of the others with each answer of the writer's, and soon where it writes nothing."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from adserver.domain.in_flight import IN_FLIGHT_MS, Expected
from adserver.domain.money import Micros
from adserver.storage import socket as writer_socket
from adserver.storage import under_way
from adserver.storage.embedded import Storage, join_storage, own_storage
from adserver.storage.postbox import Postbox
from adserver.storage.socket import LISTEN_SECONDS, RemoteWriter
from adserver.storage.under_way import monotonic_ms
from adserver.storage.writer import Committer
from adserver.writes import AddCounts, Outcome, Receipt, RecordAd, RecordDecision, Result, WithReceipt, Write
from tests.contract.stores import CPA_CAMPAIGN, credit_by_server, make_record, open_copy, save
from tests.domain.makers import CAMPAIGN, NOW_MS, SLOT, make_campaign
from tests.simulation.running_server import wait_until

PRICE = Micros(250_000)
WITHOUT_BUDGET = 99  # a charge of this campaign poisons its batch


@pytest.fixture(autouse=True)
def soon_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that closes before its workers does not wait for them here."""
    monkeypatch.setattr(writer_socket, "LAST_SECONDS", 0.1)


@pytest.fixture
def idle(storage: Storage) -> Iterator[Storage]:
    """Another process's way to the same storage; it writes nothing."""
    joined = join_storage(storage.path)
    yield joined
    joined.close()


@pytest.fixture
def busy(storage: Storage) -> Iterator[Storage]:
    """A third one, which does."""
    joined = join_storage(storage.path)
    yield joined
    joined.close()


def served(impression_id: int, chance: float = 1.0, **fields: object) -> RecordDecision:
    """An ad of the campaign paid by the click went out."""
    ad = RecordDecision(
        impression_id, NOW_MS, SLOT, CAMPAIGN, 700, 5, (9,), price_micros=PRICE, chance=chance
    )
    return msgspec.structs.replace(ad, **fields)


def clicked(impression_id: int, **fields: object) -> RecordAd:
    return RecordAd((make_record(impression_id, **fields),))


def under_way_of(storage: Storage, campaign_key: int = CAMPAIGN) -> int | None:
    expected = storage.writer.in_flight(campaign_key)
    return None if expected is None else expected.micros


def wait_for(storage: Storage, micros: int | None) -> None:
    wait_until(lambda: under_way_of(storage) == micros, f"{micros} micros are known to be under way")


def test_an_ad_of_one_worker_is_under_way_for_all_until_its_click(
    storage: Storage, busy: Storage, idle: Storage
) -> None:
    for known in (storage, busy, idle):
        assert known.writer.in_flight(CAMPAIGN) is None
    busy.writer.commit(served(1))
    assert under_way_of(busy) == under_way_of(storage) == PRICE  # at once, where the answer went
    wait_for(idle, PRICE)
    storage.writer.commit(clicked(1))
    assert under_way_of(storage) == 0
    for known in (busy, idle):
        wait_for(known, 0)


def test_who_comes_later_is_told_all_there_is(storage: Storage) -> None:
    storage.writer.commit(served(1, chance=0.5))
    later = join_storage(storage.path)
    later.writer.commit(AddCounts(()))
    assert later.writer.in_flight(CAMPAIGN) == Expected(Micros(PRICE // 2), 0.5)
    later.close()


def test_each_is_told_how_many_there_are(storage: Storage, busy: Storage, idle: Storage) -> None:
    def told(by: Storage) -> int:
        expected = by.writer.in_flight(CAMPAIGN)
        return expected.workers if expected else 0

    busy.writer.commit(served(1))
    wait_until(lambda: told(busy) == told(idle) == 2, "both know of each other")
    third = join_storage(storage.path)
    wait_until(lambda: told(busy) == told(idle) == told(third) == 3, "all know of the third")
    third.close()
    wait_until(lambda: told(busy) == told(idle) == 2, "it is gone")


def test_the_rate_of_answers_is_learnt_from_all_workers(
    storage: Storage, busy: Storage, idle: Storage
) -> None:
    for impression_id in range(1, 101):
        busy.writer.submit(served(impression_id, chance=0.01))
        storage.writer.submit(clicked(impression_id))  # by another worker, before or after
    busy.writer.commit(served(1_000, chance=0.01))
    storage.writer.commit(AddCounts(()))
    wait_until(lambda: under_way_of(idle) is not None and under_way_of(idle) > 0.9 * PRICE, "it is learnt")


def test_a_click_that_the_cap_refuses_is_no_longer_expected(storage: Storage) -> None:
    assert (
        save(storage, make_campaign(version=2, total_budget_micros=Micros(PRICE - 1))).result is Result.SAVED
    )
    storage.writer.commit(served(1))
    assert storage.writer.commit(clicked(1)).result is Result.CAP_REACHED
    assert under_way_of(storage) == 0


def test_a_click_that_costs_nothing_leaves_the_ad_expected(storage: Storage) -> None:
    storage.writer.commit(served(1))
    storage.writer.commit(clicked(1, amount_micros=0, not_billed="too_soon"))
    assert under_way_of(storage) == PRICE


def test_an_ad_without_a_budget_is_not_weighed(storage: Storage) -> None:
    storage.writer.commit(served(1, price_micros=Micros(0)))
    assert storage.writer.in_flight(CAMPAIGN) is None


@pytest.mark.parametrize("has_receipt", [True, False])
def test_a_sale_is_no_longer_expected_when_it_is_credited(storage: Storage, has_receipt: bool) -> None:
    storage.writer.commit(served(5, campaign_key=CPA_CAMPAIGN))
    credit: Write = credit_by_server()
    if has_receipt:
        credit = WithReceipt(credit, Receipt("key", "once", "digest", 0, b"", NOW_MS))  # type: ignore[arg-type]
    assert storage.writer.commit(credit).result is Result.TAKEN
    assert under_way_of(storage, CPA_CAMPAIGN) == 0


def test_an_ad_of_a_batch_that_failed_is_expected_once(storage: Storage) -> None:
    poison = clicked(9, campaign_key=WITHOUT_BUDGET)
    outcomes = storage.writer.commit_all([served(1), poison], False)  # type: ignore[union-attr]
    assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED, Result.UNRECORDED]
    assert under_way_of(storage) == PRICE


def test_whoever_is_idle_hears_that_an_ad_is_too_old(
    storage: Storage, idle: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.writer.commit(served(1))
    wait_for(idle, PRICE)
    monkeypatch.setattr(under_way, "monotonic_ms", lambda: monotonic_ms() + IN_FLIGHT_MS)
    assert under_way_of(storage) == 0
    wait_for(idle, 0)


def test_what_another_writer_told_is_forgotten_with_it(tmp_path: Path) -> None:
    first = open_copy("sqlite", tmp_path)
    joined = join_storage(first.path)
    joined.writer.commit(served(1))
    assert under_way_of(joined) == PRICE
    first.close()
    second = own_storage(first.path)
    wait_for(joined, None)
    joined.close()
    second.close()


def test_whoever_is_idle_hears_of_a_change(storage: Storage, idle: Storage) -> None:
    save(storage, make_campaign(version=2, name="Winter"))
    wait_until(lambda: idle.writer.sequence == storage.writer.sequence, "the change is known")


def test_whoever_is_idle_hears_of_a_full_disk_and_of_its_end(
    storage: Storage, idle: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*asked: object) -> list[Outcome]:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with monkeypatch.context() as full:
        full.setattr(Committer, "_transaction", refuse)
        assert storage.writer.commit(AddCounts(())).result is Result.UNRECORDED
        wait_until(lambda: not idle.writer.records, "the full disk is known")
    storage.writer.commit(AddCounts(()))
    wait_until(lambda: idle.writer.records, "it is known that the disk takes writes again")


def test_whoever_is_idle_hears_how_much_waits_in_all_processes(
    storage: Storage, idle: Storage, busy: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, may_go_on = Committer.commit, threading.Event()

    def slow(self: Committer, writes: list[Write], resent: bool = False) -> list[Outcome]:
        may_go_on.wait(20)
        return commit(self, writes, resent)

    with monkeypatch.context() as stalled:
        stalled.setattr(Committer, "commit", slow)
        waiting = [storage.writer.submit(AddCounts(()))]
        wait_until(lambda: storage.writer.waiting == 0, "the first is on its way")
        waiting += [storage.writer.submit(AddCounts(())) for _ in range(3)]
        waiting += [busy.writer.submit(AddCounts(()))]
        wait_until(lambda: idle.writer.waiting == storage.writer.waiting == 4, "what waits is known")
        may_go_on.set()
    wait_until(lambda: idle.writer.waiting == storage.writer.waiting == 0, "nothing waits")
    assert len(waiting) == 5


def test_asking_for_the_news_commits_nothing(
    storage: Storage, idle: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    asked: list[int] = []
    commit, exchange = Committer.commit, RemoteWriter._exchange

    def counted_commit(self: Committer, writes: list[Write], resent: bool = False) -> list[Outcome]:
        commits.append(len(writes))
        return commit(self, writes, resent)

    def counted_exchange(self: RemoteWriter, batch: object) -> list[Outcome]:
        asked.append(1)
        return exchange(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Committer, "commit", counted_commit)
    monkeypatch.setattr(RemoteWriter, "_exchange", counted_exchange)
    wait_until(lambda: len(asked) >= 4, "the news were asked for")
    assert commits == []


def test_whoever_is_idle_while_the_writer_is_away_says_so_once_and_tries_at_leisure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_copy("sqlite", tmp_path)
    joined = join_storage(storage.path)
    joined.writer.commit(AddCounts(()))
    storage.close()
    tries: list[float] = []
    connect = RemoteWriter._connect

    def counted(self: RemoteWriter) -> object:
        tries.append(time.monotonic())
        return connect(self)

    monkeypatch.setattr(RemoteWriter, "_connect", counted)
    wait_until(lambda: len(tries) >= 4, "it was tried again")
    assert not joined.writer.records
    assert all(later - earlier >= LISTEN_SECONDS for earlier, later in pairwise(tries))
    assert caplog.text.count("the writer is away") == 1
    joined.close()


def test_a_postbox_that_waits_for_news_still_sends_what_arrives() -> None:
    sent: list[int] = []

    def send(writes: list[Write], resent: bool) -> list[Outcome]:
        sent.append(len(writes))
        return [Outcome(Result.SAVED)] * len(writes)

    postbox = Postbox(send, "test", idle_seconds=0.001)
    wait_until(lambda: len(sent) >= 3, "it asked")
    assert postbox.commit(AddCounts(())).result is Result.SAVED
    postbox.close()
    assert set(sent) == {0, 1} and sent.count(1) == 1
