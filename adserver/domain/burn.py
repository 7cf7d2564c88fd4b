"""What a purchase burns: how much like what was bought is not advertised to its buyer, and for how long."""

from enum import StrEnum
from functools import lru_cache

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.category import MOST_REMEMBERED, path_of
from adserver.domain.identity import key_of

MOST_BURN_DAYS = 180  # for so long purchases are remembered


class BurnScope(StrEnum):
    """How much a purchase burns; each scope holds those before it."""

    PRODUCT = "product"  # what was bought is burned for as long as purchases are kept, whatever the days
    GROUP = "group"  # and what shares its item group, such as other sizes and colours
    CATEGORY = "category"  # and what lies in its category, or under it
    SHOP = "shop"


class Burn(msgspec.Struct, frozen=True, gc=False):
    """For so many days after a purchase nothing within the scope is shown to whoever made it."""

    scope: BurnScope
    days: int


NO_BURN = Burn(BurnScope.PRODUCT, 0)


class Kind(msgspec.Struct, frozen=True, gc=False):
    """Digests of what a product is one of; 0 where its feed does not say."""

    group_key: int = 0
    category_key: int = 0


def kind_of(product: Product) -> Kind:
    """Taken when a product is bought: it may have left the catalogue by the next request."""
    group = product.item_group_id
    return Kind(key_of(b"group", group.encode()) if group else 0, (category_keys(product) or (0,))[-1])


def category_keys(product: Product) -> tuple[int, ...]:
    """Its category and those above it, the widest first: the merchant's own, else Google's."""
    text = product.product_type or product.google_product_category
    return _keys_of(text) if text else ()


@lru_cache(maxsize=MOST_REMEMBERED)  # a catalogue has few categories for many products
def _keys_of(category: str) -> tuple[int, ...]:
    path = path_of(category)
    steps = [step.encode() for step in path]
    return tuple(key_of(b"category", *steps[:depth]) for depth in range(1, len(steps) + 1))
