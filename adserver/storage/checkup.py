"""How a data folder and its database are found, whether or not a server runs over them."""

import os
import shutil
import socket
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import msgspec
from sqlalchemy import func, select, text

from adserver.domain.catalogue import Feed
from adserver.domain.installation import Database, KeyFile
from adserver.storage.embedded import socket_path
from adserver.storage.migrate import NEWEST_VERSION
from adserver.storage.sqlite import prepared
from adserver.storage.tables import feeds, leases

OTHERS = 0o077
MOST_FEEDS = 1_000

_VERSION = prepared(text("SELECT version_num FROM alembic_version"))
_LEASED = prepared(select(func.coalesce(func.max(leases.c.until_ms), 0)))
_FEEDS = prepared(select(feeds.c.body).order_by(feeds.c.key).limit(MOST_FEEDS))


def write_fault(folder: Path) -> tuple[str | None, int]:
    """Why no file can be made in the folder, or how far ahead of its file system's clock ours is."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"doctor")
            file.flush()
            skew_ns = time.time_ns() - os.fstat(file.fileno()).st_mtime_ns
            return None, skew_ns // 1_000_000
    except OSError as error:
        return error.strerror or str(error), 0


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free if folder.is_dir() else 0


def is_serving(path: Path) -> bool:
    """Whether a process commits to this database now: it listens on the socket beside it."""
    try:
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.connect(str(socket_path(path)))
    except OSError:
        return False
    return True


def find_keys(folder: Path) -> KeyFile | None:
    """Who may read the server's secrets, and since when they are the same."""
    path = folder / "keys.json"
    if not path.exists():
        return None
    state = path.stat()
    return KeyFile(not state.st_mode & OTHERS, time.time_ns() // 1_000_000 - state.st_mtime_ns // 1_000_000)


def find_database(path: Path) -> Database | None:
    """The database, read without a writer's rights."""
    if not path.exists():
        return None
    log = path.with_name(path.name + "-wal")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = _read(connection)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        found = Database(fault=str(error))
    log_bytes = log.stat().st_size if log.exists() else 0
    return msgspec.structs.replace(found, bytes=path.stat().st_size, log_bytes=log_bytes)


def _read(connection: sqlite3.Connection) -> Database:
    row = connection.execute(_VERSION).fetchone()
    version = None if row is None else str(row[0])
    if version != NEWEST_VERSION:  # its tables may be others than ours
        return Database(version=version, newest_version=NEWEST_VERSION)
    bodies = [body for (body,) in connection.execute(_FEEDS)]
    return Database(
        version=version,
        newest_version=NEWEST_VERSION,
        leased_until_ms=connection.execute(_LEASED).fetchone()[0],
        feeds=tuple(msgspec.json.decode(body, type=Feed) for body in bodies),
    )
