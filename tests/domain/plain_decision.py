"""The decision as plainly as it can be said: slow, each candidate by itself, and what the fast one is held to."""

from collections.abc import Mapping, Sequence, Set

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.audience import audience_for
from adserver.domain.campaign import Campaign, Creative, Pacing, creatives_for
from adserver.domain.catalogue import Product
from adserver.domain.choice import INTERESTS_LOOKED_AT
from adserver.domain.contender import MESSAGE, contender_of
from adserver.domain.decision import Candidate, Decision, NoAd, Request
from adserver.domain.eligibility import Balance, Refusal, refusal
from adserver.domain.experiment import Entry, Subject, arm_of
from adserver.domain.money import Micros
from adserver.domain.pacing import DayBudget, dice_of, may_spend
from adserver.domain.pricing import CONTEXTUAL, smallest_price
from adserver.domain.product_set import ProductSet
from adserver.domain.situation import LAPSED_AFTER_MS, Situation, form_is_open
from adserver.domain.visitor import INTEREST_RETENTION_MS, PURCHASE_RETENTION_MS, Level, Profile, Shop
from adserver.domain.worth import ecpm_micros
from tests.domain.plain_product_set import in_set

# Whose rate it is served at, what is seen, and of which situation of the visitor its words may speak.
_Shown = tuple[int, Creative, tuple[Product, ...], Situation | None]
NO_SETS: Mapping[int, ProductSet] = {}


def decide(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate],
    products: Mapping[int, Product],
    dice: float,
    sets: Mapping[int, ProductSet] = NO_SETS,
) -> Decision | NoAd:
    """The eligible campaign with the highest expected revenue, or NoAd.

    `profile` is None where nothing may be remembered of the visitor.
    `products` holds the catalogue's entries for the profile's interests. `dice` in [0, 1) breaks ties,
    picks among a campaign's creatives and, hashed with a campaign's key, paces that campaign.
    """
    refusals: dict[int, Refusal] = {}
    offers: list[Decision] = []
    entries: list[Entry] = []
    for whole in candidates:
        candidate, entry = _in_arm(request, profile, whole)
        offer = _offer(request, profile, candidate, products, dice, sets)
        if entry is not None and not candidate.contender.campaign.terms.audience_rates:
            offer = msgspec.structs.replace(offer, entries=(entry,)) if isinstance(offer, Decision) else offer
        elif entry is not None:
            entries.append(entry)
        if isinstance(offer, Decision):
            offers.append(offer)
        else:
            refusals[candidate.contender.campaign.key] = offer
    if not offers:
        return NoAd(refusals, entries=tuple(entries))
    best = max(offer.ecpm_micros for offer in offers)
    leaders = [offer for offer in offers if offer.ecpm_micros == best]
    winner = leaders[int(dice * len(leaders))]
    for offer in offers:
        if offer is not winner:
            refusals[offer.campaign.key] = Refusal.OUTRANKED
    return msgspec.structs.replace(winner, judged=refusals, entries=(*entries, *winner.entries))


def _in_arm(
    request: Request, profile: Profile | None, candidate: Candidate
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
        stands = refusal(
            msgspec.structs.replace(campaign, frequency_cap=None, status=campaign.status),
            contender.creatives, None, False, now_ms,
        ) in (None, Refusal.NO_PICTURE_MEASURE)  # fmt: skip
        shop = profile.shop(campaign.advertiser_key) if profile is not None else None
        belongs = (
            profile is not None and shop is not None
            and audience_for(campaign.terms, candidate.audiences, profile, now_ms) is not None
        )  # fmt: skip
        rates = tuple(one for one in campaign.terms.audience_rates if one.audience_key in named.audience_keys)
        terms = msgspec.structs.replace(campaign.terms, audience_rates=rates)
        own = msgspec.structs.replace(campaign, terms=terms)
        return _made_of(candidate, own, contender.creatives), entry if stands and belongs else None
    return candidate, None


def _made_of(candidate: Candidate, campaign: Campaign, creatives: Sequence[Creative]) -> Candidate:
    contender = contender_of(campaign, creatives, candidate.contender.rates)
    return msgspec.structs.replace(candidate, contender=contender)


def decide_with_holdout(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate],
    products: Mapping[int, Product],
    dice: float,
    sets: Mapping[int, ProductSet],
    holding: Set[int],
) -> Decision | NoAd:
    """As if those of `holding` whose ad wins had never been asked; of their campaigns is told why not."""
    answer = decide(request, profile, candidates, products, dice, sets)
    if isinstance(answer, NoAd) or answer.campaign.advertiser_key not in holding:
        return answer
    owner = answer.campaign.advertiser_key
    of_owner = [one for one in candidates if one.contender.campaign.advertiser_key == owner]
    others = [one for one in candidates if one not in of_owner]
    lost = {one.contender.campaign.key: answer.refusals.get(one.contender.campaign.key) for one in of_owner}
    instead = decide_with_holdout(request, profile, others, products, dice, sets, holding)
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
    sets: Mapping[int, ProductSet],
) -> Decision | Refusal:
    campaign = candidate.contender.campaign
    barred = request.rules and request.rules.refusal(campaign.advertiser_key)
    if barred:
        return barred
    no = refusal(
        campaign,
        candidate.contender.creatives,
        profile,
        request.image,
        request.now_ms,
        test=request.test,
    )
    if no is not None:
        return no
    shown = _shown(request, profile, candidate, products, dice, sets)
    if isinstance(shown, Refusal):
        return shown
    offer = _priced(request, candidate, *shown)
    if isinstance(offer, Decision) and not request.test:
        return _money_refusal(campaign, candidate.balance, dice, offer.audience_key) or offer
    return offer


def _shown(
    request: Request,
    profile: Profile | None,
    candidate: Candidate,
    products: Mapping[int, Product],
    dice: float,
    sets: Mapping[int, ProductSet],
) -> _Shown | Refusal:
    """For the visitor's sake where the campaign's audience holds them, else for the page's."""
    campaign = candidate.contender.campaign
    shop = profile.shop(campaign.advertiser_key) if profile is not None else None
    if profile is not None and shop is not None:
        if shop.blocked_at_ms:
            return Refusal.SHOP_UNWANTED
        audience_key = audience_for(campaign.terms, candidate.audiences, profile, request.now_ms)
        if audience_key is not None:
            return _shown_to_member(request, candidate, audience_key, shop, (products, sets), dice)
    return _shown_for_page(candidate, dice) if campaign.contextual else Refusal.NOT_IN_AUDIENCE


def _shown_for_page(candidate: Candidate, dice: float) -> _Shown | Refusal:
    """A message: products are chosen by what a visitor did."""
    messages = [creative for creative in _live(candidate) if creative.template == MESSAGE]
    return (CONTEXTUAL, _one_of(messages, candidate, dice), (), None) if messages else Refusal.NO_MESSAGE


def _live(candidate: Candidate) -> list[Creative]:
    """What of each creative was approved."""
    return [shown for one in candidate.contender.creatives if (shown := live_version(one)) is not None]


def _shown_to_member(
    request: Request,
    candidate: Candidate,
    audience_key: int,
    shop: Shop,
    products_and_sets: tuple[Mapping[int, Product], Mapping[int, ProductSet]],
    dice: float,
) -> _Shown | Refusal:
    """One of the creatives that the visitor's audience may see, with its products; none for a message."""
    campaign = candidate.contender.campaign
    creatives = creatives_for(campaign, audience_key, _live(candidate))
    if not creatives:  # not approved, or this worker has not heard of them yet
        return Refusal.NO_CREATIVE
    products, sets = products_and_sets
    within = _within(campaign.product_set_key, products, sets, request.now_ms)
    chosen = choose_products(shop, within, request.cards, request)
    situations = plain_situations(shop, request.now_ms)
    showable = [one for one in creatives if (situations & _for(one) if one.template == MESSAGE else chosen)]
    if not showable:
        if any(one.template != MESSAGE for one in creatives):
            if choose_products(shop, products, 1, request):
                return Refusal.NOT_IN_PRODUCT_SET
            return _no_product(shop, products, request)
        for_forms = all(_for(one) == {Situation.FORM_ABANDONED} for one in creatives)
        return Refusal.NO_OPEN_FORM if for_forms else Refusal.NOT_IN_SITUATION
    creative = _one_of(showable, candidate, dice)
    if creative.template != MESSAGE:
        spoken_of = _of_first_card(shop, chosen, situations)
        return audience_key, creative, chosen, spoken_of if creative.copies else None
    spoken_of = min(situations & _for(creative), key=list(Situation).index)
    return audience_key, creative, (), spoken_of if creative.copies else None


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


def _one_of(creatives: list[Creative], candidate: Candidate, dice: float) -> Creative:
    """By a throw of its own: the one that breaks ties would always give a campaign the same creative."""
    return creatives[int(dice_of(candidate.contender.campaign.key, dice, b"creative") * len(creatives))]


def _priced(
    request: Request,
    candidate: Candidate,
    audience_key: int,
    creative: Creative,
    chosen: tuple[Product, ...],
    situation: Situation | None,
) -> Decision | Refusal:
    if candidate.exchange_rate is None:
        return Refusal.NO_EXCHANGE_RATE
    campaign = candidate.contender.campaign
    native = ecpm_micros(campaign, candidate.contender.rates, audience_key)
    slot = request.slot
    if slot.currency == campaign.terms.currency and native < slot.floor_cpm_micros:
        return Refusal.BELOW_FLOOR
    worth = native * candidate.exchange_rate
    return Decision(campaign, creative, chosen, worth, {}, audience_key, situation=situation)


def _no_product(shop: Shop, products: Mapping[int, Product], request: Request) -> Refusal:
    """Whether it is the visitor's own wish, or the publisher's, that leaves nothing to show."""
    as_if_wanted = msgspec.structs.replace(shop, unwanted=[])
    if choose_products(as_if_wanted, products, 1, request):
        return Refusal.PRODUCT_UNWANTED
    anywhere = msgspec.structs.replace(request, rules=None)
    return Refusal.CATEGORY_BLOCKED if choose_products(shop, products, 1, anywhere) else Refusal.NO_PRODUCT


def choose_products(
    shop: Shop, products: Mapping[int, Product], most: int, request: Request
) -> tuple[Product, ...]:
    """The shop's products for this visitor: cart, then wishlist, then viewed, each newest first.

    Never one that was bought within the purchase retention, that the visitor does not want, that left
    the catalogue, is out of stock, or of a category that the publisher does not want.
    """
    now_ms = request.now_ms
    excluded = {
        purchase.product_key for purchase in shop.purchases if purchase.at_ms > now_ms - PURCHASE_RETENTION_MS
    }
    excluded.update(shop.unwanted)
    chosen: list[Product] = []
    for interest in shop.interests[:INTERESTS_LOOKED_AT]:
        product = products.get(interest.product_key)
        if product is None or not product.in_stock or interest.product_key in excluded:
            continue
        if request.rules is not None and request.rules.hides(product):
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
