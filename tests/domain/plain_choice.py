"""Which products are shown, and what may be said of them, as plainly as it can be said."""

from collections.abc import Mapping

import msgspec

from adserver.domain.campaign import Campaign
from adserver.domain.catalogue import Product
from adserver.domain.choice import INTERESTS_LOOKED_AT
from adserver.domain.decision import Request
from adserver.domain.eligibility import Refusal
from adserver.domain.product_choice import ProductChoice
from adserver.domain.product_set import ProductSet
from adserver.domain.situation import LAPSED_AFTER_MS, Situation, form_is_open
from adserver.domain.suggestion import Because, Suggested
from adserver.domain.visitor import (
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    Level,
    Shop,
)
from tests.domain.plain_product_set import in_set


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


def of_first_card(shop: Shop, chosen: tuple[Product, ...], situations: set[Situation]) -> Situation:
    level = next(one.level for one in shop.interests if one.product_key == chosen[0].key)
    if level is Level.IN_CART:
        return Situation.CART
    if Situation.FORM_ABANDONED in situations:
        return Situation.FORM_ABANDONED
    return Situation.WISHLIST if level is Level.WISHED else Situation.VIEWED


def within_set(
    set_key: int | None, products: Mapping[int, Product], sets: Mapping[int, ProductSet], now_ms: int
) -> Mapping[int, Product]:
    if set_key is None:
        return products
    product_set = sets.get(set_key)
    return {key: one for key, one in products.items() if product_set and in_set(product_set, one, now_ms)}


def no_product(shop: Shop, products: Mapping[int, Product], request: Request) -> Refusal:
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
