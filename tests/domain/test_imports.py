"""When a feed is fetched next, when an import must wait for a yes, and what each state means."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.catalogue import Feed, ImportReport
from adserver.domain.fetching import (
    JITTER,
    MINUTE_MS,
    MOST_WAIT_MS,
    NOT_KNOWN,
    Fetching,
    Validators,
    after_failure,
    after_success,
)
from adserver.domain.imports import (
    MEANINGS,
    OPEN,
    AskedBy,
    Import,
    ImportState,
    is_due,
    next_fetch_ms,
    shrinkage,
    state_of,
)

NOW_MS = 1_800_000_000_000
HOUR_MS = 60 * MINUTE_MS


def make_feed(**fields: object) -> Feed:
    feed = Feed(key=3, advertiser_key=7, url="https://shop.example/f", interval_minutes=60, created_at_ms=5)
    return msgspec.structs.replace(feed, **fields)


def make_report(**fields: object) -> ImportReport:
    report = ImportReport(started_at_ms=NOW_MS, finished_at_ms=NOW_MS + 9, products=1)
    return msgspec.structs.replace(report, **fields)


def waits_after(failures: int, interval_minutes: int = 60) -> float:
    """Hours until the next fetch after so many failures in a row."""
    fetching = Fetching()
    for _ in range(failures):
        fetching = after_failure(fetching, interval_minutes, NOW_MS, 0.0, "unreachable")
    assert fetching.next_ms is not None and fetching.failures == failures
    return (fetching.next_ms - NOW_MS) / HOUR_MS


def test_each_failure_doubles_the_wait_up_to_a_day() -> None:
    assert [waits_after(failures) for failures in range(1, 7)] == [2, 4, 8, 16, 24, 24]


def test_a_feed_that_is_fetched_less_than_daily_is_not_fetched_more_often_for_failing() -> None:
    assert waits_after(1, interval_minutes=7 * 24 * 60) == 7 * 24


def test_a_success_ends_the_back_off_and_says_since_when_the_catalogue_is_fresh() -> None:
    failed = after_failure(Fetching(fresh_ms=1), 60, NOW_MS, 0.0, "unreachable")
    assert (failed.why, failed.fresh_ms) == ("unreachable", 1)
    mended = after_success(failed, 60, NOW_MS, 0.0)
    assert (mended.failures, mended.why, mended.fresh_ms) == (0, None, NOW_MS)
    assert mended.next_ms == NOW_MS + HOUR_MS


@given(st.integers(0, 2**40), st.integers(15, 10_080), st.floats(0, 1, exclude_max=True), st.integers(0, 200))
def test_the_wait_is_never_shorter_than_the_schedule_nor_much_longer_than_a_day(
    now_ms: int, interval_minutes: int, dice: float, failures: int
) -> None:
    known = Fetching(failures=failures)
    for after in (
        after_success(known, interval_minutes, now_ms, dice),
        after_failure(known, interval_minutes, now_ms, dice, "x"),
    ):
        assert after.next_ms is not None
        longest_ms = max(interval_minutes * MINUTE_MS, MOST_WAIT_MS)
        assert interval_minutes * MINUTE_MS <= after.next_ms - now_ms <= longest_ms + longest_ms // JITTER


def test_a_feed_without_a_schedule_is_never_due() -> None:
    assert after_success(Fetching(), None, NOW_MS, 0.5).next_ms is None
    for feed in (make_feed(interval_minutes=None), make_feed(url=None)):
        assert next_fetch_ms(feed) is None and not is_due(feed, NOW_MS)


def test_a_new_feed_is_due_at_once_and_one_of_an_older_release_after_its_interval() -> None:
    assert next_fetch_ms(make_feed()) == 5
    assert next_fetch_ms(make_feed(last_import=make_report())) == NOW_MS + HOUR_MS
    fetched = make_feed(last_import=make_report(), fetching=Fetching(next_ms=NOW_MS + 1))
    assert not is_due(fetched, NOW_MS) and is_due(fetched, NOW_MS + 1)


def test_a_version_is_asked_for_until_the_feed_is_a_day_old() -> None:
    version = Validators(etag="v1")
    fetching = Fetching(validators=version, read_ms=NOW_MS)
    assert fetching.worth_asking(NOW_MS + 86_400_000 - 1) == version
    assert fetching.worth_asking(NOW_MS + 86_400_000) == NOT_KNOWN


@pytest.mark.parametrize(
    ("products", "left_out", "live", "was_mostly_rejected", "waits"),
    [
        (9, 0, 19, False, False),  # small catalogues may change as they like
        (0, 99, 19, False, False),
        (10, 0, 20, False, False),  # half is allowed
        (9, 0, 20, False, True),
        (30, 30, 20, False, False),
        (30, 31, 20, False, True),  # mostly rejected
        (30, 31, 20, True, False),  # as it always was
        (9, 31, 20, True, True),
        (1, 9, 0, False, False),  # there is nothing to lose
    ],
)
def test_an_import_waits_where_much_would_be_gone(
    products: int, left_out: int, live: int, was_mostly_rejected: bool, waits: bool
) -> None:
    kept = min(products, live)
    assert (shrinkage(products, kept, left_out, live, was_mostly_rejected) is not None) is waits


@pytest.mark.parametrize(("kept", "waits"), [(20, False), (19, True), (0, True)])
def test_a_feed_with_other_ids_waits_though_it_has_as_many_products(kept: int, waits: bool) -> None:
    assert (shrinkage(40, kept, 0, 40, False) is not None) is waits
    assert shrinkage(19, 0, 0, 19, False) is None  # a small catalogue may change as it likes


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, ImportState.DONE),
        ({"unchanged": True}, ImportState.UNCHANGED),
        ({"fatal": "empty"}, ImportState.FAILED),
        ({"fatal": "shrank_by_half", "waits": True}, ImportState.WAITING_FOR_A_YES),
    ],
)
def test_a_report_tells_what_became_of_its_import(fields: dict[str, object], state: ImportState) -> None:
    assert state_of(make_report(**fields)) is state


@pytest.mark.parametrize("state", list(ImportState))
def test_each_state_has_a_meaning_and_only_the_last_ones_have_an_end(state: ImportState) -> None:
    assert len(MEANINGS[state]) > 20
    import_ = Import(
        key=1, feed_key=3, advertiser_key=7, asked_by=AskedBy.API, state=state, asked_ms=1, state_ms=1
    )
    moved = import_.moved(state, NOW_MS)
    assert moved.state_ms == NOW_MS
    assert (moved.finished_ms is None) is (state in OPEN)
