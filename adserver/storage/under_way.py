"""What all workers' ads under way will probably cost: fed by each commit, told to whoever listens."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from adserver.domain.in_flight import Expected, InFlight
from adserver.writes import CreditConversion, RecordAd, RecordDecision, WithReceipt, Write

News = Callable[[], dict[int, Expected]]


def monotonic_ms() -> int:
    """Of this process only: a clock that is set neither keeps ads under way nor ends them."""
    return time.monotonic_ns() // 1_000_000


class UnderWay:
    """The writer's InFlight behind a lock: one thread commits, others ask and listen."""

    def __init__(self) -> None:
        self._in_flight = InFlight()
        self._lock = threading.Lock()
        self._unheard: list[set[int]] = []  # of each listener, the campaigns that changed since

    def hear(self, writes: Sequence[Write]) -> None:
        """Writes that are durable now."""
        with self._lock:
            now_ms = monotonic_ms()
            for write in writes:
                self._take(write.write if isinstance(write, WithReceipt) else write, now_ms)
            self._spread()

    def _take(self, write: object, now_ms: int) -> None:
        if isinstance(write, RecordDecision):
            if write.price_micros:
                key, price = write.campaign_key, write.price_micros
                told = (write.impression_id, price, write.chance, now_ms, write.advertiser_key)
                self._in_flight.add(key, *told)
        elif isinstance(write, RecordAd):
            for record in write.records:
                if record.amount_micros:
                    self._in_flight.answered(record.campaign_key, record.impression_id, now_ms)
        elif isinstance(write, CreditConversion) and write.record and write.record.amount_micros:
            self._in_flight.answered(write.record.campaign_key, write.touch_impression_id, now_ms)

    def _spread(self) -> None:
        changed = self._in_flight.changed
        if changed:
            for unheard in self._unheard:
                unheard.update(changed)
            changed.clear()

    def expected(self, campaign_key: int) -> Expected | None:
        if not self._in_flight.knows(campaign_key):  # most: no need to wait for a commit that is heard
            return None
        with self._lock:
            self._in_flight.expire(monotonic_ms())
            return self._in_flight.expected(campaign_key)

    def expected_of(self, campaign_keys: Sequence[int]) -> dict[int, Expected]:
        """The same of many campaigns at once, without those of which there is nothing."""
        known = self._in_flight.known(campaign_keys)
        if not known:
            return {}
        with self._lock:
            self._in_flight.expire(monotonic_ms())
            expected = {key: self._in_flight.expected(key) for key in known}
        return {key: one for key, one in expected.items() if one is not None}

    def most_of(self, advertiser_key: int) -> Expected:
        """No less than that of all of an advertiser's campaigns, for less."""
        with self._lock:
            return self._in_flight.most_of(advertiser_key)

    @contextmanager
    def listening(self) -> Iterator[News]:
        """Asked again and again: what has changed since the last answer; at first, all there is."""
        with self._lock:
            unheard: set[int] = set()
            self._count([*self._unheard, unheard])
        try:
            yield lambda: self._news(unheard)
        finally:
            with self._lock:
                self._count([other for other in self._unheard if other is not unheard])

    def _count(self, unheard: list[set[int]]) -> None:
        """How many listen now is told to all of them, of each campaign; the jobs count, who serve nothing."""
        self._unheard = unheard
        self._in_flight.workers = max(1, len(unheard))
        self._in_flight.changed |= self._in_flight.campaigns()
        self._spread()

    def _news(self, unheard: set[int]) -> dict[int, Expected]:
        with self._lock:
            self._in_flight.expire(monotonic_ms())
            self._spread()
            known = {key: self._in_flight.expected(key) for key in unheard}
            unheard.clear()
        return {key: expected for key, expected in known.items() if expected is not None}
