"""The embedded database: one SQLite file, statements written in Core and run by the driver itself."""

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import ScalarSelect, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import Executable

_DIALECT = sqlite.dialect(paramstyle="named")
CHECKPOINT_PAGES = 20_000
BUSY_MS = 5_000
WRITER_CACHE_KIB = 65_536
READER_CACHE_KIB = 4_096  # of each thread of each process; the system's own cache is behind it

Row = tuple[Any, ...]


def prepared(statement: Executable) -> str:
    """A Core statement as SQL text with `:name` parameters; done once, when a module is imported.

    Numbers that the statement itself fixes (an OFFSET, say) are written into the text.
    """
    compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    sql = str(compiled)
    for name, value in compiled.params.items():
        if isinstance(value, int):
            sql = re.sub(rf":{name}\b", str(value), sql)
        elif value is not None:
            raise ValueError(f"write this value with bindparam or literal_column: {name}")
    return sql


def numbered(statement: Executable, names: Sequence[str]) -> str:
    """`prepared`, with parameters by their places among `names`: the driver binds a tuple twice as fast."""
    place_of = {name: place for place, name in enumerate(names, 1)}
    return re.sub(r":(\w+)", lambda found: f"?{place_of[found[1]]}", prepared(statement))


def listed(name: str) -> ScalarSelect[Any]:
    """For `in_`: any number of keys under one parameter, written by `as_list`; so one statement finds all."""
    return select(func.json_each(bindparam(name)).table_valued("value").c.value).scalar_subquery()


def as_list(keys: Iterable[int]) -> str:
    return f"[{','.join(map(str, keys))}]"


def connect(path: Path, *, writing: bool) -> sqlite3.Connection:
    """A connection in autocommit mode; the writer's waits for the disk at each commit."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB if writing else READER_CACHE_KIB}")
    if writing:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    else:
        connection.execute("PRAGMA query_only = ON")
    return connection


class _Held:
    """A thread's connection; it goes, and is closed, with its thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection


class Reader:
    """Reads the file from any thread, over one connection per thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._open: WeakSet[_Held] = WeakSet()

    def rows(self, sql: str, parameters: Mapping[str, object] | Iterable[object] = ()) -> list[Row]:
        return self._connection().execute(sql, parameters).fetchall()  # type: ignore[arg-type]

    def row(self, sql: str, parameters: Mapping[str, object] | Iterable[object] = ()) -> Row | None:
        row: Row | None = self._connection().execute(sql, parameters).fetchone()  # type: ignore[arg-type]
        return row

    def each(self, sql: str, parameters: Mapping[str, object]) -> Iterator[Row]:
        """Row by row, where all of them would be much to hold at once."""
        return self._connection().execute(sql, parameters)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that this thread reads within is of one moment."""
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        for held in list(self._open):
            held.connection.close()

    def _connection(self) -> sqlite3.Connection:
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            held = self._local.held = _Held(connect(self._path, writing=False))
            self._open.add(held)
        return held.connection
