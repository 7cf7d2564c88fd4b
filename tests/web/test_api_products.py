"""A product's labels, barcode and pictures, and what a feed says for all of its products, go in and come out."""

import pytest

from tests.web.api import Api, World, product_body

SHOPIFY = b"Handle,Title,Variant Price,Variant SKU,Image Src,Variant Barcode\nhat,Hat,12.50,H-1,https://cdn.test/1.jpg,4006381333931\nhat,,,,https://cdn.test/2.jpg,\n"


def test_labels_barcode_and_pictures_are_put_changed_and_taken_away(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/products"
    fields = {
        "gtin": "4006381333931",
        "custom_labels": ["summer", "", "margin high"],
        "additional_image_links": ["https://cdn.test/1.jpg", "https://cdn.test/2.jpg"],
    }
    put = api.call("PUT", f"{path}/hat", product_body(**fields))
    assert {name: put.json()[name] for name in fields} == fields
    changes = {"item_id": "hat", "gtin": None, "custom_labels": [], "additional_image_links": []}
    assert api.call("PATCH", path, {"products": [changes]}).status_code == 200
    got = api.call("GET", f"{path}/hat").json()
    assert (got["gtin"], got["custom_labels"], got["additional_image_links"]) == (None, [], [])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"gtin": "123"}, "invalid_request"),
        ({"gtin": "4006381333931x"}, "invalid_request"),
        ({"custom_labels": ["x"] * 6}, "invalid_request"),
        ({"custom_labels": "x"}, "invalid_request"),
        ({"additional_image_links": ["https://cdn.test/1.jpg"] * 11}, "invalid_request"),
        ({"additional_image_links": ["javascript:x"]}, "bad_link"),
    ],
)
def test_what_is_no_label_barcode_or_picture_is_refused(
    api: Api, world: World, fields: dict[str, object], code: str
) -> None:
    response = api.call("PUT", f"/advertisers/{world.advertiser}/products/hat", product_body(**fields))
    assert (response.status_code, response.json()["code"]) == (422, code)


def test_a_shopify_export_is_imported_once_the_feed_says_currency_and_links(api: Api, world: World) -> None:
    feeds = f"/advertisers/{world.advertiser}/feeds"
    asked = api.make(feeds, {})
    refused = api.call("POST", f"{feeds}/{asked['id']}/import", content=SHOPIFY)
    assert refused.json()["fatal"].startswith("link_needed")
    draft = {"currency": "EUR", "link_template": "https://shop.example/products/{handle}"}
    feed = api.make(feeds, draft)
    assert {name: feed[name] for name in draft} == draft
    report = api.call("POST", f"{feeds}/{feed['id']}/import", content=SHOPIFY)
    assert (report.status_code, report.json()["products"]) == (200, 1)
    assert api.call("GET", f"{feeds}/{feed['id']}").json()["format"] == "shopify_csv"
    product = api.call("GET", f"/advertisers/{world.advertiser}/products/H-1").json()
    assert (product["price"], product["link"]) == ("12.50 EUR", "https://shop.example/products/hat")
    assert (product["gtin"], product["additional_image_links"]) == (
        "4006381333931",
        ["https://cdn.test/2.jpg"],
    )


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        ({"currency": "USD"}, "currency_mismatch"),
        ({"currency": "EURO"}, "invalid_request"),
        ({"link_template": "https://shop.example/"}, "invalid_request"),
        ({"link_template": "javascript:{id}"}, "invalid_request"),
    ],
)
def test_a_feed_that_could_not_be_imported_is_not_made(
    api: Api, world: World, draft: dict[str, str], code: str
) -> None:
    response = api.call(
        "POST", f"/advertisers/{world.advertiser}/feeds", draft, headers={"Idempotency-Key": "one"}
    )
    assert response.json()["code"] == code


def test_a_product_in_another_money_than_its_advertisers_is_refused_as_in_a_feed(
    api: Api, world: World
) -> None:
    path = f"/advertisers/{world.advertiser}/products"
    put = api.call("PUT", f"{path}/boots", product_body(currency="USD"))
    assert (put.status_code, put.json()["code"]) == (422, "currency_mismatch")
    api.call("PUT", f"{path}/boots", product_body())
    patch = api.call("PATCH", path, {"products": [{"item_id": "boots", "currency": "USD"}]})
    assert (patch.status_code, patch.json()["code"]) == (422, "currency_mismatch")
