"""The bench's arithmetic: what one run measured, and what several rounds of it come to."""

from collections.abc import Iterable, Mapping
from statistics import median
from typing import NamedTuple

TICKS_PER_SECOND = 100  # of the kernel's clock of processes, on every Linux


class Run(NamedTuple):
    """One run of wrk, as its script tells it."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    faults: int  # statuses of 400 and above, and connections that broke

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Spread(NamedTuple):
    """The same figure of several rounds: the middle one, and how far the others are from it."""

    median: float
    least: float
    most: float


class Measured(NamedTuple):
    """A case in one round: its run, the bare callable's just before, and the processor's time of each."""

    run: Run
    bare: Run
    answering_us: float  # of the processes that answer, for each request
    others_us: float  # of the writer: a process of its own, or the threads beside the one that answers
    bare_us: float
    jobs_us: float = 0.0  # meanwhile, for what came before

    @property
    def us(self) -> float:
        return self.answering_us + self.others_us

    @property
    def ratio(self) -> float:
        return self.run.per_second / self.bare.per_second

    @property
    def processor_ratio(self) -> float:
        """How many bare answers cost the processor as much as one of these."""
        return self.bare_us / self.us


class WrkNotUnderstood(ValueError):
    """What wrk printed holds no line of ours."""


def read_run(printed: str) -> Run:
    """The line that our script makes wrk print at its end; times are in microseconds there."""
    for line in printed.splitlines():
        fields = line.split()
        if fields[:1] == ["bench"] and len(fields) == 6:
            requests, micros, p50_us, p99_us, faults = (int(float(field)) for field in fields[1:])
            return Run(requests, micros / 1_000_000, p50_us / 1_000, p99_us / 1_000, faults)
    raise WrkNotUnderstood(f"wrk did not say what it measured: {printed[-500:]!r}")


def spread(values: Iterable[float]) -> Spread:
    found = sorted(values)
    return Spread(median(found), found[0], found[-1])


def us_each(ticks: int, requests: int) -> float:
    """Microseconds of the processor for each of so many requests."""
    return ticks * 1_000_000 / TICKS_PER_SECOND / max(1, requests)


def quantile(values: Iterable[float], part: float) -> float:
    found = sorted(values)
    return found[min(int(len(found) * part), len(found) - 1)]


def pause_ms(per_second: float, connections: int, busy_ms: float) -> float:
    """How long a connection rests before each request, so that all of them send half as much."""
    return max(0.0, connections / (per_second / 2) * 1_000 - busy_ms)


def missing_rows(before: Mapping[str, int], after: Mapping[str, int], names: Iterable[str], answered: int,
                 under_way: int) -> str | None:  # fmt: skip
    """Why the rows that were written are not the requests that were answered; None where they are.

    When the clock stops, as many requests as there are connections may be stored and not answered yet.
    """
    written = sum(after[name] - before[name] for name in names)
    if answered <= written <= answered + under_way:
        return None
    return f"{answered:,} requests were answered, and {written:,} rows written ({' and '.join(names)})"
