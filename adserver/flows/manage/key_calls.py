"""When API keys were used last: counted in memory and added by the hour, with no write for each request."""

from collections.abc import Sequence

from adserver.domain.tally import Tally
from adserver.domain.visitor import DAY_MS
from adserver.ports import Stats

CALLS = "key_calls"
TOLD_MS = 90 * DAY_MS


class KeyCalls:
    def __init__(self, stats: Stats, tally: Tally) -> None:
        self._stats = stats
        self._tally = tally

    def count(self, key: int) -> None:
        self._tally.add(key, CALLS)

    def last_hours(self, keys: Sequence[int], now_ms: int) -> dict[int, int]:
        """The hour in which each was used last, of those that were of late."""
        used: dict[int, int] = {}
        for key, hour_ms, _ in self._stats.hourly(keys, (CALLS,), now_ms - TOLD_MS):
            used[key] = max(hour_ms, used.get(key, 0))
        return used
