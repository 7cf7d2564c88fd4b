"""One case against one running server: checked, warmed, measured beside the bare callable, and counted."""

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from tests.bench import processor, wrk
from tests.bench.cases import NEWS_PAGE, SHOP_PAGE, Ask, Case, charged
from tests.bench.figures import Measured, Run, missing_rows, pause_ms, us_each
from tests.bench.processor import Taken
from tests.bench.world import World
from tests.bench.yardsticks import Yardstick
from tests.pixel.consent_strings import VENDOR
from tests.simulation.browser import Answer, ask_once
from tests.simulation.running_server import RunningServer

REQUESTS_PER_SECOND = 10_000  # that are prepared at first; four times as many where they run out
WARM_SECONDS = 1.0
COUNTED_SECONDS = 15.0  # until what was answered is counted
SETTLING_SECONDS = 0.5  # a round of a busy server takes less
TALLY_SECONDS = 5.0  # a worker reports its counts each second, those of so many shops by and by
HALF_BUSY_MS = 3.0  # that an answer takes at half the load, or so
ROWS = {
    "events": "SELECT COUNT(*) FROM events",
    "decisions": "SELECT COUNT(*) FROM decisions",
    "charges": "SELECT COUNT(*) FROM charges",
    "impressions": "SELECT COUNT(*) FROM ad_events WHERE charge_id & 3 = 0",
    "clicks": "SELECT COUNT(*) FROM ad_events WHERE charge_id & 3 = 2",
    "requests": "SELECT COALESCE(SUM(n), 0) FROM counts WHERE name = 'requests'",
}

_IMPRESSION = re.compile(rb"/i\?t=[\w-]+")


class WrongAnswer(Exception):
    """The server does not do what is to be measured."""


class Place(NamedTuple):
    """Where a case is measured: a server that runs on a copy of the world, and the bare callable beside it."""

    server: RunningServer
    bare: Yardstick
    world: World
    seconds: float

    @property
    def requests(self) -> Path:
        return self.server.folder / "requests"


@contextmanager
def served(
    world: World, folder: Path, workers: int, *, portable: bool = False
) -> Iterator[tuple[RunningServer, float]]:
    """`adserver serve` on a copy of the world, removed afterwards; and the seconds to its first answer."""
    world.copy_to(folder / "data")
    try:
        began = time.monotonic()
        server = RunningServer(folder, workers, tcf_vendor_id=str(VENDOR))
        server.behind = (sys.executable, "-m", "tests.bench.portable") if portable else ()
        with server:
            yield server, time.monotonic() - began
    finally:
        shutil.rmtree(folder)


def measure(case: Case, place: Place) -> Measured:
    """One round of one case; WrongAnswer where the answers, or what came of them, are wrong."""
    check(case, place)
    bare, bare_ticks = drive_fixed(place.bare, place.requests, place.seconds / 2)
    drive(case, place, WARM_SECONDS)
    run, ticks = _counted(case, place)
    return Measured(
        run,
        bare,
        us_each(ticks.answering, run.requests),
        us_each(ticks.others, run.requests),
        us_each(sum(bare_ticks), bare.requests),
        us_each(ticks.jobs, run.requests),
    )


def measure_half(case: Case, place: Place, per_second: float) -> Run:
    """With half the requests per second that fill the server: each connection rests in between."""
    return drive(case, place, place.seconds, pause_ms(per_second, wrk.CONNECTIONS, HALF_BUSY_MS))


def drive_fixed(yardstick: Yardstick, path: Path, seconds: float) -> tuple[Run, Taken]:
    """The same request again and again, with the head of a shop's page; and what its server took for it."""
    wrk.prepare(path, repeat(Ask("/m/e", SHOP_PAGE)), 1, yardstick.port)
    before = processor.taken(yardstick.pid)
    run = wrk.drive(path, yardstick.port, seconds)
    return run, processor.taken(yardstick.pid).since(before)


def drive(case: Case, place: Place, seconds: float, rest_ms: float = 0.0) -> Run:
    """Each request once; where they did not last, all over again with more of them."""
    run, _ = _drive(case, place, seconds, rest_ms)
    return run


class _Before(NamedTuple):
    """Rows and ticks before a run."""

    rows: dict[str, int]
    ticks: Taken


def _drive(case: Case, place: Place, seconds: float, rest_ms: float = 0.0) -> tuple[Run, _Before]:
    port, count = place.server.port, int(REQUESTS_PER_SECOND * seconds)
    while True:
        wrk.prepare(place.requests, case.asks(place.world), count, port, case.follow)
        before = _Before(_settled_rows(case, place.server), processor.taken(place.server.pid))
        run = wrk.drive(place.requests, port, seconds, case.follow, rest_ms)
        if run.faults:
            raise WrongAnswer(f"{case.name}: {run.faults} requests failed; the server's last words: "
                              f"{place.server.log_text()[-1000:]}")  # fmt: skip
        if run.requests + wrk.CONNECTIONS < count:
            return run, before
        count *= 4


def _counted(case: Case, place: Place) -> tuple[Run, Taken]:
    """A run of which every answer left its rows: so that nobody is fast by dropping."""
    run, before = _drive(case, place, place.seconds)
    ticks = processor.taken(place.server.pid).since(before.ticks)
    deadline = time.monotonic() + COUNTED_SECONDS
    while fault := _fault_of_rows(case, before.rows, _settled_rows(case, place.server), run):
        if time.monotonic() > deadline:
            raise WrongAnswer(f"{case.name}: {fault}")
    return run, ticks


def shed_by(server: RunningServer) -> int:
    """How many requests the server has refused since there were too many, once all of them are counted."""
    time.sleep(TALLY_SECONDS)
    return server.count("shed_slot") + server.count("shed_event")


def _fault_of_rows(case: Case, before: dict[str, int], after: dict[str, int], run: Run) -> str | None:
    faults = (missing_rows(before, after, names, run.requests, wrk.CONNECTIONS) for names in case.rows)
    return next((fault for fault in faults if fault), None)


def _settled_rows(case: Case, server: RunningServer) -> dict[str, int]:
    """The tables that the case writes, once nothing more arrives in them."""
    names = {name for group in case.rows for name in group}
    pause_seconds = TALLY_SECONDS if "requests" in names else SETTLING_SECONDS
    rows: dict[str, int] = {}
    while True:
        before, rows = rows, {name: int(server.rows(ROWS[name])[0][0]) for name in names}
        if rows == before:
            return rows
        time.sleep(pause_seconds)


# ---- is it what it seems ----


def check(case: Case, place: Place) -> None:
    """The first answer, looked at closely; and where ads are told of, that the telling is charged."""
    started_ms = place.world.clock()
    answer = _ask(place, next(case.asks(place.world)))
    fault = case.fault(answer)
    if fault is None and case.follow is not None and (found := _IMPRESSION.search(answer.body)):
        fault = charged(_ask(place, Ask(found[0].decode(), NEWS_PAGE)))
    if fault is None and case.folds and not _profiles_since(place.server, started_ms):
        fault = "the visitor's profile was not written"
    if fault is not None:
        raise WrongAnswer(f"{case.name}: {fault}; the answer was {answer.status} {answer.headers}")


def _ask(place: Place, ask: Ask) -> Answer:
    explained = ask.explained()
    body = explained.body or b""
    return ask_once(place.server.url, explained.method, explained.target, explained.headers, body)


def _profiles_since(server: RunningServer, at_ms: int) -> int:
    return int(server.rows("SELECT COUNT(*) FROM profiles WHERE seen_ms >= ?", at_ms)[0][0])
