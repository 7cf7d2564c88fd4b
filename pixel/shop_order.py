"""What a shop's own order webhook says, in one shape for every shop software."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from pixel.amounts import micros_from
from pixel.events import MAX_ITEMS, Rejection
from pixel.grammar import click_id_from, coupons_from, item_id_from, record_id_from
from pixel.parse import decode_json

MOST_REFUNDS = 100  # of one order
WHOLE = "full"  # the return of all that was ordered; every other return has the shop's own id

Fields = Mapping[str, object]

_WHOLE_NUMBER = re.compile(r"[0-9]{1,20}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


class ShopRejection(StrEnum):
    """Why nothing of a webhook was believed."""

    MALFORMED = "malformed"
    BAD_ORDER_ID = "bad_order_id"
    BAD_REFUND_ID = "bad_refund_id"
    BAD_TIME = "bad_time"
    BAD_AMOUNT = "bad_amount"
    TOO_MANY_REFUNDS = "too_many_refunds"


class Ignored(StrEnum):
    """Why a sound webhook changes nothing; the shop need not send it again."""

    PING = "ping"
    UNKNOWN_TOPIC = "unknown_topic"
    TEST_ORDER = "test_order"
    NOT_PAID = "not_paid"
    NOTHING_RETURNED = "nothing_returned"


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """A paid order; `value_micros` is without tax and shipping, after discounts, None where unusable."""

    order_id: str
    value_micros: int | None
    currency: str | None
    click_id: str | None
    item_ids: tuple[str, ...]
    created_ms: int
    coupons: tuple[str, ...] = ()


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """What came back of an order: goods worth `value_micros` without tax and shipping, None for all of it."""

    order_id: str
    return_id: str
    value_micros: int | None
    currency: str | None


class ShopMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook's content. `told_ms` is the body's own time, None where it has none or needs none."""

    told_ms: int | None = None
    changes: tuple[Sale | Return, ...] = ()
    ignored: Ignored | None = None


class Unreadable(Exception):
    """A field that must be sound is not; the whole body is rejected."""

    def __init__(self, rejection: ShopRejection) -> None:
        super().__init__(rejection)
        self.rejection = rejection


def whole_return(order_id: str) -> Return:
    return Return(order_id=order_id, return_id=WHOLE, value_micros=None, currency=None)


def document_of(body: bytes) -> Fields:
    """The body's object, its decimals left as text."""
    document = decode_json(body)
    if document is Rejection.MALFORMED or not isinstance(document, dict):
        raise Unreadable(ShopRejection.MALFORMED)
    return document


def fields_of(given: object) -> Fields:
    return given if isinstance(given, dict) else {}


def rows_of(given: object) -> list[Fields]:
    """The objects of a list; a field that is missing lists nothing."""
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise Unreadable(ShopRejection.MALFORMED)
    return given


def refunds_of(given: object) -> list[Fields]:
    refunds = rows_of(given)
    if len(refunds) > MOST_REFUNDS:
        raise Unreadable(ShopRejection.TOO_MANY_REFUNDS)
    return refunds


def record_id_of(given: object, rejection: ShopRejection) -> str:
    """The id of an order or refund, a whole number in both shops, as the pixel would spell it."""
    text = record_id_from(given)
    if text is None or _WHOLE_NUMBER.fullmatch(text) is None:
        raise Unreadable(rejection)
    return text


def moment_of(given: object) -> int:
    """Milliseconds of an ISO 8601 time; where no zone is said, the field is one of UTC."""
    found = _TIME.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise Unreadable(ShopRejection.BAD_TIME)
    second, _, zone = found.groups()
    try:
        moment = datetime.fromisoformat(second + (zone or "Z").replace("Z", "+00:00"))
    except ValueError:
        raise Unreadable(ShopRejection.BAD_TIME) from None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return int((moment - epoch).total_seconds()) * 1000


def micros_of(given: object) -> int:
    """An amount of either sign; what is no amount makes the body unreadable."""
    negative = isinstance(given, str) and given.startswith("-")
    if type(given) is int and given < 0:
        negative, given = True, -given
    micros = micros_from(given[1:] if negative and isinstance(given, str) else given)
    if micros is None:
        raise Unreadable(ShopRejection.BAD_AMOUNT)
    return -micros if negative else micros


def click_id_among(pairs: Iterable[tuple[object, object]], names: frozenset[str]) -> str | None:
    """The first sound click id under one of `names`."""
    for name, value in pairs:
        click_id = click_id_from(value) if isinstance(name, str) and name in names else None
        if click_id is not None:
            return click_id
    return None


def coupons_of(given: object) -> tuple[str, ...]:
    """The codes of an order's discounts that could be an offer's; an order is kept whatever they are."""
    return coupons_from([fields_of(line).get("code") for line in given] if isinstance(given, list) else None)


def item_ids_of(lines: Iterable[Iterable[object]]) -> tuple[str, ...]:
    """Every name that a feed may have given the ordered items, without repeats."""
    sound = (item_id_from(name) for names in lines for name in names if name not in (None, "", 0))
    return tuple(dict.fromkeys(item for item in sound if item is not None))[:MAX_ITEMS]
