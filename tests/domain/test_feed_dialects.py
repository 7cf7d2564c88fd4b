"""Heureka's, Yandex's, Meta's and hand-made XML become Google's fields."""

import pytest

from adserver.domain.feed import Note, Rejection
from adserver.domain.feed_file import Row
from tests.domain.feed_rows import rows_of


def heureka(item: str, name: str = "SHOPITEM") -> Row:
    (row,) = rows_of(f"<SHOP>\n<{name}>{item}</{name}></SHOP>".encode())
    return row


def test_heurekas_names_become_googles() -> None:
    row = heureka(
        "<ITEM_ID>1</ITEM_ID><PRODUCTNAME><![CDATA[ Vůně & krém ]]></PRODUCTNAME><URL>u</URL><IMGURL>i</IMGURL>"
        "<IMGURL_ALTERNATIVE>j</IMGURL_ALTERNATIVE><PRICE_VAT>1 234,50</PRICE_VAT><MANUFACTURER>M</MANUFACTURER>"
        "<CATEGORYTEXT>Heureka.cz | Krása | Parfémy</CATEGORYTEXT><EAN>4006381333931</EAN>"
        "<ITEMGROUP_ID>g</ITEMGROUP_ID><ITEM_TYPE>bazaar</ITEM_TYPE>"
    )
    assert row.fields == {
        "id": "1",
        "title": "Vůně & krém",
        "link": "u",
        "image_link": "i",
        "additional_image_link": "j",
        "price": "1 234,50",
        "brand": "M",
        "product_type": "Krása > Parfémy",
        "gtin": "4006381333931",
        "item_group_id": "g",
        "condition": "used",
    }
    assert row.line == 2


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("<PRICE>100</PRICE><PRICE_VAT>121</PRICE_VAT>", "121"),
        ("<PRICE>100</PRICE><VAT>21%</VAT>", "121.00"),
        ("<PRICE>1 000,50</PRICE><VAT>0,20</VAT>", "1200.60"),
        ("<PRICE>620</PRICE><VAT>20</VAT>", "744.00"),
        ("<PRICE>100</PRICE>", None),
        ("<PRICE>100</PRICE><VAT>high</VAT>", None),
        ("<PRICE>NaN</PRICE><VAT>20</VAT>", None),
        ("<PRICE>100</PRICE><VAT>-5</VAT>", None),
    ],
)
def test_a_price_without_tax_is_completed_or_left_out_and_never_advertised(
    price: str, expected: str | None
) -> None:
    row = heureka("<CODE>1</CODE>" + price, "ITEM")
    assert row.fields.get("price") == expected
    assert row.rejection is (Rejection.PRICE_WITHOUT_TAX if expected is None else None)
    assert row.notes == ((Note.TAX_ADDED,) if expected and "PRICE_VAT" not in price else ())


YANDEX = (
    '<yml_catalog><shop><currencies><currency id="RUR" rate="1"/><currency id="USD" rate="90"/></currencies>'
    '<categories><category id="1">Дом</category><category id="10" parentId="1">Кухня</category>'
    '<category id="3" parentId="3">Круг</category></categories><offers>{}</offers></shop></yml_catalog>'
)


def test_yandexs_offer_has_its_category_its_currency_and_its_old_price() -> None:
    offer = (
        '<offer id="7" available="false" group_id="g"><name>Чайник</name><url>u</url><price>900</price>'
        "<oldprice>1200</oldprice><categoryId>10</categoryId><picture>i</picture><picture>j</picture>"
        "<vendor>V</vendor><barcode>4006381333931</barcode><param name='x'>y</param></offer>"
    )
    (row,) = rows_of(YANDEX.format(offer).encode())
    assert row.fields == {
        "id": "7",
        "title": "Чайник",
        "link": "u",
        "price": "1200",
        "sale_price": "900",
        "currency": "RUB",
        "product_type": "Дом > Кухня",
        "image_link": "i",
        "additional_image_link": "j",
        "brand": "V",
        "gtin": "4006381333931",
        "item_group_id": "g",
        "availability": "out_of_stock",
    }


def test_yandexs_offer_without_a_name_is_named_by_its_parts_and_a_circle_of_categories_ends() -> None:
    offer = "<offer id='7'><typePrefix>Чайник</typePrefix><vendor>V</vendor><model>X1</model><categoryId>3</categoryId><currencyId>USD</currencyId></offer>"
    (row,) = rows_of(YANDEX.format(offer).encode())
    assert (row.fields["title"], row.fields["currency"]) == ("Чайник V X1", "USD")
    assert row.fields["product_type"].startswith("Круг > Круг")


def test_metas_listing_has_its_pictures_within() -> None:
    (row,) = rows_of(
        b"<listings><title>Cars</title><listing><image><url>i</url></image><image><url>j</url></image>"
        b"<vehicle_id>V</vehicle_id><title>Jeep</title><url>u</url><price>41605.00 USD</price><make>Jeep</make>"
        b"<state_of_vehicle>NEW</state_of_vehicle><mileage><value>0</value></mileage></listing></listings>"
    )
    assert row.fields == {
        "id": "V",
        "title": "Jeep",
        "link": "u",
        "image_link": "i",
        "additional_image_link": "j",
        "price": "41605.00 USD",
        "brand": "Jeep",
        "condition": "NEW",
    }


def test_hand_made_xml_is_read_by_the_names_it_uses() -> None:
    (row,) = rows_of(
        b"<products><product><id>1</id><name>A</name><url>u</url><image_url>i</image_url><in_stock>0</in_stock>"
        b"<category>C</category><shipping><price>49 SEK</price></shipping><price>6900</price></product></products>"
    )
    assert row.fields == {
        "id": "1",
        "title": "A",
        "link": "u",
        "image_link": "i",
        "availability": "0",
        "product_type": "C",
        "price": "6900",
    }
