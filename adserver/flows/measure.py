"""What a monitoring system asks: figures of all processes together, none of a visitor."""

import threading
from collections import Counter
from collections.abc import Callable

from adserver.domain.memory import Memory
from adserver.domain.metrics import Condition, Family, families
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stores

KEPT_SECONDS = 5.0  # their sum reads every count of the day, of all campaigns and slots


class Measure:
    """Counters are sums of the UTC day: they start anew at midnight, as after a restart, and no purge of
    old counts ever makes them fall in between. However many ask, they are summed up every few seconds only.
    """

    def __init__(
        self, memory: Memory, stores: Stores, clock: Clock, lease_ms: int, monotonic: Callable[[], float]
    ) -> None:
        self._snapshot = memory.snapshot
        self._stats = stores.stats
        self._vitals = stores.vitals
        self._writer = stores.writer
        self._clock = clock
        self._lease_ms = lease_ms
        self._monotonic = monotonic
        self._lock = threading.Lock()  # asked by any number of threads
        self._counts: dict[str, int] = {}
        self._counted_day_ms = -1
        self._counted_at = 0.0

    def families(self) -> list[Family]:
        """Everything that is told: counters as of a few seconds ago, gauges as of now."""
        now_ms = self._clock()
        return families(self._counts_of(now_ms - now_ms % DAY_MS), self._condition())

    def _counts_of(self, day_ms: int) -> dict[str, int]:
        with self._lock:
            now = self._monotonic()
            if day_ms != self._counted_day_ms or now - self._counted_at >= KEPT_SECONDS:
                self._counts = self._stats.counts(None, day_ms)
                self._counted_day_ms, self._counted_at = day_ms, now
            return self._counts

    def _condition(self) -> Condition:
        sizes = self._vitals.sizes()
        leased = self._vitals.leased_until_ms()
        return Condition(
            records=self._writer.records,
            waiting=self._writer.waiting,
            under_way_micros=self._under_way(),
            free_bytes=sizes.pop("free"),
            file_bytes=sizes,
            ran_ms={job: until_ms - self._lease_ms for job, until_ms in leased.items()},
        )

    def _under_way(self) -> dict[str, int]:
        """By currency: what all campaigns' ads of a moment ago will probably cost."""
        micros: Counter[str] = Counter()
        for campaign in list(self._snapshot.campaigns.values()):
            expected = self._writer.in_flight(campaign.key)
            if expected is not None:
                micros[campaign.terms.currency] += expected.micros
        return dict(micros)
