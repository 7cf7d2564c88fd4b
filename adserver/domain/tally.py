"""Counters that a worker keeps in memory for a moment; statistics never hold up an answer."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

NETWORK = 0  # the owner of what is counted of the whole server
BUCKETS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000)
_BUCKETS = (*(f"le_{most_ms}" for most_ms in BUCKETS_MS), "over")


class Tally:
    """Adds up (owner, name) until `take`; owner 0 is the network."""

    def __init__(self) -> None:
        self._counts = Counter[tuple[int, str]]()
        self._of_all = Counter[tuple[tuple[int, ...], str]]()
        self._took = Counter[tuple[str, int]]()
        self._leaving: list[tuple[tuple[int, str], int]] = []

    @property
    def is_leaving(self) -> bool:
        """Whether there is more of what was taken in part."""
        return bool(self._leaving)

    def add(self, owner_key: int, name: str, n: int = 1) -> None:
        counts, key = self._counts, (owner_key, name)  # plainly: of what is new a Counter asks a function
        counts[key] = counts.get(key, 0) + n

    def add_each(self, owner_keys: Iterable[int], names: Iterable[str]) -> None:
        """One more for each owner, of the name in the same place."""
        self._counts.update(zip(owner_keys, names))  # noqa: B905  one name may be repeated without end

    def add_to_all(self, owner_keys: tuple[int, ...], name: str) -> None:
        """One more for each of owners that are often counted together: spread over them when taken."""
        of_all, key = self._of_all, (owner_keys, name)
        of_all[key] = of_all.get(key, 0) + 1

    def observe(self, name: str, took_ms: int) -> None:
        """How long something took; when taken, in the first bucket that it fits, and in the sum of all."""
        self._took[name, took_ms] += 1

    def put_back(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """Count again what could not be stored, in the hour in which it can."""
        for _, name, owner_key, n in rows:
            self.add(owner_key, name, n)

    def take(self, hour_ms: int, most: int | None = None) -> tuple[tuple[int, str, int, int], ...]:
        """What was counted, as rows for AddCounts; with `most`, no more of them, and each in its turn."""
        if most is None or not self._leaving:
            self._spread()
            counts, self._counts = self._counts, Counter()  # first: other threads count meanwhile
            self._leaving += [row for row in counts.items() if row[1]]
        taken = self._leaving[:most]
        del self._leaving[:most]
        return tuple((hour_ms, name, owner_key, n) for (owner_key, name), n in taken)

    def _spread(self) -> None:
        of_all, self._of_all = self._of_all, Counter()
        took, self._took = self._took, Counter()
        for (owner_keys, name), n in of_all.items():
            for owner_key in owner_keys:
                self.add(owner_key, name, n)
        for (name, told_ms), n in took.items():
            took_ms = max(0, told_ms)  # the clock may have gone back
            self.add(NETWORK, f"{name}_{_BUCKETS[bisect_left(BUCKETS_MS, took_ms)]}", n)
            self.add(NETWORK, f"{name}_ms", n * took_ms)
