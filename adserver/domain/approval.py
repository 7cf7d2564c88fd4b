"""Approval of creatives: what waits, what is shown meanwhile, and exactly what was approved."""

from hashlib import sha256

import msgspec
from msgspec.structs import replace

from adserver.domain.campaign import Approval, Creative, Review

MOST_REVIEWS = 50  # the newest
SEEN = ("template", "brand", "offer", "pool_key", "message", "link", "language", "situations", "copies")


class Approving(msgspec.Struct, frozen=True):
    """Whoever makes or changes a creative, and whether that alone is its approval."""

    at_ms: int
    api_key: int
    automatic: bool


class Reviewed(msgspec.Struct, frozen=True):
    """Which creatives are asked for: in what standing, and of whom; None for all."""

    approval: Approval
    advertiser_key: int | None = None
    campaign_key: int | None = None


def content_of(creative: Creative) -> tuple[object, ...]:
    """All of it that visitors see, follow, or are chosen by."""
    return tuple(getattr(creative, name) for name in SEEN)


def content_hash(creative: Creative) -> str:
    """SHA-256 of what is approved: any other word, colour, picture or link has another."""
    return sha256(msgspec.json.encode(content_of(creative))).hexdigest()


def live_version(creative: Creative) -> Creative | None:
    """What of the creative may be shown now, if anything."""
    return creative if creative.approval is Approval.APPROVED else creative.approved


def made(creative: Creative, by: Approving) -> Creative:
    """A new creative: approved by who made it, or waiting."""
    return _approved_at_once(creative, by) if by.automatic else replace(creative, approval=Approval.PENDING)


def changed(known: Creative, wished: Creative, by: Approving) -> Creative:
    """The creative after an edit; where it shows anything else, it waits, and what was approved stays shown.

    No edit approves by itself what waits or was refused before it. What shows again just what is approved
    needs no second look.
    """
    cap = wished.frequency_cap  # holds for what is shown meanwhile, too
    waiting_for = known.approved and replace(known.approved, frequency_cap=cap)
    kept = replace(wished, approval=known.approval, reviews=known.reviews, approved=waiting_for)
    if content_of(wished) == content_of(known):
        return kept
    live = live_version(known)
    if live is not None and content_of(wished) == content_of(live):
        return replace(kept, approval=Approval.APPROVED, approved=None)
    if by.automatic and known.approval is Approval.APPROVED:
        return _approved_at_once(kept, by)
    shown = None if live is None else replace(live, reviews=(), approved=None, frequency_cap=cap)
    return replace(kept, approval=Approval.PENDING, approved=shown)


def approved(creative: Creative, by: Approving) -> Creative:
    """The newest version may be shown."""
    if creative.approval is Approval.APPROVED:
        return creative
    return _reviewed(replace(creative, approved=None), Approval.APPROVED, by)


def rejected(creative: Creative, by: Approving, reason: str, *, withdraw: bool = False) -> Creative:
    """The newest version may not be shown: if it was, nothing is; else what was approved before stays shown.

    `withdraw` takes that down too.
    """
    stays, said = None if withdraw else creative.approved, last_review(creative, Approval.REJECTED)
    is_said = creative.approval is Approval.REJECTED and said is not None and said.reason == reason
    if is_said and stays is creative.approved:
        return creative
    return _reviewed(replace(creative, approved=stays), Approval.REJECTED, by, reason)


def last_review(creative: Creative, approval: Approval) -> Review | None:
    """The newest word of this kind."""
    return next((one for one in reversed(creative.reviews) if one.approval is approval), None)


def _approved_at_once(creative: Creative, by: Approving) -> Creative:
    return _reviewed(replace(creative, approved=None), Approval.APPROVED, by, automatic=True)


def _reviewed(
    creative: Creative, approval: Approval, by: Approving, reason: str = "", *, automatic: bool = False
) -> Creative:
    review = Review(
        approval, by.at_ms, creative.version, content_hash(creative), by.api_key, automatic, reason
    )
    reviews = (*creative.reviews, review)[-MOST_REVIEWS:]
    return replace(creative, approval=approval, reviews=reviews)
