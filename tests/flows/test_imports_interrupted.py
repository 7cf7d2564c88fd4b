"""What a process that is gone had begun is told as interrupted, and done again where nobody else would."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.imports import AskedBy, Import, ImportState
from adserver.writes import Outcome, Result, Together, Write
from tests.flows.import_office import Office, items

HOUR_MS = 3_600_000
S = ImportState


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.close()


def interrupt(office: Office, state: ImportState, asked_by: AskedBy = AskedBy.SCHEDULE) -> None:
    """What is queued, or a new import: a process had come so far with it, and its claim is gone with it."""
    queued = [one for one in office.imports.recent(office.feed) if one.state is S.QUEUED]
    if queued:
        office.save(queued[0].moved(state, office.now_ms))
        return
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
    assert (office.states(), office.feed.fetching.failures) == ([S.QUEUED, S.INTERRUPTED], 1)
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


def test_what_was_sent_or_approved_is_done_again_once(office: Office) -> None:
    office.run(items(40))
    for publish in (
        lambda: office.imports.queue(office.feed, io.BytesIO(items(30))),
        lambda: approve(office),
    ):
        publish()
        interrupt(office, S.PUBLISHING)
        assert office.imports.tend() == 1
        assert office.newest().state is S.QUEUED
        assert office.imports.run_next() == 1 and office.newest().state is S.DONE
    assert len(office.live()) == 5
    office.imports.queue(office.feed, io.BytesIO(items(6)))
    for expected in (S.QUEUED, S.INTERRUPTED):
        interrupt(office, S.PUBLISHING)
        office.imports.tend()
        assert office.newest().state is expected


def approve(office: Office) -> None:
    office.run(items(5))
    assert office.imports.approve(office.feed, office.newest(), wait=False)


def test_what_was_sent_is_not_done_again_after_something_newer(office: Office) -> None:
    office.imports.queue(office.feed, io.BytesIO(items(3)))
    interrupt(office, S.PUBLISHING)
    office.run(items(4))
    assert office.imports.tend() == 1
    assert (office.states(), len(office.live())) == ([S.DONE, S.INTERRUPTED], 4)


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
