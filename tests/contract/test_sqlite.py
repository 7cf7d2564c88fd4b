"""The file's connections, and what erasure asks of the write-ahead log."""

import logging
import sqlite3
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from sqlalchemy import select

import adserver.storage
from adserver.storage import writer
from adserver.storage.embedded import Storage
from adserver.storage.sqlite import READER_CACHE_KIB, WRITER_CACHE_KIB, connect, prepared
from adserver.storage.tables import metadata, products
from adserver.writes import AddCounts, ForgetVisitor
from tests.domain.makers import NOW_MS


@pytest.mark.parametrize(("writing", "kib"), [(True, WRITER_CACHE_KIB), (False, READER_CACHE_KIB)])
def test_only_the_writer_has_a_large_cache(tmp_path: Path, writing: bool, kib: int) -> None:
    connection = connect(tmp_path / "a.db", writing=writing)
    assert connection.execute("PRAGMA cache_size").fetchone() == (-kib,)
    connection.close()


def test_a_parameter_is_not_taken_for_one_whose_name_it_begins() -> None:
    wanted = [products.c.key == 100 + n for n in range(12)]
    sql = prepared(select(*(comparison.label(f"n{n}") for n, comparison in enumerate(wanted))))
    assert ":" not in sql
    assert all(f"= {100 + n} AS n{n}" in sql for n in range(12))


def test_the_log_is_emptied_once_the_reader_that_held_it_is_gone(
    empty: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "TRUNCATION_RETRY_SECONDS", 0.0)
    log = Path(f"{empty.path}-wal")
    count = AddCounts(((0, "seen", 1, 1),))
    reader = sqlite3.connect(empty.path, isolation_level=None)
    empty.writer.commit(count)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM counts").fetchone()
    with caplog.at_level(logging.WARNING):
        empty.writer.commit(ForgetVisitor(1, 77, NOW_MS))
        empty.writer.commit(count)
    empty.writer.commit(count)
    assert log.stat().st_size > 0
    assert len([record for record in caplog.records if "erased bytes" in record.message]) == 1
    reader.close()
    for _ in range(2):  # the outcome of the first may be told before its log is emptied
        empty.writer.commit(count)
    assert empty.stats.counts(1, 0) == {"seen": 5}
    committer = empty.writer._committer  # type: ignore[union-attr]
    assert not committer._owes_truncation


FEW_ROWS = {"advertisers", "publishers", "sites", "slots", "feeds", "leases", "job_runs"}
# Asked for by a worker once a minute apart from its requests; and at its start, or when it slept long.
# And campaigns by a report of the whole network, and by the job that sums reports up.
# And whether there is any row, where the first one is the answer.
SCANNED = {"_RATES", "_LIVE_BUCKETS", "_ALL_WHOSE", "_ALL_WAITING", "_REACHED_SQL"}


def statements() -> Iterator[tuple[str, str]]:
    """Every statement that is prepared for SQLite, by its module and name."""
    for module in iter_modules(adserver.storage.__path__):
        for name, found in vars(import_module(f"adserver.storage.{module.name}")).items():
            for sql in found.values() if isinstance(found, dict) else (found,):
                if isinstance(sql, str) and sql.startswith(("SELECT", "UPDATE", "DELETE")):
                    yield f"{module.name}.{name}", sql.replace("?", ":any")


def test_no_statement_reads_a_whole_table(empty: Storage) -> None:
    """Tables grow for as long as the server runs: without an index, everybody would wait ever longer."""
    connection = sqlite3.connect(empty.path)
    found = list(statements())
    assert len(found) > 100
    for name, sql in found:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", Anything())]
        scanned = [table for table in metadata.tables.keys() - FEW_ROWS if f"SCAN {table}" in plan]
        assert not scanned or name.partition(".")[2] in SCANNED, f"{name} scans {scanned}"
    connection.close()


class Anything(dict[str, int]):
    """A value for every parameter."""

    def __missing__(self, name: str) -> int:
        return 1
