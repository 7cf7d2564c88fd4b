"""The processes of a running server: one alone, or a supervisor with a writer, workers and jobs."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from adserver.config import Settings
from adserver.main import POLL_SECONDS, TALLY_SECONDS, Server, join_storage, sole_storage, tell_region
from adserver.web.metrics import MetricsPort
from adserver.web.protocol import CuttingProtocol, protocol_for

log = logging.getLogger("adserver")

RESTART_SECONDS = 0.2  # between the death of a child and its successor
STOP_SECONDS = 15.0
WRITER_SECONDS = 30.0  # for the first start, which may have to migrate
BACKLOG = 2048
LIFELINE = "ADSERVER_PROCESS_LIFELINE"


def serve_alone(settings: Settings, host: str, port: int, ready: Callable[[], None] | None = None) -> None:
    """Serve, commit and do the jobs in this one process, until a signal stops it, and the process with it."""
    tell_region(settings)
    listener, measuring = _listen_or_end(host, port), _listen_for_metrics(settings)
    server = Server(settings, sole_storage(settings.database_path, settings.retention))
    tell_metrics(server, measuring)
    thread = threading.Thread(target=server.runner.run, name="jobs", daemon=True)
    thread.start()
    try:
        run_worker(server, listener, ready)
    finally:
        server.runner.stop()
        thread.join()
        server.close()
    leave(server)


class _Uvicorn(uvicorn.Server):
    """Uvicorn that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()


def run_worker(server: Server, listener: socket.socket, ready: Callable[[], None] | None = None) -> None:
    """Answer HTTP on `listener` until SIGTERM or SIGINT; requests under way are finished first."""
    protocol = protocol_for()
    if protocol is CuttingProtocol:
        log.warning(
            "not tested with uvicorn %s: hot addresses are answered over ASGI, slower", uvicorn.__version__
        )
    config = uvicorn.Config(
        server.application,
        http=protocol,
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level=server.settings.log_level,
        server_header=False,
        timeout_graceful_shutdown=10,
        proxy_headers=False,
        backlog=BACKLOG,
    )
    uvicorn_server = _Uvicorn(config, ready)

    async def run() -> None:
        server.attach_loop()
        fresh = asyncio.create_task(server.keep_fresh())
        await uvicorn_server.serve(sockets=[listener])
        fresh.cancel()
        server.detach_loop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stopped)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())


def _stopped(number: int, frame: object) -> None:
    """Uvicorn has its own handlers while it serves; afterwards it raises the signal again, to us."""


def _listen_or_end(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise SystemExit(f"adserver: cannot listen on {host}:{port}: {error.strerror}") from None


def _listen_for_metrics(settings: Settings) -> socket.socket | None:
    address = settings.metrics_address
    return None if address is None else _listen_or_end(*address)


def tell_metrics(server: Server, listener: socket.socket | None) -> None:
    """Answer /metrics beside the requests, where it has a port of its own."""
    if listener is not None:
        MetricsPort(listener, server.measure.families).start()


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


# ---- many processes ----


class Supervisor:
    """Starts the writer, the workers and the jobs, and starts again whichever dies."""

    def __init__(self, host: str, port: int, workers: int, settings: Settings) -> None:
        tell_region(settings)
        self._listener = _listen_or_end(host, port)
        self._measuring = _listen_for_metrics(settings)
        self._settings = settings
        self._lifeline_end, self._lifeline = os.pipe()
        self._stopping = False
        descriptor = str(self._listener.fileno())
        self._commands = {"writer": ["_writer"]}
        for number in range(1, workers + 1):
            self._commands[f"worker {number}"] = ["_worker", str(number), descriptor]
        self._commands["jobs"] = ["_jobs", str(workers + 1)]
        if self._measuring is not None:
            self._commands["jobs"].append(str(self._measuring.fileno()))
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Until SIGTERM or SIGINT; then every child is asked to finish, and waited for."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self._start("writer")
        self._await_writer()
        for name in self._commands:
            if name not in self._children:
                self._start(name)
        if ready is not None:
            ready()
        while not self._stopping:
            self._replace_the_dead()
            time.sleep(RESTART_SECONDS)
        self._end()

    def _start(self, name: str) -> None:
        sockets = [one.fileno() for one in (self._listener, self._measuring) if one is not None]
        inherited = (*sockets, self._lifeline_end)
        self._children[name] = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "adserver", *self._commands[name]],
            pass_fds=inherited,
            env={**os.environ, LIFELINE: str(self._lifeline_end)},
        )

    def _await_writer(self) -> None:
        deadline = time.monotonic() + WRITER_SECONDS
        path = self._settings.database_path.with_suffix(".sock")
        while time.monotonic() < deadline and self._children["writer"].poll() is None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return
            time.sleep(0.02)
        self._end()
        raise SystemExit("the writer did not start: is another server using this data folder?")

    def _replace_the_dead(self) -> None:
        for name, child in list(self._children.items()):
            status = child.poll()
            if status is not None and not self._stopping:
                log.warning("%s ended with status %s; starting it again", name, status)
                self._start(name)

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _end(self) -> None:
        """Workers and jobs first: the writer must outlive whoever writes through it."""
        writer = self._children.pop("writer", None)
        _terminate(list(self._children.values()))
        if writer is not None:
            _terminate([writer])


def _terminate(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


def watch_lifeline() -> None:
    """End this child when its supervisor is gone, however it went: the pipe's other end closes."""
    descriptor = os.environ.get(LIFELINE)
    if descriptor is None:
        return

    def wait() -> None:
        os.read(int(descriptor), 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def run_writer_child(settings: Settings) -> None:
    """The one process that commits, and nothing else."""
    watch_lifeline()
    storage = sole_storage(settings.database_path, settings.retention)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches us all; we go last
    stopped.wait()
    storage.close()


def leave(server: Server) -> None:
    """End the process at once where a job is still at work; Python would wait for its pool of threads."""
    if server.runner.left_at_work:
        log.warning("a job was still at work; it runs again after the next start")
        logging.shutdown()
        os._exit(0)


def run_worker_child(settings: Settings, number: int, descriptor: int) -> None:
    watch_lifeline()
    server = Server(settings, join_storage(settings.database_path), number)
    run_worker(server, socket.socket(fileno=descriptor))
    server.close()


def run_jobs_child(settings: Settings, number: int, descriptor: int | None = None) -> None:
    """The jobs beside any number of workers (`adserver work`), and what a monitoring system asks."""
    watch_lifeline()
    server = Server(settings, join_storage(settings.database_path), number)
    tell_metrics(server, None if descriptor is None else socket.socket(fileno=descriptor))
    signal.signal(signal.SIGTERM, lambda signal_number, frame: server.runner.stop())
    signal.signal(signal.SIGINT, lambda signal_number, frame: server.runner.stop())
    ended = threading.Event()
    refreshing = threading.Thread(target=_refresh_until, args=(ended, server), daemon=True)
    refreshing.start()
    server.runner.run()
    ended.set()
    refreshing.join()
    server.close()
    leave(server)


def _refresh_until(ended: threading.Event, server: Server) -> None:
    told_at = time.monotonic()
    while not ended.wait(POLL_SECONDS):
        server.freshen()
        if time.monotonic() - told_at >= TALLY_SECONDS:
            told_at = time.monotonic()
            server.report_counts()
