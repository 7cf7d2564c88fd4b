"""Writes that wait for the disk, and their way there: batch by batch, one at a time."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from threading import get_ident
from typing import NamedTuple

from adserver.ports import Deferred
from adserver.writes import Outcome, Result, Write

log = logging.getLogger("adserver.writer")

MOST_WRITES = 512  # in one transaction; what waits longer goes into the next
ENOUGH_WRITES = 32  # to set out before the others of a round: the writer works while those are read
MOST_WAITING = 20_000  # beyond this a write is refused at once, so that nobody waits for ever
UNRECORDED = Outcome(Result.UNRECORDED)

Finish = Callable[[], list[Outcome]]
Hear = Callable[[list[Outcome]], None]


class Parcel:
    """Waits for the outcomes of another process's batch, and hands them on together."""

    def __init__(self, count: int, hear: Hear) -> None:
        self._count = count
        self._hear = hear
        self._outcomes: list[Outcome] = []

    def set_result(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if len(self._outcomes) == self._count:
            self._hear(self._outcomes)


Waiter = Deferred | Future[Outcome] | Parcel


class Flight(NamedTuple):
    """A batch on its way: who waits for it, and what is left to do, which may take the disk's time."""

    waiters: list[Waiter]
    finish: Finish


class Postbox:
    """What is handed in while a batch is on its way is the next one.

    `send` makes a batch durable and answers its outcomes; the local committer and the socket to a writer
    process are both such. A thread of ours calls it; where nothing arrives for `idle_seconds`, it sends an
    empty batch, to hear the news. While an event loop is attached, that one takes what waits at the end of
    its round and does as much as `begin` does; to our thread it leaves what that answers, which waits for
    the disk. Where that answers nothing, the loop will hear the outcomes itself: see `arrived`, `hand_over`.
    """

    def __init__(
        self,
        send: Callable[[list[Write], bool], list[Outcome]],
        name: str,
        idle_seconds: float | None = None,
        begin: Callable[[list[Write], bool], Finish | None] | None = None,
    ) -> None:
        self._send = send
        self._begin = begin
        self._idle_seconds = idle_seconds
        self._waiting: list[tuple[Write, Waiter]] = []
        self._resent = False  # whether what waits may have been committed before
        self._busy = False  # a batch is on its way
        self._begun: Flight | None = None  # by the loop, for the thread
        self._begun_for: list[Waiter] = []  # who waits for what the loop has begun
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loops_thread = 0
        self._called = False  # the loop is to take what waits, at the end of its round
        self._closing = False
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes the next batches will take."""
        return len(self._waiting)

    def on_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Where Deferreds are resolved, and batches begun, from now on; None: on our own thread."""
        with self._lock:
            self._loop, self._called = loop, False
            self._loops_thread = get_ident()
            self._call()

    def submit(self, write: Write) -> Deferred:
        """On the event loop; what has come together need not wait for the end of a long round."""
        deferred = Deferred()
        self._put(write, deferred)
        if len(self._waiting) >= ENOUGH_WRITES and not self._busy and get_ident() == self._loops_thread:
            self._end_of_round()
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
        """What `post_all` does; waits for it."""
        answered: Future[list[Outcome]] = Future()
        self.post_all(writes, resent, answered.set_result)
        return answered.result()

    def post_all(self, writes: Sequence[Write], resent: bool, hear: Hear) -> None:
        """Another process's batch: all of it goes into our next one; ConnectionError when we are closing.

        `hear` is called by whoever sends that, and must not raise.
        """
        parcel = Parcel(len(writes), hear)
        with self._lock:
            if self._closing:
                raise ConnectionResetError("this writer is closing; its successor will answer")
            self._waiting.extend((write, parcel) for write in writes)
            self._resent |= resent and bool(writes)
            self._call()
        if not writes:
            hear([])

    def close(self) -> None:
        """Send what waits, then stop."""
        with self._lock:
            self._closing = True
            self._arrived.notify()
        self._thread.join()

    def _put(self, write: Write, waiter: Waiter) -> None:
        with self._lock:
            taken = not self._closing and len(self._waiting) < MOST_WAITING
            if taken:
                self._waiting.append((write, waiter))
                if not self._called:
                    self._call()
        if not taken:
            resolve_all(_told_at_once([waiter], [UNRECORDED]))

    def _call(self) -> None:
        """See to it that what waits is taken, when it is its turn; under the lock."""
        if self._busy or not self._waiting:
            return
        if self._loop is None or self._begin is None:
            self._arrived.notify()
        elif not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._end_of_round)

    def _take(self) -> tuple[list[Write], list[Waiter], bool]:
        """The next batch, which is on its way from now on; under the lock."""
        self._busy = True
        taken, self._waiting = self._waiting[:MOST_WRITES], self._waiting[MOST_WRITES:]
        resent, self._resent = self._resent, self._resent and bool(self._waiting)
        return [write for write, _ in taken], [waiter for _, waiter in taken], resent

    # ---- on the event loop ----

    def _end_of_round(self) -> None:
        with self._lock:
            self._called = False
            if self._busy or self._loop is None or self._begin is None or not self._waiting:
                return
            writes, waiters, resent = self._take()
        self._begun_for = waiters
        try:
            finish = self._begin(writes, resent)
        except Exception:
            log.exception("a batch of %s writes failed", len(writes))
            finish = partial(_unrecorded, len(writes))
        if finish is not None:
            self.hand_over(finish)

    def hand_over(self, finish: Finish) -> None:
        """Leave what the loop has begun to our thread."""
        with self._lock:
            self._begun = Flight(self._begun_for, finish)
            self._arrived.notify()

    def arrived(self, outcomes: list[Outcome]) -> None:
        """The loop has heard of what it had begun."""
        deferred = _told_at_once(self._begun_for, outcomes)
        with self._lock:
            self._busy = False
            self._call()
        self._end_of_round()  # before all else: the writer works while those who waited are answered
        resolve_all(deferred)

    # ---- on our thread ----

    def _run(self) -> None:
        while flight := self._next():
            self._deliver(flight.waiters, _outcomes(flight))

    def _next(self) -> Flight | None:
        """What the loop has begun, or all that waits where no loop takes it; None at the very end."""
        with self._lock:
            while True:
                self._arrived.wait_for(self._is_for_us, self._idle_seconds)
                if self._begun is not None:
                    flight, self._begun = self._begun, None
                    return flight
                if self._closing and not self._busy and not self._waiting:
                    return None
                if not self._busy:
                    writes, waiters, resent = self._take()
                    return Flight(waiters, partial(self._send, writes, resent))

    def _is_for_us(self) -> bool:
        if self._busy:
            return self._begun is not None
        is_ours = self._loop is None or self._begin is None
        return self._closing or (is_ours and bool(self._waiting))

    def _deliver(self, waiters: list[Waiter], outcomes: list[Outcome]) -> None:
        """Threads hear at once, the event loop in one call; what has arrived meanwhile sets out."""
        deferred = _told_at_once(waiters, outcomes)
        with self._lock:
            self._busy = False
            loop = self._loop
            if loop is not None and deferred:
                loop.call_soon_threadsafe(resolve_all, deferred)
            self._call()
        if loop is None:
            resolve_all(deferred)


def _told_at_once(waiters: Sequence[Waiter], outcomes: Sequence[Outcome]) -> list[tuple[Deferred, Outcome]]:
    """Hand each thread that waits its outcome; what is left is for the event loop."""
    deferred = []
    for waiter, outcome in zip(waiters, outcomes, strict=True):
        if isinstance(waiter, Deferred):
            deferred.append((waiter, outcome))
        else:
            waiter.set_result(outcome)
    return deferred


def resolve_all(deferred: Sequence[tuple[Deferred, Outcome]]) -> None:
    """Deliver a batch's outcomes, on the thread that waits for them; who cannot hear strands nobody else."""
    for waiter, outcome in deferred:
        try:
            waiter.resolve(outcome)
        except Exception:
            log.exception("an outcome was told in vain: %s", outcome.result)


def _unrecorded(count: int) -> list[Outcome]:
    return [UNRECORDED] * count


def _outcomes(flight: Flight) -> list[Outcome]:
    """Whatever happens, whoever waits hears of it, and the next batch is tried."""
    try:
        return flight.finish()
    except Exception:
        log.exception("a batch of %s writes failed", len(flight.waiters))
        return _unrecorded(len(flight.waiters))
