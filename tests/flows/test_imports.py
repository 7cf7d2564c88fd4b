"""Imports as a life: at once or queued, fetched by schedule, backed off, and told at every step."""

import io
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from adserver.domain.catalogue import ImportReport
from adserver.domain.imports import KEPT, AskedBy, Import, ImportState
from adserver.flows.imports import host_of
from adserver.writes import Outcome, Result, SaveEntity, Write
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
    assert {one.of_rows for one in publishing} == {2_500}
    assert publishing[0].rows == 0 < publishing[-1].rows <= 2_500
    assert 0 < publishing[-1].bytes_read <= len(items(2_500))


@pytest.mark.parametrize(("end", "state"), [(b"</channel></rss>", S.DONE), (b"</channel>", S.FAILED)])
def test_rows_are_all_that_were_read_however_it_ends(office: Office, end: bytes, state: ImportState) -> None:
    data = make_feed(*(make_item(str(n)) for n in range(1_200)), make_item("b", "x"))
    office.run(data.replace(b"</channel></rss>", end))
    assert (office.states(), office.newest().rows) == ([state], 1_201)


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


def test_rows_left_out_are_still_told_once_the_address_says_that_nothing_has_changed(office: Office) -> None:
    office.site.put(make_feed(make_item("a"), make_item("b", "free")), etag="v1")
    office.fetch_due()
    office.now_ms += HOUR_MS
    office.fetch_due()
    assert office.states() == [S.UNCHANGED, S.DONE]
    last = office.feed.last_import
    assert last is not None and (last.unchanged, last.products, last.rejected_count) == (True, 1, 1)
    assert [row.item_id for row in last.rejected] == ["b"]


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
