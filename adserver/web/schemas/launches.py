"""Launches and outlooks as JSON: all of a campaign at once, and what to expect of it."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.audience import ItemFilter
from adserver.domain.audience_presets import Preset
from adserver.domain.audience_reach import GroupSize
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.money import LARGEST, Micros
from adserver.domain.outlook import Outlook, Range, Unknown
from adserver.domain.pricing import AudienceRate, PricingModel, Terms
from adserver.domain.targeting import NO_TARGETING, Condition, Targeting
from adserver.flows.campaign_days import CampaignDay
from adserver.flows.manage import Launched, Standing
from adserver.web.schemas.audience_sizes import SizeAnswer, show_size
from adserver.web.schemas.audiences import AudienceAnswer, AudienceDraft, show_audience
from adserver.web.schemas.campaigns import MOST_NAMED, CampaignAnswer, CampaignDraft, show_campaign
from adserver.web.schemas.creatives import CreativeAnswer, CreativeBody, show_creative
from adserver.web.schemas.fields import AudienceId, Name, ShownTime, Strict


def _ready_made(preset: Preset) -> Preset:
    if preset is Preset.HIGH_CART_VALUE:
        raise PydanticCustomError("threshold", "`high_cart_value` needs a threshold; make the audience first")
    return preset


ReadyMade = Annotated[Preset, AfterValidator(_ready_made)]
_MONEY = Annotated[int, Field(ge=1, le=LARGEST)]


class LaunchDraft(Strict):
    """A campaign with its first creative; `audiences` are made for it, besides those that it names."""

    campaign: CampaignDraft
    creative: CreativeBody
    audiences: list[AudienceDraft] = Field(default_factory=list)

    @model_validator(mode="after")
    def _addresses_no_more_than_a_campaign_may(self) -> Self:
        if len(self.audiences) + len(self.campaign.audiences) > MOST_NAMED:
            raise PydanticCustomError("too_long", "A campaign has 20 audiences at most")
        return self


class LaunchAnswer(Strict):
    campaign: CampaignAnswer
    creative: CreativeAnswer
    audiences: list[AudienceAnswer]


def show_launch(made: Launched, standing: Standing) -> LaunchAnswer:
    return LaunchAnswer(
        campaign=show_campaign(made.campaign, standing),
        creative=show_creative(made.creative),
        audiences=[show_audience(one) for one in made.audiences],
    )


class PresetAnswer(SizeAnswer):
    """A ready-made audience; `high_cart_value` is none, since it needs a threshold."""

    preset: Preset


class PresetQuery(Strict):
    """Ready-made audiences within other days, and of who did it with some items only."""

    retention_days: int | None = Field(default=None, ge=1, le=540)
    item_ids: list[Name] = Field(default=[], max_length=200)
    categories: list[Name] = Field(default=[], max_length=20)
    brands: list[Name] = Field(default=[], max_length=20)

    def items(self) -> ItemFilter | None:
        found = ItemFilter(
            item_ids=tuple(self.item_ids), categories=tuple(self.categories), brands=tuple(self.brands)
        )
        return None if found == ItemFilter() else found


def show_preset(preset: Preset, size: GroupSize | None) -> PresetAnswer:
    return PresetAnswer(preset=preset, **dict(show_size(size)))


class OutlookQuery(Strict):
    """A campaign that is not saved; what is not named is as in a draft."""

    pricing_model: PricingModel
    rate_micros: _MONEY
    daily_budget_micros: _MONEY | None = None
    total_budget_micros: _MONEY | None = None
    audience_ids: list[AudienceId] = Field(default=[], max_length=MOST_NAMED)
    presets: list[ReadyMade] = Field(default=[], max_length=MOST_NAMED)
    targeted: bool = Field(default=False, description="whether it leaves any country, device, ... out")

    def campaign_for(self, advertiser: Advertiser) -> Campaign:
        """As far as an outlook asks; which countries are left out it cannot weigh."""
        country = Condition(included=(advertiser.country,))
        rates = tuple(AudienceRate(key) for key in self.audience_ids)
        terms = Terms(
            pricing_model=self.pricing_model,
            currency=advertiser.currency,
            rate_micros=Micros(self.rate_micros),
            audience_rates=rates,
        )
        daily, total = self.daily_budget_micros, self.total_budget_micros
        return Campaign(
            key=0,
            advertiser_key=advertiser.key,
            name="",
            terms=terms,
            daily_budget_micros=None if daily is None else Micros(daily),
            total_budget_micros=None if total is None else Micros(total),
            targeting=Targeting(countries=country) if self.targeted else NO_TARGETING,
        )


class RangeAnswer(Strict):
    """What is likely, and between what it probably lies."""

    likely: int
    least: int
    most: int


class OutlookAnswer(Strict):
    """Of a day in which nothing else changes; null where `unknown` says why."""

    currency: str
    size: SizeAnswer
    requests: RangeAnswer | None = Field(description="of its audiences' visitors, at all slots")
    ads: RangeAnswer | None
    spend_micros: RangeAnswer | None
    is_capped: bool = Field(description="whether a budget ends the day")
    unknown: Unknown | None


def show_outlook(found: Outlook | Unknown, size: GroupSize | None, currency: str) -> OutlookAnswer:
    shown = show_size(size, "for this campaign")
    if isinstance(found, Unknown):
        return OutlookAnswer(
            currency=currency, size=shown, requests=None, ads=None, spend_micros=None, is_capped=False,
            unknown=found,
        )  # fmt: skip
    return OutlookAnswer(
        currency=currency,
        size=shown,
        requests=_range(found.requests),
        ads=_range(found.ads),
        spend_micros=_range(found.spend_micros),
        is_capped=found.is_capped,
        unknown=None,
    )


def _range(told: Range) -> RangeAnswer:
    return RangeAnswer(likely=round(told.likely), least=round(told.least), most=round(told.most))


class TodayAnswer(Strict):
    """What a campaign did in the hours that began on its advertiser's day."""

    since: ShownTime
    impressions: int
    viewable_impressions: int
    clicks: int
    conversions: int
    last_shown_at: ShownTime | None = Field(
        description="when the last hour began in which it was shown; null where it was not for 31 days"
    )


def show_today(day: CampaignDay, last_shown_ms: int | None) -> TodayAnswer:
    return TodayAnswer(
        since=day.since_ms,
        impressions=day.impressions,
        viewable_impressions=day.viewable_impressions,
        clicks=day.clicks,
        conversions=day.conversions,
        last_shown_at=last_shown_ms,
    )
