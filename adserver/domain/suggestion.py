"""What a visitor may be shown beside what they looked at themselves, by what is learnt of their shop."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import islice

import msgspec

from adserver.domain.product_choice import PriceBand, ProductChoice
from adserver.domain.recommendation import COUNTS, similar, unpack
from adserver.domain.shop_learning import NOTHING_LEARNT, OF_SHOP, Learnt
from adserver.domain.visitor import INTEREST_RETENTION_MS, PURCHASE_RETENTION_MS, Shop

MOST_SUGGESTED = 16  # of a kind: some of them cannot be shown


class Because(IntEnum):
    """Why a card shows its product; the numbers stand in tokens."""

    REMINDER = 0
    SIMILAR = 1
    BESTSELLER = 2
    BOUGHT_TOGETHER = 3


class Widening(msgspec.Struct, frozen=True, gc=False):
    """What a campaign shows besides reminders."""

    choice: ProductChoice
    price_band: PriceBand | None


class Suggested(msgspec.Struct, frozen=True):
    """Products for a visitor of a shop, by why, the best first; not all of them may be shown."""

    similar: Sequence[int] = ()
    bought_together: Sequence[int] = ()
    bestsellers: Sequence[int] = ()

    def keys(self) -> list[int]:
        return [*self.similar, *self.bought_together, *self.bestsellers]


NOTHING_SUGGESTED = Suggested()


def learnt_of(shop: Shop, now_ms: int) -> list[int]:
    """The products of which it must be known what is near them, and OF_SHOP for the shop itself."""
    return [OF_SHOP, *_looked_at(shop, now_ms)[: len(COUNTS)], *_bought(shop, now_ms)]


def suggested(shop: Shop, learnt: Mapping[int, Learnt], now_ms: int) -> Suggested:
    """By what they looked at last and bought last, and what others buy there."""
    looked_at, bought = _looked_at(shop, now_ms), _bought(shop, now_ms)
    near = {key: one.near for key, one in learnt.items() if key != OF_SHOP}
    with_bought = (unpack(learnt.get(key, NOTHING_LEARNT).bought_with) for key in bought)
    return Suggested(
        similar(looked_at or bought, near)[:MOST_SUGGESTED],
        _first(key for packed in with_bought for key, _ in packed),
        _first(key for key, _ in unpack(learnt.get(OF_SHOP, NOTHING_LEARNT).near)),
    )


def _first(keys: Iterable[int]) -> list[int]:
    return list(islice(dict.fromkeys(keys), MOST_SUGGESTED))


def _looked_at(shop: Shop, now_ms: int) -> list[int]:
    """The last one first, unless they want no more of it."""
    fresh = [one for one in shop.interests if one.at_ms > now_ms - INTEREST_RETENTION_MS]
    fresh.sort(key=lambda one: -one.at_ms)
    return [one.product_key for one in fresh if one.product_key not in shop.unwanted]


def _bought(shop: Shop, now_ms: int) -> list[int]:
    """The last three, the last one first."""
    lately = [one for one in shop.purchases if one.at_ms > now_ms - PURCHASE_RETENTION_MS]
    lately.sort(key=lambda one: -one.at_ms)
    return [one.product_key for one in lately[: len(COUNTS)]]
