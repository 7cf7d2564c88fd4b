"""Suppression lists as JSON, and the files that name visitors."""

import csv
from collections.abc import Iterator
from typing import IO, Annotated

import msgspec
from msgspec.structs import replace
from pydantic import Field

from adserver.domain.identity import write_id
from adserver.domain.suppression import SuppressionList
from adserver.flows.manage.suppressions import BadLine, Listed
from adserver.web.schemas.fields import CampaignId, Change, Flag, Name, ShownTime, Strict

MOST_CAMPAIGNS = 100
LONGEST_LINE = 2_000  # bytes
HEADS = frozenset({"visitor", "visitor_id"})

Campaigns = Annotated[
    list[CampaignId], Field(max_length=MOST_CAMPAIGNS, description="none: all of the advertiser's")
]


class SuppressionListDraft(Strict):
    name: Name
    campaign_ids: Campaigns = Field(default_factory=list)
    active: Flag = True

    def suppression_list(self, advertiser_key: int) -> SuppressionList:
        return SuppressionList(
            key=0,
            advertiser_key=advertiser_key,
            name=self.name,
            campaign_keys=tuple(self.campaign_ids),
            active=self.active,
        )


class SuppressionListChange(Change):
    name: Name | None = None
    campaign_ids: Campaigns | None = None
    active: Flag | None = None

    def edit(self, known: SuppressionList) -> SuppressionList:
        given = self.given()
        if "campaign_ids" in given:
            given["campaign_keys"] = tuple(given.pop("campaign_ids"))
        return replace(known, **given)


class SuppressionListAnswer(Strict):
    id: str
    advertiser_id: str
    name: str
    campaign_ids: list[str]
    active: bool
    size: int = Field(description="how many visitors are on it")
    version: int
    created_at: ShownTime


def show_list(one: SuppressionList, size: int) -> SuppressionListAnswer:
    return SuppressionListAnswer(
        id=write_id("sup", one.key),
        advertiser_id=write_id("adv", one.advertiser_key),
        name=one.name,
        campaign_ids=[write_id("cmp", key) for key in one.campaign_keys],
        active=one.active,
        size=size,
        version=one.version,
        created_at=one.created_at_ms,
    )


class LeftOutAnswer(Strict):
    line: int
    reason: BadLine


class ListedAnswer(Strict):
    """What became of an upload."""

    named: int = Field(description="visitors whom the file put on the list, or found there")
    removed: int = Field(description="whom the file did not name, where it replaces the list")
    size: int
    rejected: dict[str, int] = Field(description="how many lines were left out, by reason")
    lines: list[LeftOutAnswer] = Field(description="the first 1,000 of them")


def show_listed(listed: Listed, size: int) -> ListedAnswer:
    return ListedAnswer(
        named=listed.named,
        removed=listed.removed,
        size=size,
        rejected={why.value: n for why, n in listed.left_out.items()},
        lines=[LeftOutAnswer(line=line, reason=why) for line, why in listed.lines],
    )


class _Line(msgspec.Struct):
    visitor: str


_decode = msgspec.json.Decoder(_Line).decode


def names_in(file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Whom each line names, with its number: JSON lines, or CSV whose first line may be its head.

    What cannot be read names nobody, and is told like any other stranger.
    """
    column = 0
    for line, text in _lines_of(file):
        if text.startswith("{"):
            yield line, _of_json(text)
            continue
        cells = next(csv.reader([text], delimiter=_parted_by(text)), [""])
        heads = [place for place, cell in enumerate(cells) if cell.strip().lower() in HEADS]
        if line == 1 and heads:
            column = heads[0]
        else:
            yield line, cells[column].strip() if column < len(cells) else ""


def _lines_of(file: IO[bytes]) -> Iterator[tuple[int, str]]:
    line, is_new = 0, True
    while piece := file.readline(LONGEST_LINE):
        line += is_new
        text = piece.decode("utf-8-sig", errors="replace").strip()
        if is_new and text:
            yield line, text
        is_new = piece.endswith(b"\n")


def _of_json(text: str) -> str:
    try:
        return _decode(text).visitor
    except msgspec.MsgspecError:
        return ""


def _parted_by(text: str) -> str:
    return next((sign for sign in "\t;" if sign in text and "," not in text), ",")
