"""An import replaces the catalogue by what the feed says, or changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from adserver.domain.catalogue import RejectedRow
from adserver.domain.feed_file import FeedLimits
from adserver.domain.imports import REPORTED_ROWS
from adserver.flows.feed import MOST_REJECTED_KEPT, check_feed, language_of
from adserver.storage.catalogue import REMOVED_AT_ONCE
from adserver.writes import Outcome, Result, SaveEntity, SaveProducts, SetPicture, Write
from tests.flows.feeds import NOW_MS, Shop, make_feed, make_item


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_a_feed_becomes_the_catalogue_and_its_report_is_kept(shop: Shop) -> None:
    report = shop.import_feed(make_feed(make_item("a"), make_item("b", "12,50 EUR"), make_item("c", "x")))
    assert {item_id: product.price_micros for item_id, product in shop.live().items()} == {
        "a": 10_000_000,
        "b": 12_500_000,
    }
    assert (report.products, report.rejected_count, report.fatal) == (2, 1, None)
    assert report.rejected == (RejectedRow(4, "c", "bad_price"),)
    assert (report.started_at_ms, report.finished_at_ms) == (NOW_MS, NOW_MS)
    kept = shop.feeds.feed(shop.feed.key)
    assert kept is not None
    assert kept.last_import == report


def test_what_the_next_feed_does_not_list_leaves_the_catalogue(shop: Shop) -> None:
    shop.import_feed(make_feed(make_item("a"), make_item("b")))
    shop.import_feed(make_feed(make_item("b", "11.00 EUR"), make_item("c")))
    assert {i: p.price_micros for i, p in shop.live().items()} == {"b": 11_000_000, "c": 10_000_000}


def test_a_feed_that_loses_many_products_loses_all_of_them(shop: Shop) -> None:
    shop.import_feed(make_feed(*(make_item(str(n)) for n in range(REMOVED_AT_ONCE + 2))))
    shop.import_feed(make_feed(make_item("1")), allow_shrink=True)
    assert set(shop.live()) == {"1"}


def test_a_feed_that_turned_to_another_currency_says_so_and_changes_nothing(shop: Shop) -> None:
    shop.import_feed(make_feed(make_item("a"), make_item("b")))
    turned = (make_item("a", "11.00 USD"), make_item("b", "11.00 USD"), make_item("c", "x"))
    report = shop.import_feed(make_feed(*turned))
    assert report.fatal == "empty: all 3 rows were left out, 2 of them as wrong_currency"
    assert set(shop.live()) == {"a", "b"}


def test_products_put_by_the_api_stay(shop: Shop) -> None:
    shop.import_feed(make_feed(make_item("a")))
    by_api = msgspec.structs.replace(shop.live()["a"], key=99, item_id="z")
    shop.writer.commit(SaveProducts(shop.advertiser.key, (by_api,)))
    shop.import_feed(make_feed(make_item("b")))
    assert set(shop.live()) == {"b", "z"}


def test_a_picture_stays_while_its_address_is_the_same(shop: Shop) -> None:
    image = "https://cdn.test/a.jpg"
    shop.import_feed(make_feed(make_item("a", image=image)))
    key = shop.live()["a"].key
    shop.writer.commit(SetPicture(shop.advertiser.key, key, image, "f00d"))
    shop.import_feed(make_feed(make_item("a", "9.00 EUR", image=image)))
    assert shop.live()["a"].picture == "f00d"
    shop.import_feed(make_feed(make_item("a", image=image + "?2")))
    assert shop.live()["a"].picture is None


def test_the_first_of_two_rows_with_one_id_counts(shop: Shop) -> None:
    report = shop.import_feed(make_feed(make_item("a"), make_item("a", "11.00 EUR")))
    assert shop.live()["a"].price_micros == 10_000_000
    assert [row.reason for row in report.rejected] == ["duplicate_id"]


@pytest.mark.parametrize(
    ("data", "fatal"),
    [
        (make_feed(make_item("b")).replace(b"</title>", b"", 1), "not_well_formed at line 2"),
        (make_feed(*[make_item(f"b{n}") for n in range(300)])[:-20], "not_well_formed at line 301"),
        (b"<!DOCTYPE rss [<!ENTITY a 'b'>]>" + make_feed(make_item("b")), "dtd_forbidden at line 1"),
        (make_feed(), "empty"),
        (make_feed(make_item("b", "free")), "empty: all 1 rows"),
        (b"", "empty"),
        (b"<products/>", "empty: there is no <product> in it"),
        (b"<urlset/>", "not_a_product_feed at line 1"),
        (make_feed(*[make_item(f"b{n}") for n in range(1_001)]), "too_large at line"),
    ],
)
def test_a_refused_feed_changes_nothing(shop: Shop, data: bytes, fatal: str) -> None:
    shop.import_feed(make_feed(make_item("a")))
    before = shop.live()
    report = shop.import_feed(data, limits=FeedLimits(rows=1_000))
    assert report.fatal is not None
    assert report.fatal.startswith(fatal)
    assert report.products == 0
    assert shop.live() == before
    kept = shop.feeds.feed(shop.feed.key)
    assert kept is not None
    assert kept.last_import == report


def test_a_catalogue_is_not_halved_unless_that_is_allowed(shop: Shop) -> None:
    shop.import_feed(make_feed(*[make_item(str(n)) for n in range(20)]))
    few = make_feed(*[make_item(str(n)) for n in range(9)])
    report = shop.import_feed(few)
    assert report.fatal == "shrank_by_half: 9 products where 20 are live"
    assert len(shop.live()) == 20
    assert shop.import_feed(few, allow_shrink=True).fatal is None
    assert len(shop.live()) == 9


def test_small_catalogues_may_shrink_and_half_is_allowed(shop: Shop) -> None:
    shop.import_feed(make_feed(*[make_item(str(n)) for n in range(20)]))
    assert shop.import_feed(make_feed(*[make_item(str(n)) for n in range(10)])).fatal is None
    assert shop.import_feed(make_feed(make_item("0"))).fatal is None


def test_a_feed_whose_ids_are_all_others_waits_for_a_yes(shop: Shop) -> None:
    """A shop that exports SKUs instead of its own ids: what visitors have seen would be known no more."""
    shop.import_feed(make_feed(*[make_item(f"a{n}") for n in range(20)]))
    report = shop.import_feed(make_feed(*[make_item(f"b{n}") for n in range(20)], *[make_item("a1")]))
    assert report.fatal is not None and report.fatal.startswith("shrank_by_half: 1 of the 20 products")
    assert len(shop.live()) == 20 and "a0" in shop.live()


def test_a_writer_that_fails_is_told_and_nothing_is_removed(shop: Shop) -> None:
    shop.import_feed(make_feed(make_item("a")))
    commit = shop.writer.commit
    sizes: list[int] = []

    def failing(write: Write) -> Outcome:
        if isinstance(write, SaveProducts):
            sizes.append(len(write.products))
            if len(sizes) == 2:
                return Outcome(Result.UNRECORDED)
        return commit(write)

    shop.writer.commit = failing
    report = shop.import_feed(make_feed(*[make_item(f"b{n}") for n in range(450)]))
    assert report.fatal is not None
    assert report.fatal.startswith("unrecorded")
    assert sizes == [200, 200]
    assert "a" in shop.live()


def test_a_change_of_the_feed_during_an_import_is_kept(shop: Shop) -> None:
    moved = msgspec.structs.replace(shop.feed, url="https://shop.example/new.xml")
    shop.writer.commit(SaveEntity(moved, is_new=False))
    shop.import_feed(make_feed(make_item("a")))
    kept = shop.feeds.feed(shop.feed.key)
    assert kept is not None
    assert kept.url == moved.url


def test_a_feed_is_fetched_from_its_address(shop: Shop) -> None:
    shop.web.pages["https://shop.example/feed.xml"] = make_feed(make_item("a"))
    assert shop.imports().import_address(shop.advertiser, shop.feed).products == 1
    assert set(shop.live()) == {"a"}


def test_an_address_that_cannot_be_fetched_changes_nothing(shop: Shop) -> None:
    shop.import_feed(make_feed(make_item("a")))
    report = shop.imports().import_address(shop.advertiser, shop.feed)
    assert report.fatal == "not_fetched: unreachable"
    assert set(shop.live()) == {"a"}


def test_reports_keep_the_first_rejected_rows_and_count_all(shop: Shop) -> None:
    rows = [make_item(f"b{n}", "x") for n in range(MOST_REJECTED_KEPT + 1)]
    report = shop.import_feed(make_feed(make_item("a"), *rows))
    assert len(report.rejected) == MOST_REJECTED_KEPT
    assert report.rejected_count == MOST_REJECTED_KEPT + 1
    kept = shop.feeds.feed(shop.feed.key)
    assert kept is not None and kept.last_import is not None
    assert kept.last_import.rejected == report.rejected[:REPORTED_ROWS]
    assert kept.last_import.rejected_count == MOST_REJECTED_KEPT + 1


def test_progress_is_told_every_thousand_rows(shop: Shop) -> None:
    told: list[tuple[int, int]] = []
    data = make_feed(*[make_item(f"b{n}") for n in range(2_500)])
    shop.import_feed(data, progress=lambda rows, bytes_read: told.append((rows, bytes_read)))
    assert [rows for rows, _ in told] == [1_000, 2_000]
    assert 0 < told[0][1] < told[1][1] <= len(data)


def test_a_file_is_checked_without_a_server(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(make_feed(make_item("a"), make_item("b", "14.0"), make_item("c", "3 USD")))
    check = check_feed(path)
    assert msgspec.to_builtins(check) == {
        "format": "google_xml",
        "products": 2,
        "rejected": [{"line": 3, "item_id": "b", "reason": "missing_currency"}],
        "notes": {},
        "fatal": None,
        "rejected_count": 1,
        "reasons": {"missing_currency": 1},
        "advice": {
            "missing_currency": "Write it with the price, such as 15.00 EUR, or set the feed's currency."
        },
        "sample": msgspec.to_builtins(check.sample),
    }
    assert [product.item_id for product in check.sample] == ["a", "c"]
    assert check.exit_status == 0


def test_a_check_of_what_cannot_be_read_ends_with_one(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(make_feed(make_item("a"))[:-3])
    check = check_feed(path)
    assert (check.products, check.exit_status) == (0, 1)
    assert check.fatal is not None
    assert "line 3" in check.fatal


@pytest.mark.parametrize(
    ("country", "language"),
    [("FR", "fr"), ("CZ", "cs"), ("OM", "ar"), ("GB", "en"), ("", "en"), ("??", "en")],
)
def test_a_country_has_a_language(country: str, language: str) -> None:
    assert language_of(country) == language
