"""What a shop's visitors look at next: learnt from their sessions as short walks between products.

A visitor who looks at one product and then at another has made a step. From each product some steps lead
on, as often as they were made; a walk makes one, or another after it, and so on. How likely walks from a
product end at another says how near that is. Most products of a shop are seen too seldom for their own
steps to tell enough: the second step and those after it borrow from what is seen more often.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from adserver.domain.recommendation import pack
from adserver.domain.sessions import MOST_CLICKS

# What a product counts that was seen next after another, and second after it; and before it.
FORWARD = (1.0, 0.2)
BACKWARD = (0.6, 0.1)
STEPS_KEPT = 20  # of one product, the likeliest
ENDS_KEPT = 30
LENGTHENED = 2  # times: each doubles the length of the longest walks
ON = 0.6  # the chance of another step
_NOTHING = 0
_PLACES, _CHANCES = "I", "f"

Chances = dict[int, float]


class Walks:
    """Learns of the sessions handed in; each is a visitor's products in the order they were looked at.

    A million clicks on 100,000 products take 105 MB while they are learnt from, most of it for the products.
    """

    def __init__(self, sessions: Iterable[Sequence[int]]) -> None:
        self._places: dict[int, int] = {}
        self._clicks = array(_PLACES, (_NOTHING,))  # of all sessions, by place, with a gap after each
        for session in sessions:
            self._add(session)
        self._products = (_NOTHING, *self._places)
        self._places.clear()
        self._steps: list[_Ranked] = [_NO_STEPS]
        self._ends: list[_Ranked] = []

    def _add(self, session: Sequence[int]) -> None:
        places, last = self._places, _NOTHING
        for product in session[:MOST_CLICKS]:
            place = places.setdefault(product, len(places) + 1)
            if place != last:
                self._clicks.append(place)
                last = place
        self._clicks.append(_NOTHING)

    @property
    def products(self) -> int:
        """How many there are."""
        return len(self._products) - 1

    def work(self) -> Iterator[None]:
        """Learn; whoever runs it may rest at each turn, and so leaves the processor to others."""
        heads, positions = self._by_product()
        for place in range(1, len(self._products)):
            self._steps.append(self._count(place, positions[heads[place] : heads[place + 1]]))
            yield
        self._ends = list(self._steps)
        for place in chain(*[range(1, len(self._products))] * LENGTHENED):
            self._ends[place] = self._lengthened(place)
            yield
        self._steps.clear()

    def near(self) -> Iterator[tuple[int, bytes]]:
        """Each product with what is near it, once all work is done; what was told is let go."""
        for place in range(1, len(self._products)):
            (others, chances), self._ends[place] = self._ends[place], _NO_STEPS
            if others:
                yield self._products[place], pack([self._products[other] for other in others], chances)

    def _by_product(self) -> tuple[Sequence[int], Sequence[int]]:
        """Where each product was clicked: all positions in turn, and where each product's begin."""
        heads = array(_PLACES, bytes(4 * (len(self._products) + 1)))
        for place in self._clicks:
            heads[place] += 1
        total = 0
        for place, count in enumerate(heads):
            heads[place], total = total, total + count
        positions, free = array(_PLACES, bytes(4 * len(self._clicks))), array(_PLACES, heads)
        for position, place in enumerate(self._clicks):
            positions[free[place]] = position
            free[place] += 1
        return heads, positions

    def _count(self, place: int, positions: Sequence[int]) -> "_Ranked":
        """The steps that lead from a product, each with its share of them."""
        clicks, found = self._clicks, Chances()
        for position in positions:
            for direction, weights in ((1, FORWARD), (-1, BACKWARD)):
                at = position
                for weight in weights:
                    at += direction
                    other = clicks[at]
                    if other == _NOTHING:
                        break
                    if other != place:
                        found[other] = found.get(other, 0.0) + weight
        total = sum(found.values())
        return _likeliest({other: count / total for other, count in found.items()}, STEPS_KEPT)

    def _lengthened(self, place: int) -> "_Ranked":
        """Walks that begin with one of the product's steps, and end there or go on as is known so far."""
        ends, found = self._ends, Chances()
        for other, chance in zip(*self._steps[place], strict=True):
            found[other] = found.get(other, 0.0) + chance * (1 - ON)
            onward = chance * ON
            for end, further in zip(*ends[other], strict=True):
                found[end] = found.get(end, 0.0) + onward * further
        found.pop(place, None)
        return _likeliest(found, ENDS_KEPT)


_Ranked = tuple[Sequence[int], Sequence[float]]
_NO_STEPS: _Ranked = (array(_PLACES), array(_CHANCES))


def _likeliest(found: Chances, most: int) -> _Ranked:
    """In the order of their chances; of equals the one that was met first."""
    if not found:
        return _NO_STEPS
    ranked = sorted(found, key=found.__getitem__, reverse=True)[:most]
    return array(_PLACES, ranked), array(_CHANCES, [found[place] for place in ranked])
