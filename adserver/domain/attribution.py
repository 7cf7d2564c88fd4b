"""Which ad, if any, is credited with a conversion."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from hashlib import blake2b

import msgspec

from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, ProductMatch, Terms
from adserver.domain.visitor import DAY_MS, Touch
from pixel.events import EventName

OLDEST_SERVER_ORDER_MS = 7 * DAY_MS
CLOCK_TOLERANCE_MS = 5 * 60_000
MOST_UNVERIFIED_ORDERS = 5  # of browsers, for one ad: nobody reserves a budget away by inventing orders
CANCELLED = "cancelled"  # why an order costs nothing that was taken back before it came
LATEST_MS = 2**62
LEAD_WINDOW_MS = 30 * DAY_MS  # leads without an id: one of a visitor in this time


class ServerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order or lead as a merchant's server reports it; `reference` is its order or lead id.

    `value_micros` is the basket without tax and shipping, `visitor_key` 0 where the server named nobody.
    """

    advertiser_key: int
    event: EventName
    reference: str
    value_micros: Micros | None
    currency: str | None
    click_id: str | None
    occurred_at_ms: int
    item_ids: tuple[str, ...] = ()
    visitor_key: int = 0
    coupons: tuple[str, ...] = ()


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """An order or lead that was taken back, in whole or in part; `refund_id` is the shop's name for it.

    `returned_micros` is the value of the returned goods without tax and shipping, None for all of them.
    """

    advertiser_key: int
    event: EventName
    reference: str
    refund_id: str
    returned_micros: Micros | None
    currency: str | None
    reason: str


def may_have_occurred(occurred_at_ms: int, now_ms: int) -> bool:
    """Whether a server's word on when an order was made is believed: a week back, a little ahead."""
    return now_ms - OLDEST_SERVER_ORDER_MS <= occurred_at_ms <= now_ms + CLOCK_TOLERANCE_MS


class PendingConversion(msgspec.Struct, frozen=True, array_like=True):
    """An order that a browser reported, which reserves `amount_micros` of its campaign's budgets."""

    key: int
    advertiser_key: int
    campaign_key: int
    event: EventName
    amount_micros: Micros
    value_micros: Micros | None
    currency: str | None
    arrived_at_ms: int
    visitor_key: int


class Told(msgspec.Struct, frozen=True, array_like=True):
    """An order or lead as its advertiser reads it: what became of it, by which ad, and what it cost.

    `state` is "new" until it is attributed; the times are those of the ad it was credited to, where known.
    """

    key: int
    by_server: bool
    trusted: bool
    event: EventName
    state: str
    reason: str
    campaign_key: int
    amount_micros: Micros
    refunded_micros: Micros
    value_micros: Micros | None
    currency: str | None  # of the value
    occurred_at_ms: int
    arrived_at_ms: int
    impression_ms: int | None
    click_ms: int | None

    @property
    def place(self) -> "Place":
        return self.arrived_at_ms, self.key, self.by_server


Place = tuple[int, int, bool]  # of an order in a list by arrival


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders and leads are asked for: of a state, told in [from, to), or one by its key."""

    state: str | None = None
    from_ms: int = 0
    to_ms: int = LATEST_MS
    key: int | None = None
    after: Place | None = None
    limit: int


def conversion_key(secret: bytes, advertiser_key: int, event: EventName, reference: str) -> int:
    """The 61-bit key of an order or lead: the same by pixel and by server, unreadable without the secret."""
    digest = blake2b(digest_size=8, key=secret, person=b"order")
    digest.update(advertiser_key.to_bytes(8, "big"))
    digest.update(f"{event}:{reference}".encode())
    return int.from_bytes(digest.digest(), "big") >> 3


class NoCredit(StrEnum):
    """Why a conversion is nobody's."""

    NO_TOUCH = "no_touch"
    OTHER_PRODUCT = "other_product"  # only the product kept the credit away


class Ordered(msgspec.Struct, frozen=True):
    """What was ordered, and the item groups of those products, and of advertised ones, that are in any."""

    product_keys: frozenset[int] = frozenset()
    groups: Mapping[int, str] = {}

    def matches(self, touch: Touch, match: ProductMatch) -> bool:
        """Whether the order is one that the touch's campaign pays for; an ad of no product matches `any`."""
        if match is ProductMatch.ANY:
            return True
        if touch.product_key in self.product_keys:
            return True
        group = self.groups.get(touch.product_key)
        ordered_groups = {self.groups.get(key) for key in self.product_keys}
        return match is ProductMatch.SAME_GROUP and group is not None and group in ordered_groups


def charge_of_conversion(key: int) -> int:
    """The id of what a conversion is billed as."""
    return key << 2 | AdEvent.CONVERSION


def credit(
    event: EventName,
    occurred_at_ms: int,
    touches: Iterable[Touch],
    terms_of: Callable[[Touch], Terms | None],
    ordered: Ordered,
) -> Touch | NoCredit:
    """The touch a conversion belongs to: any click beats any view, then the latest, ties to the smaller id.

    `terms_of` answers the terms of the campaign version that was shown, or None for another advertiser's
    campaign, which cannot be credited. Windows are half-open: [touch, touch + days). Suspect touches never
    count, and a view counts only where the terms bill post-view.
    """
    winner: Touch | NoCredit = NoCredit.NO_TOUCH
    best: tuple[bool, int, int] | None = None
    for touch in touches:
        terms = terms_of(touch)
        if terms is None or not _counts(touch, terms, event, occurred_at_ms):
            continue
        if not ordered.matches(touch, terms.product_match):
            winner = winner if best else NoCredit.OTHER_PRODUCT
            continue
        rank = (touch.event is AdEvent.CLICK, touch.at_ms, -touch.impression_id)
        if best is None or rank > best:
            best, winner = rank, touch
    return winner


def _counts(touch: Touch, terms: Terms, event: EventName, occurred_at_ms: int) -> bool:
    if touch.suspect or terms.conversion_event is not event:
        return False
    clicked = touch.event is AdEvent.CLICK
    if not clicked and not terms.bill_post_view:
        return False
    days = terms.click_window_days if clicked else terms.view_window_days
    return touch.at_ms <= occurred_at_ms < touch.at_ms + days * DAY_MS
