"""Webhook bodies in the shapes that shops send: plain functions, each field theirs to change."""

import json
from typing import Any

CREATED = "2026-11-18T11:30:00+01:00"
CREATED_GMT = "2026-11-18T10:30:00"
TOLD = "2026-11-18T12:00:00+01:00"
TOLD_GMT = "2026-11-18T11:00:00"
CREATED_MS = 1_794_997_800_000  # 2026-11-18 10:30:00 UTC
TOLD_MS = CREATED_MS + 1_800_000


def body_of(document: object) -> bytes:
    return json.dumps(document).encode()


def money(amount: str, currency: str = "EUR", shown: str | None = None) -> dict[str, Any]:
    """Shopify's money bag: in the shop's currency, and in the one the shopper saw."""
    return {
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": shown or amount, "currency_code": "USD" if shown else currency},
    }


def shopify_line(price: str = "60.00", tax: str = "0.00", rate: float = 0.0, **fields: Any) -> dict[str, Any]:
    taxes = [{"title": "VAT", "price": tax, "rate": rate, "price_set": money(tax)}] if rate else []
    line = {
        "id": 466157049,
        "product_id": 632910392,
        "variant_id": 39072856,
        "sku": "boots-42",
        "title": "Waxed boots",
        "quantity": 1,
        "price": price,
        "price_set": money(price),
        "tax_lines": taxes,
    }
    return line | fields


def shopify_order(**fields: Any) -> dict[str, Any]:
    """Boots for 60.00 and shipping for 5.00, paid; tax is added to prices."""
    subtotal = str(fields.pop("subtotal", "60.00"))
    order = {
        "id": 5678901234567,
        "name": "#1001",
        "test": False,
        "created_at": CREATED,
        "updated_at": TOLD,
        "cancelled_at": None,
        "currency": "EUR",
        "presentment_currency": "EUR",
        "financial_status": "paid",
        "taxes_included": False,
        "subtotal_price": subtotal,
        "subtotal_price_set": money(subtotal),
        "total_price": "77.00",
        "total_tax": "12.00",
        "total_discounts": "0.00",
        "total_line_items_price": subtotal,
        "total_shipping_price_set": money("5.00"),
        "landing_site": "/products/boots",
        "note_attributes": [{"name": "gift", "value": "no"}, {"name": "rtclid", "value": "Cl1ck.id"}],
        "line_items": [shopify_line()],
        "refunds": [],
    }
    return order | fields


def shopify_refund(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    refund = {
        "id": 929361464,
        "order_id": 5678901234567,
        "created_at": TOLD,
        "processed_at": TOLD,
        "note": None,
        "refund_line_items": list(lines),
        "order_adjustments": [],
        "transactions": [],
    }
    return refund | fields


def shopify_refund_line(
    subtotal: str = "60.00", tax: str = "0.00", rate: float = 0.0, currency: str = "EUR"
) -> dict[str, Any]:
    """A returned line: plain amounts are binary floats there, as Shopify sends them."""
    return {
        "id": 104689539,
        "line_item_id": 466157049,
        "quantity": 1,
        "subtotal": float(subtotal),
        "subtotal_set": money(subtotal, currency),
        "total_tax": float(tax),
        "total_tax_set": money(tax, currency),
        "line_item": shopify_line(rate=rate),
    }


def woocommerce_order(**fields: Any) -> dict[str, Any]:
    """Goods for 100.00 and shipping for 10.00, each with 20 % tax on top."""
    order = {
        "id": 727,
        "number": "727",
        "status": "processing",
        "currency": "EUR",
        "date_created": "2026-11-18T11:30:00",
        "date_created_gmt": CREATED_GMT,
        "date_modified": "2026-11-18T12:00:00",
        "date_modified_gmt": TOLD_GMT,
        "date_paid_gmt": TOLD_GMT,
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": "10.00",
        "shipping_tax": "2.00",
        "cart_tax": "20.00",
        "total": "132.00",
        "total_tax": "22.00",
        "prices_include_tax": True,
        "meta_data": [
            {"id": 1, "key": "_other", "value": {"deep": ["x"]}},
            {"id": 2, "key": "_rtclid", "value": "Cl1ck.id"},
        ],
        "line_items": [{"id": 315, "product_id": 93, "variation_id": 0, "sku": "boots-42", "quantity": 2}],
        "refunds": [],
    }
    return order | fields
