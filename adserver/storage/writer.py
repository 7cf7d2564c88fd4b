"""The one process that commits: batches of writes in, durable outcomes out."""

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeGuard

from sqlalchemy import bindparam, func, select

from adserver.domain.identity import KEY_TIME_SHIFT
from adserver.domain.in_flight import Expected
from adserver.domain.retention import Retention
from adserver.domain.tally import NETWORK, Tally
from adserver.ports import Deferred, resolve_all
from adserver.storage import (
    arrivals,
    cancellations,
    catalogue,
    conversions,
    deposits,
    entities,
    erasure,
    ledger,
    notices,
    pixel,
    purge,
    refunds,
    seals,
    settlement,
    stats,
    visitors,
)
from adserver.storage.ahead import read_ahead
from adserver.storage.batch import DEFAULT_RETENTION, Batch
from adserver.storage.migrate import migrate
from adserver.storage.secrets import consents_key, load_keys
from adserver.storage.sqlite import BUSY_MS, connect, prepared
from adserver.storage.tables import events
from adserver.storage.under_way import News, UnderWay
from adserver.writes import (
    AddCounts,
    CancelConversion,
    CreditConversion,
    Deposit,
    ForgetVisitor,
    KeepSamples,
    Outcome,
    PurgeAged,
    PurgeReceipts,
    Receipt,
    RecordAd,
    RecordArrival,
    RecordDecision,
    RefundCharge,
    RemoveProductsNotIn,
    Result,
    SaveEntity,
    SaveProducts,
    SealDay,
    SetPicture,
    SettleConversion,
    SettleNotice,
    SignHeads,
    StoreEvent,
    TakeLease,
    TellPreference,
    Together,
    Withdraw,
    WithReceipt,
    Write,
)

log = logging.getLogger("adserver.writer")

MOST_WRITES = 512  # in one transaction; what waits longer goes into the next
MOST_WAITING = 20_000  # beyond this a write is refused at once, so that nobody waits for ever
TRUNCATION_BUSY_MS = 50
TRUNCATION_RETRY_SECONDS = 1.0  # while it is owed: each try may keep all other writes waiting
UNRECORDED = Outcome(Result.UNRECORDED)

# Event keys begin with their time: a start reads two days of events, however many there are.
_OLDEST_RECENT = select(func.max(events.c.event_key)).scalar_subquery() - bindparam("window")
_RECENT_WINDOW = visitors.RecentIds.KEPT_HOURS * visitors.RecentIds.HOUR_MS << KEY_TIME_SHIFT
_RECENT_EVENTS = prepared(
    events.select()
    .with_only_columns(events.c.dedupe_key, events.c.at_ms)
    .where(events.c.dedupe_key.is_not(None), events.c.event_key >= _OLDEST_RECENT)
)

# What says that no write can be made durable now, whichever it is: a full or failing disk.
_DISK_TROUBLES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)

# Hot writes live in the batch's memory until it is flushed; management writes see and change the file.
_HOT: dict[type, Callable[[Batch, Any], Outcome]] = {
    RecordAd: ledger.record_ad,
    RecordArrival: arrivals.record_arrival,
    RecordDecision: ledger.record_decision,
    CreditConversion: conversions.credit_conversion,
    SettleConversion: settlement.settle_conversion,
    AddCounts: stats.add_counts,
    KeepSamples: pixel.keep_samples,
    TellPreference: visitors.tell_preference,
}
_COLD: dict[type, Callable[[Batch, Any], Outcome]] = {
    SaveEntity: entities.save_entity,
    Receipt: entities.save_receipt,
    SaveProducts: catalogue.save_products,
    RemoveProductsNotIn: catalogue.remove_products_not_in,
    SetPicture: catalogue.set_picture,
    ForgetVisitor: erasure.forget_visitor,
    Withdraw: erasure.withdraw,
    TakeLease: stats.take_lease,
    PurgeReceipts: entities.purge_receipts,
    PurgeAged: purge.purge_aged,
    CancelConversion: cancellations.cancel_conversion,
    RefundCharge: refunds.refund_charge,
    Deposit: deposits.deposit,
    SealDay: seals.seal_day,
    SignHeads: seals.sign_heads,
    SettleNotice: notices.settle_notice,
}

# After any other outcome a management write leaves nothing behind; a cancellation leaves its note.
_DONE = (
    Result.SAVED,
    Result.FORGOTTEN,
    Result.REFUNDED,
    Result.DECLINED,
    Result.PENDING,
    Result.NOT_BILLABLE,
    Result.NOT_CHARGED,
    Result.REPEATED,
)


def _is_hot(write: Write) -> bool:
    inner = write.write if isinstance(write, WithReceipt) else write
    return type(inner) in _HOT or isinstance(inner, StoreEvent)


def _is_forgotten(write: Write, outcome: Outcome) -> TypeGuard[ForgetVisitor | Withdraw]:
    """Whether the visitor's id itself was erased."""
    if isinstance(write, ForgetVisitor):
        return outcome.result is Result.SAVED
    return outcome.result is Result.FORGOTTEN


class Committer:
    """Owns the file's only writing connection; used by one thread."""

    def __init__(self, path: Path, retention: Retention = DEFAULT_RETENTION) -> None:
        self._connection = connect(path, writing=True)
        self._retention = retention
        self._consents_key = consents_key(load_keys(path.parent))
        self.records = True  # False from a write that the disk refused until the next that it took
        self.sequence = entities.newest_sequence(self._connection)
        self._owes_truncation = False  # erased bytes may still be in the write-ahead log
        self._truncation_tried_at = 0.0
        self._recent = visitors.RecentIds()
        for dedupe_key, at_ms in self._connection.execute(_RECENT_EVENTS, {"window": _RECENT_WINDOW}):
            self._recent.add(dedupe_key, at_ms)
        self.under_way = UnderWay()
        self._forgotten = erasure.Forgotten()
        lately = {"under_way_ms": erasure.UNDER_WAY_MS}
        for digest, at_ms in self._connection.execute(erasure.LATELY_FORGOTTEN, lately):
            self._forgotten.add(digest, at_ms)

    def close(self) -> None:
        self._connection.close()

    def commit(self, writes: Sequence[Write], resent: bool = False) -> list[Outcome]:
        """Make the writes durable in one transaction, in order; one at a time where that fails.

        So one bad write never fails the others. A write that fails alone is UNRECORDED, and where the
        disk refuses, all of them are.
        """
        try:
            outcomes = self._transaction(writes, resent)
        except Exception as error:
            self._roll_back()
            if is_disk_trouble(error):
                return self._refused(error, len(writes))
            if len(writes) == 1:
                log.error("write %s failed: %s", type(writes[0]).__name__, error.__class__.__name__,
                          exc_info=not isinstance(error, sqlite3.OperationalError))  # fmt: skip
                return [UNRECORDED]
            return [self.commit([write], resent)[0] for write in writes]
        if not self.records:
            log.warning("the disk takes writes again")
            self.records = True
        self.under_way.hear(writes)
        self._after_commit(writes)
        return outcomes

    def _refused(self, error: Exception, count: int) -> list[Outcome]:
        """Told once: a log that grows with each refused write would only fill the disk further."""
        if self.records:
            log.error("the disk refuses writes: %s; nothing is recorded until it takes them again", error)
        self.records = False
        return [UNRECORDED] * count

    def _transaction(self, writes: Sequence[Write], resent: bool) -> list[Outcome]:
        self._connection.execute("BEGIN IMMEDIATE")
        batch = self._batch(resent)
        read_ahead(batch, writes)
        touched = False
        outcomes = []
        for write in writes:
            if _is_hot(write):
                outcomes.append(self._apply_hot(batch, write, resent))
                continue
            batch.flush()
            touched |= batch.touched_balances
            batch = self._batch(resent, after=batch)
            outcomes.append(self._apply_cold(batch, write))
            touched |= batch.touched_balances
            batch = self._batch(resent, after=batch)
            if _is_forgotten(write, outcomes[-1]):
                self._forgotten.hear(write)
        batch.flush()
        self._connection.execute("COMMIT")
        if touched or batch.touched_balances:
            self.sequence = batch.sequence
        for dedupe_key, at_ms in batch.new_dedupe_keys.items():
            self._recent.add(dedupe_key, at_ms)
        return outcomes

    def _batch(self, resent: bool, after: Batch | None = None) -> Batch:
        """A batch of this transaction; each has a sequence of its own, under which it posts."""
        if after is None:
            return Batch(self._connection, self.sequence + 1, self._consents_key, resent, self._retention)
        batch = Batch(self._connection, after.sequence + 1, self._consents_key, resent, self._retention)
        batch.new_dedupe_keys = after.new_dedupe_keys
        return batch

    def _apply_hot(self, batch: Batch, write: Write, resent: bool) -> Outcome:
        write = self._forgotten.without(write)
        if isinstance(write, StoreEvent):
            return visitors.store_event(batch, write, self._recent, resent)
        if isinstance(write, WithReceipt):
            known = entities.receipt_exists(batch, write.receipt)
            outcome = known or self._apply_hot(batch, write.write, resent)
            return known or entities.keep_outcome(batch, write.receipt, outcome)
        return _HOT[type(write)](batch, write)

    def _apply_cold(self, batch: Batch, write: Write) -> Outcome:
        """Management writes: all of a Together or none, the batch flushed; a refusal may have its receipt."""
        if isinstance(write, WithReceipt):
            known = entities.receipt_exists(batch, write.receipt)
            outcome = known or self._apply_cold(batch, write.write)
            return known or entities.keep_outcome(batch, write.receipt, outcome)
        parts = write.writes if isinstance(write, Together) else (write,)
        self._connection.execute("SAVEPOINT cold")
        outcome = entities.SAVED
        for part in parts:
            outcome = _COLD[type(part)](batch, part)
            if outcome.result not in _DONE:
                self._connection.execute("ROLLBACK TO cold")
                break
        else:
            batch.flush()
        self._connection.execute("RELEASE cold")
        return outcome

    def _after_commit(self, writes: Sequence[Write]) -> None:
        """Erasure is only done when the bytes have left the write-ahead log too.

        Whatever comes of that, the writes are durable by now, and must not be answered otherwise. A long
        reading of the file holds the log; it is tried again after later batches until it succeeds.
        """
        is_erasure = any(isinstance(write, ForgetVisitor | Withdraw) for write in writes)
        waited = time.monotonic() - self._truncation_tried_at
        if not is_erasure and not (self._owes_truncation and waited >= TRUNCATION_RETRY_SECONDS):
            return
        kept = self._truncate_log()
        self._truncation_tried_at = time.monotonic()
        if kept and not self._owes_truncation:
            log.warning("erased bytes stay in the write-ahead log until a later checkpoint: %s", kept)
        self._owes_truncation = bool(kept)

    def _truncate_log(self) -> object:
        """What kept the log from being emptied, else 0; all other writes wait here, so it is brief."""
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {TRUNCATION_BUSY_MS}")
            return self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            return error
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def is_disk_trouble(error: Exception) -> bool:
    """Whether the disk refused, by the lower byte of SQLite's code: the upper ones only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_TROUBLES


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
    writer process are both such. What arrives while a batch is on its way is the next one; where nothing
    arrives for `idle_seconds`, an empty batch is sent, to hear the news.
    """

    def __init__(
        self,
        send: Callable[[list[Write], bool], list[Outcome]],
        name: str,
        idle_seconds: float | None = None,
    ) -> None:
        self._send = send
        self._idle_seconds = idle_seconds
        self._waiting: list[tuple[Write, Waiter]] = []
        self._resent = False  # whether what waits may have been committed before
        self._arrived = threading.Condition()
        self._closing = False
        self._wake: Deliver = resolve_all
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes the next batches will take."""
        return len(self._waiting)

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

    def commit_many(self, writes: Sequence[Write]) -> list[Outcome]:
        futures: list[Future[Outcome]] = [Future() for _ in writes]
        for write, future in zip(writes, futures, strict=True):
            self._put(write, future)
        return [future.result() for future in futures]

    def commit_all(self, writes: Sequence[Write], resent: bool) -> list[Outcome]:
        """Another process's batch: all of it goes into our next one; ConnectionError when we are closing."""
        futures: list[Future[Outcome]] = [Future() for _ in writes]
        with self._arrived:
            if self._closing:
                raise ConnectionResetError("this writer is closing; its successor will answer")
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
            taken = not self._closing and len(self._waiting) < MOST_WAITING
            if taken:
                self._waiting.append((write, waiter))
                self._arrived.notify()
        if not taken:
            deliver([waiter], [UNRECORDED], resolve_all)

    def _take(self) -> tuple[list[tuple[Write, Waiter]], bool]:
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting or self._closing, self._idle_seconds)
            taken, self._waiting = self._waiting[:MOST_WRITES], self._waiting[MOST_WRITES:]
            resent, self._resent = self._resent, self._resent and bool(self._waiting)
            return taken, resent

    def _run(self) -> None:
        while True:
            taken, resent = self._take()
            if not taken and self._closing:
                return
            outcomes = self._sent([write for write, _ in taken], resent)
            deliver([waiter for _, waiter in taken], outcomes, self._wake)

    def _sent(self, writes: list[Write], resent: bool) -> list[Outcome]:
        """Whatever happens, whoever waits hears of it, and the next batch is tried."""
        try:
            return self._send(writes, resent)
        except Exception:
            log.exception("a batch of %s writes failed", len(writes))
            return [UNRECORDED] * len(writes)


class FileOwned(Exception):
    """Another process commits to this file; write through its socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another server is using {path}: stop it first, or choose another data folder")


class LocalWriter:
    """The writer as a thread of this process; holds the file's lock for as long as it lives."""

    def __init__(self, path: Path, retention: Retention = DEFAULT_RETENTION) -> None:
        self._lock = take_lock(path)
        migrate(path)
        self._committer = Committer(path, retention)
        self._tally = Tally()
        self._postbox = Postbox(self._commit, "writer")
        self.submit = self._postbox.submit
        self.commit = self._postbox.commit
        self.commit_many = self._postbox.commit_many
        self.commit_all = self._postbox.commit_all
        self.on_loop = self._postbox.on_loop

    @property
    def sequence(self) -> int:
        return self._committer.sequence

    @property
    def records(self) -> bool:
        return self._committer.records

    @property
    def waiting(self) -> int:
        return self._postbox.waiting

    def in_flight(self, campaign_key: int) -> Expected | None:
        return self._committer.under_way.expected(campaign_key)

    def listening(self) -> AbstractContextManager[News]:
        """For another process that writes through us; see storage/socket.py."""
        return self._committer.under_way.listening()

    def _commit(self, writes: list[Write], resent: bool) -> list[Outcome]:
        """The batch; our own counts go to disk with those of a worker."""
        hours = [write.counts[0][0] for write in writes if isinstance(write, AddCounts) and write.counts]
        own = [AddCounts(self._tally.take(hours[0]))] if hours else []
        began = time.monotonic()
        outcomes = self._committer.commit([*writes, *own], resent)
        self._tally.observe("commit", round((time.monotonic() - began) * 1000))
        self._tally.add(NETWORK, "commit_writes", len(writes))
        for counts in own:
            if outcomes.pop().result is Result.UNRECORDED:
                self._tally.put_back(counts.counts)
        return outcomes

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
