"""The decision as plainly as it can be said: slow, each candidate by itself, and what the fast one is held to."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.audience_size import UNCOUNTED, AudienceSize
from adserver.domain.burn import BurnScope
from adserver.domain.campaign import PERIOD_MS, Campaign, Creative, FrequencyCap, Pacing, Tier, creatives_for
from adserver.domain.catalogue import Product
from adserver.domain.category import path_of
from adserver.domain.choice import INTERESTS_LOOKED_AT
from adserver.domain.contender import MESSAGE, Setting, contender_of
from adserver.domain.decision import NO_SIZES, Candidate, Decision, NoAd, Request
from adserver.domain.eligibility import Balance, Refusal, refusal
from adserver.domain.experiment import Entry, Subject, arm_of
from adserver.domain.identity import key_of
from adserver.domain.money import Micros
from adserver.domain.pacing import DayBudget, dice_of, may_spend
from adserver.domain.pricing import CONTEXTUAL, PricingModel, rate_of, smallest_price
from adserver.domain.product_set import ProductSet
from adserver.domain.ranking import THROWS, Odds
from adserver.domain.situation import LAPSED_AFTER_MS, Situation, form_is_open
from adserver.domain.suggestion import Because, ProductChoice, Suggested
from adserver.domain.visitor import (
    DAY_MS,
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    Level,
    Profile,
    Shop,
    Shown,
)
from adserver.domain.worth import ecpm_micros, stake_micros
from pixel.events import EventName
from tests.domain.plain_audience import happened_at, picks_by_value, plain_since
from tests.domain.plain_product_set import in_set
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
            return _made_of(candidate, campaign, creatives), entry
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
    profile = _as_if_seen(request, profile)
    no = no or _peace_refusal(request, profile, candidate)
    if no is not None:
        return no
    shown = _shown(request, profile, candidate, products, besides)
    if isinstance(shown, Refusal):
        return shown
    offer = _priced(request, profile, candidate, shown)
    if not isinstance(offer, Refusal) and not request.test and campaign.tier is not Tier.HOUSE:
        return _money_refusal(campaign, candidate.balance, dice, shown[0][0]) or offer
    return offer


def _peace_refusal(request: Request, profile: Profile | None, candidate: Candidate) -> Refusal | None:
    campaign, peace = candidate.contender.campaign, candidate.contender.peace
    shop = profile.shop(campaign.advertiser_key) if profile is not None else None
    if shop is not None and shop.blocked_at_ms:
        return Refusal.SHOP_UNWANTED
    if request.test:
        return None
    if profile is None:
        has_cap = campaign.frequency_cap is not None or peace.asks_to_count
        return Refusal.FREQUENCY_UNKNOWN if has_cap else None
    if shop is not None and _bought_ms(shop):
        since_ms = request.now_ms - _bought_ms(shop)
        if peace.burn.scope is BurnScope.SHOP and since_ms < peace.burn.days * DAY_MS:
            return Refusal.BURNED
        bought = {one.product_key for one in shop.purchases}
        looked_ms = [one.at_ms for one in shop.interests if one.product_key not in bought]
        did_ms = max([*looked_ms, shop.form_started_ms])
        if _rests(candidate, shop, request.now_ms) and did_ms <= _ordered_ms(shop):
            return Refusal.BOUGHT_ALREADY
    return _seen_refusal(profile, candidate, request.now_ms)


def _bought_ms(shop: Shop) -> int:
    return max([one.at_ms for one in shop.purchases] + [shop.last_event_ms.get(EventName.PURCHASE, 0)])


def _ordered_ms(shop: Shop) -> int:
    return shop.last_event_ms.get(EventName.PURCHASE, 0)


def _rests(candidate: Candidate, shop: Shop, now_ms: int) -> bool:
    """Whether only what was done after the purchase counts."""
    contender = candidate.contender
    found = [candidate.audiences.get(one.audience_key) for one in contender.campaign.terms.audience_rates]
    named = [one.audience for one in found if one is not None]
    addresses_buyers = any(EventName.PURCHASE in [rule.event for rule in one.inclusions] for one in named)
    lasts = now_ms - _ordered_ms(shop) < contender.peace.rest_ms
    return _ordered_ms(shop) > 0 and lasts and not addresses_buyers


def _seen_refusal(profile: Profile, candidate: Candidate, now_ms: int) -> Refusal | None:
    campaign, peace = candidate.contender.campaign, candidate.contender.peace
    sights = [(one, at_ms) for one in profile.shown for at_ms in one.at_ms]
    of_campaign = [at_ms for one, at_ms in sights if one.campaign_key == campaign.key]
    of_advertiser = [at_ms for one, at_ms in sights if one.advertiser_key == campaign.advertiser_key]
    if campaign.frequency_cap is not None and _is_reached(campaign.frequency_cap, of_campaign, now_ms):
        return Refusal.FREQUENCY_CAP
    if _is_reached(peace.advertiser_cap, of_advertiser, now_ms):
        return Refusal.ADVERTISER_CAP
    if sum(at_ms > now_ms - DAY_MS for _, at_ms in sights) >= peace.annoyance_budget:
        return Refusal.ANNOYANCE_BUDGET
    return (
        Refusal.FATIGUED
        if 0 < peace.fatigue_views <= len(_unclicked(profile, campaign.key, now_ms))
        else None
    )


def _is_reached(cap: FrequencyCap, times_ms: list[int], now_ms: int) -> bool:
    return sum(at_ms > now_ms - PERIOD_MS[cap.per] for at_ms in times_ms) >= cap.impressions


def _worn_out(request: Request, profile: Profile | None, creative: Creative) -> bool:
    """Whether the visitor has seen the creative as often as it may be shown."""
    cap = creative.frequency_cap
    if cap is None or request.test:
        return False
    if profile is None:
        return True
    sights = [sight for one in profile.shown for sight in zip(one.at_ms, one.creative_keys, strict=True)]
    times_ms = [at_ms for at_ms, creative_key in sights if creative_key == creative.key]
    return _is_reached(cap, times_ms, request.now_ms)


def _place_refusal(request: Request, campaign: Campaign) -> Refusal | None:
    """What the place, and what else stands there, has against the campaign."""
    if campaign.advertiser_key in request.page.rivals:
        return Refusal.COMPETITOR_ON_PAGE
    no = targeting_refusal(campaign.targeting, request.page, request.now_ms)
    return no or (Refusal.SHOWN_BESIDE if campaign.key in request.spared else None)


def _as_if_seen(request: Request, profile: Profile | None) -> Profile | None:
    """With what the page's other slots show; who cannot be counted stays so."""
    if profile is None:
        return None
    sights = {one.campaign_key: one for one in profile.shown}
    for one in request.page.answers:
        was = sights.get(one.campaign_key, Shown(one.campaign_key, [], one.advertiser_key, []))
        padded = [0] * (len(was.at_ms) - len(was.creative_keys)) + was.creative_keys
        sights[one.campaign_key] = msgspec.structs.replace(
            was,
            at_ms=[*was.at_ms, request.now_ms],
            advertiser_key=one.advertiser_key,
            creative_keys=[*padded, one.creative_key],
        )
    return msgspec.structs.replace(profile, shown=list(sights.values()))


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
            asked = (request, profile, candidate, found, _afterwards(request, candidate, shop))
            left = _unburnt(request, candidate, shop, products)
            answer = _shown_to_member(*asked, (left, sets, suggested))
            if isinstance(answer, Refusal) and left != products:
                unburnt = _shown_to_member(*asked, (products, sets, suggested))
                return answer if isinstance(unburnt, Refusal) else Refusal.BURNED
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
        narrowed = picks_by_value(audience) or bool(candidate.contender.list_keys)
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


def _afterwards(request: Request, candidate: Candidate, shop: Shop) -> Shop:
    """What the visitor did at the shop, after the purchase where the campaign rests."""
    if request.test or not _rests(candidate, shop, request.now_ms):
        return shop
    since_ms = _ordered_ms(shop)
    newer = [one for one in shop.interests if one.at_ms > since_ms]
    older = [one.product_key for one in shop.interests if one.at_ms <= since_ms]
    started_ms = shop.form_started_ms if shop.form_started_ms > since_ms else 0
    return msgspec.structs.replace(
        shop, interests=newer, form_started_ms=started_ms, unwanted=[*shop.unwanted, *older]
    )


def _unburnt(
    request: Request, candidate: Candidate, shop: Shop, products: Mapping[int, Product]
) -> Mapping[int, Product]:
    """Without what is of a group or category of which something was bought lately."""
    burn = candidate.contender.peace.burn
    if request.test or burn.scope is BurnScope.PRODUCT:
        return products
    lately = [one for one in shop.purchases if one.at_ms > request.now_ms - burn.days * DAY_MS]
    groups, categories = {one.group_key for one in lately} - {0}, {one.category_key for one in lately} - {0}
    left = {}
    for key, product in products.items():
        path = path_of(product.product_type or "")
        above = {plain_category(*path[: depth + 1]) for depth in range(len(path))}
        same_group = product.item_group_id is not None and plain_group(product.item_group_id) in groups
        if not same_group and not (burn.scope is BurnScope.CATEGORY and above & categories):
            left[key] = product
    return left


def plain_category(*path: str) -> int:
    return key_of(b"category", *[step.encode() for step in path])


def plain_group(name: str) -> int:
    return key_of(b"group", name.encode())


def _shown_for_page(
    request: Request, profile: Profile | None, candidate: Candidate
) -> list[_Shown] | Refusal:
    """A message: products are chosen by what a visitor did."""
    messages = [creative for creative in _live(candidate) if creative.template == MESSAGE]
    if not messages:
        return Refusal.NO_MESSAGE
    fresh = [creative for creative in messages if not _worn_out(request, profile, creative)]
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
    within = _within(campaign.product_set_key, products, sets, request.now_ms)
    chosen, because = choose(campaign, shop, products, request, within, besides)
    situations = plain_situations(shop, request.now_ms)
    showable = [one for one in creatives if (situations & _for(one) if one.template == MESSAGE else chosen)]
    if not showable:
        if any(one.template != MESSAGE for one in creatives):
            if choose(campaign, shop, products, request, products, besides)[0]:
                return Refusal.NOT_IN_PRODUCT_SET
            return _no_product(shop, products, request)
        for_forms = all(_for(one) == {Situation.FORM_ABANDONED} for one in creatives)
        return Refusal.NO_OPEN_FORM if for_forms else Refusal.NOT_IN_SITUATION
    showable = [one for one in showable if not _worn_out(request, profile, one)]
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
        return audience_key, creative, chosen, _of_first_card(shop, chosen, situations), because
    spoken_of = min(situations & _for(creative), key=list(Situation).index)
    return audience_key, creative, (), spoken_of if creative.copies else None, {}


def _for(message: Creative) -> set[Situation]:
    return set(message.situations) or {Situation.FORM_ABANDONED}


def plain_situations(shop: Shop, now_ms: int) -> set[Situation]:
    """All that is so of the visitor; a form that was sent ends what came before it."""
    fresh = [
        one
        for one in shop.interests
        if one.at_ms > now_ms - INTEREST_RETENTION_MS and one.at_ms > shop.form_submitted_ms
    ]
    found = set()
    if any(one.level is Level.IN_CART for one in fresh):
        found.add(Situation.CART)
    if any(one.level is Level.WISHED for one in fresh):
        found.add(Situation.WISHLIST)
    if any(one.level is Level.VIEWED for one in fresh):
        found.add(Situation.VIEWED)
    if form_is_open(shop, now_ms):
        found.add(Situation.FORM_ABANDONED)
    bought = [one.at_ms for one in shop.purchases if one.at_ms > now_ms - PURCHASE_RETENTION_MS]
    month_ago_ms = now_ms - LAPSED_AFTER_MS
    if not found and bought and max(*bought, shop.form_submitted_ms) <= month_ago_ms:
        return {Situation.LAPSED_BUYER}
    return found


def _of_first_card(shop: Shop, chosen: tuple[Product, ...], situations: set[Situation]) -> Situation:
    level = next(one.level for one in shop.interests if one.product_key == chosen[0].key)
    if level is Level.IN_CART:
        return Situation.CART
    if Situation.FORM_ABANDONED in situations:
        return Situation.FORM_ABANDONED
    return Situation.WISHLIST if level is Level.WISHED else Situation.VIEWED


def _within(
    set_key: int | None, products: Mapping[int, Product], sets: Mapping[int, ProductSet], now_ms: int
) -> Mapping[int, Product]:
    if set_key is None:
        return products
    product_set = sets.get(set_key)
    return {key: one for key, one in products.items() if product_set and in_set(product_set, one, now_ms)}


def _freshness(request: Request, profile: Profile | None, candidate: Candidate) -> float:
    campaign = candidate.contender.campaign
    per_thousand = campaign.terms.pricing_model in (PricingModel.CPM, PricingModel.VCPM)
    if profile is None or request.test or per_thousand or not candidate.contender.peace.fatigue_views:
        return 1.0
    return 10 / (10 + len(_unclicked(profile, campaign.key, request.now_ms)))


def _unclicked(profile: Profile, campaign_key: int, now_ms: int) -> list[int]:
    """The times of 30 days that it was seen since its last click."""
    known = [one for one in profile.shown if one.campaign_key == campaign_key]
    return [
        at_ms
        for one in known
        for at_ms in one.at_ms
        if at_ms > one.clicked_ms and at_ms > now_ms - 30 * DAY_MS
    ]


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
    weight = candidate.exchange_rate * _freshness(request, profile, candidate)
    return [_thrown(candidate, weight, one) for one in shown]


def _thrown(candidate: Candidate, weight: float, shown: _Shown) -> _Thrown:
    """What it is worth in each throw of the rate that its model pays for; a creative's own for clicks."""
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
    factors = {
        PricingModel.CPM: [1.0] * THROWS,
        PricingModel.VCPM: Odds(campaign.key, rates.view).throws(),
        PricingModel.CPC: own,
        PricingModel.CPA: own,
    }[campaign.terms.pricing_model]
    stake = stake_micros(campaign, audience_key)
    return _Thrown(decision, own, [stake * one * weight for one in factors])


def _no_product(shop: Shop, products: Mapping[int, Product], request: Request) -> Refusal:
    """Whether it is the visitor's own wish, or the publisher's, that leaves nothing to show."""
    as_if_wanted = msgspec.structs.replace(shop, unwanted=[])
    if choose_products(as_if_wanted, products, 1, request):
        return Refusal.PRODUCT_UNWANTED
    anywhere = msgspec.structs.replace(request, rules=None)
    if choose_products(shop, products, 1, anywhere):
        return Refusal.CATEGORY_BLOCKED
    harmless = {key: msgspec.structs.replace(one, sensitive=False) for key, one in products.items()}
    return Refusal.SENSITIVE_PRODUCT if choose_products(shop, harmless, 1, request) else Refusal.NO_PRODUCT


def choose(
    campaign: Campaign,
    shop: Shop,
    products: Mapping[int, Product],
    request: Request,
    within: Mapping[int, Product],
    besides: Mapping[int, Suggested],
) -> tuple[tuple[Product, ...], Mapping[int, Because]]:
    """What the campaign shows of `within`: reminders, unless it is for buyers, then what is suggested."""
    for_buyers = campaign.products is ProductChoice.BOUGHT_TOGETHER
    chosen = [] if for_buyers else list(choose_products(shop, within, request.cards, request))
    if campaign.products is ProductChoice.REMINDERS:
        return tuple(chosen), {}
    known = besides.get(shop.advertiser_key, Suggested())
    ordered = [(key, Because.BOUGHT_TOGETHER) for key in known.bought_together if for_buyers]
    ordered += [(key, Because.SIMILAR) for key in known.similar]
    ordered += [(key, Because.BESTSELLER) for key in known.bestsellers]
    because: dict[int, Because] = {}
    for key, why in ordered:
        product = within.get(key)
        if len(chosen) == request.cards or product is None or product in chosen:
            continue
        if _may_be_shown(product, shop, chosen, request) and (
            why is not Because.SIMILAR or _fits(product, campaign, shop, products, request)
        ):
            chosen.append(product)
            because[key] = why
    return tuple(chosen), because


def _may_be_shown(product: Product, shop: Shop, chosen: list[Product], request: Request) -> bool:
    since_ms = request.now_ms - PURCHASE_RETENTION_MS
    bought = {purchase.product_key for purchase in shop.purchases if purchase.at_ms > since_ms}
    return (
        product.in_stock
        and not product.sensitive
        and product.key not in bought
        and product.key not in shop.unwanted
        and not (request.rules is not None and request.rules.hides(product))
        and product.item_group_id not in {one.item_group_id for one in chosen if one.item_group_id}
    )


def _fits(
    product: Product, campaign: Campaign, shop: Shop, products: Mapping[int, Product], request: Request
) -> bool:
    visible = {key: one for key, one in products.items() if not (request.rules and request.rules.hides(one))}
    looked_at = [one for one in shop.interests if one.product_key in visible]
    if campaign.price_band is None or not looked_at:
        return True
    newest = visible[max(looked_at, key=lambda one: one.at_ms).product_key].asked_micros(request.now_ms)
    share = product.asked_micros(request.now_ms) / newest * 100
    band = campaign.price_band
    return 100 - band.below_percent <= share <= 100 + band.above_percent


def choose_products(
    shop: Shop, products: Mapping[int, Product], most: int, request: Request
) -> tuple[Product, ...]:
    """The shop's products for this visitor: cart, then wishlist, then viewed, each newest first.

    Never one that was bought within the purchase retention, that the visitor does not want, that left
    the catalogue, is out of stock, sensitive, or of a category that the publisher does not want; and of each
    item group one.
    """
    now_ms = request.now_ms
    chosen: list[Product] = []
    for interest in shop.interests[:INTERESTS_LOOKED_AT]:
        product = products.get(interest.product_key)
        if product is None or not _may_be_shown(product, shop, chosen, request):
            continue
        if interest.at_ms > now_ms - INTEREST_RETENTION_MS:
            chosen.append(product)
            if len(chosen) == most:
                break
    return tuple(chosen)


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
