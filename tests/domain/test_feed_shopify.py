"""Shopify's export: a handle's rows become its variants, by the ids that the shop's orders name."""

import pytest

from adserver.domain.feed import MOST_ID_CHARACTERS, Note, Rejection
from adserver.domain.feed_file import FeedRefusal
from tests.domain.feed_rows import refusal_of, rows_of, table

HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Published,Option1 Name,Option1 Value,Option2 Value,Variant SKU,"
    "Variant Price,Variant Compare At Price,Variant Barcode,Image Src,Variant Image,Status"
)


def test_a_products_rows_become_its_variants_with_all_its_pictures() -> None:
    rows = rows_of(
        table(
            HEADER,
            "shirt,Shirt,<p>Soft</p>,Ours,Shirts,true,Colour,Red,M,S-1,20,25,'4006381333931,p1,,active",
            "shirt,,,,,,,Blue,L,S-2,20.00,20.00,,p2,v2,",
            "shirt,,,,,,,,,,,,,p3,,",
        )
    )
    first, second = rows
    assert first.fields == {
        "id": "S-1",
        "item_group_id": "shirt",
        "handle": "shirt",
        "title": "Shirt - Red / M",
        "description": "<p>Soft</p>",
        "brand": "Ours",
        "product_type": "Shirts",
        "price": "25",
        "sale_price": "20",
        "gtin": "'4006381333931",
        "availability": "in_stock",
        "image_link": "p1",
        "additional_image_link": "p2\np3",
    }
    assert (second.fields["id"], second.fields["title"]) == ("S-2", "Shirt - Blue / L")
    assert (second.fields["price"], "sale_price" in second.fields) == ("20.00", False)
    assert second.fields["image_link"] == "v2"
    assert second.fields["additional_image_link"] == "p1\np2\np3"
    assert [row.line for row in rows] == [2, 3]


def test_a_product_of_one_variant_is_no_group() -> None:
    (row,) = rows_of(table(HEADER, "hat,Hat,,,,true,Title,Default Title,,'0012,9,,,,,active"))
    assert (row.fields["id"], row.fields["title"]) == ("0012", "Hat")
    assert "item_group_id" not in row.fields
    assert row.notes == ()


def test_variants_without_a_sku_get_ids_from_the_handle_and_are_noted() -> None:
    rows = rows_of(
        table(
            HEADER,
            "hat,Hat,,,,true,Size,S / M,,,9,,,,,active",
            "hat,,,,,,,L,,,9,,,,,",
            f"{'x' * 120},Long,,,,true,Title,Default Title,,,9,,,,,active",
        )
    )
    assert [row.fields["id"] for row in rows[:2]] == ["hat-s-m", "hat-l"]
    assert len(rows[2].fields["id"]) == MOST_ID_CHARACTERS
    assert all(row.notes == (Note.ID_FROM_HANDLE,) for row in rows)


@pytest.mark.parametrize(
    ("published", "status", "rejection"),
    [
        ("true", "active", None),
        ("", "", None),
        ("false", "active", Rejection.NOT_PUBLISHED),
        ("true", "draft", Rejection.NOT_PUBLISHED),
        ("true", "archived", Rejection.NOT_PUBLISHED),
    ],
)
def test_what_the_shop_does_not_show_is_left_out(
    published: str, status: str, rejection: Rejection | None
) -> None:
    (row,) = rows_of(table(HEADER, f"hat,Hat,,,,{published},Title,Default Title,,1,9,,,,,{status}"))
    assert row.rejection is rejection


@pytest.mark.parametrize(
    ("tracker", "quantity", "policy", "expected"),
    [
        ("shopify", "3", "deny", "in_stock"),
        ("shopify", "0", "deny", "out_of_stock"),
        ("shopify", "-2", "deny", "out_of_stock"),
        ("shopify", "0", "continue", "in_stock"),
        ("", "0", "deny", "in_stock"),
        ("shopify", "", "deny", "in_stock"),
    ],
)
def test_stock_counts_where_shopify_counts_it(
    tracker: str, quantity: str, policy: str, expected: str
) -> None:
    header = (
        "Handle,Title,Variant Price,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy"
    )
    (row,) = rows_of(table(header, f"a,A,9,{tracker},{quantity},{policy}"))
    assert row.fields["availability"] == expected


def test_the_columns_since_2025_are_known() -> None:
    header = "Title,URL handle,Description,Vendor,Published on online store,Status,SKU,Barcode,Price,Compare-at price,Product image URL"
    (row,) = rows_of(table(header, "Hat,hat,Warm,Ours,TRUE,Active,H-1,4006381333931,9,12,p"))
    expected = {"id": "H-1", "price": "12", "sale_price": "9", "image_link": "p", "description": "Warm"}
    assert expected.items() <= row.fields.items()


def test_a_shifted_row_costs_only_itself() -> None:
    rows = rows_of(table("Handle,Title,Variant Price,Variant SKU", "a,A, B,9,1", "a,A,9,2"))
    assert [(row.fields["id"], row.rejection) for row in rows] == [
        ("9", Rejection.COLUMNS_SHIFTED),
        ("2", None),
    ]


def test_a_handle_without_end_is_refused() -> None:
    lines = ["a,A,9,1"] * 5_001
    assert (
        refusal_of(table("Handle,Title,Variant Price,Variant SKU", *lines)).refusal is FeedRefusal.TOO_LARGE
    )
