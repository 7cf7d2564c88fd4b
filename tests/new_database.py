"""A new database as the migrations make it: made once by them, then copied by whoever needs another."""

import tempfile
from functools import cache
from pathlib import Path

from adserver.storage import migrate

by_alembic = migrate._run_alembic


def lay_out(path: Path) -> None:
    """Give a file that has no tables yet its tables; bring one that has some up to date, as the program does."""
    if migrate.version_of(path) is None:
        path.write_bytes(_new())
    else:
        by_alembic(path)


@cache
def _new() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adserver.db"
        by_alembic(path)
        return path.read_bytes()
