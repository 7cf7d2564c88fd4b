"""Which of a shop's products are shown to a visitor, as far as their own doings tell."""

from collections.abc import Callable, Mapping, Sequence

from adserver.domain.catalogue import Product
from adserver.domain.peace import bought_ms
from adserver.domain.visitor import INTEREST_RETENTION_MS, PURCHASE_RETENTION_MS, Shop

INTERESTS_LOOKED_AT = 24  # of one shop: the warmest


def choose_products(
    shop: Shop,
    products: Mapping[int, Product],
    most: int,
    now_ms: int,
    holds: Callable[[Product], bool] | None = None,
) -> tuple[Product, ...]:
    """The shop's products for this visitor: cart, then wishlist, then viewed, each newest first.

    Never one that was bought within the purchase retention, that the visitor does not want, that left
    the catalogue or is out of stock.
    """
    chosen: list[Product] = []
    for key in _wanted(shop, now_ms):
        product = products.get(key)
        if product is not None and product.in_stock and (holds is None or holds(product)):
            chosen.append(product)
            if len(chosen) == most:
                break
    return tuple(chosen)


def first_choices(shop: Shop, most: int, now_ms: int) -> list[int]:
    """The products that `choose_products` would take if all of them are in stock."""
    return _wanted(shop, now_ms)[:most]


def all_choices(shop: Shop) -> list[int]:
    """The products that any answer about the shop may depend on."""
    most = (
        None if bought_ms(shop) else INTERESTS_LOOKED_AT
    )  # of what a purchase leaves, as many are looked at
    return [interest.product_key for interest in shop.interests[:most]]


def is_settled(first: Sequence[int], products: Mapping[int, Product]) -> bool:
    """Whether a shop's first choices can all be shown, so that no other product of it matters."""
    for key in first:  # a plain loop: this is asked at every ad
        product = products.get(key)
        if product is None or not product.in_stock:
            return False
    return bool(first)


def _wanted(shop: Shop, now_ms: int) -> list[int]:
    """The interests to advertise, in order, as far as the visitor's doings tell."""
    seen_since_ms = now_ms - INTEREST_RETENTION_MS
    fresh = [one.product_key for one in shop.interests[:INTERESTS_LOOKED_AT] if one.at_ms > seen_since_ms]
    if not (shop.purchases or shop.unwanted):  # most visitors
        return fresh
    bought_since_ms = now_ms - PURCHASE_RETENTION_MS
    excluded = {purchase.product_key for purchase in shop.purchases if purchase.at_ms > bought_since_ms}
    excluded.update(shop.unwanted)
    return [key for key in fresh if key not in excluded]
