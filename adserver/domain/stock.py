"""What may be shown of a shop's products to a visitor, and where it is nothing, whose wish that is."""

from collections.abc import Mapping
from functools import partial

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.choice import Holds, as_if_harmless, choose_products, choose_widely
from adserver.domain.contender import (
    Contender,
)
from adserver.domain.decision import Request, Surroundings
from adserver.domain.eligibility import (
    Refusal,
)
from adserver.domain.peace import (
    Afterwards,
)
from adserver.domain.suggestion import NOTHING_SUGGESTED, Because, Widening
from adserver.domain.visitor import Shop


class Known(msgspec.Struct, frozen=True):
    """What all campaigns of a shop have to go by: what this visitor did there, and would be shown of it."""

    chosen: tuple[Product, ...]
    no_product: Refusal  # why nothing is chosen, where nothing is
    because: Mapping[int, Because] = {}


class Stock:
    """The products that a request may be answered with; what is found out of a shop is found out once.

    `known_products` are all that the catalogue has, `products` what the publisher wants there of them.
    """

    def __init__(
        self,
        request: Request,
        known_products: Mapping[int, Product],
        products: Mapping[int, Product],
        around: Surroundings,
    ) -> None:
        self._request = request
        self._known_products, self._products = known_products, products
        self._around = around
        self._known: dict[tuple[int, Widening | None], Known] = {}

    def after(self, after: Afterwards) -> "Stock":
        """Without what was bought, or is like it."""
        left = after.products(self._known_products), after.products(self._products)
        return Stock(self._request, *left, self._around)

    def found(self, contender: Contender) -> Known:
        """What was found out for the contender before."""
        return self._known[contender.products_key, contender.widening]

    def of(self, shop: Shop, products_key: int, widening: Widening | None) -> Known:
        known = self._known.get((products_key, widening))
        if known is None:
            within = products_key < 0
            known = self._know_in_set(shop, -products_key, widening) if within else self._know(shop, widening)
            self._known[products_key, widening] = known
        return known

    def _know(self, shop: Shop, widening: Widening | None) -> Known:
        chosen, because = self._choose(shop, widening)
        return Known(chosen, Refusal.NO_PRODUCT if chosen else self._no_product(shop), because)

    def _know_in_set(self, shop: Shop, set_key: int, widening: Widening | None) -> Known:
        """What a set has of what the visitor would be shown; where it has none, others may have some."""
        holds = partial(self._around.members.holds, set_key, self._request.now_ms)
        chosen, because = self._choose(shop, widening, holds)
        of_all = self.of(shop, shop.advertiser_key, widening)
        no_product = Refusal.NOT_IN_PRODUCT_SET if of_all.chosen else of_all.no_product
        return Known(chosen, no_product, because)

    def _choose(
        self, shop: Shop, widening: Widening | None, holds: Holds | None = None
    ) -> tuple[tuple[Product, ...], Mapping[int, Because]]:
        most, now_ms = self._request.cards, self._request.now_ms
        if widening is None:
            return choose_products(shop, self._products, most, now_ms, holds), {}
        known = self._around.suggested.get(shop.advertiser_key, NOTHING_SUGGESTED)
        return choose_widely(shop, self._products, most, now_ms, widening, known, holds)

    def _no_product(self, shop: Shop) -> Refusal:
        """Whether it is the visitor's own wish, or the publisher's, that leaves nothing to show."""
        now_ms = self._request.now_ms
        as_if_wanted = msgspec.structs.replace(shop, unwanted=[])
        if choose_products(as_if_wanted, self._products, 1, now_ms):
            return Refusal.PRODUCT_UNWANTED
        if choose_products(shop, self._known_products, 1, now_ms):
            return Refusal.CATEGORY_BLOCKED
        if choose_products(shop, as_if_harmless(self._products), 1, now_ms):
            return Refusal.SENSITIVE_PRODUCT
        return Refusal.NO_PRODUCT
