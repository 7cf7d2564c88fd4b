"""A verdict on each candidate of a decision: its refusal and what is behind it, or its score by its parts."""

from collections.abc import Iterator, Sequence

import msgspec

from adserver.domain.budget import Bucket
from adserver.domain.campaign import PERIOD_MS, Campaign
from adserver.domain.contender import Bid, Contender
from adserver.domain.decision import Candidate, Decision, Heard, Together
from adserver.domain.eligibility import Balance, Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import PER_THOUSAND, PricingModel, rate_of
from adserver.domain.visitor import Profile

BUDGETS = ("total", "daily", "account_total", "account_daily")


class Score(msgspec.Struct, frozen=True):
    """What a thousand ads were expected to earn, and of what that is made.

    `ecpm_micros` is in the campaign's currency. `ranked_micros` is what it was compared by: its throw for
    this request, in the ranking's currency, and what this visitor's views without a click leave of it, the
    `freshness`. The rates are None where the pricing model does not ask for them.
    """

    ecpm_micros: float
    ranked_micros: float
    rate_micros: Micros
    audience_key: int
    exchange_rate: float
    click_rate: float | None = None
    conversion_rate: float | None = None
    freshness: float = 1.0


class Verdict(msgspec.Struct, frozen=True):
    """What became of a candidate; `refusal` None: it was chosen.

    `short_of` names the budget that does not hold one more ad; `frees_ms` is when the reason ends by itself,
    as far as that is known.
    """

    campaign: Campaign
    refusal: Refusal | None
    score: Score | None = None
    short_of: str | None = None
    frees_ms: int | None = None


class _Found(msgspec.Struct, frozen=True):
    """Of a candidate: its offer, where it made one, and what its budgets were."""

    contender: Contender
    balance: Balance | None
    exchange_rate: float | None


def verdicts(
    heard: Heard, candidates: Sequence[Candidate | Together], profile: Profile | None, now_ms: int
) -> list[Verdict]:
    """Of each candidate once: the winner's first, then those that could have answered, then the others."""
    answer = heard.answer
    refusals = answer.refusals
    winner_key = answer.campaign.key if isinstance(answer, Decision) else None
    offered = {
        contender.campaign.key: (bid, worth, offer.weight)
        for offer in heard.offers
        for contender, bid, worth in offer.each(heard.throw)
    }
    told = []
    for found in _each(candidates):
        key = found.contender.campaign.key
        refusal = None if key == winner_key else refusals[key]
        score = score_of(found, *offered[key]) if key in offered and found.exchange_rate else None
        told.append(_told(found, refusal, score, profile, now_ms))
    return sorted(told, key=_place)


def _place(verdict: Verdict) -> tuple[bool, bool, float, int]:
    worth = 0.0 if verdict.score is None else -verdict.score.ranked_micros
    return (verdict.refusal is not None, verdict.score is None, worth, verdict.campaign.key)


def _each(candidates: Sequence[Candidate | Together]) -> Iterator[_Found]:
    for candidate in candidates:
        if isinstance(candidate, Candidate):
            yield _Found(candidate.contender, candidate.balance, candidate.exchange_rate)
        else:
            for contender in candidate.line_up.contenders:
                yield _Found(contender, None, candidate.exchange_rate)


def score_of(found: _Found, bid: Bid, ranked_micros: float, weight: float) -> Score:
    """The one place that reads what a bid's worth is made of."""
    terms, rates = found.contender.campaign.terms, found.contender.rates
    exchange_rate = found.exchange_rate or 1.0
    counts_clicks = terms.pricing_model not in PER_THOUSAND
    return Score(
        bid.ecpm_micros,
        ranked_micros,
        rate_of(terms, bid.audience_key),
        bid.audience_key,
        exchange_rate,
        rates.click.mean if counts_clicks else None,
        rates.order.mean if terms.pricing_model is PricingModel.CPA else None,
        weight / exchange_rate,
    )


def _told(
    found: _Found, refusal: Refusal | None, score: Score | None, profile: Profile | None, now_ms: int
) -> Verdict:
    campaign = found.contender.campaign
    if refusal is Refusal.BUDGET_EXHAUSTED and found.balance is not None:
        short_of = _short_of(found.balance)
        is_daily = short_of in ("daily", "account_daily")
        midnight_ms = now_ms - found.balance.day_elapsed_ms + found.balance.day_length_ms
        return Verdict(campaign, refusal, score, short_of, midnight_ms if is_daily else None)
    if refusal is Refusal.FREQUENCY_CAP and profile is not None:
        return Verdict(campaign, refusal, score, None, _cap_frees_ms(campaign, profile, now_ms))
    if refusal is Refusal.NOT_STARTED:
        return Verdict(campaign, refusal, score, None, campaign.starts_at_ms)
    return Verdict(campaign, refusal, score)


def _short_of(balance: Balance) -> str:
    """The budget with the least room: it is the one that did not hold the ad's price."""
    own, of_all = balance.in_flight, max(balance.in_flight, balance.advertiser_in_flight)
    rooms = zip(
        BUDGETS,
        (
            _room(balance.total, own),
            _room(balance.day, own),
            _room(balance.advertiser_total, of_all),
            _room(balance.advertiser_day, of_all),
        ),
        strict=True,
    )
    return min(rooms, key=lambda one: one[1])[0]


def _room(bucket: Bucket, under_way: Micros) -> float:
    left = bucket.remaining
    return float("inf") if left is None else left - under_way


def _cap_frees_ms(campaign: Campaign, profile: Profile, now_ms: int) -> int | None:
    """When the oldest of the impressions that fill the cap is forgotten."""
    cap = campaign.frequency_cap
    shown = next((one for one in profile.shown if one.campaign_key == campaign.key), None)
    if cap is None or shown is None:
        return None
    within = sorted(at_ms for at_ms in shown.at_ms if at_ms > now_ms - PERIOD_MS[cap.per])
    return within[-cap.impressions] + PERIOD_MS[cap.per] if len(within) >= cap.impressions else None
