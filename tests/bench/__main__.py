"""`make bench`: how fast the server is, beside a bare callable that is measured on the same machine."""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from tests.bench import reports, standing
from tests.bench.cases import CASES, Case
from tests.bench.figures import Measured, Run, us_each
from tests.bench.frames import frame_costs
from tests.bench.measure import Place, WrongAnswer, drive_fixed, measure, measure_half, served, shed_by
from tests.bench.overload import measure_overload
from tests.bench.picture import picture
from tests.bench.processor import resident_mb
from tests.bench.report import Row, Standing, as_data, machine, standing_lines, table
from tests.bench.world import Size, World, make_world
from tests.bench.yardsticks import Yardstick, bare, nginx
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer

DATA = PROJECT / "build" / "bench.json"
PICTURE = PROJECT / "docs" / "speed.svg"
BUSY_LOAD = 0.5

Found = dict[tuple[str, int], list[Measured]]


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


class Bench:
    """A world, the yardsticks that run all the while, and what was found so far."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        self._size = Size(*(getattr(options, name) for name in Size._fields))
        self._cases = [case for case in CASES if not options.case or case.name in options.case]
        self._found: Found = {}
        self._shed = 0  # requests, by the server that runs
        self._nginx: list[Measured] = []
        self._half: dict[tuple[str, int], Run] = {}
        self._first_answers: dict[str, float] = {}
        self._memory: dict[str, float] = {}
        self.overload: dict[str, Any] | None = None
        self.reports: dict[str, list[reports.Took]] = {}

    def run(self) -> tuple[list[Row], Standing | None]:
        world = make_world(self._folder / "world", self._size, tell)
        workers = sorted({number for case in self._cases for number in case.workers})
        with ExitStack() as stack:
            bares = {number: stack.enter_context(bare(self._folder, number)) for number in {1, *workers}}
            beside = stack.enter_context(nginx(self._folder))
            for round_number in range(1, self._options.rounds + 1):
                for number in workers:
                    tell(
                        f"round {round_number} of {self._options.rounds}, {number} worker{'s' * (number > 1)}"
                    )
                    self._serve(world, number, bares[number], is_last=round_number == self._options.rounds)
                if beside is not None:
                    self._nginx.append(self._beside(beside, bares[1]))
        rows = self._rows()
        self._overload(world, rows)
        if not self._options.case:
            tell("three years of reports, and the console's pages")
            self.reports = reports.measure()
        return rows, None if self._options.case else self._standing(world)

    def _overload(self, world: World, rows: Sequence[Row]) -> None:
        """Twice of what was measured; part of a full run, or alone with the mixed traffic."""
        mixed = next((row for row in rows if row.name == "mixed" and row.workers == 1), None)
        if mixed is not None:
            tell("past the limit, one worker")
            capacity = median(one.run.per_second for one in mixed.rounds)
            self.overload = measure_overload(world, self._folder / "overload", capacity, tell)

    def _serve(self, world: World, workers: int, yardstick: Yardstick, *, is_last: bool) -> None:
        with served(world, self._folder / "server", workers, portable=self._options.portable) as (
            server,
            seconds,
        ):
            self._shed = 0
            self._first_answers[f"full, {workers} worker{'s' * (workers > 1)}"] = seconds
            place = Place(server, yardstick, world, self._options.seconds)
            for case in self._cases:
                if workers in case.workers:
                    self._measure(case, place, is_last=is_last)
            self._memory |= resident_mb(server.pid) if is_last else {}

    def _measure(self, case: Case, place: Place, *, is_last: bool) -> None:
        key = (case.name, place.server.workers)
        try:
            measured = measure(case, place)
        except WrongAnswer as fault:
            known, self._shed = self._shed, shed_by(place.server)
            if self._shed <= known:  # nothing but a fault of ours
                raise
            tell(f"  {fault}; {self._shed - known} were shed, as when the machine stands still; once more")
            measured = measure(case, place)
        self._found.setdefault(key, []).append(measured)
        tell(
            f"  {case.name:14} {measured.run.per_second:8,.0f}/s   {measured.us:6.0f} us   {measured.ratio:.3f}"
        )
        if is_last:
            self._half[key] = measure_half(case, place, measured.run.per_second)

    def _beside(self, other: Yardstick, yardstick: Yardstick) -> Measured:
        path, seconds = self._folder / "requests", self._options.seconds / 2
        bare_run, bare_ticks = drive_fixed(yardstick, path, seconds)
        run, ticks = drive_fixed(other, path, seconds)
        us, bare_us = us_each(sum(ticks), run.requests), us_each(sum(bare_ticks), bare_run.requests)
        return Measured(run, bare_run, us, 0.0, bare_us)

    def _rows(self) -> list[Row]:
        rows = [
            Row(case.name, number, self._found[case.name, number], self._half.get((case.name, number)), case)
            for number in (1, 2)
            for case in self._cases
            if (case.name, number) in self._found
        ]
        return [*rows, *([Row("nginx empty_gif", 1, self._nginx)] if self._nginx else [])]

    def _standing(self, world: World) -> Standing:
        tell("imports, first answer, consent decoder, writer")
        began = time.monotonic()
        with RunningServer(self._folder / "empty"):
            self._first_answers["empty, 1 worker"] = time.monotonic() - began
        return Standing(
            standing.import_seconds(),
            self._first_answers,
            self._memory,
            standing.decoder(),
            standing.writer_costs(world, self._folder / "writer"),
            frame_costs(),
        )


def read_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--case", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--portable", action="store_true", help="by the portable door, over ASGI")
    for name, default in Size()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args(words)


def stopped(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    options = read_options()
    signal.signal(signal.SIGTERM, stopped)
    conditions = {**machine(), **vars(options)}
    if conditions["load_average"] > BUSY_LOAD:
        tell(
            f"load average {conditions['load_average']:.1f}: others are busy here, so that only ratios count"
        )
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="adserver-bench-") as folder:
            bench = Bench(Path(folder), options)
            rows, found = bench.run()
    except (WrongAnswer, AssertionError, OSError) as fault:
        raise SystemExit(f"bench: {fault}") from None
    except KeyboardInterrupt:
        raise SystemExit("bench: stopped") from None
    print(table(rows))
    if found is not None:
        print(f"\n{standing_lines(found)}\n\n{reports.lines(bench.reports)}")
        busy = f"load average {conditions['load_average']:.1f} before"
        note = f"{conditions['cores']} cores with wrk, {busy}; Python {conditions['python']}; {options.rounds} rounds"
        PICTURE.write_text(picture([row for row in rows if row.case], note), encoding="utf-8")
    DATA.parent.mkdir(exist_ok=True)
    data = {**as_data(rows, found, conditions), "overload": bench.overload, **reports.as_data(bench.reports)}
    DATA.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    told = f"; {PICTURE.relative_to(PROJECT)}" if found is not None else ""
    print(f"\n{time.monotonic() - began:.0f} s; {DATA.relative_to(PROJECT)}{told}")


if __name__ == "__main__":
    main()
