"""An order or refund webhook of Shopify, as its admin or an app of it sends them."""

from urllib.parse import parse_qsl, urlsplit

from pixel.amounts import MICROS_PER_UNIT, currency_from, micros_from
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
    fields_of,
    item_ids_of,
    micros_of,
    moment_of,
    record_id_of,
    refunds_of,
    rows_of,
    whole_return,
)

ORDER_TOPICS = ("orders/create", "orders/paid", "orders/updated", "orders/cancelled")
REFUND_TOPIC = "refunds/create"
TOPICS = (*ORDER_TOPICS, REFUND_TOPIC)

_CLICK_NAMES = frozenset({"rtclid"})
_PAID = ("paid", "partially_refunded")
_TAKEN_BACK = ("voided", "refunded")
_MOST_ADDRESS_CHARACTERS = 4_000
_ROUNDING_MICROS = 20_000  # two hundredths: taxes are rounded line by line


def read(topic: str, body: bytes) -> ShopMessage | ShopRejection:
    """What the webhook says. Amounts are in the shop's own currency (`shop_money`), not the shopper's."""
    if topic not in TOPICS:
        return ShopMessage(ignored=Ignored.UNKNOWN_TOPIC)
    try:
        document = document_of(body)
        return _refund_message(document) if topic == REFUND_TOPIC else _order_message(document)
    except Unreadable as unreadable:
        return unreadable.rejection


def _order_message(order: Fields) -> ShopMessage:
    if order.get("test") is True:  # a test gateway's order, or the admin's test notification
        return ShopMessage(ignored=Ignored.TEST_ORDER)
    told_ms = moment_of(order.get("updated_at"))
    order_id = record_id_of(order.get("id"), ShopRejection.BAD_ORDER_ID)
    status = order.get("financial_status")
    if order.get("cancelled_at") is not None or status in _TAKEN_BACK:
        return ShopMessage(told_ms=told_ms, changes=(whole_return(order_id),))
    if status not in _PAID:
        return ShopMessage(told_ms=told_ms, ignored=Ignored.NOT_PAID)
    sale = _sale(order, order_id)
    returns = [_return(refund, order_id, sale.currency) for refund in refunds_of(order.get("refunds"))]
    return ShopMessage(told_ms=told_ms, changes=(sale, *[one for one in returns if one.value_micros]))


def _refund_message(refund: Fields) -> ShopMessage:
    told_ms = moment_of(refund.get("created_at"))
    order_id = record_id_of(refund.get("order_id"), ShopRejection.BAD_ORDER_ID)
    returned = _return(refund, order_id, None)
    if not returned.value_micros:  # shipping only
        return ShopMessage(told_ms=told_ms, ignored=Ignored.NOTHING_RETURNED)
    return ShopMessage(told_ms=told_ms, changes=(returned,))


def _sale(order: Fields, order_id: str) -> Sale:
    lines = rows_of(order.get("line_items"))
    currency = currency_from(order.get("currency"))
    return Sale(
        order_id=order_id,
        value_micros=None if currency is None else _value(order, lines),
        currency=currency,
        click_id=_click_id(order),
        item_ids=item_ids_of(
            (line.get("sku"), line.get("variant_id"), line.get("product_id")) for line in lines
        ),
        created_ms=moment_of(order.get("created_at")),
        coupons=coupons_of(order.get("discount_codes")),
    )


def _value(order: Fields, lines: list[Fields]) -> int | None:
    """The subtotal, which is after discounts and before shipping, less the tax that prices may include."""
    try:
        value = micros_of(_shop_amount(order, "subtotal_price"))
        if order.get("taxes_included") is True:
            taxes = (tax for line in lines for tax in rows_of(line.get("tax_lines")))
            value -= sum(micros_of(_shop_amount(tax, "price")) for tax in taxes)
    except Unreadable:  # an order is kept whatever its value is: somebody has to be paid
        return None
    return value if value >= 0 else None


def _return(refund: Fields, order_id: str, currency: str | None) -> Return:
    """What came back in goods, and what the shop gave back beyond or short of that; never shipping."""
    lines = rows_of(refund.get("refund_line_items"))
    adjustments = rows_of(refund.get("order_adjustments"))
    beyond = [one for one in adjustments if one.get("kind") == "refund_discrepancy"]
    value = sum(_returned(line) for line in lines)
    value -= sum(micros_of(_shop_amount(one, "amount")) for one in beyond)  # below zero: more than the goods
    said = [_shop_money(line, "subtotal") for line in lines] + [_shop_money(one, "amount") for one in beyond]
    codes = (currency_from(money.get("currency_code")) for money in said)
    return Return(
        order_id=order_id,
        return_id=record_id_of(refund.get("id"), ShopRejection.BAD_REFUND_ID),
        value_micros=max(value, 0),
        currency=currency or next((code for code in codes if code), None),
    )


def _returned(line: Fields) -> int:
    """A returned line without its tax. Whether `subtotal` includes it, the numbers themselves tell."""
    subtotal = micros_of(_shop_amount(line, "subtotal"))
    tax = micros_of(_shop_amount(line, "total_tax")) if line.get("total_tax") is not None else 0
    rates = [
        micros_from(tax.get("rate")) for tax in rows_of(fields_of(line.get("line_item")).get("tax_lines"))
    ]
    rate = sum(one for one in rates if one is not None)
    if_included = abs(subtotal * rate // (MICROS_PER_UNIT + rate) - tax)
    if_added = abs(subtotal * rate // MICROS_PER_UNIT - tax)
    included = if_included <= _ROUNDING_MICROS and if_included < if_added
    return subtotal - tax if included else subtotal


def _shop_amount(given: Fields, name: str) -> object:
    """An amount in the shop's currency; the plain field is the same, in older versions the only one."""
    amount = _shop_money(given, name).get("amount")
    return given.get(name) if amount is None else amount


def _shop_money(given: Fields, name: str) -> Fields:
    return fields_of(fields_of(given.get(f"{name}_set")).get("shop_money"))


def _click_id(order: Fields) -> str | None:
    """The cart's attribute; else what the first page of the visit was asked with."""
    noted = ((note.get("name"), note.get("value")) for note in rows_of(order.get("note_attributes")))
    return click_id_among(noted, _CLICK_NAMES) or click_id_among(
        _query_of(order.get("landing_site")), _CLICK_NAMES
    )


def _query_of(address: object) -> list[tuple[str, str]]:
    if not isinstance(address, str) or len(address) > _MOST_ADDRESS_CHARACTERS:
        return []
    try:
        return parse_qsl(urlsplit(address).query)
    except ValueError:  # an address of another shape names no click
        return []
