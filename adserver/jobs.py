"""The table of jobs: what, how often, under which lease; and its small runner."""

import logging
import threading
import time
from collections.abc import Callable

import msgspec

from adserver.domain.audit_log import Actor, ActorKind
from adserver.domain.job_run import JobRun
from adserver.domain.tally import NETWORK, Tally
from adserver.flows.audience_sizes import CountAudiences
from adserver.flows.convert import Convert
from adserver.flows.funnel import RollUpFunnel
from adserver.flows.hold_consent import HoldConsent
from adserver.flows.imports import RunImports
from adserver.flows.manage.conversions import ManageConversions
from adserver.flows.manage.keys import ManageKeys
from adserver.flows.notify import Notify
from adserver.flows.picture import FetchPictures
from adserver.flows.purge import Purge
from adserver.flows.recommend import Learn
from adserver.flows.report import RollUpReports
from adserver.flows.seal import Seal
from adserver.ports import Clock, Stores
from adserver.writes import Outcome, Result, TakeLease
from adserver.writes.actor import act_as

log = logging.getLogger("adserver.jobs")

LEASE_MS = 5_000
PAGE = 200
LEARNING_WAITS_MS = 180_000
STOP_SECONDS = 5.0  # for jobs at work, all together
STOP_LOOK_SECONDS = 0.05


class Job(msgspec.Struct, frozen=True):
    """Something done again and again; safe to run twice. `run` answers how much it did.

    Nothing is done of it in the first `waits_ms` of a process: a start has enough to do.
    """

    name: str
    interval_ms: int
    run: Callable[[], int]
    waits_ms: int = 0


def table(  # noqa: PLR0913, PLR0917  every flow with a job
    convert: Convert,
    conversions: ManageConversions,
    keys: ManageKeys,
    imports: RunImports,
    pictures: FetchPictures,
    notify: Notify,
    seal: Seal,
    purge: Purge,
    hold_consent: HoldConsent,
    count_audiences: CountAudiences,
    roll_up_funnel: RollUpFunnel,
    roll_up_reports: RollUpReports,
    learn: Learn,
    stores: Stores,
) -> list[Job]:
    """All jobs."""
    return [
        Job("credit conversions", 200, convert.credit_new),
        Job("approve conversions", 60_000, conversions.approve_due),
        Job("queue feeds", 10_000, imports.queue_due),
        # Two, and a third for what needs nobody else's server: a slow one holds up a few others only.
        Job("import feeds", 500, imports.run_next),
        Job("import feeds 2", 500, imports.run_next),
        Job("import uploads", 500, lambda: imports.run_next(fetching=False)),
        Job("tend imports", 2_000, imports.tend),
        Job("seal days", 60_000, seal.run),
        Job("deliver notices", 1_000, notify.deliver_due),
        Job("purge receipts", 3_600_000, keys.purge_receipts),
        Job("purge what is old", 3_600_000, purge.run),
        Job("hold consent", 3_600_000, hold_consent.run),
        Job("learn recommendations", 600_000, learn.run, waits_ms=LEARNING_WAITS_MS),
        Job("fetch pictures", 2_000, pictures.run),
        Job("count audiences", 200, count_audiences.run),
        Job("roll up the funnel", 1_000, roll_up_funnel.run),
        Job("roll up reports", 10_000, roll_up_reports.run),
    ]


class Runner:
    """Runs each job in a thread of its own, so that a slow merchant's feed never holds up the conversions.

    A job runs only while this process holds its lease.
    """

    def __init__(self, jobs: list[Job], stores: Stores, clock: Clock, holder: str, tally: Tally) -> None:
        self.jobs = jobs
        self._tally = tally
        self._writer = stores.writer
        self._clock = clock
        self._holder = holder
        self._leased_until_ms: dict[str, int] = {}
        self._vitals = stores.vitals
        self._ran = {job.name: JobRun(job.name, job.interval_ms) for job in jobs}
        self._untold: set[str] = set()  # jobs whose newest run is known to nobody else
        self._stopping = threading.Event()
        self.left_at_work = False  # whether a job outlived `run`

    def run(self) -> None:
        """Until `stop`; a job that is at work then is waited for, for a while: it is safe to run twice."""
        threads = [
            threading.Thread(target=self._repeat, args=(job,), name=job.name, daemon=True)
            for job in self.jobs
        ]
        for thread in threads:
            thread.start()
        while not self._stopping.is_set():  # no wait(): a signal's handler that sets it could lock itself out
            time.sleep(STOP_LOOK_SECONDS)
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.left_at_work = any(thread.is_alive() for thread in threads)

    def stop(self) -> None:
        self._stopping.set()

    def _repeat(self, job: Job) -> None:
        act_as(Actor(ActorKind.JOB, name=job.name))
        self._stopping.wait(job.waits_ms / 1000)
        while not self._stopping.is_set():
            self._run(job)
            self._stopping.wait(job.interval_ms / 1000)

    def _run(self, job: Job) -> None:
        """Once, where the lease is ours; a job that fails, or its lease, is tried again at its next time."""
        began_ms, began = self._clock(), time.monotonic()
        try:
            if not self._holds(job):
                return
            did = job.run()
            log.debug("%s: %s", job.name, did)
            self._untold.add(job.name)
            self._ran[job.name] = self._ran[job.name].after(began_ms, _took_ms(began), did)
        except Exception as error:
            self._tally.add(NETWORK, f"failed_{job.name}")
            log.exception("job '%s' failed; it runs again in %s ms", job.name, job.interval_ms)
            self._untold.add(job.name)
            self._ran[job.name] = self._ran[job.name].failed(began_ms, _took_ms(began), error)
        self._tell(job)

    def _tell(self, job: Job) -> None:
        """How it ran: with its next lease, which of a rare one is far, so that it is taken once more."""
        if job.interval_ms < LEASE_MS // 2:
            return
        self._leased_until_ms[job.name] = 0
        try:
            self._holds(job)
        except Exception:
            log.exception("how job '%s' ran could not be kept", job.name)

    def _holds(self, job: Job) -> bool:
        now_ms = self._clock()
        left_ms = self._leased_until_ms.get(job.name, 0) - now_ms
        if LEASE_MS // 2 < left_ms <= LEASE_MS:  # more is left where the clock has gone back
            return True
        until_ms = now_ms + LEASE_MS
        untold = job.name in self._untold
        ran = self._ran[job.name] if untold else None
        outcome: Outcome = self._writer.commit(TakeLease(job.name, self._holder, now_ms, until_ms, ran))
        if outcome.result is not Result.SAVED:
            return False
        self._leased_until_ms[job.name] = until_ms
        self._untold.discard(job.name)
        if not untold:
            self._ran[job.name] = self._told_of(job)
        return True

    def _told_of(self, job: Job) -> JobRun:
        """Its runs as whoever held the lease before has told them."""
        known = next((one for one in self._vitals.job_runs() if one.name == job.name), None)
        return msgspec.structs.replace(known or self._ran[job.name], interval_ms=job.interval_ms)


def _took_ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
