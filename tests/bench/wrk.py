"""Puts a server under load with wrk, by requests that were prepared before."""

import subprocess
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tests.bench.cases import NEWS_PAGE, Ask
from tests.bench.figures import Run, read_run

SCRIPT = Path(__file__).with_name("send.lua")
CONNECTIONS = 64
_MORE_SECONDS = 30.0  # than it was told, for reading the requests


def prepare(path: Path, asks: Iterable[Ask], count: int, port: int, follow: int | None = None) -> None:
    """So many requests in a file; where ads are followed, the head that tells of them comes last."""
    host = f"127.0.0.1:{port}"
    with path.open("wb") as file:
        file.writelines(_separated(ask.to_bytes(host) for ask in islice(asks, count)))
        if follow is not None:
            file.write(Ask("/i", NEWS_PAGE).to_bytes(host))


def _separated(requests: Iterator[bytes]) -> Iterator[bytes]:
    for request in requests:
        yield request + b"\0"


def drive(path: Path, port: int, seconds: float, follow: int | None = None, rest_ms: float = 0.0) -> Run:
    """Send the file's requests over all connections for so long; `rest_ms` before each, on average."""
    words = ["follow", str(follow)] if follow is not None else []
    command = [
        "wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{max(1, round(seconds))}s",
        "--timeout", "10s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}/", "--",
        str(path), f"{rest_ms:.0f}", *words,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + _MORE_SECONDS, check=False
    )
    return read_run(done.stdout + done.stderr)
