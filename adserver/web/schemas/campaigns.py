"""Campaigns and creatives as JSON."""

from typing import Annotated, Any, ClassVar, Literal

from msgspec.structs import replace
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from adserver.domain.campaign import (
    Advertiser,
    AudienceCreatives,
    Campaign,
    Pacing,
    Status,
    Tier,
)
from adserver.domain.identity import write_id
from adserver.domain.money import ZERO
from adserver.domain.pricing import CONVERSION_EVENTS, AudienceRate, PricingModel, ProductMatch, Terms
from adserver.domain.product_choice import PriceBand, ProductChoice
from adserver.domain.targeting import NO_TARGETING
from adserver.flows.manage import Standing
from adserver.web.schemas.fields import (
    AdvertiserId,
    AudienceId,
    BasisPoints,
    Cap,
    Change,
    CreativeId,
    Currency,
    Flag,
    GivenTime,
    LandingParams,
    Link,
    Micros,
    Name,
    Paging,
    ProductSetId,
    ShownTime,
    Strict,
)
from adserver.web.schemas.peace import (
    AddressesBuyers,
    BurnBody,
    FrequencyCapBody,
    show_burn,
    show_cap,
    with_peace,
)
from adserver.web.schemas.targeting import TargetingBody, show_targeting
from pixel.events import EventName


def _billable(event: EventName) -> EventName:
    if event not in CONVERSION_EVENTS:
        raise PydanticCustomError("not_a_conversion", "Only an order, lead, sign-up or form can be billed")
    return event


ConversionEvent = Annotated[EventName, AfterValidator(_billable)]
MOST_NAMED = 20  # audiences of a campaign, and creatives of an audience

ClickWindow = Annotated[int, Field(strict=True, ge=1, le=30)]
ViewWindow = Annotated[int, Field(strict=True, ge=1, le=7)]


class PriceBandBody(Strict):
    """How far similar products may be from what was looked at last, in per cent of its price."""

    below_percent: int = Field(default=50, strict=True, ge=0, le=100)
    above_percent: int = Field(default=100, strict=True, ge=0, le=10_000)


Products = Annotated[
    ProductChoice,
    Field(description="what the cards show: reminders alone, with what is similar, or what goes with orders"),
]


class CampaignAudienceBody(Strict):
    """An audience with a rate and creatives of its own; with none given, the campaign's."""

    audience_id: AudienceId
    rate_micros: Cap | None = Field(default=None, description="null for the campaign's own rate")
    creative_ids: list[CreativeId] = Field(
        default_factory=list, max_length=MOST_NAMED, description="of this campaign; empty for all of them"
    )


Audiences = Annotated[
    list[CampaignAudienceBody],
    Field(
        max_length=MOST_NAMED,
        description="replaced whole; serve their members only, each at the highest rate that matches",
    ),
]

Contextual = Annotated[
    Flag,
    Field(description="its messages may also answer whom no audience of it holds, or nobody knows"),
]

CampaignTier = Annotated[
    Tier,
    Field(
        description="the operator's: a higher one of sponsorship, standard, remnant, house wins at any price"
    ),
]

TERMS = frozenset(
    {
        "pricing_model",
        "rate_micros",
        "basket_bps",
        "max_charge_micros",
        "conversion_event",
        "click_window_days",
        "view_window_days",
        "bill_post_view",
        "product_match",
        "audience_rates",
    }
)
_RENAMED = {
    "starts_at": "starts_at_ms",
    "ends_at": "ends_at_ms",
    "product_set_id": "product_set_key",
}


def _domain_fields(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The campaign's own fields and its terms', under the names the domain has for them."""
    if "audiences" in given:
        given = _named_audiences(given.pop("audiences")) | given
    own = {_RENAMED.get(name, name): value for name, value in given.items() if name not in TERMS}
    if "targeting" in own:
        body = own["targeting"]
        own["targeting"] = NO_TARGETING if body is None else body.targeting()
    if isinstance(band := own.get("price_band"), PriceBandBody):
        own["price_band"] = PriceBand(band.below_percent, band.above_percent)
    return with_peace(own), {name: given[name] for name in TERMS & given.keys()}


def _named_audiences(named: list[CampaignAudienceBody]) -> dict[str, Any]:
    """Rates are priced and go into the terms; what is shown to whom is the campaign's own."""
    shown = [one for one in named if one.creative_ids]
    return {
        "audience_rates": tuple(AudienceRate(one.audience_id, one.rate_micros) for one in named),
        "audience_creatives": tuple(
            AudienceCreatives(one.audience_id, tuple(one.creative_ids)) for one in shown
        ),
    }


class CampaignDraft(Strict):
    advertiser_id: AdvertiserId
    name: Name
    status: Literal[Status.DRAFT, Status.ACTIVE, Status.PAUSED] = Status.DRAFT
    pricing_model: PricingModel
    currency: Currency | None = Field(default=None, description="the advertiser's; may be left out")
    rate_micros: Micros = ZERO
    basket_bps: BasisPoints = 0
    max_charge_micros: Cap | None = None
    conversion_event: ConversionEvent = EventName.PURCHASE
    daily_budget_micros: Cap | None = None
    total_budget_micros: Cap | None = None
    starts_at: GivenTime | None = None
    ends_at: GivenTime | None = None
    pacing: Pacing = Pacing.ASAP
    frequency_cap: FrequencyCapBody | None = None
    audiences: Audiences = Field(default_factory=list)
    contextual: Contextual = False
    product_set_id: ProductSetId | None = Field(default=None, description="its cards; null for all products")
    burn: BurnBody | None = Field(default=None, description="null for the advertiser's")
    addresses_buyers: AddressesBuyers = False
    products: Products = ProductChoice.REMINDERS
    price_band: PriceBandBody | None = Field(
        default_factory=PriceBandBody, description="of similar products; null for any price"
    )
    click_window_days: ClickWindow = 30
    view_window_days: ViewWindow = 1
    bill_post_view: Flag = False
    product_match: ProductMatch = Field(
        default=ProductMatch.ANY, description="orders of anything, or only of what the ad showed"
    )
    landing_params: LandingParams = ""
    fallback_url: Link | None = None
    targeting: TargetingBody | None = Field(default=None, description="whom and where; null for everyone")
    tier: CampaignTier = Tier.STANDARD

    def campaign_for(self, advertiser: Advertiser) -> Campaign:
        given = {name: getattr(self, name) for name in type(self).model_fields}
        currency = given.pop("currency") or advertiser.currency
        own, terms = _domain_fields(given)
        own.pop("advertiser_id")
        terms_ = Terms(currency=currency, **terms)
        return Campaign(key=0, advertiser_key=advertiser.key, terms=terms_, **own)


class CampaignChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset(
        {
            "max_charge_micros",
            "daily_budget_micros",
            "total_budget_micros",
            "starts_at",
            "ends_at",
            "frequency_cap",
            "product_set_id",
            "burn",
            "price_band",
            "fallback_url",
            "targeting",
        }
    )

    name: Name | None = None
    status: Status | None = None
    pricing_model: PricingModel | None = None
    rate_micros: Micros | None = None
    basket_bps: BasisPoints | None = None
    max_charge_micros: Cap | None = None
    conversion_event: ConversionEvent | None = None
    daily_budget_micros: Cap | None = None
    total_budget_micros: Cap | None = None
    starts_at: GivenTime | None = None
    ends_at: GivenTime | None = None
    pacing: Pacing | None = None
    frequency_cap: FrequencyCapBody | None = None
    audiences: Audiences | None = None
    contextual: Contextual | None = None
    product_set_id: ProductSetId | None = None
    burn: BurnBody | None = None
    addresses_buyers: AddressesBuyers | None = None
    products: Products | None = None
    price_band: PriceBandBody | None = None
    click_window_days: ClickWindow | None = None
    view_window_days: ViewWindow | None = None
    bill_post_view: Flag | None = None
    product_match: ProductMatch | None = None
    landing_params: LandingParams | None = None
    fallback_url: Link | None = None
    targeting: TargetingBody | None = Field(default=None, description="replaced whole; null for everyone")
    tier: CampaignTier | None = None

    def edit(self, campaign: Campaign) -> Campaign:
        own, terms = _domain_fields(self.given())
        return replace(campaign, terms=replace(campaign.terms, **terms), **own)


class CampaignList(Paging):
    advertiser_id: AdvertiserId | None = None


class CampaignAudienceAnswer(Strict):
    audience_id: str
    rate_micros: int | None
    creative_ids: list[str]


class CampaignAnswer(Strict):
    id: str
    advertiser_id: str
    name: str
    status: Status
    delivery: str = Field(description="`serving`, or the one word that says why it is not served")
    version: int
    pricing_model: PricingModel
    currency: str
    rate_micros: int
    basket_bps: int
    max_charge_micros: int | None
    conversion_event: str
    daily_budget_micros: int | None
    total_budget_micros: int | None
    starts_at: ShownTime | None
    ends_at: ShownTime | None
    pacing: Pacing
    frequency_cap: FrequencyCapBody | None
    audiences: list[CampaignAudienceAnswer]
    contextual: bool
    product_set_id: str | None
    burn: BurnBody | None
    addresses_buyers: bool
    products: ProductChoice
    price_band: PriceBandBody | None
    click_window_days: int
    view_window_days: int
    bill_post_view: bool
    product_match: ProductMatch
    landing_params: str
    fallback_url: str | None
    targeting: TargetingBody | None
    tier: Tier
    spend_micros: int
    spend_today_micros: int
    pending_micros: int
    unbilled_at_cap: int = Field(description="ad events that a reached cap left unbilled")
    created_at: ShownTime


def show_campaign(campaign: Campaign, standing: Standing) -> CampaignAnswer:
    return CampaignAnswer(
        id=write_id("cmp", campaign.key),
        advertiser_id=write_id("adv", campaign.advertiser_key),
        name=campaign.name,
        status=campaign.status,
        delivery=standing.delivery,
        version=campaign.version,
        pricing_model=campaign.terms.pricing_model,
        currency=campaign.terms.currency,
        rate_micros=campaign.terms.rate_micros,
        basket_bps=campaign.terms.basket_bps,
        max_charge_micros=campaign.terms.max_charge_micros,
        conversion_event=campaign.terms.conversion_event,
        daily_budget_micros=campaign.daily_budget_micros,
        total_budget_micros=campaign.total_budget_micros,
        starts_at=campaign.starts_at_ms,
        ends_at=campaign.ends_at_ms,
        pacing=campaign.pacing,
        frequency_cap=show_cap(campaign.frequency_cap),
        audiences=_show_audiences(campaign),
        contextual=campaign.contextual,
        product_set_id=_set_id(campaign),
        burn=show_burn(campaign.burn),
        addresses_buyers=campaign.addresses_buyers,
        products=campaign.products,
        price_band=_show_band(campaign.price_band),
        click_window_days=campaign.terms.click_window_days,
        view_window_days=campaign.terms.view_window_days,
        bill_post_view=campaign.terms.bill_post_view,
        product_match=campaign.terms.product_match,
        landing_params=campaign.landing_params,
        fallback_url=campaign.fallback_url,
        targeting=show_targeting(campaign.targeting),
        tier=campaign.tier,
        spend_micros=standing.spend_micros,
        spend_today_micros=standing.spend_today_micros,
        pending_micros=standing.pending_micros,
        unbilled_at_cap=standing.unbilled_at_cap,
        created_at=campaign.created_at_ms,
    )


def _set_id(campaign: Campaign) -> str | None:
    return None if campaign.product_set_key is None else write_id("set", campaign.product_set_key)


def _show_band(band: PriceBand | None) -> PriceBandBody | None:
    if band is None:
        return None
    return PriceBandBody(below_percent=band.below_percent, above_percent=band.above_percent)


def _show_audiences(campaign: Campaign) -> list[CampaignAudienceAnswer]:
    creatives = {named.audience_key: named.creative_keys for named in campaign.audience_creatives}
    return [
        CampaignAudienceAnswer(
            audience_id=write_id("aud", named.audience_key),
            rate_micros=named.rate_micros,
            creative_ids=[write_id("crv", key) for key in creatives.get(named.audience_key, ())],
        )
        for named in campaign.terms.audience_rates
    ]
