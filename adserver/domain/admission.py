"""Whose ads a publisher lets onto its pages, and what its word on one of them changes."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec.structs import replace

from adserver.domain.blocks import Blocks
from adserver.domain.campaign import Advertiser
from adserver.domain.eligibility import Refusal
from adserver.domain.house_rules import HouseRules


class Admission(StrEnum):
    """How an advertiser stands with a publisher."""

    SHOWN = "shown"  # nobody was asked
    APPROVED = "approved"
    WAITING = "waiting"  # the publisher asks to be asked, and has said nothing yet
    REFUSED = "refused"
    CATEGORY = "category"  # it sells what the publisher wants nothing of


_REFUSED = {
    Refusal.ADVERTISER_BLOCKED: Admission.REFUSED,
    Refusal.ADVERTISER_NOT_APPROVED: Admission.WAITING,
    Refusal.CATEGORY_BLOCKED: Admission.CATEGORY,
}


def admissions(blocks: Blocks, advertisers: Mapping[int, Advertiser]) -> dict[int, Admission]:
    """Of each advertiser, by the rules that serving asks. A site and a slot may want less."""
    rules = HouseRules(advertisers, [blocks])
    let_in = Admission.APPROVED if blocks.only_approved else Admission.SHOWN
    found = {key: rules.refusal(key) for key in advertisers}
    return {key: let_in if refusal is None else _REFUSED[refusal] for key, refusal in found.items()}


def admitted(blocks: Blocks, advertiser: Advertiser) -> Blocks:
    """It may be shown; a block of its domain is lifted with it."""
    return replace(
        _without(blocks, advertiser),
        domains=tuple(one for one in blocks.domains if not _is_of(one, advertiser)),
        approved=(*(one for one in blocks.approved if one != advertiser.key), advertiser.key),
    )


def refused(blocks: Blocks, advertiser: Advertiser) -> Blocks:
    """It may not be shown any more."""
    kept = _without(blocks, advertiser)
    return replace(kept, advertisers=(*kept.advertisers, advertiser.key))


def _without(blocks: Blocks, advertiser: Advertiser) -> Blocks:
    """As if nothing had been said of it by its key."""
    return replace(
        blocks,
        advertisers=tuple(one for one in blocks.advertisers if one != advertiser.key),
        approved=tuple(one for one in blocks.approved if one != advertiser.key),
    )


def _is_of(domain: str, advertiser: Advertiser) -> bool:
    """Whether a blocked domain and one of the advertiser's lie under each other."""
    return any(
        own == domain or own.endswith(f".{domain}") or domain.endswith(f".{own}")
        for own in advertiser.domains
    )
