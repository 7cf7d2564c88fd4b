"""Counters that a worker keeps in memory for a moment; statistics never hold up an answer."""

from collections.abc import Iterable


class Tally:
    """Adds up (owner, name) until `take`; owner 0 is the network."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], int] = {}

    def add(self, owner_key: int, name: str, n: int = 1) -> None:
        key = (owner_key, name)
        self._counts[key] = self._counts.get(key, 0) + n

    def put_back(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """Count again what could not be stored, in the hour in which it can."""
        for _, name, owner_key, n in rows:
            self.add(owner_key, name, n)

    def take(self, hour_ms: int) -> tuple[tuple[int, str, int, int], ...]:
        """What was counted since the last call, as rows for AddCounts."""
        counts, self._counts = self._counts, {}
        return tuple((hour_ms, name, owner_key, n) for (owner_key, name), n in counts.items())
