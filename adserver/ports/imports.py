"""What an import asks of storage, and how one is ordered."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import IO, Protocol

import msgspec

from adserver.domain.catalogue import Feed, ImportReport
from adserver.domain.imports import NOBODY, Import, ImportState, Watch
from adserver.writes import SaveEntity, TellAdvertiser


class Imports(Protocol):
    """What is told of imports."""

    def import_(self, key: int) -> Import | None: ...
    def of_feed(self, feed_key: int) -> list[Import]: ...
    def in_state(self, state: ImportState, limit: int) -> list[Import]: ...


class Part(StrEnum):
    """What of an import is kept on disk beside the database."""

    UPLOAD = "upload"  # the file that was sent, until it is read
    PRODUCTS = "products"  # what was read, until somebody says yes or no
    LEFT_OUT = "left_out"  # the rows that were left out


class ImportFiles(Protocol):
    """Files of imports, and who is at work: what a process has claimed is free again when it ends."""

    def claim(self, name: str, *, patient: bool) -> AbstractContextManager[object] | None:
        """Hold `name` until the end of the context; None where another does, unless we are `patient`."""
        ...

    def keep(self, owner: Import, part: Part, file: IO[bytes]) -> None:
        """Copy what is left of `file`; whole and on disk before it can be opened."""
        ...

    def open(self, owner: Import, part: Part) -> IO[bytes] | None: ...
    def drop(self, owner: Import, part: Part) -> None: ...
    def keep_only(self, feed_key: int, import_keys: Collection[int]) -> None:
        """Drop all files of a feed's other imports, but for newer ones."""
        ...


def _nothing_else(feed: Feed, report: ImportReport) -> tuple[SaveEntity | TellAdvertiser, ...]:
    return ()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How a feed is to be imported.

    `hold` takes the products of an import that waits for a yes. `also` says what is written with the
    report, all or none. `scheduled`: nobody asked, so that failures count and what is unchanged is not read.
    """

    import_key: int = 0
    asked_ms: int | None = None  # None: now
    allow_shrink: bool = False
    scheduled: bool = False
    watch: Watch = NOBODY
    hold: Callable[[IO[bytes]], None] | None = None
    also: Callable[[Feed, ImportReport], tuple[SaveEntity | TellAdvertiser, ...]] = _nothing_else


PLAIN = Order()
