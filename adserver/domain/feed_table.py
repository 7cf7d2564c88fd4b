"""A table's columns and records, as the readers of each shop's export take them."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from adserver.domain.feed import Rejection
from adserver.domain.feed_file import Row


class Record(NamedTuple):
    """The cells of one record, and the line it begins on."""

    line: int
    cells: list[str]
    bytes_read: int


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Columns by their names in small letters, and the records below them."""

    columns: tuple[str, ...]
    delimiter: str
    records: Iterator[Record] = iter(())

    def places(self, *names: str) -> tuple[int, ...]:
        """Where the columns of these names stand, those that are there."""
        return tuple(self.columns.index(name) for name in names if name in self.columns)


def cell_of(cells: list[str], places: tuple[int, ...]) -> str:
    """The first of these cells that says something."""
    for place in places:
        if place < len(cells) and (text := cells[place].strip()):
            return text
    return ""


def shifted_row(table: Table, record: Record, *id_names: str) -> Row | None:
    """A record with more cells than there are columns: none of them can be trusted to be what it seems."""
    if not any(cell.strip() for cell in record.cells[len(table.columns) :]):
        return None
    item_id = cell_of(record.cells, table.places(*id_names))
    return Row(record.line, {"id": item_id}, None, record.bytes_read, Rejection.COLUMNS_SHIFTED)
