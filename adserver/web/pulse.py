"""The beat of a worker's event loop: how long requests wait to be read, and writes for the disk."""

import asyncio
import logging
from time import monotonic

from adserver.domain.overload import BEAT_SECONDS, FEW_WRITES, WRITE_SECONDS, Overload
from adserver.ports import Writer
from adserver.writes import AddCounts, Outcome

log = logging.getLogger("adserver.web")

TOLD_SECONDS = 60.0


class Pulse:
    """Before its first beat nothing is known, and nobody is refused."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._overload = Overload()
        self._last_of: tuple[int, float] | None = None  # writes, and when the last of them was sent
        self._told_at = -TOLD_SECONDS

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Now, and again and again while the loop runs."""
        now = monotonic()
        self._overload.beat(now)
        self._watch_writes(now)
        loop.call_later(BEAT_SECONDS, self.beat, loop)

    def refuses(self, *, waits: bool = True) -> bool:
        """Whether the request that is read now has waited too long, or its write would, where it `waits`."""
        now = monotonic()
        if not self._overload.refuses(now, self._writer.waiting, waits=waits):
            return False
        if now - self._told_at >= TOLD_SECONDS:
            self._told_at = now
            log.warning("more requests than can be answered: slots get the house ad, events must come again")
        return True

    def _watch_writes(self, now: float) -> None:
        """Where writes queue up, one that changes nothing goes to their end, and tells how long they take."""
        waiting = self._writer.waiting
        if self._last_of is not None:
            writes, sent_at = self._last_of
            if now - sent_at > WRITE_SECONDS:
                self._overload.learn(writes, now - sent_at)
        elif waiting > FEW_WRITES:
            self._last_of = (waiting, now)
            self._writer.submit(AddCounts(())).then(self._hear)

    def _hear(self, outcome: Outcome) -> None:
        assert self._last_of is not None
        writes, sent_at = self._last_of
        self._overload.learn(writes, monotonic() - sent_at)
        self._last_of = None
