"""Which of a shop's products are shown to a visitor: what they looked at, and what goes with that."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from adserver.domain.catalogue import Availability, Product
from adserver.domain.peace import bought_ms
from adserver.domain.product_choice import ProductChoice
from adserver.domain.suggestion import Because, Suggested, Widening
from adserver.domain.visitor import INTEREST_RETENTION_MS, PURCHASE_RETENTION_MS, Shop

INTERESTS_LOOKED_AT = 24  # of one shop: the warmest

Holds = Callable[[Product], bool]

# Looked up once: at every ad some dozens of products are asked whether they can be bought.
_OUT_OF_STOCK = Availability.OUT_OF_STOCK


def choose_products(
    shop: Shop,
    products: Mapping[int, Product],
    most: int,
    now_ms: int,
    holds: Holds | None = None,
) -> tuple[Product, ...]:
    """The shop's products for this visitor: cart, then wishlist, then viewed, each newest first.

    Never one that was bought within the purchase retention, that the visitor does not want, that left
    the catalogue, is out of stock or sensitive; and of each item group one.
    """
    chosen: list[Product] = []
    groups: set[str] | None = None
    for key in _wanted(shop, now_ms):  # plainly: this is asked at every ad
        product = products.get(key)
        if product is None or product.sensitive or product.availability is _OUT_OF_STOCK:
            continue
        if holds is not None and not holds(product):
            continue
        group = product.item_group_id
        if group:
            if groups is None:
                groups = set()
            if group in groups:
                continue
            groups.add(group)
        chosen.append(product)
        if len(chosen) == most:
            break
    return tuple(chosen)


def choose_widely(
    shop: Shop,
    products: Mapping[int, Product],
    most: int,
    now_ms: int,
    widening: Widening,
    suggested: Suggested,
    holds: Holds | None = None,
) -> tuple[tuple[Product, ...], dict[int, Because]]:
    """As many more as there is room for, under the same rules, and why each of these.

    What is similar costs about as much as what was looked at last; what goes with a purchase, and what is
    bought most, may cost anything.
    """
    is_for_buyers = widening.choice is ProductChoice.BOUGHT_TOGETHER
    chosen = [] if is_for_buyers else list(choose_products(shop, products, most, now_ms, holds))
    groups = {product.item_group_id for product in chosen if product.item_group_id}
    passed = _excluded(shop, now_ms) | {product.key for product in chosen}
    why: dict[int, Because] = {}
    for key, because in _in_order(suggested, is_for_buyers):
        product = products.get(key)
        if len(chosen) >= most or product is None or key in passed:
            continue
        fits = because is not Because.SIMILAR or _fits(product, shop, products, widening, now_ms)
        if fits and _may_be_shown(product, groups) and (holds is None or holds(product)):
            passed.add(key)
            if product.item_group_id:
                groups.add(product.item_group_id)
            chosen.append(product)
            why[key] = because
    return tuple(chosen), why


def as_if_harmless(products: Mapping[int, Product]) -> dict[int, Product]:
    """To tell whether it is for their category that nothing is shown."""
    return {key: replace(product, sensitive=False) for key, product in products.items()}


def first_choices(shop: Shop, most: int, now_ms: int) -> list[int]:
    """The products that `choose_products` would take if all of them may be shown."""
    return _wanted(shop, now_ms)[:most]


def all_choices(shop: Shop) -> list[int]:
    """The products that any answer about the shop may depend on, but for those that are suggested."""
    most = (
        None if bought_ms(shop) else INTERESTS_LOOKED_AT
    )  # of what a purchase leaves, as many are looked at
    return [interest.product_key for interest in shop.interests[:most]]


def is_settled(first: Sequence[int], products: Mapping[int, Product]) -> bool:
    """Whether a shop's first choices can all be shown, so that no other product of it matters."""
    groups: set[str] | None = None
    for key in first:  # as plainly
        product = products.get(key)
        if product is None or product.sensitive or product.availability is _OUT_OF_STOCK:
            return False
        group = product.item_group_id
        if group:
            if groups is None:
                groups = set()
            if group in groups:
                return False
            groups.add(group)
    return bool(first)


def _may_be_shown(product: Product, groups: set[str]) -> bool:
    """To anybody, beside products of these item groups."""
    return product.in_stock and not product.sensitive and product.item_group_id not in groups


def _in_order(suggested: Suggested, is_for_buyers: bool) -> Iterator[tuple[int, Because]]:
    if is_for_buyers:
        yield from ((key, Because.BOUGHT_TOGETHER) for key in suggested.bought_together)
    yield from ((key, Because.SIMILAR) for key in suggested.similar)
    yield from ((key, Because.BESTSELLER) for key in suggested.bestsellers)


def _fits(
    product: Product, shop: Shop, products: Mapping[int, Product], widening: Widening, now_ms: int
) -> bool:
    """Whether it costs about as much as the newest of what was looked at that can be compared with it."""
    band = widening.price_band
    newest_ms, looked_at = 0, None
    for interest in shop.interests:
        known = products.get(interest.product_key)
        if known is not None and known.currency == product.currency and interest.at_ms > newest_ms:
            newest_ms, looked_at = interest.at_ms, known
    if band is None or looked_at is None:
        return True
    return band.holds(product.asked_micros(now_ms), looked_at.asked_micros(now_ms))


def _wanted(shop: Shop, now_ms: int) -> list[int]:
    """The interests to advertise, in order, as far as the visitor's doings tell."""
    seen_since_ms = now_ms - INTEREST_RETENTION_MS
    fresh = [one.product_key for one in shop.interests[:INTERESTS_LOOKED_AT] if one.at_ms > seen_since_ms]
    if not (shop.purchases or shop.unwanted):  # most visitors
        return fresh
    excluded = _excluded(shop, now_ms)
    return [key for key in fresh if key not in excluded]


def _excluded(shop: Shop, now_ms: int) -> set[int]:
    """What they bought, and what they do not want."""
    bought_since_ms = now_ms - PURCHASE_RETENTION_MS
    excluded = {purchase.product_key for purchase in shop.purchases if purchase.at_ms > bought_since_ms}
    excluded.update(shop.unwanted)
    return excluded
