"""Whether a campaign is being served right now, and if not, the one word that says why."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.budget import Bucket
from adserver.domain.campaign import Approval, Campaign, Creative, Status, Tier
from adserver.domain.money import Micros
from adserver.domain.pricing import cheapest_price


class Delivery(StrEnum):
    """What becomes of a campaign's status once schedule, creatives and budgets are looked at."""

    DRAFT = "draft"
    PAUSED = "paused"
    ENDED = "ended"
    OVER = "over"  # its `ends_at` has passed
    SCHEDULED = "scheduled"
    NO_CREATIVE = "no_creative"
    CREATIVE_PENDING = "creative_pending"  # it has some, and nobody has approved one yet
    CREATIVE_REJECTED = "creative_rejected"
    EXHAUSTED = "exhausted"
    NO_DEPOSIT = "no_deposit"  # the account pays beforehand, and has spent what it paid
    EXHAUSTED_TODAY = "exhausted_today"
    SERVING = "serving"


class Balances(msgspec.Struct, frozen=True):
    """The four balances that a charge of the campaign would move, under the caps of now.

    `deposit` is the account's spending under what it has paid in, where it pays beforehand.
    """

    total: Bucket
    day: Bucket
    advertiser_total: Bucket
    advertiser_day: Bucket
    deposit: Bucket


NOT_ACTIVE = {Status.DRAFT: Delivery.DRAFT, Status.PAUSED: Delivery.PAUSED, Status.ENDED: Delivery.ENDED}


def delivery(campaign: Campaign, balances: Balances, creatives: Sequence[Creative], now_ms: int) -> Delivery:
    """The first thing that keeps the campaign from being served, what lasts longest first."""
    if campaign.status in NOT_ACTIVE:
        return NOT_ACTIVE[campaign.status]
    if campaign.ends_at_ms is not None and campaign.ends_at_ms <= now_ms:
        return Delivery.OVER
    if campaign.starts_at_ms is not None and now_ms < campaign.starts_at_ms:
        return Delivery.SCHEDULED
    if not any(map(live_version, creatives)):
        return _without_creative(creatives)
    if campaign.tier is Tier.HOUSE:
        return Delivery.SERVING  # for nothing, whatever its account has spent
    return _by_budget(balances, cheapest_price(campaign.terms, contextual=campaign.contextual))


def _without_creative(creatives: Sequence[Creative]) -> Delivery:
    """What there is to do: make one, wait, or read the reason of the refusal."""
    if any(creative.approval is Approval.PENDING for creative in creatives):
        return Delivery.CREATIVE_PENDING
    return Delivery.CREATIVE_REJECTED if creatives else Delivery.NO_CREATIVE


def _by_budget(balances: Balances, price: Micros) -> Delivery:
    """A charge is whole or nothing, so less than one price left is as good as nothing."""
    if _short_of(price, balances.total) or _short_of(price, balances.advertiser_total):
        return Delivery.EXHAUSTED
    if _short_of(price, balances.deposit):
        return Delivery.NO_DEPOSIT
    if _short_of(price, balances.day) or _short_of(price, balances.advertiser_day):
        return Delivery.EXHAUSTED_TODAY
    return Delivery.SERVING


def _short_of(price: Micros, bucket: Bucket) -> bool:
    return bucket.remaining is not None and bucket.remaining < price
