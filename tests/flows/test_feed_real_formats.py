"""Every real feed of every format: each record is a product or is left out by name, counted by another parser."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Expat

import msgspec
import pytest

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed import FeedRules
from adserver.flows.feed import FeedCheck, check_feed
from tests.flows.feeds import Shop, make_advertiser

TEMPLATES = {
    "woocommerce_en/sample_products.csv": "https://shop.example/?p={post_id}",
    "woocommerce_en/experimental_fashion_sample_9_products.csv": "https://shop.example/{id}",
    "woocommerce_en/experimental_sample_9_products.csv": "https://shop.example/{id}",
}
SHOPIFYS = "https://shop.example/products/{handle}"

# What is left out, and why: all of it is wrong in the files themselves.
LEFT_OUT = {
    "google_cs/google_feed.xml": {"duplicate_id": 1},
    "google_sv_malformed/google_sv_malformed_5.xml": {"missing_link": 1},
    "google_sv_malformed/google_sv_malformed_7.xml": {"missing_link": 1},
    "heureka_schema/heureka.xml": {"missing_id": 18},  # examples of 2011, before there were ids
    "heureka_schema/jyxo.xml": {"missing_id": 3},
    "heureka_schema/universal.xml": {"missing_id": 5},
    "heureka_schema/zbozi.xml": {"missing_id": 5},
    "shopify_demo_en/apparel.csv": {"bad_price": 1},
    "shopify_demo_en/bicycles.csv": {"not_published": 171, "duplicate_id": 11},
    "shopify_demo_en/fashion.csv": {"duplicate_id": 8},
    "shopify_demo_en/snowdevil.csv": {"not_published": 4, "duplicate_id": 2},
    "shopify_es/products_export_1.csv": {"not_published": 1},
    "shopify_sv/products_export_1.csv": {"not_published": 2},
    "woocommerce_en/experimental_fashion_sample_9_products.csv": {"missing_price": 1},
    "woocommerce_en/experimental_sample_9_products.csv": {"variable_product": 2, "grouped_product": 1},
    "woocommerce_en/sample_products.csv": {"variable_product": 2, "not_published": 1, "grouped_product": 1},
    "woocommerce_en/sample_products.xml": {"variable_product": 2, "not_published": 1, "grouped_product": 1},
}
NO_PRODUCTS = {
    "heureka_schema/heureka.xml": "empty: all 18 rows",
    "heureka_schema/jyxo.xml": "empty: all 3 rows",
    "heureka_schema/zbozi.xml": "empty: all 5 rows",
    "shopify_pl/cross-border_export_1.csv": "column_missing at line 1: no column for variant price",
}


def real_feeds(shared_data: Path) -> Iterator[tuple[str, Path]]:
    folder = shared_data / "feeds"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix == ".csv" or is_well_formed(path)):
            yield str(path.relative_to(folder)), path


def is_well_formed(path: Path) -> bool:
    try:
        Expat.parse(path)
    except Expat.ParseError:
        return False
    return True


def count_of_records(path: Path) -> int:
    """By Python's own parsers, which the readers do not use for XML, and without any of their rules."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return sum(is_product(record) for record in csv.DictReader(file))
    rows = [element for element in Expat.parse(path).iter() if local(element) in ROWS and local(element)]
    kinds = [next((one.text for one in row if local(one) == "post_type"), "product") for row in rows]
    return sum(kind in ("product", "product_variation") for kind in kinds)


ROWS = ("item", "entry", "product", "listing", "SHOPITEM", "ITEM", "offer")


def local(element: Expat.Element) -> str:
    return re.sub(r"\{.*\}", "", element.tag)


def is_product(record: dict[str, str]) -> bool:
    """In Shopify's exports lines with nothing but a picture follow a product."""
    return "Handle" not in record or bool(record["Title"] or record.get("Variant Price"))


def check(name: str, path: Path) -> FeedCheck:
    rules = FeedRules(feed_currency="EUR", link_template=TEMPLATES.get(name, SHOPIFYS))
    return check_feed(path, rules=rules)


def test_every_record_of_every_well_formed_feed_is_a_product_or_left_out_by_name(shared_data: Path) -> None:
    checks = {name: (check(name, path), count_of_records(path)) for name, path in real_feeds(shared_data)}
    assert len(checks) == 49
    assert {name: one.reasons for name, (one, _) in checks.items() if one.reasons} == LEFT_OUT
    fatals = {
        name: one.fatal[: len(NO_PRODUCTS.get(name, ""))] for name, (one, _) in checks.items() if one.fatal
    }
    assert fatals == NO_PRODUCTS
    accounted = {
        name: (one.products + one.rejected_count, records) for name, (one, records) in checks.items()
    }
    del accounted["shopify_pl/cross-border_export_1.csv"]  # customs codes, and no product
    assert [name for name, (told, records) in accounted.items() if told != records] == []
    assert {one.format for one, _ in checks.values()} >= set(FeedFormat) - {FeedFormat.JSON_LINES}


@pytest.mark.parametrize(
    ("name", "currency", "fatal"),
    [
        ("shopify_sv/products_export_1.csv", None, "link_needed"),
        ("shopify_sv/products_export_1.csv", "SEK", "link_needed"),
        ("woocommerce_en/sample_products.csv", "USD", "link_needed"),
        ("woocommerce_en/sample_products.xml", None, "currency_needed"),
        ("heureka_cs2/heureka.xml", None, "currency_needed"),
        ("google_sk/heureka.xml", None, "currency_needed"),
        ("google_sv_malformed/google_sv_malformed_29.xml", None, "currency_needed"),
    ],
)
def test_what_a_format_does_not_say_is_asked_for_and_never_guessed(
    shared_data: Path, name: str, currency: str | None, fatal: str
) -> None:
    found = check_feed(shared_data / "feeds" / name, rules=FeedRules(feed_currency=currency))
    assert (found.fatal or "").startswith(fatal)
    assert found.products == 0
    assert found.sample == []


@pytest.mark.parametrize(
    ("name", "currency", "domain", "template", "count"),
    [
        ("shopify_sv/products_export_1.csv", "SEK", "velofant.se", "https://velofant.se/products/{handle}", 17),
        ("shopify_demo_en/snowdevil.csv", "CAD", "shop.example", SHOPIFYS, 616),
        ("woocommerce_en/sample_products.csv", "USD", "shop.example", "https://shop.example/?p={post_id}", 21),
        ("woocommerce_en/sample_products.xml", "USD", "woocommercecore.mystagingwebsite.com", None, 21),
        ("heureka_cs2/heureka.xml", "CZK", "archefashion.com", None, 77),
        ("yml_ru3/yml.xml", "RUB", "ppbgroup.ru", None, 10),
        ("meta_cars_en_us/facebook_feed.xml", "USD", "majorworld.com", None, 48),
        ("meta_csv_es/facebook_catalog.csv", "USD", "santopadre.store", None, 25),
        ("google_sv_malformed/google_sv_malformed_29.xml", "SEK", "velofant.se", None, 15),
    ],
)  # fmt: skip
def test_a_real_feed_of_each_format_becomes_the_catalogue(
    shared_data: Path, tmp_path: Path, name: str, currency: str, domain: str, template: str | None, count: int
) -> None:
    shop = Shop(tmp_path, make_advertiser((domain,), currency))
    shop.feed = msgspec.structs.replace(shop.feed, currency=currency, link_template=template)
    path = shared_data / "feeds" / name
    try:
        report = shop.import_feed(path.read_bytes())
        live = shop.live()
        kept = shop.feeds.feed(shop.feed.key)
    finally:
        shop.close()
    assert (report.fatal, report.products, len(live)) == (None, count, count)
    assert kept is not None
    assert kept.format is check_feed(path).format
    assert all(product.currency == currency and product.title for product in live.values())
    assert all(domain in product.link for product in live.values())
