"""Sizes of audiences and campaigns as JSON: figures, and a sentence for whoever is about to launch."""

from typing import Annotated

from pydantic import Field

from adserver.domain.audience import Audience
from adserver.domain.audience_reach import (
    GroupSize,
    Share,
    SizeWarning,
    overlap_words,
    told,
    told_overlap,
    warnings_of,
    words_of,
)
from adserver.flows.audience_sizes import Overlap
from adserver.web.schemas.audiences import AudienceAnswer, show_audience
from adserver.web.schemas.fields import ShownTime, Strict, id_reader

AudienceId = Annotated[int, id_reader("aud")]


class OverlapQuery(Strict):
    other: AudienceId = Field(alias="with", description="another audience of the same advertiser")


class RangeAnswer(Strict):
    """The true figure lies within in 95 of 100 cases."""

    least: int
    most: int


class SizeAnswer(Strict):
    """Null: fewer than ten, or not counted yet (`counted_at` is null then, too)."""

    size: int | None = Field(description="visitors who belong to it")
    size_range: RangeAnswer | None = Field(description="null where they were counted one by one")
    reachable: int | None = Field(description="of these, who were at a slot of ours in the last seven days")
    reachable_range: RangeAnswer | None
    counted_at: ShownTime | None
    warnings: list[SizeWarning] = Field(description="what speaks against launching now")
    says: str


class SizedAudienceAnswer(AudienceAnswer, SizeAnswer):
    pass


class OverlapAnswer(Strict):
    """Figures are null where they, or what is left of one of both, would tell of fewer than ten."""

    size: int | None
    other_size: int | None
    overlap: int | None
    overlap_range: RangeAnswer | None
    counted_at: ShownTime | None
    says: str


def show_size(size: GroupSize | None, of_whom: str = "in this audience") -> SizeAnswer:
    return SizeAnswer(
        size=None if size is None else told(size.members.best),
        size_range=None if size is None else _range(size.members),
        reachable=None if size is None else told(size.reachable.best),
        reachable_range=None if size is None else _range(size.reachable),
        counted_at=None if size is None else size.counted_ms,
        warnings=warnings_of(size),
        says=words_of(size, of_whom),
    )


def show_sized(audience: Audience, size: GroupSize | None) -> SizedAudienceAnswer:
    return SizedAudienceAnswer(**dict(show_audience(audience)), **dict(show_size(size)))


def show_overlap(overlap: Overlap | None) -> OverlapAnswer:
    if overlap is None:
        return OverlapAnswer(
            size=None, other_size=None, overlap=None, overlap_range=None, counted_at=None, says=words_of(None)
        )
    one, other, both = overlap.one.members, overlap.other.members, overlap.both
    shown = told_overlap(both.best, one.best, other.best)
    return OverlapAnswer(
        size=told(one.best),
        other_size=told(other.best),
        overlap=shown,
        overlap_range=None if shown is None else _range(both),
        counted_at=overlap.one.counted_ms,
        says=overlap_words(both.best, one.best, other.best),
    )


def _range(share: Share) -> RangeAnswer | None:
    """None for a figure that is no estimate, or is not told."""
    if share.is_exact or told(share.best) is None:
        return None
    return RangeAnswer(least=share.least, most=share.most)
