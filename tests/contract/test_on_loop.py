"""Writes of an event loop: answered there, as a thread's are; the loop waits neither for the disk nor for them."""

import asyncio
import errno
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.ports import Deferred
from adserver.storage import socket as writer_socket
from adserver.storage import sqlite, writer
from adserver.storage.embedded import Storage, join_storage, own_storage, socket_path
from adserver.storage.postbox import ENOUGH_WRITES
from adserver.storage.socket import LISTEN_SECONDS, Batch, _decode_answer, _framed, _receive
from adserver.storage.writer import MOST_ON_LOOP, Applied, Committer
from adserver.writes import AddCounts, Outcome, RecordAd, RecordDecision, Result, SaveEntity, Together, Write
from pixel.events import EventName
from tests.contract.stores import (
    CLICK_PRICE,
    balances,
    make_accounts,
    make_order_event,
    make_record,
    open_copy,
    rows_of,
    save_new,
)
from tests.domain.makers import CAMPAIGN, NOW_MS, SLOT, make_campaign, make_creative, make_event
from tests.simulation.running_server import wait_until

T = TypeVar("T")

SOON = 20.0
MISSING = 99  # a campaign without a budget


def click(impression_id: int, **fields: object) -> RecordAd:
    return RecordAd((make_record(impression_id, **fields),))


WRITES: list[Write] = [
    click(1),
    click(2),
    click(1, at_ms=NOW_MS + 1),
    click(3, amount_micros=0, not_billed="too_soon"),
    click(9, campaign_key=MISSING),  # poisons its batch
    make_order_event(0, 11, event=make_event(EventName.VIEW_ITEM, "boots", event_id="e1"), visitor_key=5),
    make_order_event(0, 12, event=make_event(EventName.VIEW_ITEM, "boots", event_id="e1"), visitor_key=5),
    RecordDecision(4, NOW_MS, SLOT, CAMPAIGN, 700, 5, (9,)),
    AddCounts(((0, "seen", 1, 1),)),
    SaveEntity(make_campaign(version=2, name="Winter"), False),
    SaveEntity(make_campaign(version=3, name="Spring"), False),
    Together((SaveEntity(make_creative(key=701), True),)),
]


class Loop:
    """An event loop in a thread of its own, and the storage whose writes it hands in."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.do(lambda: storage.writer.on_loop(self.loop))

    def do(self, call: Callable[[], T]) -> T:
        """Between two rounds of the loop."""

        async def called() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(SOON)

    def submit(self, writes: list[Write]) -> "Answers":
        """All of them in one round."""
        return self.do(lambda: Answers([self.storage.writer.submit(write) for write in writes]))

    def stop(self) -> None:
        self.do(lambda: self.storage.writer.on_loop(None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Answers:
    """The outcomes in their order, and the threads that told them."""

    def __init__(self, deferred: list[Deferred]) -> None:
        self._found: dict[int, Outcome] = {}
        self.told_by: set[threading.Thread] = set()
        self._count = len(deferred)
        self._all = threading.Event()
        for number, one in enumerate(deferred):
            one.then(lambda outcome, number=number: self._hear(number, outcome))

    def _hear(self, number: int, outcome: Outcome) -> None:
        self._found[number] = outcome
        self.told_by.add(threading.current_thread())
        if len(self._found) == self._count:
            self._all.set()

    @property
    def is_there(self) -> bool:
        return self._all.is_set()

    def wait(self) -> list[Outcome]:
        assert self._all.wait(SOON)
        return [self._found[number] for number in range(self._count)]


@pytest.fixture(params=["own", "beside"])
def through(storage: Storage, request: pytest.FixtureRequest) -> Iterator[Loop]:
    """A loop that writes by its own process's way to the disk, and by another process's."""
    used = storage if request.param == "own" else join_storage(storage.path)
    loop = Loop(used)
    yield loop
    loop.stop()
    if used is not storage:
        used.close()


@pytest.fixture
def own(storage: Storage) -> Iterator[Loop]:
    loop = Loop(storage)
    yield loop
    loop.stop()


def results(outcomes: list[Outcome]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


def test_a_round_is_answered_on_the_loop_in_its_order(through: Loop) -> None:
    answers = through.submit([click(1), click(1), SaveEntity(make_campaign(version=2), False), click(2)])
    assert results(answers.wait()) == [Result.TAKEN, Result.REPEATED, Result.SAVED, Result.TAKEN]
    assert answers.told_by == {through.thread}
    assert balances(through.storage) == [(2 * CLICK_PRICE, 0)] * 4


def test_one_bad_write_of_a_round_fails_alone(through: Loop) -> None:
    answers = through.submit([click(1), click(9, campaign_key=MISSING), click(2)])
    assert results(answers.wait()) == [Result.TAKEN, Result.UNRECORDED, Result.TAKEN]


def test_loop_and_threads_take_turns_and_the_writer_is_never_away(
    through: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 40):
        assert results(through.submit([click(number)]).wait()) == [Result.TAKEN]
        assert through.storage.writer.records
        time.sleep(LISTEN_SECONDS / 20 if number % 10 else LISTEN_SECONDS * 2)  # its thread asks for the news
    assert "away" not in caplog.text


def test_threads_write_beside_the_loop(through: Loop) -> None:
    answers = through.submit([click(number) for number in range(1, 300)])
    outcomes = through.storage.writer.commit_many([click(number) for number in range(1, 300)])
    saved = through.storage.writer.commit(SaveEntity(make_campaign(version=2), False))
    taken = [first.result for pair in zip(answers.wait(), outcomes, strict=True) for first in pair]
    assert taken.count(Result.TAKEN) == taken.count(Result.REPEATED) == 299
    assert saved.result is Result.SAVED


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(range(len(WRITES))), min_size=1, max_size=14),
    st.lists(st.integers(1, 6), min_size=14, max_size=14),
)
def test_rounds_leave_what_a_thread_leaves(chosen: list[int], sizes: list[int]) -> None:
    """Whatever is in a round, and however many are gathered: the same outcomes and the same database."""
    writes = [WRITES[number] for number in chosen]
    assert _by_rounds(writes, sizes) == _by_thread(writes)


Left = tuple[list[Result], list[object]]
TABLES = ("ad_events", "charges", "events", "profiles", "decisions", "campaigns", "campaign_versions")


def _by_thread(writes: list[Write]) -> Left:
    with _fresh() as storage:
        return [storage.writer.commit(write).result for write in writes], _held(storage)


def _by_rounds(writes: list[Write], sizes: list[int]) -> Left:
    with _fresh() as storage:
        loop, answers, rest = Loop(storage), [], list(writes)
        for size in sizes:
            if rest:
                answers.append(loop.submit(rest[:size]))
                rest = rest[size:]
        outcomes = [outcome for answer in answers for outcome in answer.wait()]
        loop.stop()
        return results(outcomes), _held(storage)


@contextmanager
def _fresh() -> Iterator[Storage]:
    with TemporaryDirectory() as folder:
        storage = open_copy("sqlite", Path(folder))
        save_new(storage, *make_accounts())
        yield storage
        storage.close()


def _held(storage: Storage) -> list[object]:
    """All but the sequences, of which each batch has its own, and counts of commits."""
    seen = rows_of(storage, "SELECT * FROM counts WHERE name = 'seen'")
    return [balances(storage), seen, *(sorted(rows_of(storage, f"SELECT * FROM {name}")) for name in TABLES)]


class Disk:
    """A disk that takes its time, until it is let go; and who asked what of the committer."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.may_go_on, self.asked = threading.Event(), threading.Event()
        self.applied_by: list[threading.Thread] = []
        self.batches: list[int] = []
        end, apply = Committer._end, Committer.apply

        def slow(committer: Committer, applied: Applied) -> None:
            self.asked.set()
            assert self.may_go_on.wait(SOON)
            end(committer, applied)

        def noted(committer: Committer, writes: list[Write], resent: bool = False) -> Applied:
            self.applied_by.append(threading.current_thread())
            self.batches.append(len(writes))
            return apply(committer, writes, resent)

        patch.setattr(Committer, "_end", slow)
        patch.setattr(Committer, "apply", noted)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(monkeypatch)
    yield disk
    disk.may_go_on.set()


def test_a_slow_disk_does_not_hold_the_loop_up_and_what_arrives_meanwhile_is_one_batch(
    own: Loop, disk: Disk
) -> None:
    answers = [own.submit([click(1)])]
    assert disk.asked.wait(SOON)
    answers += [own.submit([click(number)]) for number in (2, 3, 4)]  # answers between rounds all the same
    assert own.storage.writer.waiting == 3
    assert not any(answer.is_there for answer in answers)
    disk.may_go_on.set()
    assert [results(answer.wait()) for answer in answers] == [[Result.TAKEN]] * 4
    assert disk.batches == [1, 3]
    assert set(disk.applied_by) == {own.thread}


def test_a_management_write_of_the_loop_is_not_done_on_it(own: Loop, disk: Disk) -> None:
    disk.may_go_on.set()
    answers = own.submit([click(1), SaveEntity(make_campaign(version=2), False), click(2)])
    assert results(answers.wait()) == [Result.TAKEN, Result.SAVED, Result.TAKEN]
    assert own.thread not in disk.applied_by


def test_more_than_the_loop_may_do_at_once_is_done_by_the_thread(own: Loop, disk: Disk) -> None:
    disk.may_go_on.set()
    few, many = ENOUGH_WRITES + MOST_ON_LOOP, ENOUGH_WRITES + MOST_ON_LOOP + 1  # enough set out before
    assert len(own.submit([click(number) for number in range(1, few + 1)]).wait()) == few
    answers = own.submit([click(number) for number in range(1, many + 1)])
    assert results(answers.wait()) == [Result.REPEATED] * few + [Result.TAKEN]
    assert disk.batches == [ENOUGH_WRITES, MOST_ON_LOOP, ENOUGH_WRITES, MOST_ON_LOOP + 1]
    assert [by is own.thread for by in disk.applied_by] == [True, True, True, False]


def test_what_cannot_even_begin_is_told_and_the_next_round_is_tried(
    own: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*asked: object) -> Applied:
        raise RuntimeError("no such luck")

    with monkeypatch.context() as broken:
        broken.setattr(Committer, "apply", refuse)
        assert results(own.submit([click(1)]).wait()) == [Result.UNRECORDED]
    assert results(own.submit([click(1)]).wait()) == [Result.TAKEN]
    assert "no such luck" in caplog.text


def test_what_is_on_its_way_when_the_loop_leaves_is_answered(own: Loop, disk: Disk) -> None:
    first, second = own.submit([click(1)]), own.submit([click(2)])
    assert disk.asked.wait(SOON)
    own.do(lambda: own.storage.writer.on_loop(None))
    third = own.submit([click(3)])
    disk.may_go_on.set()
    assert [results(answers.wait()) for answers in (first, second, third)] == [[Result.TAKEN]] * 3


def test_what_a_loop_handed_in_last_is_on_disk_when_the_writer_closes(tmp_path: Path) -> None:
    storage = open_copy("sqlite", tmp_path)
    save_new(storage, *make_accounts())
    loop = Loop(storage)
    loop.do(lambda: [storage.writer.submit(click(number)) for number in range(1, 200)])
    loop.stop()
    storage.close()
    reopened = own_storage(storage.path)
    assert balances(reopened)[0] == (199 * CLICK_PRICE, 0)
    reopened.close()


def test_a_worker_that_does_not_read_its_answers_holds_nobody_else_up(storage: Storage) -> None:
    many = 40_000  # outcomes are more than a socket takes at once
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.connect(str(socket_path(storage.path)))
        stuck.sendall(_framed(Batch(False, [AddCounts(())] * many, 0)))
        wait_until(lambda: storage.writer.waiting > 0, "its batch has arrived", SOON)
        wait_until(lambda: storage.writer.waiting == 0, "it is done", SOON)
        assert storage.writer.commit(click(1)).result is Result.TAKEN
        assert len(_decode_answer(_receive(stuck)).outcomes) == many


class Threads:
    """As many as are left; after those, there is no room for more."""

    def __init__(self, left: int = 0) -> None:
        self.left = left
        self.asked = 0
        self.Thread = self._made  # where `threading` has it

    def _made(self, target: Callable[..., None], args: tuple[object, ...], daemon: bool) -> threading.Thread:
        self.asked += 1
        self.left -= 1
        kind = threading.Thread if self.left >= 0 else NoThread
        return kind(target=target, args=args, daemon=daemon)


class NoThread(threading.Thread):
    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_a_process_that_had_no_threads_left_lets_others_in_to_write_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    threads = Threads()
    monkeypatch.setattr(writer_socket, "threading", threads)
    monkeypatch.setattr(writer_socket, "SHORT_SECONDS", 0.01)
    joined = join_storage(storage.path)
    wait_until(lambda: threads.asked > 1, "it was turned away more than once", SOON)
    threads.left = 1_000
    assert joined.writer.commit(click(1)).result is Result.TAKEN
    joined.close()
    assert "can't start new thread" in caplog.text


def test_a_process_that_had_no_files_left_lets_others_in_to_write_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accept, failures = socket.socket.accept, [OSError(errno.EMFILE, "Too many open files")] * 2

    def short(listener: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", short)
    monkeypatch.setattr(writer_socket, "SHORT_SECONDS", 0.01)
    for impression in (1, 2):  # the first is let in by who waited already
        joined = join_storage(storage.path)
        assert joined.writer.commit(click(impression)).result is Result.TAKEN
        joined.close()
    assert not failures
    assert "Too many open files" in caplog.text


def test_an_answer_that_nobody_can_send_is_asked_for_again_and_the_writer_goes_on(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 40_000
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.connect(str(socket_path(storage.path)))
        stuck.sendall(_framed(Batch(False, [], 0)))
        assert _decode_answer(_receive(stuck)).outcomes == []
        monkeypatch.setattr(writer_socket, "threading", Threads())
        stuck.sendall(_framed(Batch(False, [AddCounts(())] * many, 0)))
        wait_until(lambda: storage.writer.waiting > 0, "its batch has arrived", SOON)
        wait_until(lambda: storage.writer.waiting == 0, "it is done", SOON)
        assert storage.writer.commit(click(1)).result is Result.TAKEN
        with pytest.raises(ConnectionError):
            _receive(stuck)


@contextmanager
def written_by_another_program(storage: Storage) -> Iterator[None]:
    with closing(sqlite3.connect(storage.path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        yield
        another.execute("ROLLBACK")


def test_another_program_that_writes_to_the_file_is_waited_for_and_not_on_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 3_600_000)
    with _fresh() as storage:
        own = Loop(storage)
        with written_by_another_program(storage):
            answers = own.submit([click(1), click(2)])
            assert (
                own.do(lambda: storage.writer.waiting) == 0
            )  # its batch is on its way, and the loop goes on
            assert not answers.is_there
        assert results(answers.wait()) == [Result.TAKEN] * 2
        own.stop()


def test_while_another_program_keeps_the_file_to_itself_nothing_is_recorded(
    own: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All of a batch is refused at once, as by a full disk: each write would wait as long again."""
    monkeypatch.setattr(writer, "LOCKED_SECONDS", 0.05)
    with written_by_another_program(own.storage):
        answers = own.submit([click(number) for number in range(1, 9)])
        assert results(answers.wait()) == [Result.UNRECORDED] * 8
        assert not own.storage.writer.records
        assert caplog.text.count("the disk refuses writes") == 1
    assert results(own.submit([click(1)]).wait()) == [Result.TAKEN]
    assert own.storage.writer.records


def test_what_is_at_the_writer_when_a_workers_loop_leaves_is_not_sent_again(
    storage: Storage, disk: Disk
) -> None:
    """It would be counted twice, and the second sending would be told that it repeats the first."""
    joined = join_storage(storage.path)
    beside = Loop(joined)
    disk.may_go_on.set()
    assert results(beside.submit([click(9)]).wait()) == [Result.TAKEN]  # so its thread has connected
    disk.asked.clear()
    disk.may_go_on.clear()
    answers = beside.submit([click(1), AddCounts(((NOW_MS, "seen", 1, 1),))])
    assert disk.asked.wait(SOON)
    beside.stop()
    disk.may_go_on.set()
    assert results(answers.wait()) == [Result.TAKEN, Result.SAVED]
    assert joined.writer.records
    joined.close()
    assert rows_of(storage, "SELECT n FROM counts WHERE name = 'seen'") == [(1,)]
