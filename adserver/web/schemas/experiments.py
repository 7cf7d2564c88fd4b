"""Experiments, their results and the lift of ads, as JSON."""

from typing import Annotated, ClassVar

from msgspec.structs import replace
from pydantic import Field

from adserver.domain.campaign import Advertiser
from adserver.domain.comparison import CAUSES, Comparison, Sizes
from adserver.domain.experiment import (
    HELD_OUT,
    SHOWN,
    WHOLE_BPS,
    WINDOW_MS,
    Arm,
    Experiment,
    Metric,
    Subject,
)
from adserver.domain.experiment_result import ExperimentResult
from adserver.domain.identity import write_id
from adserver.domain.intervals import FEWEST, Interval
from adserver.domain.lift import Lift, Proposal, Return
from adserver.domain.participant import Sums
from adserver.domain.visitor import DAY_MS
from adserver.web.schemas.fields import (
    AdvertiserId,
    AudienceId,
    CampaignId,
    Change,
    CreativeId,
    GivenTime,
    Name,
    Paging,
    ShownTime,
    Strict,
)

MOST_ARMS = 10

Share = Annotated[int, Field(strict=True, ge=1, le=WHOLE_BPS, description="of 10,000 visitors")]
Visitors = Annotated[int, Field(strict=True, ge=1, le=10**9)]


class ArmBody(Strict):
    """A share of visitors, and which of the campaign's creatives they see or audiences it is for."""

    name: Name
    share_bps: Share
    creative_ids: list[CreativeId] = Field(default_factory=list, max_length=100)
    audience_ids: list[AudienceId] = Field(default_factory=list, max_length=100)

    def arm(self) -> Arm:
        return Arm(self.name, self.share_bps, tuple(self.creative_ids), tuple(self.audience_ids))


class ExperimentDraft(Strict):
    """A new experiment. Its arms, what they are compared by and its size stay as they are."""

    campaign_id: CampaignId
    name: Name
    subject: Subject
    arms: list[ArmBody] = Field(
        min_length=1, max_length=MOST_ARMS, description="two at least; the others are compared with the first"
    )
    metric: Metric
    visitors_planned: Visitors = Field(description="told before the start: whoever looks once looks then")
    starts_at: GivenTime | None = Field(default=None, description="by default now")
    ends_at: GivenTime | None = None

    def experiment(self) -> Experiment:
        return Experiment(
            key=0,
            advertiser_key=0,
            campaign_key=self.campaign_id,
            name=self.name,
            subject=self.subject,
            arms=tuple(body.arm() for body in self.arms),
            metric=self.metric,
            visitors_planned=self.visitors_planned,
            starts_at_ms=self.starts_at or 0,
            ends_at_ms=self.ends_at,
        )


class ExperimentChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset({"ends_at"})

    name: Name | None = None
    ends_at: GivenTime | None = None

    def edit(self, experiment: Experiment) -> Experiment:
        given = self.given()
        if "ends_at" in given:
            given["ends_at_ms"] = given.pop("ends_at")
        return replace(experiment, **given)


class ExperimentList(Paging):
    advertiser_id: AdvertiserId | None = None


class IntervalAnswer(Strict):
    """Of a relative difference: 0.14 is 14 % more."""

    low: float
    high: float


class ComparisonAnswer(Strict):
    """A figure beside that of the group it is compared with; null with too few to tell."""

    metric: Metric
    rate: float | None = Field(
        description="of an impression, or of a visitor; money in the advertiser's currency"
    )
    base_rate: float | None
    relative: float | None
    fixed_interval: IntervalAnswer | None = Field(description="95 %, for one look at the planned end")
    any_day_interval: IntervalAnswer | None = Field(description="95 % on all days at once: look whenever")
    more_visitors: int | None = Field(description="needed until a difference of 10 % would be seen")
    said: str


class SizesAnswer(Strict):
    """Whether the groups are as large as their shares say."""

    sound: bool
    chance: float = Field(description="that they differ so much by accident; below 0.001 they are not sound")
    causes: list[str]
    said: str


class GroupAnswer(Strict):
    """What a group did and cost; of fewer than ten visitors, only the money is told."""

    visitors: int | None
    impressions: int | None
    clicks: int | None
    purchases: int | None
    leads: int | None
    revenue_micros: int
    credited_revenue_micros: int = Field(description="of it, what attribution gives to ads")
    spend_micros: int


class ArmAnswer(GroupAnswer):
    name: str
    share_bps: int
    creative_ids: list[str]
    audience_ids: list[str]
    comparisons: list[ComparisonAnswer] = Field(description="with the first arm; the first has none")


class ExperimentAnswer(Strict):
    id: str
    advertiser_id: str
    campaign_id: str
    name: str
    subject: Subject
    metric: Metric
    visitors: int | None = Field(description="in all arms; null while fewer than ten")
    visitors_planned: int
    starts_at: ShownTime
    ends_at: ShownTime | None
    window_days: int = Field(description="for so long what a visitor does counts for their arm")
    arms: list[ArmAnswer]
    sizes: SizesAnswer
    said: str = Field(description="what is known, in one sentence for each arm but the first")
    version: int
    created_at: ShownTime


class ReturnAnswer(Strict):
    """Of a unit of money spent on ads: what came back as attribution says, and what came only by them."""

    roas: float
    iroas: float | None
    fixed_interval: IntervalAnswer | None
    any_day_interval: IntervalAnswer | None


class ProposalAnswer(Strict):
    holdout_bps: int = Field(description="0: leave it off")
    visitors_a_month: int
    visitors_needed_a_month: int | None
    smallest_lift: float | None = Field(description="that would show within three months")
    said: str


class LiftAnswer(Strict):
    """What an advertiser's ads have changed. `valid` false: the groups' sizes are wrong, believe nothing."""

    advertiser_id: str
    currency: str
    holdout_bps: int
    since: ShownTime | None
    window_days: int
    valid: bool
    shown: GroupAnswer
    held_out: GroupAnswer
    sizes: SizesAnswer | None
    comparisons: list[ComparisonAnswer]
    returns: ReturnAnswer | None
    proposal: ProposalAnswer
    said: str


def show_experiment(experiment: Experiment, verdict: ExperimentResult) -> ExperimentAnswer:
    compared = ((), *verdict.comparisons)
    return ExperimentAnswer(
        id=write_id("exp", experiment.key),
        advertiser_id=write_id("adv", experiment.advertiser_key),
        campaign_id=write_id("cmp", experiment.campaign_key),
        name=experiment.name,
        subject=experiment.subject,
        metric=experiment.metric,
        visitors=verdict.visitors if verdict.visitors >= FEWEST else None,
        visitors_planned=experiment.visitors_planned,
        starts_at=experiment.starts_at_ms,
        ends_at=experiment.ends_at_ms,
        window_days=WINDOW_MS // DAY_MS,
        arms=[_show_arm(*three) for three in zip(experiment.arms, verdict.arms, compared, strict=True)],
        sizes=_show_sizes(verdict.sizes),
        said=verdict.said,
        version=experiment.version,
        created_at=experiment.created_at_ms,
    )


def _show_arm(arm: Arm, sums: Sums, comparisons: tuple[Comparison, ...]) -> ArmAnswer:
    return ArmAnswer(
        name=arm.name,
        share_bps=arm.share_bps,
        creative_ids=[write_id("crv", key) for key in arm.creative_keys],
        audience_ids=[write_id("aud", key) for key in arm.audience_keys],
        comparisons=list(map(_show_comparison, comparisons)),
        **_group(sums),
    )


def show_lift(advertiser: Advertiser, lift: Lift) -> LiftAnswer:
    return LiftAnswer(
        advertiser_id=write_id("adv", advertiser.key),
        currency=advertiser.currency,
        holdout_bps=advertiser.holdout_bps,
        since=advertiser.holdout_since_ms,
        window_days=WINDOW_MS // DAY_MS,
        valid=lift.sizes is not None and lift.sizes.are_sound,
        shown=GroupAnswer(**_group(lift.arms[SHOWN])),
        held_out=GroupAnswer(**_group(lift.arms[HELD_OUT])),
        sizes=None if lift.sizes is None else _show_sizes(lift.sizes),
        comparisons=list(map(_show_comparison, lift.comparisons)),
        returns=None if lift.returned is None else _show_return(lift.returned),
        proposal=_show_proposal(lift.proposal),
        said=lift.said,
    )


def _group(sums: Sums) -> dict[str, int | None]:
    counts = {
        "visitors": sums.entered,
        "impressions": sums.impressions,
        "clicks": sums.clicks,
        "purchases": sums.purchases,
        "leads": sums.leads,
    }
    is_told = sums.entered >= FEWEST
    return {name: n if is_told else None for name, n in counts.items()} | {
        "revenue_micros": sums.revenue_micros,
        "credited_revenue_micros": sums.credited_micros,
        "spend_micros": sums.spend_micros,
    }


def _show_comparison(comparison: Comparison) -> ComparisonAnswer:
    return ComparisonAnswer(
        metric=comparison.metric,
        rate=_rounded(comparison.rate, 6),
        base_rate=_rounded(comparison.base_rate, 6),
        relative=_rounded(comparison.relative),
        fixed_interval=_show_interval(comparison.fixed),
        any_day_interval=_show_interval(comparison.any_day),
        more_visitors=comparison.more_visitors,
        said=comparison.said,
    )


def _show_interval(interval: Interval | None) -> IntervalAnswer | None:
    if interval is None:
        return None
    return IntervalAnswer(low=round(interval.low, 4), high=round(interval.high, 4))


def _rounded(figure: float | None, places: int = 4) -> float | None:
    return None if figure is None else round(figure, places)


def _show_sizes(sizes: Sizes) -> SizesAnswer:
    causes = [] if sizes.are_sound else list(CAUSES)
    return SizesAnswer(sound=sizes.are_sound, chance=sizes.chance, causes=causes, said=sizes.said)


def _show_return(returned: Return) -> ReturnAnswer:
    return ReturnAnswer(
        roas=round(returned.credited, 4),
        iroas=_rounded(returned.incremental),
        fixed_interval=_show_interval(returned.fixed),
        any_day_interval=_show_interval(returned.any_day),
    )


def _show_proposal(proposal: Proposal) -> ProposalAnswer:
    return ProposalAnswer(
        holdout_bps=proposal.holdout_bps,
        visitors_a_month=proposal.visitors_a_month,
        visitors_needed_a_month=proposal.visitors_needed_a_month,
        smallest_lift=_rounded(proposal.smallest_lift),
        said=proposal.said,
    )
