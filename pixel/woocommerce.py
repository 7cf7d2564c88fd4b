"""An order webhook of WooCommerce, in the shape of its REST API from version 1 to 3."""

import re
from collections.abc import Iterator

from pixel.amounts import currency_from
from pixel.shop_order import (
    Fields,
    Ignored,
    Return,
    Sale,
    ShopMessage,
    ShopRejection,
    Unreadable,
    click_id_among,
    coupons_of,
    document_of,
    item_ids_of,
    micros_of,
    moment_of,
    record_id_of,
    refunds_of,
    rows_of,
    whole_return,
)

DELETED_TOPIC = "order.deleted"
TOPICS = ("order.created", "order.updated", DELETED_TOPIC)

_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
_CLICK_NAMES = frozenset({"_rtclid", "rtclid"})
_PAID = ("processing", "completed")
_TAKEN_BACK = ("cancelled", "refunded")  # a payment that failed may be tried again


def is_ping(body: bytes) -> bool:
    """Whether this is the unsigned form with which WooCommerce tries a new webhook's address."""
    return _PING.fullmatch(body) is not None


def read(topic: str, body: bytes) -> ShopMessage | ShopRejection:
    """What the webhook says."""
    if topic not in TOPICS:
        return ShopMessage(ignored=Ignored.UNKNOWN_TOPIC)
    try:
        document = document_of(body)
        order_id = record_id_of(document.get("id"), ShopRejection.BAD_ORDER_ID)
        return _deleted(document, order_id) if topic == DELETED_TOPIC else _order_message(document, order_id)
    except Unreadable as unreadable:
        return unreadable.rejection


def _deleted(document: Fields, order_id: str) -> ShopMessage:
    """The body is the id alone, without a time; to hear it once more changes nothing.

    The topic is not signed: an old body of another topic must not pass for this one.
    """
    if document.keys() != {"id"}:
        raise Unreadable(ShopRejection.MALFORMED)
    return ShopMessage(changes=(whole_return(order_id),))


def _order_message(order: Fields, order_id: str) -> ShopMessage:
    told_ms = moment_of(order.get("date_modified_gmt"))
    status = order.get("status")
    if status in _TAKEN_BACK or (status == "failed" and order.get("date_paid_gmt") is not None):
        return ShopMessage(told_ms=told_ms, changes=(whole_return(order_id),))
    if status not in _PAID:
        return ShopMessage(told_ms=told_ms, ignored=Ignored.NOT_PAID)
    currency = currency_from(order.get("currency"))
    value = None if currency is None else _value(order)
    sale = Sale(
        order_id=order_id,
        value_micros=value,
        currency=currency,
        click_id=_click_id(order),
        item_ids=item_ids_of(_names(line) for line in rows_of(order.get("line_items"))),
        created_ms=moment_of(order.get("date_created_gmt")),
        coupons=coupons_of(order.get("coupon_lines")),
    )
    refunds = refunds_of(order.get("refunds"))
    return ShopMessage(told_ms=told_ms, changes=(sale, *_returns(order, sale, refunds)))


def _value(order: Fields) -> int | None:
    """The total less all tax and shipping; discounts are out of it already, fees are in it."""
    try:
        taken_off = [micros_of(order.get(name)) for name in ("total_tax", "shipping_total")]
        value = micros_of(order.get("total")) - sum(taken_off)
    except Unreadable:  # an order is kept whatever its value is: somebody has to be paid
        return None
    return value if value >= 0 else None


def _returns(order: Fields, sale: Sale, refunds: list[Fields]) -> Iterator[Return]:
    """One for each refund, of which only the sum paid back is told.

    It is taken to be for goods first, with the tax they have. What all refunds up to one come to is
    rounded, not each, so that they never come to more than the order.
    """
    if not refunds or sale.value_micros is None:
        return
    shipping = micros_of(order.get("shipping_total")) + micros_of(order.get("shipping_tax"))
    goods = micros_of(order.get("total")) - shipping  # with their tax
    told = sorted((_number_of(refund), -micros_of(refund.get("total"))) for refund in refunds)
    paid_back = before = 0
    for number, amount in told:
        paid_back += max(amount, 0)
        returned = sale.value_micros * min(paid_back, goods) // goods if goods > 0 else 0
        if returned > before:
            yield Return(
                order_id=sale.order_id,
                return_id=str(number),
                value_micros=returned - before,
                currency=sale.currency,
            )
        before = max(returned, before)


def _number_of(refund: Fields) -> int:
    """A refund's id, which grows from one to the next, so that refunds told before keep their place."""
    return int(record_id_of(refund.get("id"), ShopRejection.BAD_REFUND_ID))


def _click_id(order: Fields) -> str | None:
    meta = ((one.get("key"), one.get("value")) for one in rows_of(order.get("meta_data")))
    return click_id_among(meta, _CLICK_NAMES)


def _names(line: Fields) -> tuple[object, ...]:
    """The names that feeds give a line's item: its SKU, its ids, and Google Listings & Ads' own."""
    ids = [line.get(name) for name in ("variation_id", "product_id")]
    listed = tuple(f"gla_{one}" for one in ids if type(one) is int and one > 0)
    return (line.get("sku"), *ids, *listed)
