"""When a worker says no: only while a queue stands, and no longer."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.overload import (
    BEAT_SECONDS,
    CALM_SECONDS,
    FEW_REQUESTS,
    FEW_WRITES,
    LATE_SECONDS,
    MOST_NOTES,
    PAUSE_SECONDS,
    WRITE_SECONDS,
    Overload,
)

GAPS = st.lists(st.floats(0.0, 2.0), max_size=20)


def after(gaps: Iterable[float]) -> tuple[Overload, float]:
    """A worker that beat after each of these times; and the moment of its last beat."""
    overload, now = Overload(), 100.0
    overload.beat(now)
    for gap in gaps:
        now += gap
        overload.beat(now)
    return overload, now


def crowd_before(overload: Overload, now: float) -> None:
    """So many are read in this turn that whoever comes next is one of a queue."""
    for _ in range(FEW_REQUESTS):
        overload.refuses(now, 0)


def test_nobody_is_refused_before_anything_is_known() -> None:
    assert not Overload().refuses(10.0, 10**6)


@given(GAPS)
def test_what_is_read_soon_after_a_beat_is_answered_whatever_was_before(gaps: list[float]) -> None:
    overload, now = after(gaps)
    crowd_before(overload, now)
    assert not overload.refuses(now + LATE_SECONDS * 0.99, 0)


@given(GAPS, st.floats(PAUSE_SECONDS * 1.01, 100.0))
def test_what_waited_longer_than_a_pause_is_refused_whatever_was_before(
    gaps: list[float], waited: float
) -> None:
    overload, now = after(gaps)
    crowd_before(overload, now)
    assert overload.refuses(now + waited, 0)


@given(GAPS, st.floats(0.0, 100.0), st.integers(1, FEW_REQUESTS))
def test_a_few_are_answered_however_slow_the_machine_is(
    gaps: list[float], waited: float, requests: int
) -> None:
    overload, now = after(gaps)
    assert not any(overload.refuses(now + waited, 0) for _ in range(requests))


def test_a_crowd_of_a_moment_is_answered_and_one_that_stays_is_not() -> None:
    waited = (LATE_SECONDS + PAUSE_SECONDS) / 2
    calm, now = after([BEAT_SECONDS] * 4)
    crowd_before(calm, now)
    assert not calm.refuses(now + waited, 0) and not calm.stands
    behind, now = after([BEAT_SECONDS, waited])
    crowd_before(behind, now)
    assert behind.refuses(now + waited, 0) and behind.stands


@given(GAPS, st.floats(0.0, CALM_SECONDS * 0.99))
def test_one_beat_in_time_ends_it(gaps: list[float], gap: float) -> None:
    overload, now = after([*gaps, gap])
    assert not overload.stands
    crowd_before(overload, now)
    assert not overload.refuses(now + PAUSE_SECONDS * 0.99, 0)


def test_a_beat_that_is_neither_late_nor_in_time_changes_nothing() -> None:
    between = (CALM_SECONDS + LATE_SECONDS) / 2
    assert after([PAUSE_SECONDS, between])[0].stands
    assert not after([BEAT_SECONDS, between])[0].stands


@given(st.integers(1, 10_000), st.floats(0.001, 60.0), st.integers(0, 100_000))
def test_writes_may_wait_as_long_as_they_should_and_a_few_always(
    writes: int, seconds: float, waiting: int
) -> None:
    overload, now = after([])
    overload.learn(writes, seconds)
    would_take = waiting * seconds / writes
    if waiting <= FEW_WRITES or would_take < WRITE_SECONDS * 0.99:
        assert not overload.refuses(now, waiting)
    elif would_take > WRITE_SECONDS * 1.01:
        assert overload.refuses(now, waiting)


@given(st.integers(1, 10_000), st.floats(0.001, 60.0), st.integers(0, 2 * MOST_NOTES))
def test_who_waits_for_no_write_is_not_refused_for_a_slow_disk(
    writes: int, seconds: float, waiting: int
) -> None:
    overload, now = after([])
    overload.learn(writes, seconds)
    assert overload.refuses(now, waiting, waits=False) == (waiting > MOST_NOTES)


def test_writes_that_took_no_time_at_all_tell_no_limit() -> None:
    overload, now = after([])
    overload.learn(1, 0.0)
    assert not overload.refuses(now, 10**6)
