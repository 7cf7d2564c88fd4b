"""What a campaign may be expected to show and spend in a day, from what its shop's campaigns did of late."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import sqrt

import msgspec

from adserver.domain.audience_reach import GroupSize, estimate, told
from adserver.domain.campaign import PERIOD_MS, Campaign
from adserver.domain.eligibility import Refusal
from adserver.domain.pricing import BILLED_EVENT, AdEvent, PricingModel
from adserver.domain.rates import Belief, Rates
from adserver.domain.targeting import NO_TARGETING
from adserver.domain.visitor import DAY_MS
from adserver.domain.worth import stake_micros

FEWEST_TRIES = 100  # requests that a campaign could have answered, below which it tells nothing
_CONFIDENCE = 1.96  # of 95 %
_OWN_STATE = (
    Refusal.NOT_ACTIVE, Refusal.PAUSED, Refusal.NOT_STARTED, Refusal.OVER, Refusal.NO_CREATIVE,
    Refusal.CREATIVE_PENDING, Refusal.CREATIVE_REJECTED, Refusal.BUDGET_EXHAUSTED, Refusal.PACED,
    Refusal.NOT_IN_AUDIENCE, Refusal.AUDIENCE_TOO_SMALL,
)  # fmt: skip


class Unknown(StrEnum):
    """Why nothing can be said yet."""

    NOT_COUNTED = "not_counted"  # the audience
    TOO_FEW_PEOPLE = "too_few_people"
    NEVER_ASKED = "never_asked"  # no campaign of the shop could have been shown of late
    TOO_FEW_TRIES = "too_few_tries"


class Range(msgspec.Struct, frozen=True):
    """What is likely, and between what it probably lies."""

    likely: float
    least: float
    most: float

    def times(self, other: "Range") -> "Range":
        return Range(self.likely * other.likely, self.least * other.least, self.most * other.most)

    def at_most(self, limit: float) -> "Range":
        return Range(min(self.likely, limit), min(self.least, limit), min(self.most, limit))


class Tries(msgspec.Struct, frozen=True):
    """Of requests that a campaign could have answered in its audience: how many it did."""

    shown: int
    tried: int


class Past(msgspec.Struct, frozen=True):
    """What a shop's campaigns saw of late: requests a day of its visitors, and who of those were at slots."""

    requests_a_day: float
    reachable: int
    tries: Sequence[Tries]


class Outlook(msgspec.Struct, frozen=True):
    """Of a day in which nothing else changes."""

    requests: Range
    ads: Range
    spend_micros: Range
    is_capped: bool  # whether the daily budget is what ends it


def tries_of(counted: Mapping[Refusal, int], shown: int) -> Tries:
    """What a campaign's own state, budget and audience kept away tells nothing of another's."""
    others = sum(n for refusal, n in counted.items() if refusal not in _OWN_STATE)
    return Tries(shown, shown + others)


def outlook(campaign: Campaign, size: GroupSize | None, past: Past, rates: Rates) -> Outlook | Unknown:
    """Visitors within reach x requests of each a day x share that is won x price of an ad.

    The share lies between the worst and the best of the shop's campaigns, each as doubtful as its tries are
    few. A targeting may leave out anything, so the least is nothing then.
    """
    if size is None:
        return Unknown.NOT_COUNTED
    if not told(size.reachable.best):
        return Unknown.TOO_FEW_PEOPLE
    if not past.requests_a_day or not past.reachable:
        return Unknown.NEVER_ASKED
    share = _share(past.tries)
    if share is None:
        return Unknown.TOO_FEW_TRIES
    within = size.reachable
    each = past.requests_a_day / past.reachable
    least = within.least if campaign.targeting == NO_TARGETING else 0
    requests = Range(within.best * each, least * each, within.most * each)
    ads = requests.times(share).at_most(within.most * _cap_a_day(campaign))
    spend = ads.times(_price(campaign, rates))
    limits = [one for one in (campaign.daily_budget_micros, campaign.total_budget_micros) if one is not None]
    limit = min(limits, default=float("inf"))
    return Outlook(requests, ads, spend.at_most(limit), spend.likely > limit)


def _share(tries: Sequence[Tries]) -> Range | None:
    known = [one for one in tries if one.tried >= FEWEST_TRIES]
    if not known:
        return None
    shown, tried = (sum(parts) for parts in zip(*((one.shown, one.tried) for one in known), strict=True))
    # Of as many requests again, and without end: a share of a billion.
    population = 10**9
    bounds = [estimate(one.shown, one.tried, population) for one in known]
    return Range(
        shown / tried,
        min(one.least for one in bounds) / population,
        max(one.most for one in bounds) / population,
    )


def _cap_a_day(campaign: Campaign) -> float:
    cap = campaign.frequency_cap
    return float("inf") if cap is None else cap.impressions * max(1.0, DAY_MS / PERIOD_MS[cap.per])


def _price(campaign: Campaign, rates: Rates) -> Range:
    """Of one ad that is shown, in micros: its rate, weighed with how often it comes to what is billed."""
    keys = [named.audience_key for named in campaign.terms.audience_rates] or [0]
    stakes = [stake_micros(campaign, key) / 1000 for key in keys]
    chance = _chance(BILLED_EVENT[campaign.terms.pricing_model], rates)
    basket = campaign.terms.pricing_model is PricingModel.CPA and bool(campaign.terms.basket_bps)
    least = 0.0 if basket else min(stakes)  # a share of a basket may be of a small one
    return Range(sum(stakes) / len(stakes), least, max(stakes)).times(chance)


def _chance(event: AdEvent, rates: Rates) -> Range:
    match event:
        case AdEvent.IMPRESSION:
            return Range(1.0, 1.0, 1.0)
        case AdEvent.VIEWABLE_IMPRESSION:
            return _range(rates.view)
        case AdEvent.CLICK:
            return _range(rates.click)
        case AdEvent.CONVERSION:
            return _range(rates.click).times(_range(rates.order))


def _range(belief: Belief) -> Range:
    mean = belief.mean
    half = _CONFIDENCE * sqrt(mean * (1 - mean) / (belief.trials + 1))
    return Range(mean, max(0.0, mean - half), min(1.0, mean + half))
