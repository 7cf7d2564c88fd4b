"""In which situations a visitor is at a shop, as far as their doings there tell."""

from collections.abc import Sequence
from enum import StrEnum

from adserver.domain.catalogue import Product
from adserver.domain.visitor import (
    DAY_MS,
    FORM_RETENTION_MS,
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    Level,
    Shop,
)

LAPSED_AFTER_MS = 30 * DAY_MS


class Situation(StrEnum):
    """What words may speak of; the strongest first."""

    CART = "cart"
    FORM_ABANDONED = "form_abandoned"
    WISHLIST = "wishlist"
    VIEWED = "viewed"
    LAPSED_BUYER = "lapsed_buyer"


WHILE_WARM = (Situation.CART, Situation.FORM_ABANDONED, Situation.WISHLIST, Situation.VIEWED)
OF_LEVEL = {
    Level.IN_CART: Situation.CART,
    Level.WISHED: Situation.WISHLIST,
    Level.VIEWED: Situation.VIEWED,
}


def form_is_open(shop: Shop, now_ms: int) -> bool:
    """Whether a form was begun lately and not sent since."""
    begun = shop.form_started_ms > max(0, now_ms - FORM_RETENTION_MS)
    return begun and shop.form_submitted_ms < shop.form_started_ms


def situations_of(shop: Shop, now_ms: int) -> tuple[Situation, ...]:
    """All that a message may address them for, the strongest first.

    Whoever has sent a form has what they came for: what they did before it speaks for nothing any more.
    """
    since_ms = max(now_ms - INTEREST_RETENTION_MS, shop.form_submitted_ms)
    in_cart = wished = viewed = False
    for interest in shop.interests:  # plainly: this is asked at ads
        if interest.at_ms > since_ms:
            in_cart = in_cart or interest.level is Level.IN_CART
            wished = wished or interest.level is Level.WISHED
            viewed = viewed or interest.level is Level.VIEWED
    holds = (in_cart, form_is_open(shop, now_ms), wished, viewed)
    found = tuple(situation for situation, is_so in zip(WHILE_WARM, holds, strict=True) if is_so)
    return found if found or not _has_lapsed(shop, now_ms) else (Situation.LAPSED_BUYER,)


def situation_of_cards(shop: Shop, chosen: Sequence[Product], now_ms: int) -> Situation:
    """What words above the cards may say: of the first card, never of a product that is not shown."""
    key = chosen[0].key
    level = next((one.level for one in shop.interests if one.product_key == key), Level.VIEWED)
    of_card = OF_LEVEL[level]
    if of_card is not Situation.CART and form_is_open(shop, now_ms):
        return Situation.FORM_ABANDONED
    return of_card


def _has_lapsed(shop: Shop, now_ms: int) -> bool:
    """Whether they bought here once, and neither bought nor asked for anything in the last month."""
    newest_ms = max((purchase.at_ms for purchase in shop.purchases), default=0)
    last_ms = max(newest_ms, shop.form_submitted_ms)
    return newest_ms > now_ms - PURCHASE_RETENTION_MS and last_ms <= now_ms - LAPSED_AFTER_MS
