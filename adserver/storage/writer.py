"""The one process that commits: batches of writes in, durable outcomes out."""

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from adserver.ports import (
    AddCounts,
    CreditConversion,
    Deferred,
    ForgetVisitor,
    Outcome,
    Receipt,
    RecordAd,
    RecordDecision,
    RemoveProductsNotIn,
    Result,
    SaveEntity,
    SaveProducts,
    SetPicture,
    StoreEvent,
    TakeLease,
    Together,
    Write,
    resolve_all,
)
from adserver.storage import catalogue, entities, ledger, stats, visitors
from adserver.storage.batch import Batch
from adserver.storage.migrate import migrate
from adserver.storage.sqlite import connect, prepared
from adserver.storage.tables import events

log = logging.getLogger("adserver.writer")

MOST_WRITES = 512  # in one transaction; what waits longer goes into the next
UNRECORDED = Outcome(Result.UNRECORDED)

_RECENT_EVENTS = prepared(
    events.select()
    .with_only_columns(events.c.dedupe_key, events.c.at_ms)
    .where(events.c.dedupe_key.is_not(None))
)

# Hot writes live in the batch's memory until it is flushed; management writes see and change the file.
_HOT: dict[type, Callable[[Batch, Any], Outcome]] = {
    RecordAd: ledger.record_ad,
    RecordDecision: ledger.record_decision,
    CreditConversion: ledger.credit_conversion,
    AddCounts: stats.add_counts,
}
_COLD: dict[type, Callable[[Batch, Any], Outcome]] = {
    SaveEntity: entities.save_entity,
    Receipt: entities.save_receipt,
    SaveProducts: catalogue.save_products,
    RemoveProductsNotIn: catalogue.remove_products_not_in,
    SetPicture: catalogue.set_picture,
    ForgetVisitor: visitors.forget_visitor,
    TakeLease: stats.take_lease,
}


class Committer:
    """Owns the file's only writing connection; used by one thread."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, writing=True)
        self.sequence = entities.newest_sequence(self._connection)
        self._recent = visitors.RecentIds()
        for dedupe_key, at_ms in self._connection.execute(_RECENT_EVENTS):
            self._recent.add(dedupe_key, at_ms)

    def close(self) -> None:
        self._connection.close()

    def commit(self, writes: Sequence[Write], resent: bool = False) -> list[Outcome]:
        """Make the writes durable in one transaction, in order; one at a time where that fails.

        So one bad write never fails the others. A write that fails alone is UNRECORDED.
        """
        try:
            return self._transaction(writes, resent)
        except Exception as error:
            self._roll_back()
            if len(writes) == 1:
                log.error("write %s failed: %s", type(writes[0]).__name__, error.__class__.__name__,
                          exc_info=not isinstance(error, sqlite3.OperationalError))  # fmt: skip
                return [UNRECORDED]
        return [self.commit([write], resent)[0] for write in writes]

    def _transaction(self, writes: Sequence[Write], resent: bool) -> list[Outcome]:
        self._connection.execute("BEGIN IMMEDIATE")
        batch = self._batch()
        touched = False
        outcomes = []
        dedupe_keys: dict[int, int] = {}
        for write in writes:
            if type(write) in _HOT or isinstance(write, StoreEvent):
                outcomes.append(self._apply_hot(batch, write, resent))
                continue
            batch.flush()
            touched |= batch.touched_balances
            dedupe_keys |= batch.new_dedupe_keys
            batch = self._batch(dedupe_keys)
            outcomes.append(self._apply_cold(batch, write))
        batch.flush()
        self._connection.execute("COMMIT")
        if touched or batch.touched_balances:
            self.sequence = batch.sequence
        for dedupe_key, at_ms in batch.new_dedupe_keys.items():
            self._recent.add(dedupe_key, at_ms)
        self._after_commit(writes)
        return outcomes

    def _batch(self, dedupe_keys: dict[int, int] | None = None) -> Batch:
        batch = Batch(self._connection, self.sequence + 1)
        batch.new_dedupe_keys = dict(dedupe_keys or {})
        return batch

    def _apply_hot(self, batch: Batch, write: Write, resent: bool) -> Outcome:
        if isinstance(write, StoreEvent):
            return visitors.store_event(batch, write, self._recent, resent)
        return _HOT[type(write)](batch, write)

    def _apply_cold(self, batch: Batch, write: Write) -> Outcome:
        """Management writes: all of a Together or none."""
        parts = write.writes if isinstance(write, Together) else (write,)
        self._connection.execute("SAVEPOINT cold")
        outcome = entities.SAVED
        for part in parts:
            outcome = _COLD[type(part)](batch, part)
            if outcome.result is not Result.SAVED:
                self._connection.execute("ROLLBACK TO cold")
                break
        self._connection.execute("RELEASE cold")
        return outcome

    def _after_commit(self, writes: Sequence[Write]) -> None:
        """Erasure is only done when the bytes have left the write-ahead log too."""
        if any(isinstance(write, ForgetVisitor) for write in writes):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


Waiter = Deferred | Future[Outcome]
Deliver = Callable[[list[tuple[Deferred, Outcome]]], None]


def deliver(waiters: Sequence[Waiter], outcomes: Sequence[Outcome], wake: Deliver) -> None:
    """Hand each outcome to whoever waits: threads at once, the event loop's together."""
    deferred = []
    for waiter, outcome in zip(waiters, outcomes, strict=True):
        if isinstance(waiter, Deferred):
            deferred.append((waiter, outcome))
        else:
            waiter.set_result(outcome)
    if deferred:
        wake(deferred)


class Postbox:
    """Writes that wait for the next batch, and the thread that takes them there, one batch in flight.

    `send` makes a batch durable and answers its outcomes; the local committer and the socket to a
    writer process are both such. No timer: what arrives while a batch is on its way is the next one.
    """

    def __init__(self, send: Callable[[list[Write], bool], list[Outcome]], name: str) -> None:
        self._send = send
        self._waiting: list[tuple[Write, Waiter]] = []
        self._resent = False  # whether what waits may have been committed before
        self._arrived = threading.Condition()
        self._closing = False
        self._wake: Deliver = resolve_all
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def on_loop(self, wake: Deliver) -> None:
        """How to resolve what the event loop waits for (`loop.call_soon_threadsafe` around resolve_all)."""
        self._wake = wake

    def submit(self, write: Write) -> Deferred:
        deferred = Deferred()
        self._put(write, deferred)
        return deferred

    def commit(self, write: Write) -> Outcome:
        future: Future[Outcome] = Future()
        self._put(write, future)
        return future.result()

    def commit_all(self, writes: Sequence[Write], resent: bool) -> list[Outcome]:
        """Another process's batch: all of it goes into our next one."""
        futures: list[Future[Outcome]] = [Future() for _ in writes]
        with self._arrived:
            self._waiting.extend(zip(writes, futures, strict=True))
            self._resent |= resent
            self._arrived.notify()
        return [future.result() for future in futures]

    def close(self) -> None:
        """Send what waits, then stop."""
        with self._arrived:
            self._closing = True
            self._arrived.notify()
        self._thread.join()

    def _put(self, write: Write, waiter: Waiter) -> None:
        with self._arrived:
            self._waiting.append((write, waiter))
            self._arrived.notify()

    def _take(self) -> tuple[list[tuple[Write, Waiter]], bool]:
        with self._arrived:
            while not self._waiting and not self._closing:
                self._arrived.wait()
            taken, self._waiting = self._waiting[:MOST_WRITES], self._waiting[MOST_WRITES:]
            resent, self._resent = self._resent, self._resent and bool(self._waiting)
            return taken, resent

    def _run(self) -> None:
        while True:
            taken, resent = self._take()
            if not taken:
                return
            outcomes = self._send([write for write, _ in taken], resent)
            deliver([waiter for _, waiter in taken], outcomes, self._wake)


class FileOwned(Exception):
    """Another process commits to this file; write through its socket."""


class LocalWriter:
    """The writer as a thread of this process; holds the file's lock for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._lock = take_lock(path)
        migrate(path)
        self._committer = Committer(path)
        self._postbox = Postbox(self._committer.commit, "writer")
        self.submit = self._postbox.submit
        self.commit = self._postbox.commit
        self.commit_all = self._postbox.commit_all
        self.on_loop = self._postbox.on_loop

    @property
    def sequence(self) -> int:
        return self._committer.sequence

    def close(self) -> None:
        self._postbox.close()
        self._committer.close()
        os.close(self._lock)


def take_lock(path: Path) -> int:
    """The lock that makes this process the file's only writer; the kernel drops it when we die."""
    lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise FileOwned(path) from error
    return lock
