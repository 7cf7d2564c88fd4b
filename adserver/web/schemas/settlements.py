"""A file of approvals and declines, as CSV: read whole before anything is decided."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

import msgspec
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from adserver.flows.manage import Settled, Wish
from adserver.web.schemas.campaigns import ConversionEvent
from adserver.web.schemas.conversions import Reference
from adserver.web.schemas.fields import AdvertiserId, ConversionId, Reason, Strict
from pixel.events import EventName

if TYPE_CHECKING:
    from _csv import Reader

MOST_ROWS = 10_000
_NEEDED = {"decision", "reason"}
# What stands beside the decision in the file that is downloaded, to decide by; nobody reads it again.
BESIDE = ("campaign", "kind", "value", "value_currency", "cost", "clicked", "arrived", "approves_itself")
_HEADERS = (
    _NEEDED | {"conversion_id"},
    _NEEDED | {"order_id"},
    _NEEDED | {"order_id", "event"},
)


class BadFile(msgspec.Struct, frozen=True):
    """Why nothing of a file is believed: a problem's code."""

    code: str
    line: int


class BadRow(msgspec.Struct, frozen=True):
    """A row that cannot be read, and the column that is wrong, if it is one."""

    line: int
    column: str


class Undecided(msgspec.Struct, frozen=True):
    """A row whose decision was left empty: it waits still."""

    line: int


class Row(msgspec.Struct, frozen=True):
    line: int
    wish: Wish


Rows = list[Row | BadRow | Undecided]


def _lower(given: object) -> object:
    return given.lower() if isinstance(given, str) else given


def _none_if_empty(given: object) -> object:
    return None if given == "" else given


class SettleQuery(Strict):
    advertiser_id: AdvertiserId


class _RowBody(Strict):
    conversion_id: ConversionId | None = None
    order_id: Reference | None = None
    event: Annotated[ConversionEvent, BeforeValidator(lambda given: given or EventName.PURCHASE)] = (
        EventName.PURCHASE
    )
    decision: Annotated[Literal["approve", "decline"], BeforeValidator(_lower)]
    reason: Annotated[Reason | None, BeforeValidator(_none_if_empty)]

    @model_validator(mode="after")
    def _has_its_reason(self) -> Self:
        if self.decision == "decline" and self.reason is None:
            raise ValueError("a decline has a reason")
        return self

    def wish(self) -> Wish:
        return Wish(
            conversion_key=self.conversion_id,
            event=self.event,
            reference=self.order_id or "",
            approve=self.decision == "approve",
            reason=self.reason or "approved",
        )


def read_rows(body: bytes) -> Rows | BadFile:
    """Each row with its line, or what is wrong with it; BadFile where the file itself cannot be read."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return BadFile("bad_csv", 1)
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","  # as spreadsheets of half of Europe write it
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if set(header) - set(BESIDE) not in _HEADERS or len(set(header)) < len(header):
            return BadFile("bad_csv", 1)
        return _rows(reader, header)
    except csv.Error:
        return BadFile("bad_csv", reader.line_num)


def _rows(reader: "Reader", header: list[str]) -> Rows | BadFile:
    rows: Rows = []
    for cells in reader:
        if not any(cells):
            continue  # an empty line, as editors leave at the end
        if len(rows) == MOST_ROWS:
            return BadFile("too_many_rows", reader.line_num)
        rows.append(read_row(reader.line_num, header, cells))
    return rows


def read_row(line: int, header: Sequence[str], cells: Sequence[str]) -> Row | BadRow | Undecided:
    if len(cells) != len(header):
        return BadRow(line, "")
    named = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name not in BESIDE}
    if not named["decision"]:
        return Undecided(line)
    try:
        return Row(line, _RowBody.model_validate(named).wish())
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        return BadRow(line, str(place[0]) if place else "reason")


class RowAnswer(Strict):
    """What became of one row; `bad_row` says in `column` what is wrong, if it is one column."""

    line: int = Field(description="of the file, where the row ends; the header is line 1")
    result: Literal["taken", "declined", "undecided", "not_pending", "not_found", "bad_row", "unrecorded"]
    column: str | None = None


class FileAnswer(Strict):
    rows: list[RowAnswer]
    counts: dict[str, int] = Field(description="how often each result came up")


def wishes_of(rows: Rows) -> list[Wish]:
    return [row.wish for row in rows if isinstance(row, Row)]


def answer_rows(rows: Rows, settled: Sequence[Settled]) -> "FileAnswer":
    """What became of each row; `settled` are the outcomes of the wishes in their order."""
    outcomes = iter(settled)
    return show_rows([_answer_row(row, outcomes) for row in rows])


def _answer_row(row: Row | BadRow | Undecided, outcomes: Iterator[Settled]) -> RowAnswer:
    if isinstance(row, BadRow):
        return RowAnswer(line=row.line, result="bad_row", column=row.column or None)
    if isinstance(row, Undecided):
        return RowAnswer(line=row.line, result="undecided")
    return RowAnswer.model_validate({"line": row.line, "result": next(outcomes).value})


def show_rows(rows: list[RowAnswer]) -> FileAnswer:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.result] = counts.get(row.result, 0) + 1
    return FileAnswer(rows=rows, counts=counts)
