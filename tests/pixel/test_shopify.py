"""What Shopify's webhooks say, from bodies in its own shapes."""

from typing import Any

import pytest

from pixel.shop_order import Ignored, Return, Sale, ShopMessage, ShopRejection
from pixel.shopify import ORDER_TOPICS, read
from tests.pixel.shop_bodies import (
    CREATED_MS,
    TOLD_MS,
    body_of,
    money,
    shopify_line,
    shopify_order,
    shopify_refund,
    shopify_refund_line,
)

ORDER = "5678901234567"
WHOLE = Return(order_id=ORDER, return_id="full", value_micros=None, currency=None)


def heard(topic: str, document: object) -> ShopMessage:
    message = read(topic, body_of(document))
    assert isinstance(message, ShopMessage), message
    return message


def sale_of(**fields: Any) -> Sale:
    (sale,) = heard("orders/paid", shopify_order(**fields)).changes
    assert isinstance(sale, Sale)
    return sale


def return_of(*lines: dict[str, Any], **fields: Any) -> Return:
    (returned,) = heard("refunds/create", shopify_refund(*lines, **fields)).changes
    assert isinstance(returned, Return)
    return returned


@pytest.mark.parametrize("topic", ORDER_TOPICS)
def test_a_paid_order_is_a_sale_under_every_topic(topic: str) -> None:
    assert heard(topic, shopify_order()) == ShopMessage(
        told_ms=TOLD_MS,
        changes=(
            Sale(
                order_id=ORDER,
                value_micros=60_000_000,
                currency="EUR",
                click_id="Cl1ck.id",
                item_ids=("boots-42", "39072856", "632910392"),
                created_ms=CREATED_MS,
            ),
        ),
    )


@pytest.mark.parametrize("status", ["pending", "authorized", "partially_paid", "expired", None, 7, ["paid"]])
def test_an_order_that_is_not_paid_changes_nothing(status: object) -> None:
    message = heard("orders/create", shopify_order(financial_status=status))
    assert message == ShopMessage(told_ms=TOLD_MS, ignored=Ignored.NOT_PAID)


@pytest.mark.parametrize(
    "fields",
    [
        {"financial_status": "voided"},
        {"financial_status": "refunded"},
        {"cancelled_at": "2026-11-18T11:00:00+01:00", "financial_status": "paid"},
        {"cancelled_at": "2026-11-18T11:00:00+01:00", "financial_status": "refunded"},
    ],
)
def test_a_cancelled_voided_or_refunded_order_comes_back_whole(fields: dict[str, object]) -> None:
    assert heard("orders/cancelled", shopify_order(**fields)).changes == (WHOLE,)


def test_tax_that_prices_include_is_no_part_of_the_value() -> None:
    line = shopify_line("60.00", tax="10.00", rate=0.2)
    assert sale_of(taxes_included=True, line_items=[line]).value_micros == 50_000_000
    assert sale_of(taxes_included=False, line_items=[line]).value_micros == 60_000_000


def test_the_value_is_in_the_shops_own_currency() -> None:
    shown = money("60.00", "EUR", shown="66.12")
    sale = sale_of(subtotal_price_set=shown, presentment_currency="USD")
    assert (sale.value_micros, sale.currency) == (60_000_000, "EUR")


def test_an_older_body_without_money_bags_is_read_as_well() -> None:
    order = shopify_order(subtotal="19.99")
    del order["subtotal_price_set"]
    (sale,) = heard("orders/paid", order).changes
    assert isinstance(sale, Sale)
    assert sale.value_micros == 19_990_000


@pytest.mark.parametrize("subtotal", ["0.1", "0.30000000000000004", "999999999.999999"])
def test_amounts_are_read_as_decimals_from_the_very_bytes(subtotal: str) -> None:
    order = shopify_order()
    del order["subtotal_price_set"]
    body = body_of(order).replace(b'"subtotal_price": "60.00"', f'"subtotal_price": {subtotal}'.encode())
    message = read("orders/paid", body)
    assert isinstance(message, ShopMessage)
    expected = {"0.1": 100_000, "0.30000000000000004": 300_000, "999999999.999999": 999_999_999_999_999}
    assert [change.value_micros for change in message.changes] == [expected[subtotal]]


@pytest.mark.parametrize(
    "fields",
    [
        {"subtotal": "-1.00"},
        {"subtotal": "1e12"},
        {"subtotal": "0.00000001"},
        {"subtotal": "dear"},
        {"currency": "XXX"},
        {"taxes_included": True, "line_items": [shopify_line(tax="61.00", rate=0.2)]},
        {"taxes_included": True, "line_items": [shopify_line(tax="x", rate=0.2)]},
    ],
)
def test_an_order_is_kept_whatever_its_value_is(fields: dict[str, object]) -> None:
    assert sale_of(**fields).value_micros is None


@pytest.mark.parametrize(
    ("fields", "click_id"),
    [
        ({"note_attributes": []}, None),
        ({"note_attributes": None, "landing_site": None}, None),
        ({"note_attributes": [], "landing_site": "/products/boots?utm_source=x&rtclid=Fr0m-Landing"}, "Fr0m-Landing"),
        ({"landing_site": "/?rtclid=Fr0m-Landing"}, "Cl1ck.id"),
        ({"note_attributes": [{"name": "rtclid", "value": "<script>"}]}, None),
        ({"note_attributes": [{"name": "rtclid", "value": "x" * 257}]}, None),
        ({"note_attributes": [{"name": ["rtclid"], "value": "Cl1ck.id"}]}, None),
        ({"note_attributes": [{"name": "rtclid", "value": ""}], "landing_site": "//[x?rtclid=a"}, None),
        ({"note_attributes": [], "landing_site": "/?" + "a=b&" * 2_000 + "rtclid=a"}, None),
    ],
)  # fmt: skip
def test_the_click_id_is_the_carts_attribute_or_the_landing_pages(
    fields: dict[str, object], click_id: str | None
) -> None:
    assert sale_of(**fields).click_id == click_id


def test_items_are_known_by_every_name_a_feed_may_use() -> None:
    lines = [shopify_line(), shopify_line(sku="", variant_id=7, product_id=None), shopify_line()]
    assert sale_of(line_items=lines).item_ids == ("boots-42", "39072856", "632910392", "7")
    assert len(sale_of(line_items=[shopify_line(sku=f"s{n}") for n in range(300)]).item_ids) == 200


def test_refunds_within_an_order_come_after_its_sale() -> None:
    refunds = [shopify_refund(shopify_refund_line("20.00")), shopify_refund(id=929361465)]
    message = heard("orders/updated", shopify_order(financial_status="partially_refunded", refunds=refunds))
    sale, returned = message.changes
    assert isinstance(sale, Sale)
    assert returned == Return(order_id=ORDER, return_id="929361464", value_micros=20_000_000, currency="EUR")


def test_a_refund_by_itself_and_within_its_order_is_the_same() -> None:
    refund = shopify_refund(shopify_refund_line("24.00", tax="4.00", rate=0.2))
    order = shopify_order(taxes_included=True, financial_status="partially_refunded", refunds=[refund])
    assert heard("orders/updated", order).changes[1] == return_of(*refund["refund_line_items"])


@pytest.mark.parametrize(
    ("subtotal", "tax", "rate", "without_tax"),
    [
        ("60.00", "0.00", 0.0, 60_000_000),
        ("60.00", "10.00", 0.2, 50_000_000),  # included: 60 / 1.2
        ("50.00", "10.00", 0.2, 50_000_000),  # added
        ("9.99", "0.48", 0.05, 9_510_000),
        ("9.99", "0.50", 0.05, 9_990_000),
        ("195.67", "3.98", 0.06, 195_670_000),  # the documentation's own example fits neither
    ],
)
def test_whether_a_returned_line_includes_tax_is_told_by_its_numbers(
    subtotal: str, tax: str, rate: float, without_tax: int
) -> None:
    assert return_of(shopify_refund_line(subtotal, tax, rate)).value_micros == without_tax


def adjustment(amount: str, kind: str = "refund_discrepancy") -> dict[str, object]:
    return {"amount": amount, "tax_amount": "0.00", "kind": kind, "amount_set": money(amount)}


@pytest.mark.parametrize(
    ("adjustments", "value_micros"),
    [
        ([adjustment("-5.00", "shipping_refund")], 60_000_000),
        ([adjustment("-2.50")], 62_500_000),
        ([adjustment("10.00")], 50_000_000),
    ],
)
def test_what_was_given_back_beyond_or_short_of_the_goods_counts_and_shipping_does_not(
    adjustments: list[object], value_micros: int
) -> None:
    returned = return_of(shopify_refund_line(), order_adjustments=adjustments)
    assert returned.value_micros == value_micros


def test_money_given_back_without_any_goods_has_its_currency_too() -> None:
    returned = return_of(order_adjustments=[adjustment("-7.00")])
    assert (returned.value_micros, returned.currency) == (7_000_000, "EUR")


@pytest.mark.parametrize(
    "fields",
    [{}, {"order_adjustments": [adjustment("-5.00", "shipping_refund")]}, {"refund_line_items": None}],
)
def test_a_refund_of_no_goods_changes_nothing(fields: dict[str, object]) -> None:
    message = heard("refunds/create", shopify_refund(**fields))
    assert message == ShopMessage(told_ms=TOLD_MS, ignored=Ignored.NOTHING_RETURNED)


def test_a_test_order_changes_nothing_however_old_its_sample_is() -> None:
    sample = shopify_order(test=True, updated_at="2021-12-31T19:00:00-05:00", id=820982911946154508)
    assert heard("orders/create", sample) == ShopMessage(ignored=Ignored.TEST_ORDER)


@pytest.mark.parametrize("topic", ["", "orders/edited", "carts/update", "ORDERS/PAID", "order.created"])
def test_other_topics_are_not_even_read(topic: str) -> None:
    assert read(topic, b"{") == ShopMessage(ignored=Ignored.UNKNOWN_TOPIC)


@pytest.mark.parametrize(
    ("fields", "rejection"),
    [
        ({"id": None}, ShopRejection.BAD_ORDER_ID),
        ({"id": ""}, ShopRejection.BAD_ORDER_ID),
        ({"id": 12.5}, ShopRejection.BAD_ORDER_ID),
        ({"id": True}, ShopRejection.BAD_ORDER_ID),
        ({"id": "9" * 10_000}, ShopRejection.BAD_ORDER_ID),
        ({"id": "jane.doe@mail.example"}, ShopRejection.BAD_ORDER_ID),
        ({"updated_at": None}, ShopRejection.BAD_TIME),
        ({"updated_at": 1_795_000_000}, ShopRejection.BAD_TIME),
        ({"updated_at": "2026-13-41T10:00:00Z"}, ShopRejection.BAD_TIME),
        ({"created_at": "yesterday"}, ShopRejection.BAD_TIME),
        ({"line_items": {"0": {}}}, ShopRejection.MALFORMED),
        ({"line_items": ["boots"]}, ShopRejection.MALFORMED),
        ({"note_attributes": "rtclid=a"}, ShopRejection.MALFORMED),
        ({"refunds": [{}] * 101}, ShopRejection.TOO_MANY_REFUNDS),
        ({"refunds": [{"id": 1, "refund_line_items": [{"subtotal": "x"}]}]}, ShopRejection.BAD_AMOUNT),
        ({"refunds": [{"id": None, "refund_line_items": []}]}, ShopRejection.BAD_REFUND_ID),
    ],
)  # fmt: skip
def test_an_unsound_order_is_rejected_by_name(fields: dict[str, object], rejection: ShopRejection) -> None:
    assert read("orders/paid", body_of(shopify_order(**fields))) is rejection


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff{}", b'{"id": 1', b"[" * 100_000, b'{"a":' * 50_000, b"webhook_id=7"],
    ids=["empty", "list", "null", "open", "latin", "cut", "deep list", "deep object", "form"],
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    assert read("orders/paid", body) is ShopRejection.MALFORMED


@pytest.mark.parametrize("huge", ["9" * 5_000, "-" + "9" * 400, "1e999999", "1e-999999"])
def test_numbers_of_any_size_are_survived(huge: str) -> None:
    body = body_of(shopify_order(id=1, line_items=[shopify_line(sku=2)]))
    for field in (b'"id": 1', b'"sku": 2', b'"rate": 0.0'):
        read("orders/paid", body.replace(field, field.split(b" ")[0] + b" " + huge.encode()))
    refund = body_of(shopify_refund(shopify_refund_line("1.00", "0.10", 0.5)))
    for field in (b'"rate": 0.5', b'"amount": "1.00"', b'"amount": "0.10"'):
        read("refunds/create", refund.replace(field, field.split(b" ")[0] + b" " + huge.encode()))
