"""Imports as a life: queued, fetched by schedule, held back for a yes, interrupted, and told at every step."""

import io
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from adserver.domain.catalogue import Availability, ImportReport
from adserver.domain.imports import KEPT, MOST_WAIT_MS, AskedBy, Import, ImportState
from adserver.flows.imports import host_of
from adserver.writes import Outcome, Result, SaveEntity, Together, Write
from tests.flows.feeds import make_feed, make_item
from tests.flows.import_office import ADDRESS, Office, items

HOUR_MS = 3_600_000
S = ImportState


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.close()


# ---- at once, and beside the request ----


def test_an_import_at_once_is_told_like_any_other(office: Office) -> None:
    report = office.run(items(3))
    done = office.newest()
    assert (report.products, report.import_key) == (3, done.key)
    assert (done.state, done.asked_by, done.uploaded, done.rows) == (S.DONE, AskedBy.API, True, 3)
    assert done.report == report and done.finished_ms == office.now_ms
    assert office.feed.last_import == report


def test_an_import_that_is_queued_is_run_by_the_next_job(office: Office) -> None:
    queued = office.imports.queue(office.feed, io.BytesIO(items(3)))
    assert queued is not None
    assert (office.states(), office.live(), office.files()) == ([S.QUEUED], {}, {"upload"})
    assert office.imports.run_next(fetching=False) == 1
    assert (office.states(), len(office.live())) == ([S.DONE], 3)
    assert "upload" not in office.files()
    assert office.imports.run_next() == 0


def test_a_job_for_uploads_fetches_nothing(office: Office) -> None:
    office.site.put(items(3))
    office.imports.queue(office.feed, None)
    assert (office.imports.run_next(fetching=False), office.site.asked) == (0, [])
    assert office.imports.run_next() == 1


def test_the_newest_wish_of_a_feed_is_the_one_that_is_done(office: Office) -> None:
    for count in (1, 2, 3):
        office.imports.queue(office.feed, io.BytesIO(items(count)))
    assert office.states() == [S.QUEUED, S.SUPERSEDED, S.SUPERSEDED]
    assert office.imports.run_next() == 1 and office.imports.run_next() == 0
    assert len(office.live()) == 3


def test_a_wish_that_cannot_be_kept_leaves_no_file(office: Office) -> None:
    commit = office.storage.writer.commit
    office.storage.writer.commit = lambda write: Outcome(Result.UNRECORDED)  # type: ignore[method-assign]
    assert office.imports.queue(office.feed, io.BytesIO(items(1))) is None
    office.storage.writer.commit = commit  # type: ignore[method-assign]
    assert office.files() == set()


def test_progress_is_told_while_an_import_runs(office: Office) -> None:
    told: list[Import] = []
    commit = office.storage.writer.commit

    def noting(write: Write) -> Outcome:
        office.now_ms += 400  # so that something is told more than once a step
        if isinstance(write, SaveEntity) and isinstance(write.entity, Import):
            told.append(write.entity)
        return commit(write)

    office.storage.writer.commit = noting  # type: ignore[method-assign]
    office.site.put(items(2_500))
    office.run()
    assert list(dict.fromkeys(one.state for one in told)) == [S.QUEUED, S.FETCHING, S.READING, S.PUBLISHING]
    publishing = [one for one in told if one.state is S.PUBLISHING]
    assert {one.of_rows for one in publishing} == {2_000}  # as of the last thousand that was told
    assert publishing[0].rows == 0 < publishing[-1].rows <= 2_500
    assert 0 < publishing[-1].bytes_read <= len(items(2_500))


def test_the_last_twenty_imports_are_told_and_their_files_kept_no_longer(office: Office) -> None:
    for _ in range(KEPT + 3):
        office.run(make_feed(make_item("a"), make_item("b", "x")))
    recent = office.imports.recent(office.feed)
    assert len(recent) == KEPT
    assert [one.key for one in recent] == sorted((one.key for one in recent), reverse=True)
    folder = office.storage.path.parent / "imports" / str(office.feed_key)
    assert len(list(folder.iterdir())) == KEPT


def test_every_row_that_was_left_out_is_kept_with_its_import(office: Office) -> None:
    rows = [make_item(f"b{n}", "x") for n in range(700)]
    report = office.run(make_feed(make_item("a"), *rows))
    left_out = office.imports.left_out(office.newest())
    assert (len(left_out), report.rejected_count) == (700, 700)
    assert (left_out[699].item_id, left_out[699].reason) == ("b699", "bad_price")
    kept = office.newest().report
    assert kept is not None and kept.rejected == ()


def test_a_fault_of_ours_is_told_and_the_next_feed_is_imported(office: Office) -> None:
    class Broken:
        def import_address(self, *_: object) -> ImportReport:
            raise RuntimeError("boom")

    broken = office.make_imports(Broken())
    broken.queue_due()
    with pytest.raises(RuntimeError, match="boom"):
        broken.run_next()
    failed = office.newest()
    assert failed.state is S.FAILED and failed.report is not None
    assert "RuntimeError" in (failed.report.fatal or "")
    assert (office.feed.fetching.failures, broken.queue_due()) == (1, 0)
    office.now_ms += 2 * HOUR_MS
    office.site.put(items(1))
    assert office.fetch_due() == 1 and office.states()[0] is S.DONE


# ---- by schedule ----


def test_a_feed_is_fetched_when_it_is_due_and_asked_only_for_what_is_new(office: Office) -> None:
    office.site.put(items(3), etag="v1")
    assert (office.fetch_due(), office.fetch_due()) == (1, 0)
    office.now_ms += HOUR_MS
    assert office.fetch_due() == 1
    assert office.site.asked == [(ADDRESS, None), (ADDRESS, "v1")]
    assert office.states() == [S.UNCHANGED, S.DONE]
    last = office.feed.last_import
    assert last is not None and (last.unchanged, last.products, last.fatal) == (True, 3, None)
    assert office.feed.fetching.fresh_ms == office.now_ms
    office.now_ms += HOUR_MS
    office.site.put(items(4), etag="v2")
    office.fetch_due()
    assert len(office.live()) == 4


def test_a_version_is_remembered_only_once_it_is_the_catalogue(office: Office) -> None:
    office.site.put(b"<rss>", etag="v1")
    office.fetch_due()
    office.now_ms += 2 * HOUR_MS
    office.site.put(items(3), etag="v1")  # mended under the same version
    office.fetch_due()
    assert office.site.asked[-1] == (ADDRESS, None)
    assert len(office.live()) == 3


def test_who_asks_for_an_import_has_the_feed_read_whatever_its_version(office: Office) -> None:
    office.site.put(items(3), etag="v1")
    office.fetch_due()
    assert office.run().products == 3
    assert office.site.asked[-1] == (ADDRESS, None)


def test_after_an_upload_the_feed_is_read_anew(office: Office) -> None:
    office.site.put(items(3), etag="v1")
    office.fetch_due()
    office.run(items(5))
    office.now_ms += HOUR_MS
    office.fetch_due()
    assert office.site.asked[-1] == (ADDRESS, None)
    assert len(office.live()) == 3


def test_what_fails_again_and_again_is_tried_ever_more_rarely_and_told_once(office: Office) -> None:
    for hours in (0, 2, 4, 8):
        office.now_ms += hours * HOUR_MS - 1 if hours else 0
        assert office.fetch_due() == (0 if hours else 1)
        office.now_ms += 1 if hours else 0
        assert office.fetch_due() == (1 if hours else 0)
    fetching = office.feed.fetching
    assert (fetching.failures, fetching.why) == (4, "not_fetched: unreachable")
    assert office.notices() == ["import_failed"]
    (notice,) = office.storage.notices.recent(office.advertiser.key, 1)
    body = msgspec.json.decode(notice.body)
    assert body["reason"] == "not_fetched: unreachable" and body["import_id"].startswith("imp_")


def test_an_import_by_hand_ends_the_back_off(office: Office) -> None:
    office.fetch_due()
    office.now_ms += 2 * HOUR_MS
    office.fetch_due()
    assert office.feed.fetching.failures == 2
    office.run()
    assert office.feed.fetching.failures == 1
    office.site.put(items(1))
    office.run()
    assert office.feed.fetching.next_ms == office.now_ms + HOUR_MS


def test_one_host_is_asked_for_one_feed_at_a_time(office: Office) -> None:
    office.add_feed(4, "https://SHOP.example./other.xml")
    other = office.add_feed(5, "https://elsewhere.example/feed.xml")
    office.imports.queue_due()
    with office.storage.import_files.claim("host shop.example", patient=False):  # type: ignore[union-attr]
        assert [office.imports.run_next() for _ in range(2)] == [1, 0]
    assert [url for url, _ in office.site.asked] == [other.url]
    assert [office.imports.run_next() for _ in range(3)] == [1, 1, 0]


def test_a_host_is_free_again_once_the_feed_is_fetched(office: Office) -> None:
    free: list[bool] = []

    def look() -> None:
        claim = office.storage.import_files.claim("host shop.example", patient=False)
        free.append(claim is not None)
        with claim or nullcontext():
            pass

    mint = office.steps._mint_key
    office.steps._mint_key = lambda: (look(), mint())[1]  # it is asked when products go live
    office.site.put(items(1))
    office.site.meanwhile.append(look)
    office.run()
    assert free == [False, True]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Shop.Example:8443/f", "shop.example"),
        ("https://shop.example./f", "shop.example"),
        ("http://[::1", "http://[::1"),
        (None, ""),
    ],
)
def test_a_hosts_spellings_are_one(url: str | None, host: str) -> None:
    assert host_of(url) == host


def test_two_imports_of_one_feed_never_run_at_once(office: Office) -> None:
    office.site.put(items(1))
    inside, go_on = threading.Event(), threading.Event()
    office.site.meanwhile.append(lambda: (inside.set(), go_on.wait(30)))
    first = threading.Thread(target=office.run)
    first.start()
    assert inside.wait(30)
    office.imports.queue(office.feed, io.BytesIO(items(2)))
    assert office.imports.run_next() == 0  # its feed is taken
    go_on.set()
    first.join(30)
    assert office.imports.run_next() == 1
    assert len(office.live()) == 2


# ---- a yes ----


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


# ---- the end of a process ----


def interrupt(office: Office, state: ImportState, asked_by: AskedBy = AskedBy.SCHEDULE) -> None:
    """An import that a process had come so far with when it was killed: its claim is gone with it."""
    begun = Import(
        key=office.mint_key(),
        feed_key=office.feed_key,
        advertiser_key=office.advertiser.key,
        asked_by=asked_by,
        state=state,
        asked_ms=office.now_ms,
        state_ms=office.now_ms,
    )
    office.save(begun, is_new=True)


@pytest.mark.parametrize("state", [S.FETCHING, S.READING, S.PUBLISHING])
def test_what_a_process_that_is_gone_had_begun_is_told_and_done_again(
    office: Office, state: ImportState
) -> None:
    office.site.put(items(3))
    interrupt(office, state)
    assert office.imports.queue_due() == 0  # as far as anybody knows it is under way
    assert office.imports.tend() == 1
    assert (office.states(), office.feed.fetching.failures) == ([S.INTERRUPTED], 1)
    assert office.fetch_due() == 1
    assert (office.states()[0], len(office.live()), office.feed.fetching.failures) == (S.DONE, 3, 0)


def test_a_feed_that_ends_its_process_each_time_is_tried_ever_more_rarely(office: Office) -> None:
    interrupt(office, S.READING)
    office.imports.tend()
    interrupt(office, S.READING)
    office.imports.tend()
    assert office.fetch_due() == 0
    assert office.feed.fetching.next_ms == office.now_ms + 4 * HOUR_MS
    interrupt(office, S.READING)
    office.imports.tend()
    assert office.notices() == ["import_failed"]


def test_an_import_that_somebody_asked_for_is_not_begun_again_by_itself(office: Office) -> None:
    interrupt(office, S.READING, AskedBy.API)
    assert office.imports.tend() == 1
    assert (office.states(), office.feed.fetching.failures) == ([S.INTERRUPTED], 0)


def test_what_is_under_way_is_not_taken_for_interrupted(office: Office) -> None:
    tended: list[int] = []
    office.site.put(items(1))
    office.site.meanwhile.append(lambda: tended.append(office.imports.tend()))
    office.run()
    assert (tended, office.states()) == ([0], [S.DONE])


def test_what_is_queued_outlives_the_server(office: Office) -> None:
    office.imports.queue(office.feed, io.BytesIO(items(3)))
    another = office.make_imports(office.make_steps())
    assert another.tend() == 0 and another.run_next() == 1
    assert len(office.live()) == 3


def test_a_report_is_written_with_its_feed_or_not_at_all(office: Office) -> None:
    commit = office.storage.writer.commit

    def failing(write: Write) -> Outcome:
        return Outcome(Result.UNRECORDED) if isinstance(write, Together) else commit(write)

    office.storage.writer.commit = failing  # type: ignore[method-assign]
    report = office.run(items(1))
    office.storage.writer.commit = commit  # type: ignore[method-assign]
    assert (report.fatal or "").startswith("unrecorded")
    assert (office.feed.last_import, office.states()) == (None, [S.PUBLISHING])
    assert office.imports.tend() == 1
