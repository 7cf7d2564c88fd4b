"""The decision: which campaign answers a slot, with which products, and why the others do not."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from adserver.domain.audience import Audience, audience_for
from adserver.domain.campaign import Campaign, Creative, creatives_for
from adserver.domain.catalogue import Product
from adserver.domain.eligibility import Balance, Refusal, money_refusal, refusal
from adserver.domain.pacing import dice_of
from adserver.domain.pricing import CONTEXTUAL, PER_THOUSAND, AdEvent, PricingModel, rate_of
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
INTERESTS_LOOKED_AT = 24  # of one shop: the warmest

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


class _Offer(msgspec.Struct, frozen=True):
    """A candidate that may answer: at whose rate, with one of which creatives, and what that is worth."""

    candidate: Candidate
    audience_key: int
    creatives: list[Creative]
    ecpm_micros: float


class _Known(msgspec.Struct, frozen=True):
    """What all campaigns of a shop have to go by: what this visitor did there, and would be shown of it."""

    shop: Shop
    chosen: tuple[Product, ...]
    form_open: bool
    no_product: Refusal  # why nothing is chosen, where nothing is


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
    hearing = _Hearing(request, profile, products, dice)
    refusals: dict[int, Refusal] = {}
    offers: list[_Offer] = []
    for candidate in candidates:
        offer = hearing.offer(candidate)
        if isinstance(offer, _Offer):
            offers.append(offer)
        else:
            refusals[candidate.campaign.key] = offer
    if not offers:
        return NoAd(refusals)
    best = max([offer.ecpm_micros for offer in offers])
    leaders = [offer for offer in offers if offer.ecpm_micros == best]
    winner = leaders[int(dice * len(leaders))]
    for offer in offers:
        if offer is not winner:
            refusals[offer.candidate.campaign.key] = Refusal.OUTRANKED
    return hearing.decision(winner, refusals)


class _Hearing:
    """One request, and what is found out for it once: a shop's campaigns share the visitor's doings there."""

    def __init__(
        self, request: Request, profile: Profile | None, products: Mapping[int, Product], dice: float
    ) -> None:
        self._request = request
        self._profile = profile
        self._products = products
        self._dice = dice
        self._shops = {shop.advertiser_key: shop for shop in profile.shops} if profile is not None else {}
        self._known: dict[int, _Known] = {}

    def offer(self, candidate: Candidate) -> _Offer | Refusal:
        """What the candidate bids, or the first reason against it."""
        request, campaign = self._request, candidate.campaign
        no = refusal(
            campaign,
            candidate.creatives,
            self._profile,
            request.image,
            request.now_ms,
            test=request.test,
        )
        if no is not None:
            return no
        shown = self._shown(candidate)
        if isinstance(shown, Refusal):
            return shown
        audience_key, creatives = shown
        worth = _worth(request.slot, candidate, audience_key)
        if isinstance(worth, Refusal):
            return worth
        if not request.test:
            no = money_refusal(campaign, candidate.balance, self._dice, audience_key)
            if no is not None:
                return no
        return _Offer(candidate, audience_key, creatives, worth)

    def decision(self, offer: _Offer, refusals: dict[int, Refusal]) -> Decision:
        """The winner's creative, by a throw of its own: the one that breaks ties would always be the same."""
        campaign, creatives = offer.candidate.campaign, offer.creatives
        creative = creatives[int(dice_of(campaign.key, self._dice, b"creative") * len(creatives))]
        products: tuple[Product, ...] = ()
        if creative.template != MESSAGE:
            products = self._known[campaign.advertiser_key].chosen
        return Decision(campaign, creative, products, offer.ecpm_micros, refusals, offer.audience_key)

    def _shown(self, candidate: Candidate) -> tuple[int, list[Creative]] | Refusal:
        """For the visitor's sake where the campaign's audience holds them, else for the page's."""
        campaign = candidate.campaign
        shop = self._shops.get(campaign.advertiser_key)
        if shop is not None and self._profile is not None:
            if shop.blocked_at_ms:
                return Refusal.SHOP_UNWANTED
            audience_key = audience_for(
                campaign.terms, candidate.audiences, self._profile, self._request.now_ms
            )
            if audience_key is not None:
                return self._shown_to_member(candidate, audience_key, shop)
        return _shown_for_page(candidate) if campaign.contextual else Refusal.NOT_IN_AUDIENCE

    def _shown_to_member(
        self, candidate: Candidate, audience_key: int, shop: Shop
    ) -> tuple[int, list[Creative]] | Refusal:
        """Those of the creatives that the visitor's audience may see for which there is something to show."""
        creatives = creatives_for(candidate.campaign, audience_key, candidate.creatives)
        if not creatives:  # this worker has not heard of them yet
            return Refusal.NO_CREATIVE
        known = self._known.get(shop.advertiser_key) or self._know(shop)
        showable = [
            one for one in creatives if (known.form_open if one.template == MESSAGE else known.chosen)
        ]
        if showable:
            return audience_key, showable
        only_messages = all(one.template == MESSAGE for one in creatives)
        return Refusal.NO_OPEN_FORM if only_messages else known.no_product

    def _know(self, shop: Shop) -> _Known:
        now_ms = self._request.now_ms
        chosen = choose_products(shop, self._products, self._request.cards, now_ms)
        no_product = Refusal.NO_PRODUCT if chosen else _no_product(shop, self._products, now_ms)
        known = _Known(shop, chosen, form_is_open(shop, now_ms), no_product)
        self._known[shop.advertiser_key] = known
        return known


def _shown_for_page(candidate: Candidate) -> tuple[int, list[Creative]] | Refusal:
    """A message: products are chosen by what a visitor did."""
    messages = [creative for creative in candidate.creatives if creative.template == MESSAGE]
    return (CONTEXTUAL, messages) if messages else Refusal.NO_MESSAGE


def _worth(slot: Slot, candidate: Candidate, audience_key: int) -> float | Refusal:
    """Expected revenue of a thousand impressions, in the ranking's currency."""
    if candidate.exchange_rate is None:
        return Refusal.NO_EXCHANGE_RATE
    native = ecpm_micros(candidate.campaign, candidate.rates, audience_key)
    if native < slot.floor_cpm_micros and slot.currency == candidate.campaign.terms.currency:
        return Refusal.BELOW_FLOOR
    return native * candidate.exchange_rate


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
    chosen: list[Product] = []
    for key in _wanted(shop, now_ms):
        product = products.get(key)
        if product is not None and product.in_stock:
            chosen.append(product)
            if len(chosen) == most:
                break
    return tuple(chosen)


def first_choices(shop: Shop, most: int, now_ms: int) -> list[int]:
    """The products that `choose_products` would take if all of them are in stock."""
    return list(islice(_wanted(shop, now_ms), most))


def all_choices(shop: Shop) -> list[int]:
    """The products that any answer about the shop may depend on."""
    return [interest.product_key for interest in shop.interests[:INTERESTS_LOOKED_AT]]


def is_settled(first: Sequence[int], products: Mapping[int, Product]) -> bool:
    """Whether a shop's first choices can all be shown, so that no other product of it matters."""
    return bool(first) and all(key in products and products[key].in_stock for key in first)


def _wanted(shop: Shop, now_ms: int) -> Iterator[int]:
    """The interests to advertise, in order, as far as the visitor's doings tell."""
    bought_since_ms, seen_since_ms = now_ms - PURCHASE_RETENTION_MS, now_ms - INTEREST_RETENTION_MS
    excluded = {purchase.product_key for purchase in shop.purchases if purchase.at_ms > bought_since_ms}
    excluded.update(shop.unwanted)
    for interest in shop.interests[:INTERESTS_LOOKED_AT]:
        if interest.at_ms > seen_since_ms and interest.product_key not in excluded:
            yield interest.product_key


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
    if terms.pricing_model in PER_THOUSAND:
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
