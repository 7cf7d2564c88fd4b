"""A file of approvals and declines, as CSV: read whole before anything is decided."""

import csv
import io
from typing import TYPE_CHECKING, Annotated, Literal, Self

import msgspec
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from adserver.flows.manage import Wish
from adserver.web.schemas.campaigns import ConversionEvent
from adserver.web.schemas.conversions import Reference
from adserver.web.schemas.fields import AdvertiserId, ConversionId, Reason, Strict
from pixel.events import EventName

if TYPE_CHECKING:
    from _csv import Reader

MOST_ROWS = 10_000
_NEEDED = {"decision", "reason"}
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


class Row(msgspec.Struct, frozen=True):
    line: int
    wish: Wish


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
    decision: Literal["approve", "decline"]
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


def read_rows(body: bytes) -> list[Row | BadRow] | BadFile:
    """Each row with its line, or what is wrong with it; BadFile where the file itself cannot be read."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return BadFile("bad_csv", 1)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if set(header) not in _HEADERS or len(set(header)) < len(header):
            return BadFile("bad_csv", 1)
        return _rows(reader, header)
    except csv.Error:
        return BadFile("bad_csv", reader.line_num)


def _rows(reader: "Reader", header: list[str]) -> list[Row | BadRow] | BadFile:
    rows: list[Row | BadRow] = []
    for cells in reader:
        if not cells:
            continue  # an empty line, as editors leave at the end
        if len(rows) == MOST_ROWS:
            return BadFile("too_many_rows", reader.line_num)
        rows.append(_row(reader.line_num, header, cells))
    return rows


def _row(line: int, header: list[str], cells: list[str]) -> Row | BadRow:
    if len(cells) != len(header):
        return BadRow(line, "")
    named = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    try:
        return Row(line, _RowBody.model_validate(named).wish())
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        return BadRow(line, str(place[0]) if place else "reason")


class RowAnswer(Strict):
    """What became of one row; `bad_row` says in `column` what is wrong, if it is one column."""

    line: int = Field(description="of the file, where the row ends; the header is line 1")
    result: Literal["taken", "declined", "not_pending", "not_found", "bad_row", "unrecorded"]
    column: str | None = None


class FileAnswer(Strict):
    rows: list[RowAnswer]
    counts: dict[str, int] = Field(description="how often each result came up")


def show_rows(rows: list[RowAnswer]) -> FileAnswer:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.result] = counts.get(row.result, 0) + 1
    return FileAnswer(rows=rows, counts=counts)
