"""A feed of comma- or tab-separated values becomes rows, whatever program wrote it."""

import csv
from collections.abc import Iterator, Mapping
from itertools import chain, islice

import msgspec

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed_columns import best_first, google_fields
from adserver.domain.feed_file import FeedError, FeedLimits, FeedRefusal, Row, text_lines
from adserver.domain.feed_shopify import SHOPIFY_COLUMNS, has_price, is_shopify, shopify_rows
from adserver.domain.feed_table import Record, Table, shifted_row
from adserver.domain.feed_woocommerce import WOOCOMMERCE_COLUMNS, is_woocommerce, woocommerce_rows

_DELIMITERS = "\t,;|"
_HEADER_WITHIN_LINES = 10  # titles and notes that people put above it
_REQUIRED = ("id", "title", "price")

# Python's own limit, 131,072 characters, would end a whole feed for one field; a row's size is ours to limit.
csv.field_size_limit(64 << 20)


def read_csv(head: bytes, chunks: Iterator[bytes], limits: FeedLimits) -> tuple[FeedFormat, Iterator[Row]]:
    """Whose table it is, by its columns, and each product of it in turn."""
    lines = text_lines(head, chunks, limits.row_bytes)
    first = list(islice(lines, _HEADER_WITHIN_LINES))
    table_of, header_line = _header(first)
    records = _records(chain(first[header_line:], lines), table_of.delimiter, header_line, limits)
    table = msgspec.structs.replace(table_of, records=records)
    found, rows = _rows_of(table, header_line)
    return found, _counted(rows, limits)


def _header(lines: list[tuple[str, int]]) -> tuple[Table, int]:
    """The columns' names and what parts them, and the line they stand on."""
    for number, (line, _) in enumerate(lines, start=1):
        found = [(_known_names(names), mark, names) for mark in _DELIMITERS if (names := _cells(line, mark))]
        known, mark, names = max(found, key=lambda one: one[0], default=(0, "", []))
        if known >= 2:
            return Table(columns=tuple(name.strip().lower() for name in names), delimiter=mark), number
    detail = "none of its first lines names columns such as id, title, link and price"
    raise FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, detail, 1)


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line.replace("\r", "")], delimiter=delimiter), [])


def _known_names(names: list[str]) -> int:
    lowered = {name.strip().lower() for name in names}
    return max(
        len({field for _, field in best_first(names)}),
        len(lowered & SHOPIFY_COLUMNS),
        len(lowered & WOOCOMMERCE_COLUMNS),
    )


def _rows_of(table: Table, header_line: int) -> tuple[FeedFormat, Iterator[Row]]:
    """Whose columns these are; without the ones that no product can be without, nobody's."""
    names = set(table.columns)
    fields = {field for _, field in best_first(table.columns)}
    if is_shopify(names):
        kind, rows, has_column = FeedFormat.SHOPIFY_CSV, shopify_rows, {"variant price": has_price(names)}
    elif is_woocommerce(names):
        kind, rows, has_column = FeedFormat.WOOCOMMERCE_CSV, woocommerce_rows, {}
    else:
        kind, rows = FeedFormat.GOOGLE_CSV, _google_rows
        has_column = {name: name in fields for name in _REQUIRED}
    missing = [name for name, is_there in has_column.items() if not is_there]
    if missing:
        seen = ", ".join(table.columns[:12])
        detail = f"no column for {', '.join(missing)} among {seen}"
        raise FeedError(FeedRefusal.COLUMN_MISSING, detail, header_line)
    return kind, rows(table)


def _records(
    lines: Iterator[tuple[str, int]], delimiter: str, lines_before: int, limits: FeedLimits
) -> Iterator[Record]:
    """Each record with the line it begins on; a quoted cell may go over several lines."""
    fed = _Feeding(lines, limits, lines_before)
    reader = csv.reader(iter(fed), delimiter=delimiter)
    while True:
        line = lines_before + reader.line_num + 1
        fed.begin_record(line)
        cells = next(reader, None)
        if cells is None:
            return
        if fed.is_exhausted and fed.quotes % 2:
            detail = "a quote that is opened here is never closed"
            raise FeedError(FeedRefusal.NOT_WELL_FORMED, detail, line)
        if any(cell.strip() for cell in cells):
            yield Record(line, cells, fed.bytes_read)


class _Feeding:
    """The lines that a CSV reader takes, and how much of a record it has taken."""

    def __init__(self, lines: Iterator[tuple[str, int]], limits: FeedLimits, lines_before: int) -> None:
        self._lines = lines
        self._most_characters = limits.row_bytes
        self._line = lines_before
        self._characters = 0
        self.quotes = 0
        self.bytes_read = 0
        self.is_exhausted = False

    def begin_record(self, line: int) -> None:
        self._line = line
        self._characters = self.quotes = 0

    def __iter__(self) -> Iterator[str]:
        for text, bytes_read in self._lines:
            self.bytes_read = bytes_read
            self._characters += len(text)
            self.quotes += text.count('"')
            if self._characters > self._most_characters:
                detail = "a record without end: a quote that is opened here is never closed"
                raise FeedError(FeedRefusal.NOT_WELL_FORMED, detail, self._line)
            yield _without_lone_returns(text)
        self.is_exhausted = True


def _without_lone_returns(text: str) -> str:
    """Carriage returns within a line are no ends of it."""
    if "\r" not in text:
        return text
    body = text.rstrip("\r\n")
    return body.replace("\r", " ") + text[len(body) :] if "\r" in body else text


def _google_rows(table: Table) -> Iterator[Row]:
    """Google's, Meta's and Reddit's catalogues, whose columns are Google's fields."""
    names = table.columns
    places = best_first(names)
    is_plain = len({field for _, field in places}) == len(places)
    for record in table.records:
        shifted = shifted_row(table, record, "id")
        if shifted is not None:
            yield shifted
            continue
        cells = record.cells
        if is_plain:
            fields = {field: cells[index] for index, field in places if index < len(cells) and cells[index]}
        else:
            fields = google_fields(_by_name(names, cells))
        yield Row(record.line, fields, None, record.bytes_read)


def _by_name(names: tuple[str, ...], cells: list[str]) -> Mapping[str, list[str]]:
    named: dict[str, list[str]] = {}
    for name, cell in zip(names, cells, strict=False):
        named.setdefault(name, []).append(cell)
    return {name: texts for name, texts in named.items() if name}


def _counted(rows: Iterator[Row], limits: FeedLimits) -> Iterator[Row]:
    count = 0
    for row in rows:
        count += 1
        if count > limits.rows:
            raise FeedError(FeedRefusal.TOO_LARGE, f"more than {limits.rows} products", row.line)
        yield row
    if not count:
        raise FeedError(FeedRefusal.EMPTY, "there is no product below its columns")
