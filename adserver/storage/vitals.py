"""How a running server is, as its database and its files tell."""

import shutil
from pathlib import Path

from sqlalchemy import select

from adserver.domain.job_run import JobRun
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import job_runs, leases

_RUNS = prepared(select(job_runs).order_by(job_runs.c.name))
_LEASES = prepared(select(leases.c.name, leases.c.until_ms))


class FileVitals:
    """Of the database beside which it lies."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self._files = {"database": path, "log": path.with_name(path.name + "-wal")}
        self._folder = path.parent
        self._reader = reader

    def leased_until_ms(self) -> dict[str, int]:
        """Until when each job's lease is held."""
        return {str(name): int(until_ms) for name, until_ms in self._reader.rows(_LEASES)}

    def job_runs(self) -> list[JobRun]:
        """How each job ran of late, by name; those that never ran are missing."""
        return [JobRun(*row) for row in self._reader.rows(_RUNS)]

    def sizes(self) -> dict[str, int]:
        """Bytes of the files, and what is free for them."""
        sizes = {name: file.stat().st_size for name, file in self._files.items() if file.exists()}
        return {**sizes, "free": shutil.disk_usage(self._folder).free}
