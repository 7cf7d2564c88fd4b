"""How the installation is now: what the doctor finds, and how the writer and the workers keep up."""

from collections.abc import Callable

from adserver.domain.health import LAG_NAMES, Health, health
from adserver.domain.installation import Installation
from adserver.domain.tally import NETWORK
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stores


class LookAtHealth:
    def __init__(self, stores: Stores, clock: Clock, examine: Callable[[], Installation]) -> None:
        self._stats = stores.stats
        self._writer = stores.writer
        self._clock = clock
        self._examine = examine

    def now(self) -> Health:
        """Asks the base URL, which takes seconds where it does not answer."""
        now_ms = self._clock()
        counts = self._stats.named(NETWORK, LAG_NAMES, now_ms - now_ms % DAY_MS, now_ms + 1)
        return health(self._examine(), counts, records=self._writer.records, waiting=self._writer.waiting)
