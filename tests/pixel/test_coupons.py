"""The codes that an order was made with, as the tag, servers and shops tell them."""

from typing import Any

import pytest

from pixel import shopify, woocommerce
from pixel.events import Event, EventName
from pixel.grammar import coupons_from
from pixel.parse import Hit, from_query
from pixel.shop_order import Sale, ShopMessage
from tests.pixel.shop_bodies import body_of, shopify_order, woocommerce_order
from tests.pixel.shop_page import ShopPage, Shopper
from tests.pixel.test_parse_body import event_of


@pytest.mark.parametrize(
    ("given", "coupons"),
    [
        ("A-1001", ("A-1001",)),
        (" A-1001,B-1002; C-1003|D-1004\tA-1001 ", ("A-1001", "B-1002", "C-1003", "D-1004")),
        (["A-1001", "B-1002,C-1003", 7, None], ("A-1001", "B-1002", "C-1003")),
        ("10%OFF abc -abcd ÉTÉ-2026 A-1001", ("A-1001",)),
        (",".join(f"CODE-{n}" for n in range(9)), tuple(f"CODE-{n}" for n in range(5))),
        ("x" * 41, ()), ("A" * 500 + ",B-1002", ()), ("", ()), (None, ()), (7, ()), ({"code": "A-1001"}, ()), ([], ()),
    ],
)  # fmt: skip
def test_what_could_be_an_offers_code_is_kept(given: object, coupons: tuple[str, ...]) -> None:
    assert coupons_from(given) == coupons


def test_a_purchase_has_its_coupons_and_no_other_event_has() -> None:
    assert event_of(name="purchase", transaction_id="R", coupon="A-1001").coupons == ("A-1001",)
    assert event_of(name="view_item", coupon="A-1001").coupons == ()


def test_a_query_names_coupons_too() -> None:
    hit = from_query(b"m=shop&e=purchase&transaction_id=R-1&coupon=A-1001%2CB-1002")
    assert isinstance(hit, Hit)
    assert [event.coupons for event in hit.events] == [("A-1001", "B-1002")]


SHOPS = {
    "shopify": (
        "discount_codes",
        lambda fields: shopify.read("orders/paid", body_of(shopify_order(**fields))),
    ),
    "woocommerce": (
        "coupon_lines",
        lambda fields: woocommerce.read("order.updated", body_of(woocommerce_order(**fields))),
    ),
}


@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize(
    ("told", "coupons"),
    [
        ([{"code": "A-1001", "amount": "9.00", "type": "percentage"}, {"code": "b-1002"}], ("A-1001", "b-1002")),
        ([], ()), (None, ()), ("A-1001", ()), ([None, 7, {"code": 5}, {}], ()),
    ],
)  # fmt: skip
def test_a_shops_order_has_its_codes_and_is_kept_whatever_they_are(
    shop: str, told: Any, coupons: tuple[str, ...]
) -> None:
    field, read = SHOPS[shop]
    message = read({field: told})
    assert isinstance(message, ShopMessage)
    [sale] = message.changes
    assert isinstance(sale, Sale) and sale.coupons == coupons


@pytest.mark.browser
def test_the_tag_tells_the_coupon_of_a_purchase(shop: ShopPage, visit: Shopper) -> None:
    visit(
        """window.dataLayer = [{event: 'purchase', ecommerce: {transaction_id: 'R-1', coupon: 'A-1001'}}];
        rt('init', 's', {pages: false, dataLayer: true})"""
    )
    [event] = shop.events(1)
    assert event == Event(
        EventName.PURCHASE, event.event_id, order_id="R-1", url=event.url, coupons=("A-1001",)
    )
