"""What the server is measured beside: a bare callable under uvicorn, and nginx's empty GIF where installed."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.shared_data import PROJECT
from tests.simulation.running_server import STOP_SECONDS, free_port, wait_until

NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ empty_gif; add_header Set-Cookie "rt=constant; Path=/; HttpOnly; SameSite=Lax"; }}
  }}
}}
"""


class Yardstick(NamedTuple):
    """Another server that is running."""

    port: int
    pid: int


@contextmanager
def bare(folder: Path, workers: int) -> Iterator[Yardstick]:
    """A bare callable with the event loop and the HTTP parser that `adserver serve` has."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "tests.bench.bare:application", "--port", str(port),
        "--workers", str(workers), "--loop", "uvloop", "--http", "httptools", "--lifespan", "off",
        "--no-access-log", "--no-server-header", "--log-level", "warning",
    ]  # fmt: skip
    with _running(command, port, folder / f"bare{workers}.log") as started:
        yield started


@contextmanager
def nginx(folder: Path) -> Iterator[Yardstick | None]:
    """None where it is not installed."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        yield None
        return
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    with _running([program, "-c", str(config), "-p", str(folder)], port, folder / "nginx.log") as started:
        yield started


@contextmanager
def _running(command: Sequence[str], port: int, log: Path) -> Iterator[Yardstick]:
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        wait_until(lambda: _listens(process, port, log), f"{Path(command[0]).name} listens")
        yield Yardstick(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, f"it ended: {log.read_text(errors='replace')[-500:]}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
