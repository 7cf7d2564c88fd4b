"""A real server of its own processes on a temporary data folder, and what a test asks of it."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from adserver.main.beside import create_operator_key
from adserver.outside.clock import system_clock
from adserver.storage.audit import CHECKS, audit
from adserver.storage.embedded import open_storage
from tests.new_database import lay_out
from tests.shared_data import PROJECT
from tests.simulation.browser import ask_once

START_SECONDS = 40.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
SETTINGS = {
    "ADSERVER_DEBUG_HEADERS": "1",
    "ADSERVER_DEFAULT_REGION": "strict",
    "ADSERVER_CLICK_DELAY_MS": "0",
    # A few visitors stand for a crowd: they are shown ads without end.
    "ADSERVER_ADVERTISER_CAP": "0",
    "ADSERVER_ANNOYANCE_BUDGET": "0",
    "ADSERVER_FATIGUE_VIEWS": "0",
    "ADSERVER_LOG_LEVEL": "info",
}


class RunningServer:
    """`adserver serve` in a data folder; as a context it is started, and killed if it does not stop."""

    def __init__(self, folder: Path, workers: int = 1, **settings: str) -> None:
        self.folder = folder
        self.workers = workers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.behind: tuple[str, ...] = ()  # another program that starts the server and watches it
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._key: str | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            if self._process is not None:
                self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("ADSERVER_")}
        named = {f"ADSERVER_{name.upper()}": value for name, value in self._settings.items()}
        place = {"ADSERVER_DATA_DIR": str(self.folder / "data"), "ADSERVER_BASE_URL": self.url}
        return {**own, **SETTINGS, **place, **named}

    @property
    def database_path(self) -> Path:
        return self.folder / "data" / "adserver.db"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    # ---- its life ----

    def start(self) -> None:
        """Start it, and wait until it takes traffic."""
        self.database_path.parent.mkdir(parents=True, exist_ok=True)
        if not self.database_path.exists():
            lay_out(self.database_path)
        command = [*self.behind, *program("serve", "--port", str(self.port), "--workers", str(self.workers))]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._is_ready, "the server takes traffic", START_SECONDS)

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log_text()[-2000:]}")
        try:
            return ask_once(self.url, "GET", "/readyz").status == 200
        except ConnectionError:
            return False

    def stop(self) -> int:
        """Ask it to finish with SIGTERM; its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in (*self.children().values(), self._process.pid):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
            raise AssertionError("the server did not stop") from None

    def restart(self, **settings: str) -> None:
        """Stop it, and start it again with some settings changed."""
        assert self.stop() == 0
        self._settings.update(settings)
        self.start()

    def kill(self) -> None:
        """`kill -9` of all its processes, as when the power fails; of who would start others first."""
        children = self.children().values()
        self.kill_supervisor()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self) -> None:
        """`kill -9` of the process that was started, and of no other."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def children(self) -> dict[str, int]:
        """The process ids of the supervisor's children by name: writer, worker 1, ..., jobs."""
        return {name: pid for pid in children_of(self.pid) if (name := child_name(pid))}

    # ---- what became of it ----

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the other commands on this server's data."""
        return subprocess.run(
            program(*arguments),
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def key(self) -> str:
        """An operator's API key, made once: as the command makes it, without a start of Python."""
        if self._key is None:
            with closing(open_storage(self.database_path)) as storage:
                self._key = create_operator_key(storage, system_clock(), "operator")
        return self._key

    def api(self) -> httpx.Client:
        """It reads no certificates, which takes longer than most requests: nothing here is encrypted."""
        headers = {"Authorization": f"Bearer {self.key()}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60, verify=False)

    def assert_audit_is_clean(self) -> None:
        """As the command finds it, without a start of Python."""
        found = audit(self.database_path)
        assert [finding.name for finding in found] == list(CHECKS)
        assert not [finding for finding in found if finding.violation_count]

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the database directly, as the auditor would."""
        with closing(sqlite3.connect(f"file:{self.database_path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def count(self, name: str) -> int:
        """What was counted under a name so far, over all owners."""
        return int(self.rows("SELECT COALESCE(SUM(n), 0) FROM counts WHERE name = ?", name)[0][0])


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "adserver", *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], bool], what: str, most_seconds: float = 20.0) -> None:
    """Until a condition holds; the test fails by its name where it never does."""
    deadline = time.monotonic() + most_seconds
    while not is_so():
        assert time.monotonic() < deadline, f"waited {most_seconds} s in vain until {what}"
        time.sleep(POLL_SECONDS)


# ---- processes, as the kernel tells them ----


def children_of(parent: int) -> list[int]:
    return [pid for pid, of in _parents() if of == parent]


def _parents() -> Iterator[tuple[int, int]]:
    """Each process with its parent; of names in brackets, the last bracket ends the name."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if fields[0] not in "ZX":
            yield int(stat.parent.name), int(fields[1])


def child_name(pid: int) -> str | None:
    """What a child of the supervisor does, as it calls itself; None while it is no child yet."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None
    return name if name.startswith(("writer", "worker ", "jobs")) else None


def is_running(pid: int) -> bool:
    return any(pid == known for known, _ in _parents())


def sockets_of(pid: int) -> int:
    """How many sockets a process holds: a worker's connections, and a few of its own."""
    return sum(name.startswith("socket:") for name in _open_files(pid))


def _open_files(pid: int) -> Iterator[str]:
    """What a process has open, but for what it closes while we look."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(descriptor.readlink())


def answered_by(port: int, server: RunningServer) -> str:
    """Which child of a server took the connection that comes from a port of ours."""
    ends = (f":{server.port:04X}", f":{port:04X}")
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inode = next(words[9] for words in lines if words[1].endswith(ends[0]) and words[2].endswith(ends[1]))
    for name, pid in server.children().items():
        if f"socket:[{inode}]" in _open_files(pid):
            return name
    raise AssertionError("nobody took it")
