"""What was measured, as a table to read, and as plain data for programs."""

import os
import platform
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from tests.bench.cases import Case
from tests.bench.figures import Measured, Run, Spread, spread

DUE = (
    "also due: p99 half 15 ms (aim 5); whole 170 us (aim 110); two workers against one 1.25 (aim 1.10); "
    "memory of a worker 250 MB (aim 150)"
)
HEAD = (
    "                 workers  requests/s   p50 ms   p99 ms  p99 half     us: answering + others   jobs"
    "   ratio to bare (spread)    by CPU   must  aim"
)


class Row(NamedTuple):
    """A case with so many workers, over all rounds; `half` is a run with half the load, for its p99."""

    name: str
    workers: int
    rounds: Sequence[Measured]
    half: Run | None = None
    case: Case | None = None  # None for nginx

    @property
    def answers_of_one(self) -> int:
        return self.case.answers_of_one if self.case else 1

    @property
    def us(self) -> float:
        """Of the processor, for one of what the case is named after."""
        return median(one.us for one in self.rounds) * self.answers_of_one

    @property
    def ratio(self) -> Spread:
        return spread(one.ratio for one in self.rounds)

    @property
    def processor_ratio(self) -> Spread:
        return spread(one.processor_ratio for one in self.rounds)


class Standing(NamedTuple):
    """What was measured without load."""

    import_seconds: float
    first_answer_seconds: dict[str, float]
    resident_mb: dict[str, float]
    decoder: dict[str, dict[str, float]]
    writer: dict[str, dict[str, float]]
    frames: dict[str, float]


def table(rows: Sequence[Row]) -> str:
    return "\n".join([HEAD, *(_line(row) for row in rows), "", *_two_workers(rows), DUE])


def _line(row: Row) -> str:
    rounds, ratio, times = row.rounds, row.ratio, row.answers_of_one
    per_second = median(one.run.per_second for one in rounds)
    p50, p99 = (median(getattr(one.run, name) for one in rounds) for name in ("p50_ms", "p99_ms"))
    half = f"{row.half.p99_ms:9.1f}" if row.half else "        -"
    answering, others = (
        median(getattr(one, name) for one in rounds) * times for name in ("answering_us", "others_us")
    )
    jobs = median(one.jobs_us for one in rounds) * times
    targets = "".join(
        f"{value:6.2f}" if value else "     -"
        for value in ((row.case.must, row.case.aim) if row.case else (None, None))
    )
    return (
        f"{row.name:16} {row.workers:7} {per_second:11,.0f} {p50:8.1f} {p99:8.1f} {half} "
        f"{row.us:7.0f}: {answering:6.0f} + {others:6.0f} {jobs:6.0f}   {ratio.median:7.3f} ({ratio.least:.3f}-{ratio.most:.3f})"
        f" {row.processor_ratio.median:9.3f} {targets}"
    )


def _two_workers(rows: Sequence[Row]) -> list[str]:
    """What a request costs the processor with two workers, against one."""
    alone = {row.name: row.us for row in rows if row.workers == 1}
    both = [f"{row.name} {row.us / alone[row.name]:.2f}" for row in rows if row.workers == 2]
    return [f"two workers against one, processor's time of a request: {', '.join(both)}"] * bool(both)


def standing_lines(standing: Standing) -> str:
    lines = [f"{'import of the server':32} {standing.import_seconds:8.2f} s"]
    lines += [f"{f'first answer, {name}':32} {taken:8.2f} s   (must 2.00, aim 1.00)"
              for name, taken in standing.first_answer_seconds.items()]  # fmt: skip
    lines += [f"{f'memory of {name}':32} {held:8.0f} MB" for name, held in standing.resident_mb.items()]
    lines += [f"{name:32} p50 {found['p50_us']:6.1f} us   p99.9 {found['p99.9_us']:6.1f} us   (aim 200)"
              for name, found in standing.decoder.items()]  # fmt: skip
    lines += [f"{f'writer: {name}':32} {cost['processor_us']:6.1f} us of the processor, {cost['wall_us']:6.1f} us"
              for name, cost in standing.writer.items()]  # fmt: skip
    lines += [f"{name:32} {taken:8.1f} us of the processor" for name, taken in standing.frames.items()]
    return "\n".join(lines)


def as_data(rows: Sequence[Row], standing: Standing | None, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """For `build/bench.json`: every round of every case, and what the machine was."""
    return {
        "conditions": dict(conditions),
        "cases": [_row_data(row) for row in rows],
        "standing": standing._asdict() if standing else None,
    }


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _row_data(row: Row) -> dict[str, Any]:
    return {
        "case": row.name,
        "workers": row.workers,
        "answers_of_one": row.answers_of_one,
        "processor_us_of_one": row.us,
        "ratio": row.ratio._asdict(),
        "processor_ratio": row.processor_ratio._asdict(),
        "must": row.case and row.case.must,
        "aim": row.case and row.case.aim,
        "half_load": row.half and row.half._asdict() | {"per_second": row.half.per_second},
        "rounds": [
            {
                "run": one.run._asdict() | {"per_second": one.run.per_second},
                "bare": one.bare._asdict() | {"per_second": one.bare.per_second},
                "answering_us": one.answering_us,
                "others_us": one.others_us,
                "jobs_us": one.jobs_us,
                "bare_us": one.bare_us,
            }
            for one in row.rounds
        ],
    }
