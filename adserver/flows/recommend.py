"""Learns from visits to shops what comes next: a job that may end anywhere, and begins anew."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec

from adserver.domain.sessions import Sessions
from adserver.domain.shop_learning import OF_SHOP, Learnt, ShopLearning, parts_of
from adserver.ports import Clock, Recommendations, Visits, Writer
from adserver.writes import BeginSlice, DropLearnt, KeepLearnt, KeepSessions, Result, UseLearnt

PAGE = 2_000  # visits that are read at once
PRODUCTS_IN_PART = 32  # about ten kilobytes
PARTS_AT_ONCE = 20  # in one write, so that no other waits long
DROPPED_AT_ONCE = 100
TURNS = 25  # of work between two rests: a few milliseconds
LEARNT_AGAIN_MS = 3_600_000  # at the earliest

_encode = msgspec.msgpack.Encoder().encode


class Learn:
    """Cuts new visits into sessions, and learns of those of each shop anew where they are others by now.

    Nothing holds before all of it is kept, so that whoever is stopped has changed nothing. Visits of the last
    `views_ms` are learnt of; at 0 none are cut any more. `rest` leaves the processor to the requests.
    """

    def __init__(
        self,
        visits: Visits,
        recommendations: Recommendations,
        writer: Writer,
        clock: Clock,
        views_ms: int,
        rest: Callable[[], None],
    ) -> None:
        self._visits = visits
        self._recommendations = recommendations
        self._writer = writer
        self._clock = clock
        self._views_ms = views_ms
        self._rest = rest

    def run(self) -> int:
        """How many slices of time were cut, and shops learnt of."""
        oldest, slices = self._visits.uncut(self._views_ms) if self._views_ms else (0, [])
        outdated = self._recommendations.outdated
        return sum(self._cut(oldest, one) for one in slices) + sum(
            self._learn(*shop) for shop in outdated(self._clock() - LEARNT_AGAIN_MS)
        )

    def _cut(self, oldest: int, slice_: int) -> bool:
        sessions, through = Sessions(), 0
        self._writer.commit(BeginSlice(slice_))
        while page := self._visits.visits(slice_, through, PAGE):
            sessions.add(page)
            through = page[-1].event_key
            self._rest()
        shops = tuple((key, at_ms, shop) for key, (at_ms, shop) in sessions.done().items())
        return self._writer.commit(KeepSessions(slice_, through, oldest, shops)).result is Result.SAVED

    def _learn(self, advertiser_key: int, state: int) -> bool:
        """What is read may be newer than the state, never older: then it is learnt once more."""
        version = self._clock()
        learning = ShopLearning(self._recommendations.sessions(advertiser_key))
        for turn, _ in enumerate(learning.work()):
            if turn % TURNS == 0:
                self._rest()
        products = chain(learning.products(), [(OF_SHOP, learning.bestsellers())])
        parts = parts_of(products, learning.most_products // PRODUCTS_IN_PART + 1)
        for piece in _pieces(parts):
            if self._writer.commit(KeepLearnt(advertiser_key, version, piece)).result is not Result.SAVED:
                return False
            self._rest()
        use = UseLearnt(advertiser_key, version, len(parts), state)
        is_used = self._writer.commit(use).result is Result.SAVED
        while is_used and self._writer.commit(DropLearnt(advertiser_key, DROPPED_AT_ONCE)).figure:
            self._rest()
        return is_used


def _pieces(parts: Sequence[Mapping[int, Learnt]]) -> Iterator[tuple[tuple[int, bytes], ...]]:
    for begin in range(0, len(parts), PARTS_AT_ONCE):
        piece = parts[begin : begin + PARTS_AT_ONCE]
        yield tuple((begin + place, _encode(part)) for place, part in enumerate(piece))
