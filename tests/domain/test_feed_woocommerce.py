"""WooCommerce's two exports: products, variations, collections, and what the shop hides."""

import pytest

from adserver.domain.feed import Note, Rejection
from tests.domain.feed_rows import rows_of, table

HEADER = (
    "ID,Type,SKU,Name,Published,Visibility in catalog,Short description,Date sale price starts,"
    "Date sale price ends,In stock?,Backorders allowed?,Sale price,Regular price,Categories,Images,Parent"
)


def test_a_product_has_its_sale_and_its_pictures() -> None:
    data = table(
        HEADER.replace(",", ";"),
        '44;simple;b-1;Beanie;1;visible;Warm;2026-01-01;2026-01-31;1;0;18,50;20;Hats > Wool, Sale;"https://x.test/1.jpg, https://x.test/2,b.jpg";',
    )
    (row,) = rows_of(data)
    expected = {
        "id": "b-1",
        "post_id": "44",
        "title": "Beanie",
        "description": "Warm",
        "price": "20",
        "sale_price": "18,50",
        "sale_price_effective_date": "2026-01-01/2026-01-31",
        "availability": "in_stock",
        "product_type": "Hats > Wool",
        "image_link": "https://x.test/1.jpg",
        "additional_image_link": "https://x.test/2,b.jpg",
    }
    assert expected.items() <= row.fields.items()


def test_a_variation_belongs_to_its_product_and_leads_to_its_page() -> None:
    rows = rows_of(
        table(
            HEADER,
            "44,variable,tee,Tee,1,visible,,,,1,0,,,Shirts,,",
            "50,variable,,Hoodie,1,visible,,,,1,0,,,Hoodies,,",
            "76,variation,tee-red,Tee - Red,1,visible,,,,1,0,,20,,,tee",
            "77,variation,,Hoodie - Red,1,visible,,,,0,0,,30,,,id:50",
        )
    )
    assert [row.rejection for row in rows] == [Rejection.VARIABLE_PRODUCT] * 2 + [None] * 2
    told = [
        [row.fields[name] for name in ("id", "item_group_id", "post_id", "product_type", "availability")]
        for row in rows[2:]
    ]
    assert told == [
        ["tee-red", "tee", "44", "Shirts", "in_stock"],
        ["77", "50", "50", "Hoodies", "out_of_stock"],
    ]


@pytest.mark.parametrize(
    ("kind", "published", "visibility", "price", "rejection"),
    [
        ("grouped", "1", "visible", "", Rejection.GROUPED_PRODUCT),
        ("simple", "0", "visible", "9", Rejection.NOT_PUBLISHED),
        ("simple", "-1", "visible", "9", Rejection.NOT_PUBLISHED),
        ("simple", "1", "hidden", "9", Rejection.NOT_PUBLISHED),
        ("simple", "1", "search", "9", None),
        ("external", "1", "visible", "9", None),
        ("simple; downloadable; virtual", "1", "visible", "9", None),
    ],
)
def test_what_is_not_for_sale_by_itself_is_named(
    kind: str, published: str, visibility: str, price: str, rejection: Rejection | None
) -> None:
    line = f"1,{kind},a,A,{published},{visibility},,,,1,0,,{price},,,"
    assert rows_of(table(HEADER, line))[0].rejection is rejection


def test_a_french_export_is_read_by_its_own_columns() -> None:
    header = "ID,Type,UGS,Nom,Publié,En stock ?,Tarif promo,Tarif régulier,Catégories,Images"
    (row,) = rows_of(table(header, "1,simple,b,Bonnet,1,1,9,12,Laine,https://x.test/1.jpg"))
    expected = {"id": "b", "title": "Bonnet", "price": "12", "sale_price": "9", "product_type": "Laine"}
    assert expected.items() <= row.fields.items()


def post(post_id: int, kind: str, body: str, parent: int = 0, status: str = "publish", **meta: object) -> str:
    metas = "".join(
        f"<wp:postmeta><wp:meta_key>{key}</wp:meta_key><wp:meta_value><![CDATA[{value}]]></wp:meta_value></wp:postmeta>"
        for key, value in meta.items()
    )
    return (
        f"<item>{body}<wp:post_id>{post_id}</wp:post_id><wp:post_parent>{parent}</wp:post_parent>"
        f"<wp:status>{status}</wp:status><wp:post_type>{kind}</wp:post_type>{metas}</item>\n"
    )


def export(*posts: str) -> bytes:
    opening = (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:wp="http://wordpress.org/export/1.2/"><channel><language>fr-FR</language>\n'
    )
    return (opening + "".join(posts) + "</channel></rss>").encode()


def test_wordpresss_export_tells_pictures_and_parents_by_number_wherever_they_stand() -> None:
    title = "<title>Tee - Red</title><link>https://shop.example/tee</link>"
    sale = {"_sale_price_dates_from": 1_767_225_600, "_sale_price_dates_to": ""}
    category = '<category domain="product_cat" nicename="shirts"><![CDATA[Shirts]]></category>'
    variable = '<category domain="product_type" nicename="variable">variable</category>'
    data = export(
        post(1, "page", "<title>About us</title>"),
        post(9, "product_variation", title, 8, _sku="tee-red", _regular_price=20, _sale_price=15, _thumbnail_id=5, **sale),
        post(8, "product", "<title>Tee</title>" + category + variable, _sku="tee", _price=20),
        post(5, "attachment", "<wp:attachment_url>https://x.test/5.jpg</wp:attachment_url>", status="inherit"),
    )  # fmt: skip
    variation, product = rows_of(data)
    expected = {
        "id": "tee-red",
        "item_group_id": "tee",
        "title": "Tee - Red",
        "price": "20",
        "sale_price": "15",
        "sale_price_effective_date": "2026-01-01T00:00:00+00:00/",
        "product_type": "Shirts",
        "image_link": "https://x.test/5.jpg",
    }
    assert expected.items() <= variation.fields.items()
    assert (variation.language, variation.line, variation.rejection) == ("fr-FR", 3, None)
    assert product.rejection is Rejection.VARIABLE_PRODUCT


def test_any_number_of_terms_may_stand_before_the_first_product() -> None:
    terms = "<wp:term><wp:term_name>green</wp:term_name></wp:term>\n" * 120_000
    (row,) = rows_of(export(terms, post(8, "product", "", _regular_price=20)))
    assert row.fields["price"] == "20"


def test_a_picture_that_the_export_names_by_number_only_is_noted() -> None:
    (row,) = rows_of(export(post(8, "product", "", _regular_price=20, _thumbnail_id=5)))
    assert "image_link" not in row.fields
    assert row.notes == (Note.IMAGE_NOT_IN_FILE,)


def test_a_variation_of_a_draft_is_not_published() -> None:
    data = export(
        post(8, "product", "", status="draft", _regular_price=20),
        post(9, "product_variation", "", 8, _regular_price=20),
    )
    assert [row.rejection for row in rows_of(data)] == [Rejection.NOT_PUBLISHED] * 2
