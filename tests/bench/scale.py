"""`make bench-scale`: what a request, a worker's memory and a start cost in networks of growing size."""

import argparse
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.__main__ import stopped, tell
from tests.bench.cases import CASES
from tests.bench.figures import TICKS_PER_SECOND, Measured
from tests.bench.large_world import make_large_world
from tests.bench.measure import Place, WrongAnswer, measure, shed_by
from tests.bench.processor import resident_mb, taken
from tests.bench.report import machine
from tests.bench.world import Size
from tests.bench.yardsticks import Yardstick, bare
from tests.pixel.consent_strings import VENDOR
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer

DATA = PROJECT / "build" / "bench-scale.json"
MEASURED = ("slot", "pixel", "impression")
MOST_TIMES = 1.3  # a slot at the largest of a scale, against the smallest
USUAL = Size(visitors=10_000, products=20_000, campaigns=10_000, merchants=2_000)

# At each place of a scale a visitor has the same ten campaigns to choose from: five of each of two merchants.
SCALES = {
    "campaigns": [
        *(USUAL._replace(campaigns=n, merchants=n // 5) for n in (10, 1_000, 10_000)),
        USUAL._replace(
            campaigns=100_000, merchants=20_000, visited=2_000
        ),  # or more products were asked for, too
    ],
    "merchants": [USUAL._replace(campaigns=n * (10 if n == 1 else 5), merchants=n) for n in (1, 100, 1_000)],
    "products": [
        USUAL._replace(products=n, campaigns=500, merchants=100) for n in (1_000, 100_000, 1_000_000)
    ],
    "visitors": [USUAL._replace(visitors=n) for n in (10_000, 1_000_000, 5_000_000)],
    "all": [USUAL, Size(5_000_000, 1_000_000, 100_000, 20_000)],
}


class Found(NamedTuple):
    """What was measured in one network."""

    cases: dict[str, Measured]
    worker_mb: float
    start_seconds: float
    start_processor_seconds: float


def visit(size: Size, folder: Path, yardstick: Yardstick, seconds: float) -> Found:
    """Make the network, start a server on it, ask, and throw it away."""
    data = folder / "data"
    data.mkdir(parents=True)
    try:
        world = make_large_world(data, size, tell)
        began = time.monotonic()
        with RunningServer(folder, tcf_vendor_id=str(VENDOR)) as server:
            start_seconds = time.monotonic() - began
            start_processor_seconds = sum(taken(server.pid)) / TICKS_PER_SECOND
            place = Place(server, yardstick, world, seconds)
            try:
                cases = {case.name: measure(case, place) for case in CASES if case.name in MEASURED}
            except WrongAnswer as fault:
                raise WrongAnswer(f"{fault}; the server has shed {shed_by(server):,} requests") from fault
            return Found(cases, max(resident_mb(server.pid).values()), start_seconds, start_processor_seconds)
    finally:
        shutil.rmtree(folder)


def lines(name: str, sizes: Sequence[Size], found: Sequence[Found]) -> Iterator[str]:
    """A scale: each place with its figures, and what they are of those at the smallest."""
    for size, here in zip(sizes, found, strict=True):
        costs = "".join(
            f"{here.cases[case].us:11.0f} us {times(here, found[0], case):5.2f}" for case in MEASURED
        )
        yield (
            f"{place_name(name, size):26}{costs}{here.worker_mb:9.0f} MB"
            f"{here.start_seconds:8.2f} s ({here.start_processor_seconds:.2f})"
        )


def place_name(name: str, size: Size) -> str:
    if name == "all":
        return "all of the largest" if size.visitors > USUAL.visitors else "the usual"
    return f"{getattr(size, name):,} {name}"


def times(here: Found, smallest: Found, case: str) -> float:
    """By the bare callable's time of the same minute, since the processor is not always as fast."""
    return here.cases[case].processor_ratio and (
        smallest.cases[case].processor_ratio / here.cases[case].processor_ratio
    )


def as_data(sizes: Sequence[Size], found: Sequence[Found]) -> list[dict[str, Any]]:
    return [
        {
            "size": size._asdict(),
            "processor_us": {case: one.us for case, one in here.cases.items()},
            "times_the_smallest": {case: times(here, found[0], case) for case in here.cases},
            "worker_mb": here.worker_mb,
            "start_seconds": here.start_seconds,
            "start_processor_seconds": here.start_processor_seconds,
        }
        for size, here in zip(sizes, found, strict=True)
    ]


def run(names: Sequence[str], folder: Path, seconds: float) -> Iterator[tuple[str, list[Found]]]:
    """Scale by scale; a network that belongs to several is visited once."""
    known: dict[Size, Found] = {}
    with bare(folder, 1) as yardstick:
        for name in names:
            for size in SCALES[name]:
                if size not in known:
                    tell(f"{name}: {place_name(name, size)}")
                    known[size] = visit(size, folder / "server", yardstick, seconds)
                    costs = (f"{case} {one.us:.0f} us" for case, one in known[size].cases.items())
                    tell(f"  {', '.join(costs)}; {known[size].worker_mb:.0f} MB")
            yield name, [known[size] for size in SCALES[name]]


def read_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-scale", description=__doc__)
    parser.add_argument("--scale", action="append", choices=list(SCALES), help="only this one")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    return parser.parse_args(words)


def main() -> None:
    options = read_options()
    signal.signal(signal.SIGTERM, stopped)
    conditions = machine()
    scales: dict[str, object] = {}
    DATA.parent.mkdir(exist_ok=True)
    print(
        f"{'':26}{'':5}slot, times{'':6}pixel, times{'':1}impression, times     memory     start (processor)"
    )
    try:
        with tempfile.TemporaryDirectory(prefix="adserver-scale-") as folder:
            for name, places in run(options.scale or list(SCALES), Path(folder), options.seconds):
                print("\n".join(lines(name, SCALES[name], places)), flush=True)
                scales[name] = as_data(SCALES[name], places)
                DATA.write_text(
                    json.dumps({"conditions": conditions, "scales": scales}, indent=1) + "\n",
                    encoding="utf-8",
                )
    except (WrongAnswer, AssertionError, OSError) as fault:
        raise SystemExit(f"bench-scale: {fault}") from None
    except KeyboardInterrupt:
        raise SystemExit("bench-scale: stopped") from None
    print(f"due: slot at 100,000 campaigns at most {MOST_TIMES} times that at 10; 250 MB; 2 s")


if __name__ == "__main__":
    main()
