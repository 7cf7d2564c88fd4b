"""Sessions: what a visitor looked at in a shop without a long pause, and what was ordered together."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from pixel.events import EventName

GAP_MS = 30 * 60_000
MOST_ORDERED = 50  # of one order
MOST_CLICKS = 100  # of one session: whoever looks at everything says little of each
LOOKS = frozenset(
    {EventName.VIEW_ITEM, EventName.SELECT_ITEM, EventName.ADD_TO_WISHLIST, EventName.ADD_TO_CART}
)
_KEYS = "q"
_GAP = 0  # no product's key


class Visit(msgspec.Struct, frozen=True):
    """An event of a shop by somebody who lets us remember it."""

    event_key: int
    advertiser_key: int
    visitor_key: int
    at_ms: int
    name: EventName
    product_keys: tuple[int, ...]


class ShopSessions(msgspec.Struct, frozen=True, array_like=True):
    """What visitors did in one shop during a slice of time, eight bytes a click; of nobody by name."""

    looks: bytes
    orders: bytes

    def each_look(self) -> Iterator[Sequence[int]]:
        return _parts(self.looks)

    def each_order(self) -> Iterator[Sequence[int]]:
        return _parts(self.orders)


class Sessions:
    """Cuts the visits of a slice of time into sessions, by shop; they are told in the order of time."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], tuple[int, list[int]]] = {}  # by shop and visitor: last seen, looks
        self._looks: dict[int, array[int]] = {}
        self._orders: dict[int, array[int]] = {}
        self._oldest_ms: dict[int, int] = {}

    def add(self, visits: Iterable[Visit]) -> None:
        for visit in visits:
            if visit.name in LOOKS:
                self._look(visit)
            elif visit.name is EventName.PURCHASE and visit.product_keys:
                self._note_time(visit)
                _append(self._orders, visit.advertiser_key, visit.product_keys[:MOST_ORDERED])

    def done(self) -> Mapping[int, tuple[int, ShopSessions]]:
        """Of each shop the time of its oldest visit, and its sessions."""
        for (advertiser_key, _), (_, looks) in self._open.items():
            _append(self._looks, advertiser_key, looks)
        self._open.clear()
        shops = {key: ShopSessions(*self._packed(key)) for key in self._oldest_ms}
        return {key: (self._oldest_ms[key], shop) for key, shop in shops.items()}

    def _packed(self, advertiser_key: int) -> list[bytes]:
        nothing = array(_KEYS)
        return [kept.get(advertiser_key, nothing).tobytes() for kept in (self._looks, self._orders)]

    def _look(self, visit: Visit) -> None:
        self._note_time(visit)
        place = visit.advertiser_key, visit.visitor_key
        last_ms, looks = self._open.get(place, (visit.at_ms, []))
        if visit.at_ms - last_ms > GAP_MS:
            _append(self._looks, visit.advertiser_key, looks)
            looks = []
        looks.extend(visit.product_keys[: MOST_CLICKS - len(looks)])
        self._open[place] = visit.at_ms, looks

    def _note_time(self, visit: Visit) -> None:
        known_ms = self._oldest_ms.get(visit.advertiser_key, visit.at_ms)
        self._oldest_ms[visit.advertiser_key] = min(known_ms, visit.at_ms)


def _append(of_shops: "dict[int, array[int]]", advertiser_key: int, keys: Iterable[int]) -> None:
    together = of_shops.setdefault(advertiser_key, array(_KEYS))
    together.extend(keys)
    together.append(_GAP)


def _parts(packed: bytes) -> Iterator[Sequence[int]]:
    keys, begun = array(_KEYS, packed), 0
    for place, key in enumerate(keys):
        if key == _GAP:
            yield keys[begun:place]
            begun = place + 1
