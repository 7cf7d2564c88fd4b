"""The decision as plainly as it can be said: slow, each candidate by itself, and what the fast one is held to."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.audience_size import UNCOUNTED, AudienceSize
from adserver.domain.campaign import Campaign, Creative, Pacing, Tier, creatives_for
from adserver.domain.catalogue import Product
from adserver.domain.contender import MESSAGE, Setting, contender_of
from adserver.domain.decision import NO_SIZES, Candidate, Decision, NoAd, Request
from adserver.domain.eligibility import Balance, Refusal, refusal
from adserver.domain.experiment import Entry, Subject, arm_of
from adserver.domain.money import Micros
from adserver.domain.pacing import DayBudget, dice_of, may_spend
from adserver.domain.pricing import CONTEXTUAL, PricingModel, rate_of, smallest_price
from adserver.domain.product_set import ProductSet
from adserver.domain.ranking import THROWS, Odds
from adserver.domain.situation import Situation
from adserver.domain.suggestion import Because, Suggested
from adserver.domain.visitor import (
    DAY_MS,
    Profile,
    Shop,
)
from adserver.domain.worth import ecpm_micros, stake_micros
from tests.domain.plain_audience import happened_at, picks_by_value, plain_since
from tests.domain.plain_choice import choose, no_product, of_first_card, plain_situations, within_set
from tests.domain.plain_peace import afterwards, as_if_seen, freshness, peace_refusal, unburnt, worn_out
from tests.domain.plain_targeting import targeting_refusal

# Whose rate it is served at, what is seen, and of which situation of the visitor its words may speak.
_Shown = tuple[int, Creative, tuple[Product, ...], Situation | None, Mapping[int, Because]]
Besides = tuple[Mapping[int, ProductSet], Mapping[int, Suggested], Mapping[int, AudienceSize]]
NOTHING_BESIDES: Besides = ({}, {}, NO_SIZES)


class _Thrown(NamedTuple):
    """One of a campaign's creatives, and what is thrown for it: its rank among them, and what it is worth."""

    decision: Decision
    rank_in_throw: Sequence[float]
    worth_in_throw: Sequence[float]


_Offered = Sequence[_Thrown]  # all of a campaign's that may be shown


def decide(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate],
    products: Mapping[int, Product],
    dice: float,
    besides: Besides = NOTHING_BESIDES,
) -> Decision | NoAd:
    """Of the eligible campaigns of the highest tier the one that is thrown the highest worth, or NoAd.

    `profile` is None where nothing may be remembered of the visitor.
    `products` holds the catalogue's entries for the profile's interests. `dice` in [0, 1) chooses the throw,
    breaks ties and, hashed with a campaign's key, paces that campaign.
    """
    refusals: dict[int, Refusal] = {}
    offers: list[_Offered] = []
    entries: list[Entry] = []
    for whole in candidates:
        candidate, entry = _in_arm(request, profile, whole, products, besides)
        offer = _offer(request, profile, candidate, products, dice, besides)
        if entry is not None and not candidate.contender.campaign.terms.audience_rates:
            offer = offer if isinstance(offer, Refusal) else [_entered(one, entry) for one in offer]
        elif entry is not None:
            entries.append(entry)
        if isinstance(offer, Refusal):
            refusals[candidate.contender.campaign.key] = offer
        else:
            offers.append(offer)
    if not offers:
        return NoAd(refusals, entries=tuple(entries))
    tiers = list(Tier)
    highest = min((offer[0].decision.campaign.tier for offer in offers), key=tiers.index)
    ranked = [offer for offer in offers if offer[0].decision.campaign.tier is highest]
    throw = int(dice * THROWS)
    ahead = _ahead(ranked, throw)
    winner = ahead[int((dice * THROWS - throw) * len(ahead))]
    for offer in offers:
        if offer[0].decision.campaign.key != winner.campaign.key:
            by_price = offer[0].decision.campaign.tier is highest
            refusals[offer[0].decision.campaign.key] = Refusal.OUTRANKED if by_price else Refusal.LOWER_TIER
    found = {"judged": refusals, "entries": (*entries, *winner.entries)}
    return msgspec.structs.replace(winner, propensity=_propensity(ranked, winner), **found)


def _entered(thrown: _Thrown, entry: Entry) -> _Thrown:
    return thrown._replace(decision=msgspec.structs.replace(thrown.decision, entries=(entry,)))


def _ahead(ranked: Sequence[_Offered], throw: int) -> list[Decision]:
    """Of each campaign what is worth most in a throw, or is clicked most if all is; of those the best."""
    shown = [max(offer, key=lambda one: one.rank_in_throw[throw]) for offer in ranked]
    best = max(one.worth_in_throw[throw] for one in shown)
    return [
        msgspec.structs.replace(one.decision, ecpm_micros=best)
        for one in shown
        if one.worth_in_throw[throw] == best
    ]


def _propensity(ranked: Sequence[_Offered], winner: Decision) -> float:
    """How often it is shown over all throws, and all ties in each."""
    share = 0.0
    for throw in range(THROWS):
        ahead = _ahead(ranked, throw)
        share += sum(one.creative == winner.creative for one in ahead) / len(ahead)
    return share / THROWS


def _in_arm(
    request: Request,
    profile: Profile | None,
    candidate: Candidate,
    products: Mapping[int, Product],
    besides: Besides,
) -> tuple[Candidate, Entry | None]:
    """The campaign as the visitor's arm has it, and the arm where they may be in it by now.

    Of audiences, whoever belongs to the campaign's is; of creatives, whoever sees its ad.
    """
    contender = candidate.contender
    campaign, now_ms = contender.campaign, request.now_ms
    for experiment in (trial.experiment for trial in contender.trials):
        arm = None if request.test else arm_of(experiment, request.visitor_key)
        if not experiment.runs(now_ms) or arm is None:
            continue
        named, entry = experiment.arms[arm], Entry(experiment.key, arm, campaign.key)
        if experiment.subject is not Subject.AUDIENCES:
            creatives = [one for one in contender.creatives if one.key in named.creative_keys]
            in_arm = _made_of(candidate, campaign, creatives)
            marked = msgspec.structs.replace(in_arm.contender, entry=entry)
            return msgspec.structs.replace(in_arm, contender=marked), entry
        stands = refusal(campaign, contender.creatives, False, now_ms) is None
        shop = profile.shop(campaign.advertiser_key) if profile is not None else None
        belongs = (
            profile is not None and shop is not None
            and isinstance(_audience(candidate, shop, products, besides[0], besides[2], now_ms), int)
        )  # fmt: skip
        rates = tuple(one for one in campaign.terms.audience_rates if one.audience_key in named.audience_keys)
        terms = msgspec.structs.replace(campaign.terms, audience_rates=rates)
        own = msgspec.structs.replace(campaign, terms=terms)
        return _made_of(candidate, own, contender.creatives), entry if stands and belongs else None
    return candidate, None


def _made_of(candidate: Candidate, campaign: Campaign, creatives: Sequence[Creative]) -> Candidate:
    known = candidate.contender
    setting = Setting(known.list_keys)
    contender = contender_of(campaign, creatives, known.rates, (), known.peace, setting)
    return msgspec.structs.replace(candidate, contender=contender)


def decide_with_holdout(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate],
    products: Mapping[int, Product],
    dice: float,
    besides: Besides,
    holding: Set[int],
) -> Decision | NoAd:
    """As if those of `holding` whose ad wins had never been asked; of their campaigns is told why not."""
    answer = decide(request, profile, candidates, products, dice, besides)
    if isinstance(answer, NoAd) or answer.campaign.advertiser_key not in holding:
        return answer
    owner = answer.campaign.advertiser_key
    of_owner = [one for one in candidates if one.contender.campaign.advertiser_key == owner]
    others = [one for one in candidates if one not in of_owner]
    lost = {one.contender.campaign.key: answer.refusals.get(one.contender.campaign.key) for one in of_owner}
    instead = decide_with_holdout(request, profile, others, products, dice, besides, holding)
    no = {key: reason or Refusal.HOLDOUT for key, reason in lost.items()}
    ghosts = (answer, *(msgspec.structs.replace(one, judged={**no, **one.judged}) for one in instead.ghosts))
    if isinstance(instead, NoAd):
        return NoAd({**no, **instead.refusals}, ghosts, instead.entries)
    return msgspec.structs.replace(instead, judged={**no, **instead.judged}, ghosts=ghosts)


def _offer(
    request: Request,
    profile: Profile | None,
    candidate: Candidate,
    products: Mapping[int, Product],
    dice: float,
    besides: Besides,
) -> _Offered | Refusal:
    campaign = candidate.contender.campaign
    barred = request.rules and request.rules.refusal(campaign.advertiser_key)
    if barred:
        return barred
    no = refusal(campaign, candidate.contender.creatives, request.image, request.now_ms)
    no = no or _place_refusal(request, campaign)
    profile = as_if_seen(request, profile)
    no = no or peace_refusal(request, profile, candidate)
    if no is not None:
        return no
    shown = _shown(request, profile, candidate, products, besides)
    if isinstance(shown, Refusal):
        return shown
    offer = _priced(request, profile, candidate, shown)
    if not isinstance(offer, Refusal) and not request.test and campaign.tier is not Tier.HOUSE:
        return _money_refusal(campaign, candidate.balance, dice, shown[0][0]) or offer
    return offer


def _place_refusal(request: Request, campaign: Campaign) -> Refusal | None:
    """What the place, and what else stands there, has against the campaign."""
    if campaign.advertiser_key in request.page.rivals:
        return Refusal.COMPETITOR_ON_PAGE
    no = targeting_refusal(campaign.targeting, request.page, request.now_ms)
    return no or (Refusal.SHOWN_BESIDE if campaign.key in request.spared else None)


def _shown(
    request: Request,
    profile: Profile | None,
    candidate: Candidate,
    products: Mapping[int, Product],
    besides: Besides,
) -> list[_Shown] | Refusal:
    """For the visitor's sake where the campaign's audience holds them, else for the page's."""
    campaign = candidate.contender.campaign
    shop = profile.shop(campaign.advertiser_key) if profile is not None else None
    if shop is not None and shop.blocked_at_ms:
        return Refusal.SHOP_UNWANTED
    if candidate.contender.list_keys & request.list_keys:
        return Refusal.SUPPRESSED
    found: int | Refusal = Refusal.NOT_IN_AUDIENCE
    sets, suggested, sizes = besides
    if profile is not None and shop is not None:
        found = _audience(candidate, shop, products, sets, sizes, request.now_ms)
        if not isinstance(found, Refusal):
            asked = (request, profile, candidate, found, afterwards(request, candidate, shop))
            left = unburnt(request, candidate, shop, products)
            answer = _shown_to_member(*asked, (left, sets, suggested))
            if isinstance(answer, Refusal) and left != products:
                whole = _shown_to_member(*asked, (products, sets, suggested))
                return answer if isinstance(whole, Refusal) else Refusal.BURNED
            return answer
    return _shown_for_page(request, profile, candidate) if campaign.contextual else found


def _audience(
    candidate: Candidate,
    shop: Shop,
    products: Mapping[int, Product],
    sets: Mapping[int, ProductSet],
    sizes: Mapping[int, AudienceSize],
    now_ms: int,
) -> int | Refusal:
    """The dearest of the audiences that are served now; else what the nearest of them lacks."""
    terms = candidate.contender.campaign.terms
    if not terms.audience_rates:
        return 0
    served, lacks = [], set()
    for named in terms.audience_rates:
        membership = candidate.audiences.get(named.audience_key)
        if membership is None:
            continue
        audience = membership.audience
        since_ms = plain_since(audience, happened_at(shop), now_ms, products, sets)
        contender = candidate.contender
        by_place = contender.campaign.targeting.by_place
        narrowed = picks_by_value(audience) or bool(contender.list_keys) or by_place
        if not since_ms:
            continue
        if narrowed and sizes.get(audience.key, UNCOUNTED).members < 50:
            lacks.add(Refusal.AUDIENCE_TOO_SMALL)
        elif now_ms - since_ms < audience.wait_minutes * 60_000:
            lacks.add(Refusal.AUDIENCE_WAITS)
        elif audience.stop_days is not None and now_ms - since_ms >= audience.stop_days * DAY_MS:
            lacks.add(Refusal.AUDIENCE_STOPPED)
        else:
            served.append((rate_of(terms, audience.key), -audience.key))
    if served:
        return -max(served)[1]
    nearest = (Refusal.AUDIENCE_WAITS, Refusal.AUDIENCE_STOPPED, Refusal.AUDIENCE_TOO_SMALL)
    return next((one for one in nearest if one in lacks), Refusal.NOT_IN_AUDIENCE)


def _shown_for_page(
    request: Request, profile: Profile | None, candidate: Candidate
) -> list[_Shown] | Refusal:
    """A message: products are chosen by what a visitor did."""
    messages = [creative for creative in _live(candidate) if creative.template == MESSAGE]
    if not messages:
        return Refusal.NO_MESSAGE
    fresh = [creative for creative in messages if not worn_out(request, profile, creative)]
    if not fresh:
        return Refusal.FREQUENCY_UNKNOWN if profile is None else Refusal.CREATIVE_CAP
    return [(CONTEXTUAL, one, (), None, {}) for one in fresh]


def _live(candidate: Candidate) -> list[Creative]:
    """What of each creative was approved."""
    return [shown for one in candidate.contender.creatives if (shown := live_version(one)) is not None]


def _shown_to_member(
    request: Request,
    profile: Profile,
    candidate: Candidate,
    audience_key: int,
    shop: Shop,
    known: tuple[Mapping[int, Product], Mapping[int, ProductSet], Mapping[int, Suggested]],
) -> list[_Shown] | Refusal:
    """The creatives that the visitor's audience may see, each with its products; none for a message."""
    campaign = candidate.contender.campaign
    creatives = creatives_for(campaign, audience_key, _live(candidate))
    if not creatives:  # not approved, or this worker has not heard of them yet
        return Refusal.NO_CREATIVE
    products, sets, besides = known
    within = within_set(campaign.product_set_key, products, sets, request.now_ms)
    chosen, because = choose(campaign, shop, products, request, within, besides)
    situations = plain_situations(shop, request.now_ms)
    showable = [one for one in creatives if (situations & _for(one) if one.template == MESSAGE else chosen)]
    if not showable:
        if any(one.template != MESSAGE for one in creatives):
            if choose(campaign, shop, products, request, products, besides)[0]:
                return Refusal.NOT_IN_PRODUCT_SET
            return no_product(shop, products, request)
        for_forms = all(_for(one) == {Situation.FORM_ABANDONED} for one in creatives)
        return Refusal.NO_OPEN_FORM if for_forms else Refusal.NOT_IN_SITUATION
    showable = [one for one in showable if not worn_out(request, profile, one)]
    if not showable:
        return Refusal.CREATIVE_CAP
    return [_spoken(audience_key, one, shop, (chosen, because), situations) for one in showable]


def _spoken(
    audience_key: int,
    creative: Creative,
    shop: Shop,
    chosen_because: tuple[tuple[Product, ...], Mapping[int, Because]],
    situations: set[Situation],
) -> _Shown:
    chosen, because = chosen_because
    if creative.template != MESSAGE:
        if chosen[0].key in because or not creative.copies:
            return audience_key, creative, chosen, None, because
        return audience_key, creative, chosen, of_first_card(shop, chosen, situations), because
    spoken_of = min(situations & _for(creative), key=list(Situation).index)
    return audience_key, creative, (), spoken_of if creative.copies else None, {}


def _for(message: Creative) -> set[Situation]:
    return set(message.situations) or {Situation.FORM_ABANDONED}


def _priced(
    request: Request, profile: Profile | None, candidate: Candidate, shown: list[_Shown]
) -> _Offered | Refusal:
    if candidate.exchange_rate is None:
        return Refusal.NO_EXCHANGE_RATE
    campaign, slot = candidate.contender.campaign, request.slot
    native = ecpm_micros(campaign, candidate.contender.rates, shown[0][0])
    has_floor = slot.currency == campaign.terms.currency and campaign.tier is not Tier.HOUSE
    if has_floor and native < slot.floor_cpm_micros:
        return Refusal.BELOW_FLOOR
    weight = candidate.exchange_rate * freshness(request, profile, candidate)
    return [_thrown(candidate, weight, one) for one in shown]


def _thrown(candidate: Candidate, weight: float, shown: _Shown) -> _Thrown:
    """What it is worth in each throw of the rate that its model pays for; a creative's own for clicks.

    In an arm of creatives it is the campaign's, so that no arm is worth more than another.
    """
    audience_key, creative, chosen, situation, because = shown
    contender = candidate.contender
    campaign, rates = contender.campaign, contender.rates
    decision = Decision(
        campaign,
        creative,
        chosen,
        0.0,
        {},
        audience_key,
        situation=situation,
        because=because,
        rates=rates,
    )
    own = contender.odds[creative.key].throws()
    in_arm = contender.entry is not None
    factors = {
        PricingModel.CPM: [1.0] * THROWS,
        PricingModel.VCPM: Odds(campaign.key, rates.view).throws(),
        PricingModel.CPC: Odds(campaign.key, rates.click).throws() if in_arm else own,
        PricingModel.CPA: Odds(campaign.key, rates.click, rates.order).throws() if in_arm else own,
    }[campaign.terms.pricing_model]
    stake = stake_micros(campaign, audience_key)
    return _Thrown(decision, own, [stake * one * weight for one in factors])


def _money_refusal(campaign: Campaign, balance: Balance, dice: float, audience_key: int) -> Refusal | None:
    price = smallest_price(campaign.terms, audience_key)
    of_all = max(balance.in_flight, balance.advertiser_in_flight)
    asked = (
        (price + balance.in_flight, (balance.total, balance.day)),
        (price + of_all, (balance.advertiser_total, balance.advertiser_day)),
    )
    for micros, buckets in asked:
        if any(bucket.remaining is not None and bucket.remaining < micros for bucket in buckets):
            return Refusal.BUDGET_EXHAUSTED
    day, left = balance.day, balance.total.remaining
    if campaign.pacing is not Pacing.EVEN or day.cap is None:
        return None
    used = day.spent + day.pending
    budget = DayBudget(
        day.cap if left is None else min(day.cap, Micros(used + left)),
        Micros(used + balance.in_flight),
        price,
        balance.day_elapsed_ms,
        balance.day_length_ms,
    )
    passes = may_spend(budget, balance.traffic, dice_of(campaign.key, dice))
    return None if passes else Refusal.PACED
