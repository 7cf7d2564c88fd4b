"""Imports as JSON: how far each has come, what became of it, and each row that it left out."""

from typing import Literal

from pydantic import Field

from adserver.domain.catalogue import RejectedRow
from adserver.domain.feed_advice import advice_for
from adserver.domain.identity import write_id
from adserver.domain.imports import MEANINGS, AskedBy, Import, ImportState
from adserver.web.schemas.fields import Paging, ShownTime, Strict


class Waiting(Strict):
    wait: bool = Field(default=True, description="false: answer at once; a job does it")


class ImportChoice(Waiting):
    allow_shrink: bool = Field(
        default=False, description="import even if more than half of the catalogue would leave"
    )


class ImportProgress(Strict):
    id: str
    feed_id: str
    state: ImportState
    message: str = Field(description="what the state means, and what to do next")
    asked_by: AskedBy
    uploaded: bool = Field(description="whether the file was sent; otherwise the feed's `url` is fetched")
    asked_at: ShownTime
    began_at: ShownTime | None
    state_since: ShownTime
    finished_at: ShownTime | None
    rows: int = Field(description="read so far, or while it is published, live so far")
    of_rows: int | None
    bytes: int = Field(description="fetched or read so far")
    of_bytes: int | None = Field(description="null where nobody knows")
    products: int | None = Field(description="null until it has an end")
    rejected_count: int | None
    notes: dict[str, int] = Field(description="what was left out of products that were taken, by name")
    fatal: str | None = Field(description="why nothing was changed")


class ImportsAnswer(Strict):
    items: list[ImportProgress] = Field(description="the newest 20, newest first")


class LeftOutAnswer(Strict):
    line: int
    item_id: str | None
    reason: str
    advice: str = Field(description="what to do about it")


class LeftOutPage(Strict):
    items: list[LeftOutAnswer]
    reasons: dict[str, int] = Field(description="how many of all the listed rows, by reason")
    next_cursor: str | None = Field(description="opaque; give it as `cursor`")


class LeftOutAsked(Paging):
    format: Literal["json", "csv"] = "json"


def show_progress(import_: Import) -> ImportProgress:
    report = import_.report
    return ImportProgress(
        id=write_id("imp", import_.key),
        feed_id=write_id("feed", import_.feed_key),
        state=import_.state,
        message=MEANINGS[import_.state],
        asked_by=import_.asked_by,
        uploaded=import_.uploaded,
        asked_at=import_.asked_ms,
        began_at=import_.began_ms or None,
        state_since=import_.state_ms,
        finished_at=import_.finished_ms,
        rows=import_.rows,
        of_rows=import_.of_rows,
        bytes=import_.bytes_read,
        of_bytes=import_.of_bytes,
        products=None if report is None else report.products,
        rejected_count=None if report is None else report.rejected_count,
        notes={} if report is None else report.notes,
        fatal=None if report is None else report.fatal,
    )


def show_left_out(row: RejectedRow) -> LeftOutAnswer:
    return LeftOutAnswer(line=row.line, item_id=row.item_id, reason=row.reason, advice=advice_for(row.reason))
