"""What is learnt of all sessions of a shop: what is near each product, bought with it, and bought most."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from adserver.domain.recommendation import pack
from adserver.domain.sessions import MOST_CLICKS, ShopSessions
from adserver.domain.walks import Walks

BESTSELLERS_KEPT = 50
BOUGHT_WITH_KEPT = 12
OF_SHOP = 0  # instead of a product: what is learnt of the shop as a whole


class Learnt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is near a product and what was bought with it, packed; of a shop what is bought most."""

    near: bytes = b""
    bought_with: bytes = b""


NOTHING_LEARNT = Learnt()


class ShopLearning:
    """Learns piece by piece; each product's part is there once `work` has come to its end."""

    def __init__(self, slices: Sequence[ShopSessions]) -> None:
        self._walks = Walks(session for one in slices for session in one.each_look())
        self._sold, self._seen = Counter[int](), Counter[int]()
        self._bought_with: dict[int, Counter[int]] = {}
        for one in slices:
            self._seen.update(key for session in one.each_look() for key in set(session[:MOST_CLICKS]))
            for order in one.each_order():
                self._note_order(frozenset(order))

    def work(self) -> Iterator[None]:
        """Whoever runs it may rest at each turn, and so leaves the processor to others."""
        return self._walks.work()

    @property
    def most_products(self) -> int:
        """No fewer than `products` tells."""
        return self._walks.products + len(self._bought_with)

    def products(self) -> Iterator[tuple[int, Learnt]]:
        """Of each product that anything is known of; once."""
        without_steps = set(self._bought_with)
        for key, near in self._walks.near():
            without_steps.discard(key)
            yield key, Learnt(near, self._packed_orders(key))
        for key in sorted(without_steps):
            yield key, Learnt(b"", self._packed_orders(key))

    def bestsellers(self) -> Learnt:
        """What was bought in most orders, then what was looked at in most sessions."""
        ranked = sorted(self._seen | self._sold, key=lambda key: (-self._sold[key], -self._seen[key], key))
        return Learnt(pack(ranked[:BESTSELLERS_KEPT], [1.0] * len(ranked[:BESTSELLERS_KEPT])))

    def _note_order(self, products: frozenset[int]) -> None:
        self._sold.update(products)
        for product in products:
            others = self._bought_with.setdefault(product, Counter())
            others.update(products - {product})
            if not others:
                del self._bought_with[product]

    def _packed_orders(self, key: int) -> bytes:
        together = self._bought_with.get(key)
        if not together:
            return b""
        ranked = sorted(together, key=lambda other: (-together[other], other))[:BOUGHT_WITH_KEPT]
        return pack(ranked, [together[other] / self._sold[key] for other in ranked])


def parts_of(products: Iterable[tuple[int, Learnt]], parts: int) -> list[dict[int, Learnt]]:
    """What is learnt, by the part in which it is kept and looked for."""
    kept: list[dict[int, Learnt]] = [{} for _ in range(parts)]
    for key, learnt in products:
        kept[key % parts][key] = learnt
    return kept
