"""The one process that commits: batches of writes in, durable outcomes out."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeGuard

from sqlalchemy import bindparam, func, select

from adserver.domain.identity import KEY_TIME_SHIFT
from adserver.domain.in_flight import Expected
from adserver.domain.retention import Retention
from adserver.domain.tally import NETWORK, Tally
from adserver.storage import (
    entities,
    erasure,
    visitors,
)
from adserver.storage.ahead import read_ahead
from adserver.storage.batch import DEFAULT_RETENTION, Batch
from adserver.storage.changes import newest_sequence
from adserver.storage.checkpoint import Checkpoints
from adserver.storage.handlers import COLD, HOT
from adserver.storage.migrate import migrate
from adserver.storage.newest import NewestChange
from adserver.storage.postbox import UNRECORDED, Finish, Postbox
from adserver.storage.secrets import consents_key, load_keys
from adserver.storage.sqlite import connect, prepared
from adserver.storage.tables import events
from adserver.storage.under_way import News, UnderWay
from adserver.writes import (
    AddCounts,
    ForgetVisitor,
    Outcome,
    Result,
    StoreEvent,
    Together,
    Withdraw,
    WithReceipt,
    Write,
)

log = logging.getLogger("adserver.writer")

MOST_ON_LOOP = (
    128  # some milliseconds; only where the disk is slow, or connections are many, more come together
)
LOCKED_SECONDS = 5.0  # how long a batch waits for a program that writes to the file beside us
LOCKED_RETRY_SECONDS = 0.01
TRUNCATION_BUSY_MS = 50
TRUNCATION_RETRY_SECONDS = 1.0  # while it is owed: each try may keep all other writes waiting

# Event keys begin with their time: a start reads two days of events, however many there are.
_OLDEST_RECENT = select(func.max(events.c.event_key)).scalar_subquery() - bindparam("window")
_RECENT_WINDOW = visitors.RecentIds.KEPT_HOURS * visitors.RecentIds.HOUR_MS << KEY_TIME_SHIFT
_RECENT_EVENTS = prepared(
    events.select()
    .with_only_columns(events.c.dedupe_key, events.c.at_ms)
    .where(events.c.dedupe_key.is_not(None), events.c.event_key >= _OLDEST_RECENT)
)

# What says that no write can be made durable now, whichever it is: a full or failing disk, another program.
_DISK_TROUBLES = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
)  # fmt: skip

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


_HOT_KINDS = frozenset({*HOT, StoreEvent})


def _is_hot(write: Write) -> bool:
    kind = type(write)
    return kind in _HOT_KINDS or (isinstance(write, WithReceipt) and type(write.write) in _HOT_KINDS)


def _is_forgotten(write: Write, outcome: Outcome) -> TypeGuard[ForgetVisitor | Withdraw]:
    """Whether the visitor's id itself was erased."""
    if isinstance(write, ForgetVisitor):
        return outcome.result is Result.SAVED
    return outcome.result is Result.FORGOTTEN


class Applied(NamedTuple):
    """A batch in its open transaction, or the error that ended that: all but the wait for the disk."""

    writes: Sequence[Write]
    resent: bool
    outcomes: list[Outcome]
    sequence: int | None  # of the newest change of entities or balances in it
    dedupe_keys: Mapping[int, int]
    forgotten: Mapping[int, int]
    error: Exception | None = None


class Committer:
    """Owns the file's only writing connection; used by one thread at a time."""

    def __init__(
        self, path: Path, retention: Retention = DEFAULT_RETENTION, newest: NewestChange | None = None
    ) -> None:
        self._newest = newest or NewestChange()
        self._connection = connect(path, writing=True)
        self._retention = retention
        self._checkpoints = Checkpoints(path)
        self._consents_key = consents_key(load_keys(path.parent))
        self.records = True  # False from a write that the disk refused until the next that it took
        self._newest.number = newest_sequence(self._connection)
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
        self._connection.execute("PRAGMA busy_timeout = 0")  # an event loop must not wait: `finish` does

    def close(self) -> None:
        self._checkpoints.rest()
        self._connection.close()
        self._checkpoints.close()

    @property
    def sequence(self) -> int:
        """Of the newest durable change."""
        return self._newest.number

    def commit(self, writes: Sequence[Write], resent: bool = False) -> list[Outcome]:
        """Make the writes durable in one transaction, in order; one at a time where that fails.

        So one bad write never fails the others. A write that fails alone is UNRECORDED, and where the
        disk refuses, all of them are.
        """
        return self.finish(self.apply(writes, resent))

    def apply(self, writes: Sequence[Write], resent: bool = False) -> Applied:
        """The processor's part of `commit`; what fails here is tried again, or told, by `finish`."""
        try:
            return self._transaction(writes, resent)
        except Exception as error:
            return Applied(writes, resent, [], None, {}, {}, error)

    def finish(self, applied: Applied) -> list[Outcome]:
        """The disk's part, on any thread; nothing else may be applied in between."""
        applied = self._unlocked(applied)
        try:
            self._end(applied)
        except Exception as error:
            self._roll_back()
            return self._instead(error, applied)
        if not self.records:
            log.warning("the disk takes writes again")
            self.records = True
        self.under_way.hear(applied.writes)
        self._after_commit(applied.writes)
        return applied.outcomes

    def _unlocked(self, applied: Applied) -> Applied:
        """Applied once more where another program held the file's lock."""
        deadline = time.monotonic() + LOCKED_SECONDS
        while _code_of(applied.error) == sqlite3.SQLITE_BUSY and time.monotonic() < deadline:
            self._roll_back()
            time.sleep(LOCKED_RETRY_SECONDS)
            applied = self.apply(applied.writes, applied.resent)
        return applied

    def _instead(self, error: Exception, applied: Applied) -> list[Outcome]:
        """Of a batch that failed."""
        writes = applied.writes
        if is_disk_trouble(error):
            return self._refused(error, len(writes))
        if len(writes) == 1:
            log.error("write %s failed: %s", type(writes[0]).__name__, error.__class__.__name__,
                      exc_info=not isinstance(error, sqlite3.OperationalError))  # fmt: skip
            return [UNRECORDED]
        return [self.commit([write], applied.resent)[0] for write in writes]

    def _refused(self, error: Exception, count: int) -> list[Outcome]:
        """Told once: a log that grows with each refused write would only fill the disk further."""
        if self.records:
            log.error("the disk refuses writes: %s; nothing is recorded until it takes them again", error)
        self.records = False
        return [UNRECORDED] * count

    def _transaction(self, writes: Sequence[Write], resent: bool) -> Applied:
        self._connection.execute("BEGIN IMMEDIATE")
        batch = self._batch(resent)
        read_ahead(batch, writes)
        outcomes = []
        for write in writes:
            if _is_hot(write):
                outcomes.append(self._apply_hot(batch, write, resent))
                continue
            batch.flush()
            batch = self._batch(resent, after=batch)
            outcomes.append(self._apply_cold(batch, write))
            batch = self._batch(resent, after=batch)
            if _is_forgotten(write, outcomes[-1]):
                batch.new_forgotten[erasure.digest_of(write.visitor_key)] = write.at_ms
        batch.flush()
        return Applied(
            writes, resent, outcomes, batch.newest_sequence, batch.new_dedupe_keys, batch.new_forgotten
        )

    def _end(self, applied: Applied) -> None:
        if applied.error is not None:
            raise applied.error
        self._connection.execute("COMMIT")
        if applied.sequence is not None:
            self._newest.number = applied.sequence
        for dedupe_key, at_ms in applied.dedupe_keys.items():
            self._recent.add(dedupe_key, at_ms)
        for digest, at_ms in applied.forgotten.items():
            self._forgotten.add(digest, at_ms)

    def _batch(self, resent: bool, after: Batch | None = None) -> Batch:
        """A batch of this transaction; each has a sequence of its own, under which it posts."""
        if after is None:
            return Batch(self._connection, self.sequence + 1, self._consents_key, resent, self._retention)
        batch = Batch(self._connection, after.sequence + 1, self._consents_key, resent, self._retention)
        batch.changed_before = after.newest_sequence
        batch.new_dedupe_keys, batch.new_forgotten = after.new_dedupe_keys, after.new_forgotten
        return batch

    def _apply_hot(self, batch: Batch, write: Write, resent: bool) -> Outcome:
        write = self._forgotten.without(write, batch.new_forgotten)
        if isinstance(write, StoreEvent):
            return visitors.store_event(batch, write, self._recent, resent)
        if isinstance(write, WithReceipt):
            known = entities.receipt_exists(batch, write.receipt)
            outcome = known or self._apply_hot(batch, write.write, resent)
            return known or entities.keep_outcome(batch, write.receipt, outcome)
        return HOT[type(write)](batch, write)

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
            outcome = COLD[type(part)](batch, self._forgotten.without(part, batch.new_forgotten))
            if outcome.result not in _DONE:
                self._connection.execute("ROLLBACK TO cold")
                batch.touched_balances = False
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
            self._checkpoints.after_commit(self._connection)
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
            with self._checkpoints.passing:
                return self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            return error
        finally:
            self._connection.execute("PRAGMA busy_timeout = 0")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def is_disk_trouble(error: Exception) -> bool:
    """Whether the disk refused, or who else writes to the file."""
    return _code_of(error) in _DISK_TROUBLES


def _code_of(error: Exception | None) -> int:
    """The lower byte of SQLite's code: the upper ones only refine it."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


class FileOwned(Exception):
    """Another process commits to this file; write through its socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another server is using {path}: stop it first, or choose another data folder")


class LocalWriter:
    """The writer as a thread of this process; holds the file's lock for as long as it lives."""

    def __init__(
        self, path: Path, retention: Retention = DEFAULT_RETENTION, newest: NewestChange | None = None
    ) -> None:
        self._lock = take_lock(path)
        migrate(path)
        self._committer = Committer(path, retention, newest)
        self._tally = Tally()
        self._postbox = Postbox(self._commit, "writer", begin=self._begin)
        self.submit = self._postbox.submit
        self.commit = self._postbox.commit
        self.commit_many = self._postbox.commit_many
        self.commit_all = self._postbox.commit_all
        self.post_all = self._postbox.post_all
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

    def under_way(self, campaign_keys: Sequence[int]) -> Mapping[int, Expected]:
        return self._committer.under_way.expected_of(campaign_keys)

    def most_under_way(self, advertiser_key: int) -> Expected:
        return self._committer.under_way.most_of(advertiser_key)

    def listening(self) -> AbstractContextManager[News]:
        """For another process that writes through us; see storage/socket.py."""
        return self._committer.under_way.listening()

    def _commit(self, writes: list[Write], resent: bool) -> list[Outcome]:
        began, batch = time.monotonic(), [*writes, *self._own_counts(writes)]
        return self._counted(len(writes), batch, began, self._committer.commit(batch, resent))

    def _begin(self, writes: list[Write], resent: bool) -> Finish:
        """A few hot writes are applied now, on the loop; many would hold it up, and so may a cold one."""
        if len(writes) > MOST_ON_LOOP or not all(map(_is_hot, writes)):
            return partial(self._commit, writes, resent)
        began, batch = time.monotonic(), [*writes, *self._own_counts(writes)]
        applied = self._committer.apply(batch, resent)
        return lambda: self._counted(len(writes), batch, began, self._committer.finish(applied))

    def _own_counts(self, writes: list[Write]) -> list[Write]:
        """They go to disk with those of a worker."""
        hours = [write.counts[0][0] for write in writes if isinstance(write, AddCounts) and write.counts]
        return [AddCounts(self._tally.take(hours[0]))] if hours else []

    def _counted(
        self, count: int, batch: list[Write], began: float, outcomes: list[Outcome]
    ) -> list[Outcome]:
        """The outcomes of the first `count` writes; those behind are our own counts."""
        self._tally.observe("commit", round((time.monotonic() - began) * 1000))
        self._tally.add(NETWORK, "commit_writes", count)
        for own, outcome in zip(batch[count:], outcomes[count:], strict=True):
            if isinstance(own, AddCounts) and outcome.result is Result.UNRECORDED:
                self._tally.put_back(own.counts)
        return outcomes[:count]

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
