"""What a change of a campaign would have done on a recorded day, told before it is saved."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from adserver.domain import campaign as rules
from adserver.domain.audience import all_rules
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, DaySpan, day_span
from adserver.domain.caller import Caller
from adserver.domain.campaign import Campaign
from adserver.domain.census import audience_keys_of
from adserver.domain.contender import Setting, contender_of
from adserver.domain.experiment import is_held_out
from adserver.domain.house_rules import HouseRules, HouseRulesOf
from adserver.domain.money import ZERO, Micros
from adserver.domain.peace import DEFAULT_POLICY, PeacePolicy, peace_of
from adserver.domain.product_choice import ProductChoice
from adserver.domain.rates import NO_FIGURES
from adserver.domain.replay import Estimate, Recorded, Scene, replay
from adserver.domain.slot import Slot
from adserver.domain.snapshot import Snapshot
from adserver.domain.targeting import ANY, Targeting
from adserver.domain.whereabouts import page_at
from adserver.ports import Catalogue, Clock, DecisionSamples, Refreshed
from pixel.consent import Region

FEW_SAMPLES = 200
Edit = Callable[[Campaign], Campaign]


class NoReplay(StrEnum):
    """Why a day cannot be replayed."""

    NO_CAMPAIGN = "not_found"
    NO_EXCHANGE_RATE = "no_exchange_rate"
    NO_SAMPLES = "no_samples"


class Caveat(StrEnum):
    """What the figures do not say."""

    FEW_SAMPLES = "few_samples"
    SCHEDULE_LIFTED = "schedule_lifted"
    HIGHER_CAP = "higher_cap"
    ACCOUNT_BUDGET = "account_budget"
    DETAILED_AUDIENCE = "detailed_audience"
    SUGGESTS = "suggests"
    PLACE_UNKNOWN = "place_unknown"


CAVEATS = {
    Caveat.FEW_SAMPLES: "There are few samples of this day: take the intervals seriously, or another day.",
    Caveat.SCHEDULE_LIFTED: "The campaign does not run on this day: it is replayed as if it did.",
    Caveat.HIGHER_CAP: "What it was shown before this day is known of the last few times only.",
    Caveat.ACCOUNT_BUDGET: "The account's own budgets, which its other campaigns spend too, are not counted.",
    Caveat.DETAILED_AUDIENCE: "Samples do not tell what audiences ask that count events, or ask for items,"
    " amounts or ads: of those it finds nobody.",
    Caveat.SUGGESTS: "Products that are suggested besides reminders are not replayed: it may be shown"
    " more often.",
    Caveat.PLACE_UNKNOWN: "No country, device or language is recorded, nor a page's own words: it is replayed"
    " as if all of those were addressed.",
}
_UNRECORDED = ("countries", "subdivisions", "devices", "languages", "keywords")


class Replayed(msgspec.Struct, frozen=True):
    """The day with the campaign as it is, and as it would be."""

    campaign: Campaign
    changed: Campaign
    day: DaySpan
    timezone: str
    samples: int
    before: Estimate
    after: Estimate
    caveats: tuple[Caveat, ...]


class Replay:
    """Replays days; nothing is changed, and nothing of anybody is told."""

    def __init__(
        self,
        snapshot: Snapshot,
        samples: DecisionSamples,
        catalogue: Catalogue,
        clock: Clock,
        ranking_rates: Mapping[str, float],
        refresh: Refreshed,
        peace: PeacePolicy = DEFAULT_POLICY,
    ) -> None:
        self._snapshot = snapshot
        self._samples = samples
        self._catalogue = catalogue
        self._clock = clock
        self._ranking_rates = ranking_rates
        self._refresh = refresh
        self._peace = peace

    def run(
        self,
        campaign_key: int,
        edit: Edit,
        day: int | None = None,
        tell: Callable[[int], None] = lambda samples: None,
    ) -> Replayed | NoReplay | rules.Refusal:
        """The day is yyyymmdd in the advertiser's zone, by default yesterday; `tell` hears of each piece."""
        self._refresh(missing=campaign_key not in self._snapshot.campaigns)
        campaign = self._snapshot.campaigns.get(campaign_key)
        if campaign is None:
            return NoReplay.NO_CAMPAIGN
        changed = rules.apply(campaign, edit(campaign))
        if isinstance(changed, rules.Refusal):
            return changed
        exchange_rate = self._exchange_rate(campaign.terms.currency)
        if exchange_rate is None:
            return NoReplay.NO_EXCHANGE_RATE
        zone = self._snapshot.advertisers[campaign.advertiser_key].timezone
        span = self._span(day, zone)
        recorded: list[Recorded] = []
        for piece in self._samples.between(span.start_ms, span.end_ms):
            recorded += piece
            tell(len(recorded))
        if not recorded:
            return NoReplay.NO_SAMPLES
        before, after = (
            replay(recorded, self._scene(one, recorded, span, exchange_rate)) for one in (campaign, changed)
        )
        caveats = tuple(self._caveats(campaign, changed, span, len(recorded)))
        return Replayed(campaign, changed, span, zone, len(recorded), before, after, caveats)

    def _span(self, day: int | None, zone: str) -> DaySpan:
        if day is None:
            today = day_span(self._clock(), zone)
            return day_span(today.start_ms - 1, zone)
        noon = datetime(day // 10_000, day // 100 % 100, day % 100, 12, tzinfo=ZoneInfo(zone))
        return day_span(int(noon.astimezone(UTC).timestamp() * 1000), zone)

    def _exchange_rate(self, currency: str) -> float | None:
        """As the ranking compares them: one currency alone needs no rate."""
        used = {campaign.terms.currency for campaign in list(self._snapshot.campaigns.values())}
        return 1.0 if used == {currency} else self._ranking_rates.get(currency)

    def _scene(
        self, campaign: Campaign, recorded: list[Recorded], span: DaySpan, exchange_rate: float
    ) -> Scene:
        snapshot = self._snapshot
        believed = snapshot.believed(campaign.advertiser_key)
        setting = Setting(timezone=snapshot.timezone_of(campaign.advertiser_key), of_creatives=believed)
        rates = believed.get(campaign.key, NO_FIGURES)
        running, owner = _running_on(campaign, span), snapshot.advertisers[campaign.advertiser_key]
        running = replace(running, targeting=_anywhere(running.targeting))
        peace, creatives = peace_of(running, owner, self._peace), snapshot.creatives_of(campaign.key)
        contender = contender_of(running, creatives, rates, (), peace, setting)
        interests = {
            key
            for one in recorded
            for shop in one.sample.shops
            if shop.advertiser_key == campaign.advertiser_key
            for key, _, _ in shop.interests
        }
        return Scene(
            contender,
            exchange_rate,
            snapshot.memberships,
            snapshot.members,
            self._catalogue.products(interests),
            snapshot.slots,
            self._rules(),
            span,
            self._spent_before(campaign.key, span),
            snapshot.audience_sizes,
            lambda slot: page_at(Caller(Region.OPEN), snapshot.sites[slot.site_key], None, None, ()),
            frozenset(
                key for key, one in list(snapshot.campaigns.items()) if one.advertiser_key == owner.key
            ),
            lambda visitor_key: is_held_out(visitor_key, owner),
        )

    def _rules(self) -> Callable[[Slot], HouseRules | None]:
        house_rules, sites = HouseRulesOf(self._snapshot), self._snapshot.sites
        return lambda slot: house_rules.at(slot, sites[slot.site_key])

    def _spent_before(self, campaign_key: int, span: DaySpan) -> Micros:
        """What was spent before the day: all of it, but what was since."""
        buckets = list(self._snapshot.buckets.items())
        own = [(id_.day, one.spent) for id_, one in buckets if id_.owner_key == campaign_key]
        since = sum(spent for day, spent in own if day >= span.day)
        whole = self._snapshot.buckets.get(BucketId(campaign_key, WHOLE_LIFE), Bucket())
        return Micros(max(ZERO, whole.spent - since))

    def _caveats(self, campaign: Campaign, changed: Campaign, span: DaySpan, samples: int) -> list[Caveat]:
        account = self._snapshot.advertisers[campaign.advertiser_key]
        before, after = campaign.frequency_cap, changed.frequency_cap
        has_budget = account.daily_budget_micros is not None or account.total_budget_micros is not None
        is_raised = before is not None and (after is None or after.impressions > before.impressions)
        holds = {
            Caveat.FEW_SAMPLES: samples < FEW_SAMPLES,
            Caveat.SCHEDULE_LIFTED: _running_on(changed, span) is not changed,
            Caveat.HIGHER_CAP: is_raised,
            Caveat.ACCOUNT_BUDGET: has_budget or account.prepaid,
            Caveat.DETAILED_AUDIENCE: self._asks_for_details(changed),
            Caveat.SUGGESTS: changed.products is not ProductChoice.REMINDERS,
            Caveat.PLACE_UNKNOWN: _anywhere(changed.targeting) != changed.targeting,
        }
        return [caveat for caveat, is_so in holds.items() if is_so]

    def _asks_for_details(self, campaign: Campaign) -> bool:
        """Whether an audience asks for more than when a kind of event came last."""
        named = (self._snapshot.audiences.get(key) for key in audience_keys_of(campaign))
        return any(not rule.is_plain for one in named if one is not None for rule in all_rules(one))


def _anywhere(targeting: Targeting) -> Targeting:
    """As far as a sample tells where it was: on which site, of what categories, and when."""
    return replace(targeting, **dict.fromkeys(_UNRECORDED, ANY))


def _running_on(campaign: Campaign, span: DaySpan) -> Campaign:
    """The campaign with a schedule that holds the day: one that is yet to come is asked about, too."""
    starts, ends = campaign.starts_at_ms, campaign.ends_at_ms
    if (starts is None or starts < span.end_ms) and (ends is None or ends > span.start_ms):
        return campaign
    return replace(campaign, starts_at_ms=None, ends_at_ms=None)
