"""Keeps each worker's Snapshot of live campaigns fresh, from the change log."""

from adserver.domain.snapshot import Snapshot
from adserver.ports import Changes, Stats, Writer


class Refresh:
    """Pulls what changed since the last look; cheap when nothing did.

    `if_stale` is asked before each decision: the writer's answers carry the newest sequence, so that a
    worker that just heard of a change never decides without it. `poll` is for workers that heard nothing.
    """

    def __init__(self, snapshot: Snapshot, changes: Changes, stats: Stats, writer: Writer) -> None:
        self._snapshot = snapshot
        self._changes = changes
        self._stats = stats
        self._writer = writer
        self._entities_at = 0
        self._buckets_at = 0
        self._seen = -1

    def load(self) -> None:
        """The whole picture, when a worker starts."""
        self._entities_at, entities = self._changes.everything()
        for entity in entities:
            self._snapshot.put(entity)  # type: ignore[arg-type]
        self.poll()
        self.load_rates()

    def if_stale(self) -> None:
        if self._writer.sequence != self._seen:
            self.poll()

    def poll(self) -> None:
        """Entities and balances changed since the last look."""
        self._seen = self._writer.sequence
        self._entities_at, entities = self._changes.since(self._entities_at)
        for entity in entities:
            self._snapshot.put(entity)  # type: ignore[arg-type]
        self._buckets_at, buckets = self._changes.buckets_since(self._buckets_at)
        self._snapshot.put_buckets(buckets)

    def load_rates(self) -> None:
        """Figures for the ranking, a minute old at most."""
        self._snapshot.rates = self._stats.rates()
