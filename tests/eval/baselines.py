"""What others recommend next: what was looked at before, with it, by many; and the published neighbours."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import log

from tests.eval.clicks import Sessions

Recommender = Callable[[Sequence[int]], list[int]]  # of the products seen, the last one first, each once
LENGTH = 20


def recently_viewed(train: Sessions) -> Recommender:
    return lambda seen: list(seen[1:])


def popular(train: Sessions) -> Recommender:
    often = Counter(product for session in train for product in set(session)).most_common(LENGTH + 1)
    return lambda seen: [product for product, _ in often if product != seen[0]]


def co_view(train: Sessions) -> Recommender:
    """What was looked at in the same sessions as the last product, most often first."""
    together: dict[int, Counter[int]] = defaultdict(Counter)
    for session in train:
        products = set(session)
        for product in products:
            together[product].update(products - {product})
    return lambda seen: [product for product, _ in together[seen[0]].most_common(LENGTH)]


class VmisKnn:
    """The neighbours of Serenade (SIGMOD 2022), with the parameters of its published evaluation."""

    def __init__(self, train: Sessions, most: int = 500, neighbours: int = 50, last: int = 2) -> None:
        self._train, self._neighbours, self._last = train, neighbours, last
        holding: dict[int, list[int]] = defaultdict(list)
        for number, session in enumerate(train):
            for product in set(session):
                holding[product].append(number)
        self._newest = {product: numbers[-most:] for product, numbers in holding.items()}
        self._rarity = {product: log(len(train) / len(numbers)) for product, numbers in holding.items()}

    def __call__(self, seen: Sequence[int]) -> list[int]:
        places = {product: place for place, product in enumerate(seen[: self._last])}
        alike: dict[int, float] = defaultdict(float)
        for product, place in places.items():
            for number in self._newest.get(product, ()):
                alike[number] += (len(places) - place) / len(places)
        nearest = sorted(alike, key=lambda number: (-alike[number], -number))[: self._neighbours]
        scores: dict[int, float] = defaultdict(float)
        for number in nearest:
            shared = min(places[product] for product in self._train[number] if product in places)
            for product in set(self._train[number]):
                scores[product] += alike[number] * (1 - 0.1 * shared) * self._rarity[product]
        scores.pop(seen[0], None)
        return sorted(scores, key=scores.__getitem__, reverse=True)[:LENGTH]
