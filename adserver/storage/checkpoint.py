"""Copies the write-ahead log into the database beside the commits, so that none waits for much of it."""

import logging
import os
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

from adserver.storage.sqlite import connect

log = logging.getLogger("adserver.writer")

MARK_ROWS = 8_000  # written since the last time: some 30 MB of log
MOST_PASSES = 3
NICENESS = 5  # of the thread: commits go first
PASSIVE = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """A thread copies the log, and what is written meanwhile; between two commits the writer copies the rest.

    SQLite begins the log anew only when all of it is in the database, and on the disk there. Under constant
    writing a thread alone never gets so far; and a commit that did it all would hold everyone up for long.
    So the thread sees to it, too, that the disk has what was copied: to the writer little is left of that.
    """

    def __init__(self, path: Path) -> None:
        """Of a database that exists."""
        self._path = path
        self._file = os.open(path, os.O_RDONLY)
        self._rows = 0  # that were written when the thread last began
        self._thread: threading.Thread | None = None
        self._is_almost_done = False
        self.passing = threading.Lock()  # while a pass is under way, SQLite refuses another at once

    def after_commit(self, connection: sqlite3.Connection) -> None:
        """By the writer, over its own connection. What fails here is tried again, and harms no commit."""
        try:
            self._after_commit(connection)
        except (sqlite3.Error, RuntimeError) as error:  # of the disk; or no thread can be had
            _tell(error)

    def _after_commit(self, connection: sqlite3.Connection) -> None:
        if self._is_almost_done:
            self._is_almost_done = False
            connection.execute(PASSIVE)
        elif connection.total_changes - self._rows >= MARK_ROWS and not self._is_copying():
            self._rows = connection.total_changes
            self._thread = threading.Thread(target=self._copy, name="checkpoint", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Wait until nothing is copied any longer."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join()

    def close(self) -> None:
        """At rest, after the connections: to close any file of the database ends the locks of them all."""
        os.close(self._file)

    def _is_copying(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    # ---- on a thread of its own ----

    def _copy(self) -> None:
        if sys.platform == "linux":  # where a thread can give way by itself
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            with closing(connect(self._path, writing=True)) as connection:
                self._pass_until_still(connection)
        except (sqlite3.Error, OSError) as error:
            _tell(error)
        else:
            self._is_almost_done = True

    def _pass_until_still(self, connection: sqlite3.Connection) -> None:
        """SQLite itself waits for the disk only at the end of a pass during which nobody has written."""
        pages, pages_before = 0, -1
        for _ in range(MOST_PASSES):
            with self.passing:
                _, pages, _ = connection.execute(PASSIVE).fetchone()
            os.fdatasync(self._file)
            if pages <= pages_before:
                return
            pages_before = pages


def _tell(error: Exception) -> None:
    log.warning("the write-ahead log is not copied into the database: %s", error)
