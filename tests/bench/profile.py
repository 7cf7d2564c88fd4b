"""`make profile CASE=slot`: where the time of a case goes, as flame graphs of who answers and who commits."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from tests.bench.cases import CASES
from tests.bench.measure import Place, check, drive, served
from tests.bench.processor import family
from tests.bench.world import Size, make_world
from tests.bench.yardsticks import Yardstick
from tests.shared_data import PROJECT

GRAPHS = PROJECT / "build"
SAMPLES_PER_SECOND = 200
LOAD_SECONDS = 3.0  # before and after the samples are taken
PROCESSES = {"worker 1": "worker", "writer": "writer"}  # by their names: what their graphs are called


def record(pid: int, seconds: float, path: Path) -> None:
    """Sample a process from outside, each thread by itself; ends the program with a sentence where it cannot."""
    program = Path(sys.executable).with_name("py-spy")
    command = [
        str(program), "record", "--pid", str(pid), "--duration", str(round(seconds)), "--threads",
        "--rate", str(SAMPLES_PER_SECOND), "--output", str(path), "--format",
        "flamegraph" if path.suffix == ".svg" else "raw",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not path.exists():
        raise SystemExit(
            f"py-spy cannot look into another process here ({done.stderr.strip()[-200:]}): run it as root, "
            "in a container with --cap-add SYS_PTRACE"
        )


def record_each(server: int, seconds: float, folder: Path, name: str) -> list[Path]:
    """Of a server's process that answers and of the one that commits, at once; `name`: "slot.svg"."""
    kind, _, ending = name.rpartition(".")
    paths = {
        pid: folder / f"{kind}-{PROCESSES[process]}.{ending}"
        for pid, process in family(server).items()
        if process in PROCESSES
    }
    with ThreadPoolExecutor() as beside:
        list(beside.map(record, paths, repeat(seconds), paths.values()))
    return list(paths.values())


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make profile", description=__doc__)
    parser.add_argument("case", choices=[case.name for case in CASES])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument(
        "--format", choices=("svg", "txt"), default="svg", help="txt: one line for each stack"
    )
    for name, default in Size()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args(words)
    case = next(case for case in CASES if case.name == options.case)
    GRAPHS.mkdir(exist_ok=True)
    size = Size(*(getattr(options, name) for name in Size._fields))
    with tempfile.TemporaryDirectory(prefix="adserver-profile-") as folder:
        world = make_world(Path(folder) / "world", size, print)
        with served(world, Path(folder) / "server", 1) as (server, _):
            place = Place(server, Yardstick(0, 0), world, options.seconds + 2 * LOAD_SECONDS)
            check(case, place)
            drive(case, place, LOAD_SECONDS)
            print(f"sampling {case.name} for {options.seconds:.0f} s")
            with ThreadPoolExecutor() as beside:
                load = beside.submit(drive, case, place, place.seconds)
                time.sleep(LOAD_SECONDS)  # until wrk has read its requests
                paths = record_each(server.pid, options.seconds, GRAPHS, f"{case.name}.{options.format}")
                load.result()
    for path in paths:
        print(path.relative_to(PROJECT))


if __name__ == "__main__":
    main()
