"""A new database as the migrations make it: made once by them, then copied; and where it may lie."""

import os
import tempfile
from functools import cache
from pathlib import Path

from adserver.storage import migrate

MEMORY = Path("/dev/shm")

by_alembic = migrate._run_alembic


def lay_out(path: Path) -> None:
    """Give a file that has no tables yet its tables; bring one that has some up to date, as the program does."""
    if migrate.version_of(path) is None:
        path.write_bytes(_new())
    else:
        by_alembic(path)


def folder_in_memory() -> Path:
    """A folder that waits for no disk, for thousands of small commits; on a disk where there is no other."""
    return Path(tempfile.mkdtemp(prefix="adserver-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))


@cache
def _new() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adserver.db"
        by_alembic(path)
        return path.read_bytes()
