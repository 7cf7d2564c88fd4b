"""The write-ahead log is copied beside the commits: it stays short, and nobody's write pays for it."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from adserver.storage import checkpoint
from adserver.storage.checkpoint import Checkpoints
from adserver.storage.embedded import Storage
from adserver.storage.sqlite import connect
from adserver.writes import AddCounts, ForgetVisitor, Outcome
from tests.domain.makers import NOW_MS

MARK = 50
COMMITS = 1_500
PAGE_BYTES = 4_096
WAIT_SECONDS = 0.05  # that something is given, which must not happen


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MARK_ROWS", MARK)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, writing=True)) as connection:
        connection.execute("CREATE TABLE words (word TEXT)")
        yield connection


def write(connection: sqlite3.Connection, rows: int) -> None:
    """Each in a commit of its own."""
    for number in range(rows):
        connection.execute("INSERT INTO words VALUES (?)", (f"word {number}",))


def pages(path: Path) -> tuple[int, int]:
    """Of the log: all, and those that are not in the database yet."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT COUNT(*) FROM words").fetchone()
        _, all_of_them, copied = other.execute(checkpoint.PASSIVE).fetchone()
    return all_of_them, all_of_them - copied


def test_the_log_begins_anew_once_the_writer_has_copied_the_rest(
    path: Path, connection: sqlite3.Connection
) -> None:
    checkpoints = Checkpoints(path)
    write(connection, MARK)
    checkpoints.after_commit(connection)  # the mark: a thread begins
    checkpoints.rest()
    write(connection, 3)  # meanwhile
    checkpoints.after_commit(connection)  # the rest
    write(connection, 1)
    begun_anew, _ = pages(path)
    assert 0 < begun_anew <= 2
    assert connection.execute("SELECT COUNT(*) FROM words").fetchone() == (MARK + 4,)


def test_below_the_mark_nothing_is_copied(path: Path, connection: sqlite3.Connection) -> None:
    checkpoints = Checkpoints(path)
    write(connection, MARK - 1)
    checkpoints.after_commit(connection)
    assert checkpoints._thread is None


def test_whoever_reads_for_long_only_puts_it_off(path: Path, connection: sqlite3.Connection) -> None:
    checkpoints = Checkpoints(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM words").fetchone()
        for _ in range(3):
            write(connection, MARK)
            checkpoints.after_commit(connection)
            checkpoints.rest()
        assert reader.execute("SELECT COUNT(*) FROM words").fetchone() == (0,)
    longest, _ = pages(path)
    assert longest >= 3 * MARK
    for _ in range(2):
        write(connection, MARK)
        checkpoints.after_commit(connection)
        checkpoints.rest()
        checkpoints.after_commit(connection)
    assert pages(path)[0] < longest


def test_the_log_of_a_writer_that_never_rests_does_not_grow_with_what_is_written(empty: Storage) -> None:
    for number in range(COMMITS):
        empty.writer.commit(AddCounts(((number, "seen", 1, 1),)))
    pages_of_log = Path(f"{empty.path}-wal").stat().st_size // PAGE_BYTES
    assert pages_of_log < COMMITS / 2  # each writes one at least


def test_an_erasure_waits_for_a_pass_that_is_under_way_and_the_log_is_empty_after_it(empty: Storage) -> None:
    told: list[Outcome] = []
    with empty.writer._committer._checkpoints.passing:  # type: ignore[union-attr]
        empty.writer.submit(ForgetVisitor(1, 77, NOW_MS)).then(told.append)
        sleep(WAIT_SECONDS)
        assert not told
    while not told:
        sleep(WAIT_SECONDS)
    assert Path(f"{empty.path}-wal").stat().st_size == 0


@pytest.mark.parametrize(
    ("refused", "error"),
    [("connect", sqlite3.OperationalError("disk I/O error")), ("os.fdatasync", OSError("disk I/O error"))],
)
def test_what_the_disk_refuses_is_told_harms_no_commit_and_is_tried_again(
    refused: str,
    error: Exception,
    path: Path,
    connection: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise error

    checkpoints = Checkpoints(path)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(f"adserver.storage.checkpoint.{refused}", refuse)
        write(connection, MARK)
        checkpoints.after_commit(connection)
        checkpoints.rest()
    assert ["disk I/O error" in record.message for record in caplog.records] == [True]
    write(connection, MARK)
    checkpoints.after_commit(connection)
    checkpoints.rest()
    checkpoints.after_commit(connection)
    write(connection, 1)
    assert pages(path)[0] <= 2
