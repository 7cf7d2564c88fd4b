"""Real shops' feeds come in whole, with every row accounted for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from adserver.domain.campaign import Advertiser
from adserver.flows.feed import check_feed
from tests.flows.feeds import Shop, make_advertiser

SHOPS = {
    "google_fr/google-shopping.xml": make_advertiser(("solea-breizh-bijoux.fr",), "EUR"),
    "google_fr2/google-shopping.xml": make_advertiser(("swedishcravings.fr",), "EUR"),
    "google_en_gb/google_feed.xml": make_advertiser(("sparklingresindelights.co.uk",), "GBP"),
    "google_en_us_small/google_feed.xml": make_advertiser(("daiology.store",), "USD"),
    "google_cs/google_feed.xml": make_advertiser(("importpc.cz",), "CZK"),
    "google_sk/merchant.xml": make_advertiser(("veelyn.sk",), "EUR"),
    "google_ar_om/google_feed.xml": make_advertiser(("sherow1982.github.io",), "OMR"),
}


def item_count(data: bytes) -> int:
    return len(re.findall(rb"<item[\s>]", data))


@pytest.mark.parametrize(("name", "advertiser"), SHOPS.items(), ids=SHOPS)
def test_a_real_feed_comes_in_whole(
    shared_data: Path, tmp_path: Path, name: str, advertiser: Advertiser
) -> None:
    path = shared_data / "feeds" / name
    data = path.read_bytes()
    shop = Shop(tmp_path, advertiser)
    try:
        report = shop.import_feed(data)
        live = shop.live()
    finally:
        shop.close()
    assert report.fatal is None
    assert report.products + report.rejected_count == item_count(data)
    # One of 1,255 rows of google_cs repeats an id; everything else is a product.
    assert [row.reason for row in report.rejected] in ([], ["duplicate_id"])
    assert len(live) == report.products == check_feed(path).products
    assert all(product.price_micros > 0 and product.title for product in live.values())


def malformed(shared_data: Path) -> Iterator[Path]:
    for path in sorted((shared_data / "feeds" / "google_sv_malformed").iterdir()):
        try:
            etree.fromstring(path.read_bytes())
        except etree.XMLSyntaxError:
            yield path


def test_real_feeds_that_are_not_well_formed_leave_the_live_products(
    shared_data: Path, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, make_advertiser(("velofant.se",), "SEK"))
    try:
        good = shared_data / "feeds" / "google_sv_malformed" / "google_sv_malformed_21.xml"
        shop.import_feed(good.read_bytes())
        before = shop.live()
        fatals = [shop.import_feed(path.read_bytes()).fatal or "" for path in malformed(shared_data)]
        assert shop.live() == before
    finally:
        shop.close()
    assert len(before) == 18
    assert len(fatals) == 11
    assert all(re.match(r"not_well_formed at line [1-9][0-9]*: ", fatal) for fatal in fatals)


def test_a_real_feed_that_is_well_formed_accounts_for_every_row(shared_data: Path) -> None:
    bad = set(malformed(shared_data))
    for path in sorted((shared_data / "feeds" / "google_sv_malformed").iterdir()):
        if path not in bad and item_count(path.read_bytes()):
            check = check_feed(path)
            assert check.products + len(check.rejected) == item_count(path.read_bytes())
