"""How jobs ran is told: the busy ones with their lease, the rare ones at once, failures in words."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adserver.domain.job_run import LATE_MS, JobRun
from adserver.domain.tally import Tally
from adserver.jobs import LEASE_MS, Job, Runner
from adserver.storage.embedded import Storage, own_storage

HOUR_MS = 3_600_000


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    storage = own_storage(tmp_path / "adserver.db")
    yield storage
    storage.close()


class Clock:
    now_ms = 1_795_000_000_000

    def __call__(self) -> int:
        return self.now_ms


def once(storage: Storage, clock: Clock, interval_ms: int, run: Callable[[], int]) -> Runner:
    """A runner that has run its only job."""
    job = Job("tidy up", interval_ms, run)
    runner = Runner([job], storage, clock, "me", Tally())
    runner._run(job)
    return runner


def fail() -> int:
    raise ValueError("the shelf is full")


def test_a_rare_jobs_run_is_told_as_soon_as_it_ends(storage: Storage) -> None:
    clock = Clock()
    once(storage, clock, HOUR_MS, lambda: 7)
    (ran,) = storage.vitals.job_runs()
    assert (ran.name, ran.interval_ms, ran.began_ms) == ("tidy up", HOUR_MS, clock.now_ms)
    assert (ran.did, ran.did_ms, ran.last_did, ran.fails) == (7, clock.now_ms, 7, False)


def test_a_busy_jobs_run_is_told_with_its_next_lease(storage: Storage) -> None:
    clock = Clock()
    job = Job("tidy up", 200, lambda: 1)
    runner = Runner([job], storage, clock, "me", Tally())
    runner._run(job)
    assert storage.vitals.job_runs() == []
    clock.now_ms += LEASE_MS // 2
    runner._run(job)
    assert [one.did for one in storage.vitals.job_runs()] == [1]


def test_a_failure_is_told_in_words_and_outlives_the_process(storage: Storage) -> None:
    clock = Clock()
    once(storage, clock, HOUR_MS, fail)
    (ran,) = storage.vitals.job_runs()
    assert (ran.fails, ran.failure) == (True, "ValueError: the shelf is full")
    failed_ms, clock.now_ms = clock.now_ms, clock.now_ms + HOUR_MS
    once(storage, clock, HOUR_MS, lambda: 0)
    (ran,) = storage.vitals.job_runs()
    assert (ran.fails, ran.failed_ms, ran.failure) == (False, failed_ms, "ValueError: the shelf is full")


def test_a_job_that_another_process_holds_is_not_told_of(storage: Storage) -> None:
    clock = Clock()
    once(storage, clock, HOUR_MS, lambda: 7)
    job = Job("tidy up", HOUR_MS, fail)
    Runner([job], storage, clock, "another", Tally())._run(job)
    assert [one.failure for one in storage.vitals.job_runs()] == [""]


def test_whoever_takes_over_knows_what_the_one_before_has_told(storage: Storage) -> None:
    clock = Clock()
    job = Job("tidy up", HOUR_MS, lambda: 0)
    one, other = (Runner([job], storage, clock, name, Tally()) for name in ("one", "other"))
    one._run(job)
    clock.now_ms += HOUR_MS
    failed_ms = clock.now_ms
    once(storage, clock, HOUR_MS, fail)
    clock.now_ms += LEASE_MS
    other._holds(job)
    assert [ran.failed_ms for ran in storage.vitals.job_runs()] == [failed_ms]
    other._run(job)
    (ran,) = storage.vitals.job_runs()
    assert (ran.fails, ran.failed_ms, ran.failure) == (False, failed_ms, "ValueError: the shelf is full")


def test_a_job_is_late_once_it_should_have_begun_three_times() -> None:
    ran = JobRun("tidy up", HOUR_MS, began_ms=HOUR_MS, took_ms=5)
    assert not ran.is_late(4 * HOUR_MS)
    assert ran.is_late(4 * HOUR_MS + 6)
    busy = JobRun("tidy up", 200, began_ms=HOUR_MS)
    assert not busy.is_late(HOUR_MS + LATE_MS)
    assert busy.is_late(HOUR_MS + LATE_MS + 1)


def test_a_real_runner_tells_of_its_jobs_while_it_runs(storage: Storage) -> None:
    done: list[int] = []

    def work() -> int:
        done.append(1)
        if len(done) >= 2:
            runner.stop()
        return 1

    runner = Runner([Job("tidy up", 10, work)], storage, lambda: time.time_ns() // 1_000_000, "me", Tally())
    runner.run()
    assert len(done) >= 2
    assert not runner.left_at_work


def test_a_job_may_wait_until_a_process_has_started_and_is_stopped_while_it_waits(storage: Storage) -> None:
    ran = list[str]()
    jobs = [
        Job("at once", 10, lambda: ran.append("at once") or 1),  # type: ignore[func-returns-value]
        Job("later", 10, lambda: ran.append("later") or 1, waits_ms=HOUR_MS),  # type: ignore[func-returns-value]
    ]
    runner = Runner(jobs, storage, Clock(), "me", Tally())
    thread = threading.Thread(target=runner.run)
    thread.start()
    while "at once" not in ran:
        time.sleep(0.001)
    runner.stop()
    thread.join()
    assert "later" not in ran and not runner.left_at_work
