"""A shop's own order webhook comes in: proved, read, and each order credited or given back."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from adserver.domain.attribution import Cancellation, ServerOrder, may_have_occurred
from adserver.domain.money import Micros
from adserver.domain.shop_hook import ShopHook, ShopSoftware, is_replay, is_signed, shop_hook_key
from adserver.domain.tally import Tally
from adserver.domain.visitor import DAY_MS
from adserver.ports import Accounts, Clock, Stats
from adserver.writes import Outcome, Result
from pixel import shopify, woocommerce
from pixel.events import EventName
from pixel.shop_order import WHOLE, Ignored, Return, Sale, ShopMessage, ShopRejection

COUNTED_DAYS = 7
TOPICS = {ShopSoftware.SHOPIFY: shopify.TOPICS, ShopSoftware.WOOCOMMERCE: woocommerce.TOPICS}

_READ: dict[ShopSoftware, Callable[[str, bytes], ShopMessage | ShopRejection]] = {
    ShopSoftware.SHOPIFY: shopify.read,
    ShopSoftware.WOOCOMMERCE: woocommerce.read,
}
_OF_NOBODY = "compared where there is no secret, so that the time it takes tells nothing"


class Unproved(StrEnum):
    """Why a webhook is not even read, or not acted on."""

    BAD_SIGNATURE = "bad_signature"
    TOO_OLD = "hook_too_old"


class Change(msgspec.Struct, frozen=True):
    """What became of one order or return: a result's name, and the reason where there is one."""

    result: str
    reason: str = ""


IGNORED = "ignored"
OUT_OF_RANGE = "occurred_at_out_of_range"


class Credit(Protocol):
    """What crediting an order answers."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def reason(self) -> str: ...


class Shops:
    """Hears shops' webhooks. `convert` and `cancel` are the flow's that credits orders."""

    def __init__(
        self,
        accounts: Accounts,
        stats: Stats,
        tally: Tally,
        clock: Clock,
        convert: Callable[[ServerOrder], Credit],
        cancel: Callable[[Cancellation], Outcome],
    ) -> None:
        self._accounts = accounts
        self._stats = stats
        self._tally = tally
        self._clock = clock
        self._convert = convert
        self._cancel = cancel

    def hear(
        self, shop: ShopSoftware, advertiser_key: int | None, topic: str, signature: str, body: bytes
    ) -> list[Change] | Unproved | ShopRejection:
        """One change for each order or return in the body; or why nothing of it was believed."""
        if shop is ShopSoftware.WOOCOMMERCE and not signature and woocommerce.is_ping(body):
            return [Change(IGNORED, Ignored.PING)]
        hook = None
        if advertiser_key is not None:
            hook = self._accounts.shop_hook(shop_hook_key(advertiser_key, shop))
        secret = hook.secret if hook is not None and hook.secret else None
        signed = is_signed(secret or _OF_NOBODY, body, signature)
        if hook is None or secret is None:
            return Unproved.BAD_SIGNATURE
        heard = self._read(hook, topic, body) if signed else Unproved.BAD_SIGNATURE
        for name in _names(heard):
            self._tally.add(hook.advertiser_key, _count_name(shop, name))
        return heard

    def counts(self, shop: ShopSoftware, advertiser_key: int) -> dict[str, int]:
        """How often each result and refusal came up in the last days."""
        prefix = _count_name(shop, "")
        counts = self._stats.counts(advertiser_key, self._clock() - COUNTED_DAYS * DAY_MS)
        return {name.removeprefix(prefix): n for name, n in counts.items() if name.startswith(prefix)}

    def _read(self, hook: ShopHook, topic: str, body: bytes) -> list[Change] | Unproved | ShopRejection:
        message = _READ[hook.shop](topic, body)
        if isinstance(message, ShopRejection):
            return message
        if is_replay(message.told_ms, self._clock()):
            return Unproved.TOO_OLD
        if message.ignored is not None:
            return [Change(IGNORED, message.ignored)]
        return [self._change(hook.advertiser_key, change) for change in message.changes]

    def _change(self, advertiser_key: int, change: Sale | Return) -> Change:
        if isinstance(change, Return):
            return _change_of(self._cancel(_cancellation(advertiser_key, change)))
        if not may_have_occurred(change.created_ms, self._clock()):
            return Change(OUT_OF_RANGE)  # an old order that was edited: no fault of the shop's
        credit = self._convert(_order(advertiser_key, change))
        return _change_of(credit.outcome, credit.reason)


def _order(advertiser_key: int, sale: Sale) -> ServerOrder:
    return ServerOrder(
        advertiser_key=advertiser_key,
        event=EventName.PURCHASE,
        reference=sale.order_id,
        value_micros=None if sale.value_micros is None else Micros(sale.value_micros),
        currency=sale.currency if sale.value_micros is not None else None,
        click_id=sale.click_id,
        occurred_at_ms=sale.created_ms,
        item_ids=sale.item_ids,
        coupons=sale.coupons,
    )


def _cancellation(advertiser_key: int, returned: Return) -> Cancellation:
    return Cancellation(
        advertiser_key=advertiser_key,
        event=EventName.PURCHASE,
        reference=returned.order_id,
        refund_id=returned.return_id,
        returned_micros=None if returned.value_micros is None else Micros(returned.value_micros),
        currency=returned.currency,
        reason="cancelled" if returned.return_id == WHOLE else "returned",
    )


def _change_of(outcome: Outcome, reason: str = "") -> Change:
    """The outcome by its API name; an order that was told before is a duplicate."""
    repeated = outcome.result is Result.REPEATED
    return Change(Result.DUPLICATE if repeated else outcome.result, reason)


def _names(heard: list[Change] | Unproved | ShopRejection) -> list[str]:
    return [change.result for change in heard] if isinstance(heard, list) else [heard]


def _count_name(shop: ShopSoftware, name: str) -> str:
    return f"hook_{shop}_{name}"
