"""Advertisers, campaigns and creatives: terms, budget, schedule, and how they may change."""

from collections.abc import Container
from enum import StrEnum

import msgspec

from adserver.domain.burn import Burn
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.item_id import ItemIdRule
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel, Terms
from adserver.domain.product_choice import PriceBand, ProductChoice
from adserver.domain.situation import Situation
from adserver.domain.targeting import NO_TARGETING, Targeting
from creatives.card import Brand, Message, Offer

# Here and elsewhere `gc=False`: what is frozen is part of no circle, and to look for circles through all
# campaigns of a large network took longer than to read them.


REST_DAYS = 30  # after a purchase


class Period(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


PERIOD_MS = {Period.HOUR: 3_600_000, Period.DAY: 86_400_000, Period.WEEK: 604_800_000}


class FrequencyCap(msgspec.Struct, frozen=True, gc=False):
    """At most `impressions` for one visitor in any period that begins with one."""

    impressions: int
    per: Period


class Advertiser(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """A merchant's account. Every amount of it, and of its campaigns, is in its one `currency`.

    `public_id` is what the tag on their pages says. `domains` cover their sub-domains.
    """

    key: int
    public_id: str
    name: str
    domains: tuple[str, ...]
    currency: str
    timezone: str
    country: str
    daily_budget_micros: Micros | None = None
    total_budget_micros: Micros | None = None
    prepaid: bool = False  # it may spend what it has deposited, and no more
    trust_pixel_conversions: bool = False
    validation_days: int = 14  # after which a browser's order is approved by itself
    refund_days: int = 30  # for so long a charge may be given back
    discreet: bool = False
    categories: tuple[str, ...] = ()  # of what it sells, as the operator vouches: publishers may block them
    landing_params: str = ""
    webhook_url: str | None = None  # of their own server, which is told of budgets and daily heads
    item_id_rule: ItemIdRule | None = None  # from ids that its pages name to the catalogue's
    consent_hold: ConsentHold = ConsentHold.NONE
    consent_held_at_ms: int | None = None
    trust_reference_price: bool = False  # it vouches for its feed's price without the sale
    holdout_bps: int = 0  # of its visitors see no ads of it, so that what ads do can be told
    holdout_draw: int = 0  # how often a holdout was turned on: each time the lots are drawn anew
    holdout_since_ms: int | None = None  # since when the share is what it is
    frequency_cap: FrequencyCap | None = None  # of all its campaigns together; None: the operator's
    annoyance_budget: int | None = None  # shows none after so many of anybody's a day; None: the operator's
    rest_after_purchase_days: int = REST_DAYS  # 0 for none
    burn: Burn | None = None  # of its campaigns that have no other; None: what was bought alone
    competitors: tuple[int, ...] = ()  # whose ads never stand beside its own
    competitor_domains: tuple[str, ...] = ()
    competes_in: tuple[str, ...] = ()  # categories: nobody who sells such stands beside it either
    version: int = 1
    created_at_ms: int = 0


class Status(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Pacing(StrEnum):
    ASAP = "asap"
    EVEN = "even"


class Tier(StrEnum):
    """Who goes first: a higher tier wins at any price, and only within one the higher worth does."""

    SPONSORSHIP = "sponsorship"  # what was promised a place
    STANDARD = "standard"
    REMNANT = "remnant"  # what may fill the places that are left
    HOUSE = "house"  # the publisher's or operator's own, for nothing, before the slot stays empty


RANK = {tier: -place for place, tier in enumerate(Tier)}


class AudienceCreatives(msgspec.Struct, frozen=True, gc=False):
    """Which of a campaign's creatives the members of an audience see."""

    audience_key: int
    creative_keys: tuple[int, ...]


class Campaign(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """What an advertiser orders. `version` grows with each change; terms of old versions are kept."""

    key: int
    advertiser_key: int
    name: str
    terms: Terms
    status: Status = Status.DRAFT
    version: int = 1
    daily_budget_micros: Micros | None = None
    total_budget_micros: Micros | None = None
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    pacing: Pacing = Pacing.ASAP
    frequency_cap: FrequencyCap | None = None
    contextual: bool = False  # its messages may answer whom its audiences do not hold, or nobody knows
    audience_creatives: tuple[AudienceCreatives, ...] = ()  # an audience not named here sees them all
    product_set_key: int | None = None  # its cards show products of this set only; all where None
    burn: Burn | None = None  # None: the advertiser's
    addresses_buyers: bool = False  # also shown right after a purchase; so too where an audience of it bought
    products: ProductChoice = ProductChoice.REMINDERS
    price_band: PriceBand | None = PriceBand()
    landing_params: str = ""
    fallback_url: str | None = None
    created_at_ms: int = 0
    targeting: Targeting = NO_TARGETING
    tier: Tier = Tier.STANDARD


class Approval(StrEnum):
    """Whether somebody has said that what a creative shows may be shown."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Review(msgspec.Struct, frozen=True, gc=False):
    """What was said of a version of a creative, when, with which API key, and of exactly what content."""

    approval: Approval
    at_ms: int
    version: int
    content_hash: str
    api_key: int
    automatic: bool = False  # by the rule for whoever made it: nobody looked at it
    reason: str = ""


class Copy(msgspec.Struct, frozen=True, gc=False):
    """The advertiser's words for visitors of a situation who read a language; None: for all others."""

    headline: str | None = None
    button: str | None = None
    situation: Situation | None = None
    language: str | None = None


class Creative(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """How a campaign's ads look: cards of products, or the advertiser's own message.

    `approved` is the version that is shown while a newer one waits for its approval, or was refused it.
    """

    key: int
    campaign_key: int
    template: str
    brand: Brand
    offer: Offer | None = None
    pool_key: int | None = None  # of the offer's codes, where each click gets one of its own
    message: Message | None = None
    link: str | None = None  # where a message leads; cards lead to their products
    language: str = "en"  # of a message; cards speak their product's
    situations: tuple[Situation, ...] = ()  # whom a message is for; none named: who left a form open
    copies: tuple[Copy, ...] = ()
    approval: Approval = Approval.APPROVED  # of those made before there were approvals, too
    reviews: tuple[Review, ...] = ()  # newest last
    approved: "Creative | None" = None
    frequency_cap: FrequencyCap | None = None
    version: int = 1
    created_at_ms: int = 0


class Refusal(StrEnum):
    """Why a change to a campaign is not allowed."""

    ENDED = "campaign_ended"
    CPM_NOT_EXACT = "cpm_not_exact"
    RATE_MISSING = "rate_missing"
    BASKET_ONLY_CPA = "basket_only_cpa"
    BASKET_WITHOUT_LIMIT = "basket_without_limit"
    ENDS_BEFORE_START = "ends_before_start"
    NOT_BACK_TO_DRAFT = "not_back_to_draft"
    AUDIENCE_TWICE = "audience_twice"
    BASKET_HAS_NO_RATE = "basket_has_no_rate"
    UNKNOWN_AUDIENCE = "unknown_audience"
    UNKNOWN_CREATIVE = "unknown_creative"
    UNKNOWN_PRODUCT_SET = "unknown_product_set"
    HOUSE_IS_FREE = "house_is_free"


def check(campaign: Campaign) -> Refusal | None:
    """Whether the campaign makes sense by itself; its budgets are the ledger's to judge."""
    terms = campaign.terms
    per_thousand = terms.pricing_model in (PricingModel.CPM, PricingModel.VCPM)
    if campaign.tier is Tier.HOUSE:
        if not _is_free(campaign):
            return Refusal.HOUSE_IS_FREE
    elif terms.basket_bps:
        if terms.pricing_model is not PricingModel.CPA:
            return Refusal.BASKET_ONLY_CPA
        if terms.max_charge_micros is None:
            return Refusal.BASKET_WITHOUT_LIMIT
    elif terms.rate_micros <= 0:
        return Refusal.RATE_MISSING
    if per_thousand and terms.rate_micros % 1000:
        return Refusal.CPM_NOT_EXACT
    refusal = _audiences_refusal(terms, per_thousand, campaign.tier is Tier.HOUSE)
    if refusal is not None:
        return refusal
    return None if _begins_before_it_ends(campaign) else Refusal.ENDS_BEFORE_START


def _is_free(campaign: Campaign) -> bool:
    """Whether it neither pays nor has a budget that would wait to be spent."""
    terms = campaign.terms
    budgets = (campaign.daily_budget_micros, campaign.total_budget_micros, terms.max_charge_micros)
    rates = [named.rate_micros for named in terms.audience_rates]
    return not (terms.rate_micros or terms.basket_bps or any(rates)) and budgets == (None, None, None)


def _audiences_refusal(terms: Terms, per_thousand: bool, is_house: bool) -> Refusal | None:
    if len({named.audience_key for named in terms.audience_rates}) < len(terms.audience_rates):
        return Refusal.AUDIENCE_TWICE
    rates = [named.rate_micros for named in terms.audience_rates if named.rate_micros is not None]
    if rates and terms.basket_bps:
        return Refusal.BASKET_HAS_NO_RATE
    if any(rate <= 0 for rate in rates) and not is_house:
        return Refusal.RATE_MISSING
    return Refusal.CPM_NOT_EXACT if per_thousand and any(rate % 1000 for rate in rates) else None


def check_named(
    campaign: Campaign,
    audience_keys: Container[int],
    creative_keys: Container[int],
    set_keys: Container[int] = (),
) -> Refusal | None:
    """Whether the audiences and set it names are its advertiser's, and the creatives its own."""
    if campaign.product_set_key is not None and campaign.product_set_key not in set_keys:
        return Refusal.UNKNOWN_PRODUCT_SET
    if any(named.audience_key not in audience_keys for named in campaign.terms.audience_rates):
        return Refusal.UNKNOWN_AUDIENCE
    shown = (key for named in campaign.audience_creatives for key in named.creative_keys)
    return Refusal.UNKNOWN_CREATIVE if any(key not in creative_keys for key in shown) else None


def creatives_for(campaign: Campaign, audience_key: int, creatives: list[Creative]) -> list[Creative]:
    """Those of the campaign's creatives that the audience's members may see."""
    for named in campaign.audience_creatives:
        if named.audience_key == audience_key:
            return [creative for creative in creatives if creative.key in named.creative_keys]
    return creatives


def _begins_before_it_ends(campaign: Campaign) -> bool:
    starts, ends = campaign.starts_at_ms, campaign.ends_at_ms
    return starts is None or ends is None or starts < ends


def apply(campaign: Campaign, changed: Campaign) -> Campaign | Refusal:
    """The campaign after a change, as its next version, or why not.

    `changed` is the whole campaign as wished for; its key, owner and version are not the caller's to set.
    """
    if campaign.status is Status.ENDED:
        return Refusal.ENDED
    if changed.status is Status.DRAFT and campaign.status is not Status.DRAFT:
        return Refusal.NOT_BACK_TO_DRAFT
    refusal = check(changed)
    if refusal is not None:
        return refusal
    return msgspec.structs.replace(
        changed,
        key=campaign.key,
        advertiser_key=campaign.advertiser_key,
        version=campaign.version + 1,
        created_at_ms=campaign.created_at_ms,
    )
