"""What a command reads beside a running server, or without one; nothing can be written through it."""

from pathlib import Path

from adserver.storage.catalogue import SqliteCatalogue
from adserver.storage.changes import SqliteChanges
from adserver.storage.decision_samples import SqliteDecisionSamples
from adserver.storage.sqlite import Reader
from adserver.storage.stats import SqliteStats
from adserver.storage.tables import decision_samples

_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


class ReadOnly:
    """The ports of a replay."""

    sequence = 0  # of changes: what is read is taken to stand still

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path)
        self.changes = SqliteChanges(self._reader)
        self.stats = SqliteStats(self._reader)
        self.catalogue = SqliteCatalogue(self._reader)
        self.decision_samples = SqliteDecisionSamples(self._reader)

    @property
    def is_of_this_version(self) -> bool:
        return self._reader.row(_HAS_TABLE, (decision_samples.name,)) is not None

    def close(self) -> None:
        self._reader.close()
