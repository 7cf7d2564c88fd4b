"""The decision: which campaign answers a slot, with which products, and why the others do not."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from adserver.domain.audience import Audience, audience_for
from adserver.domain.campaign import Campaign, Creative, creatives_for
from adserver.domain.catalogue import Product
from adserver.domain.eligibility import Balance, Refusal, money_refusal, refusal
from adserver.domain.pacing import dice_of
from adserver.domain.pricing import CONTEXTUAL, AdEvent, PricingModel, rate_of
from adserver.domain.slot import Slot
from adserver.domain.snapshot import Rates
from adserver.domain.visitor import (
    FORM_RETENTION_MS,
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    Profile,
    Shop,
)

MESSAGE = "message"  # the template that shows the advertiser's own words, for services

# Beliefs before a campaign has figures of its own, each worth so many trials.
EXPECTED_CTR, CTR_TRIALS = 0.005, 200.0
EXPECTED_CVR, CVR_TRIALS = 0.02, 50.0


class Request(msgspec.Struct, frozen=True):
    """What a slot asks: at most `cards` products for this visitor, now. `image` slots run no scripts."""

    slot: Slot
    cards: int
    image: bool
    now_ms: int
    test: bool = False  # a test visitor sees everything, and bills nothing


class Candidate(msgspec.Struct, frozen=True):
    """A campaign that might answer, with all that judging it needs; `audiences` holds those it names."""

    campaign: Campaign
    creatives: list[Creative]
    balance: Balance
    rates: Rates
    exchange_rate: float | None  # of its currency into the ranking's; None where the operator gave none
    audiences: Mapping[int, Audience] = {}


class Decision(msgspec.Struct, frozen=True):
    """The answer: a campaign's creative with its cards (none for a message), and what it beat.

    `audience_key` is whose rate it is served at, 0 for the campaign's own, CONTEXTUAL if for the page.
    """

    campaign: Campaign
    creative: Creative
    products: tuple[Product, ...]
    ecpm_micros: float
    refusals: dict[int, Refusal]
    audience_key: int = 0


class NoAd(msgspec.Struct, frozen=True):
    """No campaign may answer; each candidate's reason by its key."""

    refusals: dict[int, Refusal]


_Shown = tuple[int, Creative, tuple[Product, ...]]  # whose rate it is served at, and what is seen


def decide(
    request: Request,
    profile: Profile | None,
    candidates: Sequence[Candidate],
    products: Mapping[int, Product],
    dice: float,
) -> Decision | NoAd:
    """The eligible campaign with the highest expected revenue, or NoAd.

    `profile` is None where nothing may be remembered of the visitor.
    `products` holds the catalogue's entries for the profile's interests. `dice` in [0, 1) breaks ties,
    picks among a campaign's creatives and, hashed with a campaign's key, paces that campaign.
    """
    refusals: dict[int, Refusal] = {}
    offers: list[Decision] = []
    for candidate in candidates:
        offer = _offer(request, profile, candidate, products, dice)
        if isinstance(offer, Decision):
            offers.append(offer)
        else:
            refusals[candidate.campaign.key] = offer
    if not offers:
        return NoAd(refusals)
    best = max(offer.ecpm_micros for offer in offers)
    leaders = [offer for offer in offers if offer.ecpm_micros == best]
    winner = leaders[int(dice * len(leaders))]
    for offer in offers:
        if offer is not winner:
            refusals[offer.campaign.key] = Refusal.OUTRANKED
    return msgspec.structs.replace(winner, refusals=refusals)


def _offer(
    request: Request,
    profile: Profile | None,
    candidate: Candidate,
    products: Mapping[int, Product],
    dice: float,
) -> Decision | Refusal:
    campaign = candidate.campaign
    no = refusal(
        campaign,
        candidate.creatives,
        profile,
        request.image,
        request.now_ms,
        test=request.test,
    )
    if no is not None:
        return no
    shown = _shown(request, profile, candidate, products, dice)
    if isinstance(shown, Refusal):
        return shown
    offer = _priced(request, candidate, *shown)
    if isinstance(offer, Decision) and not request.test:
        return money_refusal(campaign, candidate.balance, dice, offer.audience_key) or offer
    return offer


def _shown(
    request: Request,
    profile: Profile | None,
    candidate: Candidate,
    products: Mapping[int, Product],
    dice: float,
) -> _Shown | Refusal:
    """For the visitor's sake where the campaign's audience holds them, else for the page's."""
    campaign = candidate.campaign
    shop = profile.shop(campaign.advertiser_key) if profile is not None else None
    if profile is not None and shop is not None:
        if shop.blocked_at_ms:
            return Refusal.SHOP_UNWANTED
        audience_key = audience_for(campaign.terms, candidate.audiences, profile, request.now_ms)
        if audience_key is not None:
            return _shown_to_member(request, candidate, audience_key, shop, products, dice)
    return _shown_for_page(candidate, dice) if campaign.contextual else Refusal.NOT_IN_AUDIENCE


def _shown_for_page(candidate: Candidate, dice: float) -> _Shown | Refusal:
    """A message: products are chosen by what a visitor did."""
    messages = [creative for creative in candidate.creatives if creative.template == MESSAGE]
    return (CONTEXTUAL, _one_of(messages, candidate, dice), ()) if messages else Refusal.NO_MESSAGE


def _shown_to_member(
    request: Request,
    candidate: Candidate,
    audience_key: int,
    shop: Shop,
    products: Mapping[int, Product],
    dice: float,
) -> _Shown | Refusal:
    """One of the creatives that the visitor's audience may see, with its products; none for a message."""
    campaign = candidate.campaign
    creatives = creatives_for(campaign, audience_key, candidate.creatives)
    if not creatives:  # this worker has not heard of them yet
        return Refusal.NO_CREATIVE
    chosen = choose_products(shop, products, request.cards, request.now_ms)
    form_open = form_is_open(shop, request.now_ms)
    showable = [one for one in creatives if (form_open if one.template == MESSAGE else chosen)]
    if not showable:
        only_messages = all(one.template == MESSAGE for one in creatives)
        return Refusal.NO_OPEN_FORM if only_messages else _no_product(shop, products, request.now_ms)
    creative = _one_of(showable, candidate, dice)
    return audience_key, creative, () if creative.template == MESSAGE else chosen


def _one_of(creatives: list[Creative], candidate: Candidate, dice: float) -> Creative:
    """By a throw of its own: the one that breaks ties would always give a campaign the same creative."""
    return creatives[int(dice_of(candidate.campaign.key, dice, b"creative") * len(creatives))]


def eligible(answer: Decision | NoAd) -> Iterator[tuple[int, bool]]:
    """The campaigns that could have answered, money apart, and whether their budgets let them try."""
    if isinstance(answer, Decision):
        yield answer.campaign.key, True
    for campaign_key, reason in answer.refusals.items():
        if reason in (Refusal.OUTRANKED, Refusal.PACED, Refusal.BUDGET_EXHAUSTED):
            yield campaign_key, reason is Refusal.OUTRANKED


def _priced(
    request: Request,
    candidate: Candidate,
    audience_key: int,
    creative: Creative,
    chosen: tuple[Product, ...],
) -> Decision | Refusal:
    if candidate.exchange_rate is None:
        return Refusal.NO_EXCHANGE_RATE
    native = ecpm_micros(candidate.campaign, candidate.rates, audience_key)
    slot = request.slot
    if slot.currency == candidate.campaign.terms.currency and native < slot.floor_cpm_micros:
        return Refusal.BELOW_FLOOR
    worth = native * candidate.exchange_rate
    return Decision(candidate.campaign, creative, chosen, worth, {}, audience_key)


def _no_product(shop: Shop, products: Mapping[int, Product], now_ms: int) -> Refusal:
    """Whether it is the visitor's own wish that leaves nothing to show."""
    as_if_wanted = msgspec.structs.replace(shop, unwanted=[])
    wanted = choose_products(as_if_wanted, products, 1, now_ms)
    return Refusal.PRODUCT_UNWANTED if wanted else Refusal.NO_PRODUCT


def choose_products(
    shop: Shop, products: Mapping[int, Product], most: int, now_ms: int
) -> tuple[Product, ...]:
    """The shop's products for this visitor: cart, then wishlist, then viewed, each newest first.

    Never one that was bought within the purchase retention, that the visitor does not want, that left
    the catalogue or is out of stock.
    """
    excluded = {
        purchase.product_key for purchase in shop.purchases if purchase.at_ms > now_ms - PURCHASE_RETENTION_MS
    }
    excluded.update(shop.unwanted)
    chosen: list[Product] = []
    for interest in shop.interests:
        product = products.get(interest.product_key)
        if product is None or not product.in_stock or interest.product_key in excluded:
            continue
        if interest.at_ms > now_ms - INTEREST_RETENTION_MS:
            chosen.append(product)
            if len(chosen) == most:
                break
    return tuple(chosen)


def form_is_open(shop: Shop, now_ms: int) -> bool:
    """Whether a form was begun lately and not sent since."""
    begun = shop.form_started_ms > max(0, now_ms - FORM_RETENTION_MS)
    return begun and shop.form_submitted_ms < shop.form_started_ms


def ecpm_micros(campaign: Campaign, rates: Rates, audience_key: int = 0) -> float:
    """Expected revenue of a thousand impressions, from the audience's rate and shrunken figures.

    CPM: the rate. CPC: 1000 x pCTR x rate. CPA: 1000 x pCTR x pCVR x rate, with the rate cap standing
    for a basket's share. pCTR and pCVR are Beta posterior means.
    """
    terms, rate = campaign.terms, rate_of(campaign.terms, audience_key)
    if terms.pricing_model in (PricingModel.CPM, PricingModel.VCPM):
        return float(rate)
    if terms.basket_bps and terms.max_charge_micros:
        rate = terms.max_charge_micros
    if terms.pricing_model is PricingModel.CPC:
        return 1000 * click_rate(rates) * rate
    return 1000 * click_rate(rates) * conversion_rate(rates) * rate


def click_rate(rates: Rates) -> float:
    return (rates.clicks + EXPECTED_CTR * CTR_TRIALS) / (rates.impressions + CTR_TRIALS)


def conversion_rate(rates: Rates) -> float:
    return (rates.conversions + EXPECTED_CVR * CVR_TRIALS) / (rates.clicks + CVR_TRIALS)


def chance_of(event: AdEvent, rates: Rates) -> float:
    """How likely one served ad leads to `event`: what its price is weighed with while it is under way."""
    if event is AdEvent.CLICK:
        return click_rate(rates)
    if event is AdEvent.CONVERSION:
        return click_rate(rates) * conversion_rate(rates)
    return 1.0
