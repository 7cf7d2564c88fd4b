"""An import that would take much of the catalogue waits for a yes; what the API says meanwhile is newer."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.catalogue import Availability
from adserver.domain.imports import MOST_WAIT_MS, Import, ImportState
from tests.flows.feeds import make_feed, make_item
from tests.flows.import_office import Office, items

HOUR_MS = 3_600_000
S = ImportState


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.close()


def shrink(office: Office, scheduled: bool = False) -> Import:
    """Twenty products are live, and nine are in the feed."""
    office.run(items(20))
    office.site.put(items(9), etag="few")
    if scheduled:
        office.now_ms += HOUR_MS
        office.fetch_due()
    else:
        office.run()
    return office.newest()


def test_what_shrank_is_held_back_and_told(office: Office) -> None:
    waiting = shrink(office, scheduled=True)
    assert (waiting.state, len(office.live()), office.files()) == (
        S.WAITING_FOR_A_YES,
        20,
        {"products", "left_out"},
    )
    assert waiting.report is not None and waiting.report.waits
    assert waiting.report.fatal == "shrank_by_half: 9 products where 20 are live"
    assert office.feed.fetching.failures == 0 and office.feed.fetching.why == waiting.report.fatal
    assert office.notices() == ["import_waits"]


def test_a_yes_publishes_what_was_read_without_a_fetch(office: Office) -> None:
    waiting = shrink(office)
    asked = len(office.site.asked)
    done = office.imports.approve(office.feed, waiting, wait=True)
    assert done is not None and done.state is S.DONE and done.report is not None
    assert (done.report.products, done.report.fatal, done.report.waits) == (9, None, False)
    assert (len(office.live()), len(office.site.asked)) == (9, asked)
    assert "products" not in office.files()
    last = office.feed.last_import
    assert last is not None and (last.products, last.fatal) == (9, None)


def test_a_yes_may_be_carried_out_by_a_job(office: Office) -> None:
    waiting = shrink(office)
    queued = office.imports.approve(office.feed, waiting, wait=False)
    assert queued is not None and queued.state is S.QUEUED and len(office.live()) == 20
    assert office.imports.run_next(fetching=False) == 1
    assert len(office.live()) == 9


def test_a_no_drops_what_was_read(office: Office) -> None:
    waiting = shrink(office)
    rejected = office.imports.reject(office.feed, waiting)
    assert rejected is not None and rejected.state is S.REJECTED
    assert (len(office.live()), "products" in office.files()) == (20, False)
    for again in (
        office.imports.reject(office.feed, waiting),
        office.imports.approve(office.feed, waiting, wait=True),
    ):
        assert again is None


def test_only_one_of_two_words_counts(office: Office) -> None:
    waiting = shrink(office)
    assert office.imports.approve(office.feed, waiting, wait=True) is not None
    assert office.imports.reject(office.feed, waiting) is None
    assert len(office.live()) == 9


def test_nobody_waits_for_longer_than_three_days(office: Office) -> None:
    waiting = shrink(office)
    office.now_ms += MOST_WAIT_MS - 1
    assert office.imports.tend() == 0
    office.now_ms += 1
    assert office.imports.tend() == 1
    assert (office.states()[0], "products" in office.files()) == (S.EXPIRED, False)
    assert office.imports.approve(office.feed, waiting, wait=True) is None
    assert len(office.live()) == 20


def test_a_fetch_that_is_not_shrunk_takes_the_place_of_what_waits(office: Office) -> None:
    shrink(office, scheduled=True)
    office.now_ms += HOUR_MS
    office.site.put(items(21))
    office.fetch_due()
    assert office.states()[:2] == [S.DONE, S.SUPERSEDED]
    assert (len(office.live()), "products" in office.files()) == (21, False)


def test_of_several_that_shrank_the_newest_waits_and_the_advertiser_hears_of_it_once(office: Office) -> None:
    shrink(office, scheduled=True)
    for _ in range(3):
        office.now_ms += HOUR_MS
        office.fetch_due()
    assert office.states()[:4] == [S.WAITING_FOR_A_YES, S.SUPERSEDED, S.SUPERSEDED, S.SUPERSEDED]
    assert office.notices() == ["import_waits"]
    folder = office.storage.path.parent / "imports" / str(office.feed_key)
    assert len(list(folder.glob("*.products"))) == 1


def test_a_yes_that_is_not_carried_out_yet_gives_way_to_a_newer_import(office: Office) -> None:
    waiting = shrink(office)
    office.imports.approve(office.feed, waiting, wait=False)
    office.run(items(25))
    assert office.imports.run_next() == 0
    assert len(office.live()) == 25


def test_a_feed_of_which_most_is_left_out_waits_unless_it_has_always_been_so(office: Office) -> None:
    office.run(items(20))
    bad = [make_item(f"b{n}", "x") for n in range(30)]
    mostly = make_feed(*(make_item(str(n)) for n in range(20)), *bad)
    report = office.run(mostly)
    assert report.waits and "30 rows left out" in (report.fatal or "")
    assert office.imports.approve(office.feed, office.newest(), wait=True) is not None
    assert office.run(mostly).fatal is None


def test_an_import_that_may_shrink_does_not_wait(office: Office) -> None:
    office.run(items(20))
    assert office.run(items(1), allow_shrink=True).fatal is None
    assert (office.states()[0], office.notices()) == (S.DONE, [])


def test_what_became_of_imports_is_counted(office: Office) -> None:
    waiting = shrink(office, scheduled=True)
    office.imports.approve(office.feed, waiting, wait=True)
    office.site.pages.clear()
    office.now_ms += HOUR_MS
    office.fetch_due()
    assert office.counted() == {"done": 2, "waiting_for_a_yes": 1, "failed": 1}


# ---- deltas ----


def test_what_the_api_says_while_a_feed_is_fetched_is_newer_than_the_feed(office: Office) -> None:
    office.site.put(items(3))
    office.run()

    def meanwhile() -> None:
        office.now_ms += 1
        office.put("1", availability=Availability.OUT_OF_STOCK)

    office.site.meanwhile.append(meanwhile)
    office.run()
    assert [product.in_stock for _, product in sorted(office.live().items())] == [True, False, True]
    office.now_ms += HOUR_MS
    office.fetch_due()  # a feed that was fetched later knows of it
    assert all(product.in_stock for product in office.live().values())


def test_what_the_api_says_while_an_import_waits_is_newer_than_what_was_read(office: Office) -> None:
    waiting = shrink(office)
    office.now_ms += HOUR_MS
    office.put("1", title="Sold out", availability=Availability.OUT_OF_STOCK)
    office.put("15", title="Not in the feed any more")
    office.imports.approve(office.feed, waiting, wait=True)
    assert office.live()["1"].title == "Sold out" and not office.live()["1"].in_stock
    assert "15" not in office.live()


def test_an_upload_is_of_when_it_was_sent(office: Office) -> None:
    office.run(items(3))
    office.now_ms += 1
    office.imports.queue(office.feed, io.BytesIO(items(3, price="12.00 EUR")))
    office.now_ms += 1
    office.put("1", title="Newer")
    office.now_ms += HOUR_MS
    office.imports.run_next()
    assert office.live()["1"].title == "Newer"
    assert office.live()["2"].price_micros == 12_000_000
