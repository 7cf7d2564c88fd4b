"""What WooCommerce's webhooks say, from bodies in its own shapes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.shop_order import Ignored, Return, Sale, ShopMessage, ShopRejection
from pixel.woocommerce import is_ping, read
from tests.pixel.shop_bodies import CREATED_MS, TOLD_MS, body_of, woocommerce_order

WHOLE = Return(order_id="727", return_id="full", value_micros=None, currency=None)


def heard(document: object, topic: str = "order.updated") -> ShopMessage:
    message = read(topic, body_of(document))
    assert isinstance(message, ShopMessage), message
    return message


def sale_of(**fields: Any) -> Sale:
    (sale,) = heard(woocommerce_order(**fields)).changes
    assert isinstance(sale, Sale)
    return sale


def returned(*totals: str, **fields: Any) -> dict[str, int | None]:
    """What each refund gives back, by its id; the first is refund 1."""
    refunds = [{"id": n, "reason": "", "total": total} for n, total in enumerate(totals, start=1)]
    _, *returns = heard(woocommerce_order(refunds=refunds, **fields)).changes
    return {one.return_id: one.value_micros for one in returns if isinstance(one, Return)}


@pytest.mark.parametrize("topic", ["order.created", "order.updated"])
@pytest.mark.parametrize("status", ["processing", "completed"])
def test_an_order_in_work_or_completed_is_a_sale(topic: str, status: str) -> None:
    assert heard(woocommerce_order(status=status), topic) == ShopMessage(
        told_ms=TOLD_MS,
        changes=(
            Sale(
                order_id="727",
                value_micros=100_000_000,
                currency="EUR",
                click_id="Cl1ck.id",
                item_ids=("boots-42", "93", "gla_93"),
                created_ms=CREATED_MS,
            ),
        ),
    )


@pytest.mark.parametrize(
    "status", ["pending", "on-hold", "checkout-draft", "trash", "shipped", "", None, [1]]
)
def test_an_order_that_is_not_paid_changes_nothing(status: object) -> None:
    assert heard(woocommerce_order(status=status)) == ShopMessage(told_ms=TOLD_MS, ignored=Ignored.NOT_PAID)


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed"])
def test_a_cancelled_refunded_or_failed_order_comes_back_whole(status: str) -> None:
    refunds = [{"id": 1, "reason": "", "total": "-132.00"}]
    assert heard(woocommerce_order(status=status, refunds=refunds)).changes == (WHOLE,)


def test_a_payment_that_failed_before_any_was_made_may_be_tried_again() -> None:
    failed = woocommerce_order(status="failed", date_paid_gmt=None)
    assert heard(failed) == ShopMessage(told_ms=TOLD_MS, ignored=Ignored.NOT_PAID)


def test_a_deleted_order_comes_back_whole_though_its_body_tells_no_time() -> None:
    assert heard({"id": 727}, "order.deleted") == ShopMessage(changes=(WHOLE,))


def test_a_body_of_another_topic_is_no_deletion() -> None:
    assert read("order.deleted", body_of(woocommerce_order())) is ShopRejection.MALFORMED


def test_discounts_are_out_of_the_value_and_fees_are_in_it() -> None:
    order = {"discount_total": "30.00", "total": "96.00", "total_tax": "16.00", "cart_tax": "14.00"}
    assert sale_of(**order).value_micros == 70_000_000


@pytest.mark.parametrize(
    "fields",
    [{"total": "10.00"}, {"total": None}, {"total": "x"}, {"total_tax": None}, {"currency": "ABC"}, {"total": "1e12"}],
)  # fmt: skip
def test_an_order_is_kept_whatever_its_value_is(fields: dict[str, object]) -> None:
    assert sale_of(**fields).value_micros is None


@pytest.mark.parametrize(
    ("meta", "click_id"),
    [
        ([], None),
        (None, None),
        ([{"key": "rtclid", "value": "Pl4in"}], "Pl4in"),
        ([{"key": "_rtclid", "value": {"a": 1}}, {"key": "rtclid", "value": "Pl4in"}], "Pl4in"),
        ([{"key": "_rtclid", "value": "a b"}], None),
        ([{"key": 7, "value": "Pl4in"}], None),
    ],
)
def test_the_click_id_is_in_the_orders_meta(meta: object, click_id: str | None) -> None:
    assert sale_of(meta_data=meta).click_id == click_id


def test_a_variation_is_known_by_each_of_its_names() -> None:
    line = {"product_id": 93, "variation_id": 94, "sku": ""}
    assert sale_of(line_items=[line]).item_ids == ("94", "93", "gla_94", "gla_93")


@pytest.mark.parametrize(
    ("totals", "values"),
    [
        (["-60.00"], {"1": 50_000_000}),
        (["-120.00"], {"1": 100_000_000}),
        (["-132.00"], {"1": 100_000_000}),
        (["-60.00", "-60.00"], {"1": 50_000_000, "2": 50_000_000}),
        (["-12.00", "-120.00"], {"1": 10_000_000, "2": 90_000_000}),
        (["-120.00", "-12.00"], {"1": 100_000_000}),  # the second can be of shipping only
        (["0.00", "-60.00"], {"2": 50_000_000}),
        (["-0.01"], {"1": 8_333}),
    ],
)
def test_a_refund_is_of_goods_first_without_their_tax(totals: list[str], values: dict[str, int]) -> None:
    assert returned(*totals) == values


@given(st.lists(st.integers(min_value=0, max_value=20_000), max_size=8))
def test_refunds_never_come_to_more_than_the_order_and_earlier_ones_never_change(cents: list[int]) -> None:
    totals = [f"-{amount // 100}.{amount % 100:02}" for amount in cents]
    values = returned(*totals)
    assert sum(value or 0 for value in values.values()) <= 100_000_000
    if sum(cents) >= 12_000:
        assert sum(value or 0 for value in values.values()) == 100_000_000
    before = returned(*totals[:-1])
    assert {name: values[name] for name in before} == before


def test_refunds_are_taken_in_the_order_they_were_made() -> None:
    refunds = [{"id": 9, "total": "-120.00"}, {"id": 5, "total": "-12.00"}]
    _, *returns = heard(woocommerce_order(refunds=refunds)).changes
    assert [(one.value_micros) for one in returns] == [10_000_000, 90_000_000]


def test_an_order_given_for_nothing_returns_nothing() -> None:
    free = {"total": "0.00", "total_tax": "0.00", "shipping_total": "0.00", "shipping_tax": "0.00"}
    assert returned("0.00", **free) == {}


@pytest.mark.parametrize(
    "topic", ["", "order.restored", "product.created", "action.woocommerce_x", "orders/paid"]
)
def test_other_topics_are_not_even_read(topic: str) -> None:
    assert read(topic, b"{") == ShopMessage(ignored=Ignored.UNKNOWN_TOPIC)


@pytest.mark.parametrize(
    ("fields", "rejection"),
    [
        ({"id": None}, ShopRejection.BAD_ORDER_ID),
        ({"id": "7" * 10_000}, ShopRejection.BAD_ORDER_ID),
        ({"id": {"$ne": 1}}, ShopRejection.BAD_ORDER_ID),
        ({"date_modified_gmt": None}, ShopRejection.BAD_TIME),
        ({"date_created_gmt": "2026-11-18"}, ShopRejection.BAD_TIME),
        ({"line_items": "boots"}, ShopRejection.MALFORMED),
        ({"meta_data": {"_rtclid": "a"}}, ShopRejection.MALFORMED),
        ({"refunds": [{"id": 1, "total": "-1"}] * 101}, ShopRejection.TOO_MANY_REFUNDS),
        ({"refunds": [{"id": 1, "total": "much"}]}, ShopRejection.BAD_AMOUNT),
        ({"refunds": [{"id": "x1", "total": "-1"}]}, ShopRejection.BAD_REFUND_ID),
        ({"refunds": [{"id": 1.5, "total": "-1"}]}, ShopRejection.BAD_REFUND_ID),
        ({"refunds": [{"id": -1, "total": "-1"}]}, ShopRejection.BAD_REFUND_ID),
    ],
)
def test_an_unsound_order_is_rejected_by_name(fields: dict[str, object], rejection: ShopRejection) -> None:
    assert read("order.updated", body_of(woocommerce_order(**fields))) is rejection


def test_the_shape_of_the_legacy_api_is_rejected() -> None:
    legacy = body_of({"order": woocommerce_order()})
    assert read("order.created", legacy) is ShopRejection.BAD_ORDER_ID


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b'{"a":' * 50_000, b"\x00", b"webhook_id=7"])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    assert read("order.updated", body) is ShopRejection.MALFORMED
    assert read("order.deleted", body) is ShopRejection.MALFORMED


@pytest.mark.parametrize(
    ("body", "ping"),
    [
        (b"webhook_id=1", True),
        (b"webhook_id=98765432109876543210", True),
        (b"webhook_id=", False),
        (b"webhook_id=1&x=1", False),
        (b"webhook_id=1\n", False),
        (b'{"webhook_id": 1}', False),
        (b"", False),
    ],
)
def test_a_ping_is_its_one_field_and_nothing_else(body: bytes, ping: bool) -> None:
    assert is_ping(body) is ping
