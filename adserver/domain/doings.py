"""What a visitor did at a shop, kind by kind: when, for how much, and with which items; the newest few."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from pixel.events import Event, EventName, Item

MOST_DOINGS = 32  # of one kind at one shop, that rules are told of: the newest
MOST_ITEMS = 48  # that the doings of a kind name together; the newest
MOST_PACKED, MOST_ITEMS_PACKED = 48, 72  # from there on they are packed anew
LONGEST_PACKED = MOST_PACKED * 26 + MOST_ITEMS_PACKED * 19  # bytes; one takes 13 without amount and items

ITEM_KINDS = frozenset(
    {
        EventName.SELECT_ITEM,
        EventName.VIEW_ITEM,
        EventName.ADD_TO_WISHLIST,
        EventName.ADD_TO_CART,
        EventName.VIEW_CART,
        EventName.BEGIN_CHECKOUT,
        EventName.PURCHASE,
    }
)


class Reaction(StrEnum):
    """What a visitor of a shop did with its ads."""

    AD_SEEN = "ad_seen"
    AD_CLICKED = "ad_clicked"
    AD_LANDED = "ad_landed"  # the shop's own page tells of it: its event `landed`


class ItemDone(msgspec.Struct, array_like=True, frozen=True, gc=False):
    product_key: int
    price_micros: int = 0  # per piece; 0 where the page did not tell


class Doing(msgspec.Struct, array_like=True, gc=False):
    """One event as rules ask of it; the amounts are in `currency`, which is empty where none was told."""

    at_ms: int
    value_micros: int = 0
    currency: str = ""
    items: list[ItemDone] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Doing]).decode


class Doings(msgspec.Struct, array_like=True, gc=False):
    """The newest of one kind, oldest first. Packed, since few ads ask of them and all read the profile."""

    oldest_ms: int
    newest_ms: int
    count: int  # of those packed, and of their items; a few more than are told, so that most are only added
    items: int
    packed: bytes

    def each(self) -> list[Doing]:
        return self.all()[-MOST_DOINGS:]

    def all(self) -> list[Doing]:
        return _decode(b"\xdc" + self.count.to_bytes(2, "big") + self.packed)  # msgpack's head of a list


def doing_of(event: Event, product_keys: Sequence[int], at_ms: int) -> Doing:
    """The event as it is remembered; the keys are its items', in their order."""
    value = event.value_micros if event.value_micros is not None else _sum_of(event.items)
    doing = Doing(at_ms, value)
    if event.name in ITEM_KINDS:
        named = zip(product_keys[:MOST_ITEMS], event.items, strict=False)
        doing.items = [ItemDone(key, item.price_micros or 0) for key, item in named]
    if value or any(item.price_micros for item in doing.items):
        doing.currency = event.currency or ""
    return doing


def _sum_of(items: Sequence[Item]) -> int:
    """What the items cost together; nothing where one has no price."""
    prices = [item.price_micros for item in items]
    if None in prices:
        return 0
    return sum(item.quantity * (item.price_micros or 0) for item in items)


def noted(known: Doings | None, doing: Doing, since_ms: int) -> Doings:
    """The kind's doings with one more; those of `since_ms` and before have been kept for long enough."""
    if known is None:
        return packed([doing])
    is_next = known.newest_ms <= doing.at_ms and known.oldest_ms > since_ms
    items = known.items + len(doing.items)
    if is_next and known.count < MOST_PACKED and items <= MOST_ITEMS_PACKED:
        bytes_ = known.packed + _encode(doing)
        return Doings(known.oldest_ms, doing.at_ms, known.count + 1, items, bytes_)
    return packed(sorted([*(one for one in known.all() if one.at_ms > since_ms), doing], key=_time_of))


def without_old(known: Doings, since_ms: int) -> Doings | None:
    """What is left of a kind once those of `since_ms` and before are let go; None where that is nothing."""
    if known.oldest_ms > since_ms:
        return known
    kept = [one for one in known.all() if one.at_ms > since_ms]
    return packed(kept) if kept else None


def packed(doings: Sequence[Doing]) -> Doings:
    """The newest of the doings, which are in order, with as many of their items as are kept."""
    newest, spare = list(doings[-MOST_DOINGS:]), MOST_ITEMS
    for place in range(len(newest) - 1, -1, -1):
        one = newest[place]
        if len(one.items) > spare:
            newest[place] = msgspec.structs.replace(one, items=one.items[:spare])
        spare -= min(spare, len(one.items))
    bytes_ = b"".join(map(_encode, newest))
    return Doings(newest[0].at_ms, newest[-1].at_ms, len(newest), MOST_ITEMS - spare, bytes_)


def _time_of(doing: Doing) -> int:
    return doing.at_ms
