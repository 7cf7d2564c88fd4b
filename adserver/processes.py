"""The processes of a running server: a supervisor, and beneath it a writer, workers and jobs."""

import asyncio
import gc
import logging
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.context import ForkProcess
from pathlib import Path

import uvicorn

from adserver.config import Settings
from adserver.domain.overload import BEAT_SECONDS
from adserver.main.beside import NewestChange, join_storage, sole_storage, tell_region
from adserver.main.server import POLL_SECONDS, TALLY_SECONDS, Server
from adserver.web.connections import close_oldest, close_overdue, most_connections, who_waits
from adserver.web.metrics import MetricsPort
from adserver.web.protocol import IDLE_SECONDS, CuttingProtocol, protocol_for

log = logging.getLogger("adserver")

JOBS_NICE = 5  # where the machine is full, requests go first
RESTART_SECONDS = 0.2  # between the death of a child and its successor
STOP_SECONDS = 15.0
OPENING_SECONDS = 30.0  # for the first start, which may have to migrate
STARTING_LOOK_SECONDS = 0.02
BACKLOG = 2048
OWN_NAME = Path("/proc/self/comm")  # what `top` and `ps -o comm` show; Linux has it
SIGNALS = (signal.SIGTERM, signal.SIGINT)
FORK = multiprocessing.get_context("fork")
# New objects before it looks for garbage: a request makes and drops some hundreds, few of them in circles.
GARBAGE_AFTER = 20_000
MOST_OPEN_FILES = 65_536


class _Uvicorn(uvicorn.Server):
    """Uvicorn that says when it answers, and goes the round of its connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready
        self._most_connections = most_connections(raise_open_files())

    async def _take_connections(self, listener: socket.socket) -> None:
        """Beside uvloop's own way, for when its turns are long; else it finds nobody."""
        loop = asyncio.get_running_loop()
        opening = set[asyncio.Task[object]]()
        while not self.should_exit:
            for connection in who_waits(listener):
                task = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
                opening.add(task)
                task.add_done_callback(opening.discard)
            await asyncio.sleep(BEAT_SECONDS)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        connections = self.server_state.connections
        close_oldest(connections, self._most_connections)
        if counter % 10 == 0:
            close_overdue(connections, time.monotonic())
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._taking = [asyncio.create_task(self._take_connections(one)) for one in sockets or ()]
        if self._ready is not None:
            self._ready()


def settle_memory() -> None:
    """What is loaded by now stays; looking through it for garbage took an eighth of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)


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
        ws="none",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level=server.settings.log_level,
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=IDLE_SECONDS,
        proxy_headers=False,
        backlog=BACKLOG,
    )
    uvicorn_server = _Uvicorn(config, ready)
    settle_memory()

    async def run() -> None:
        server.attach_loop()
        fresh = asyncio.create_task(server.keep_fresh())
        try:
            await uvicorn_server.serve(sockets=[listener])
        finally:
            fresh.cancel()
            server.detach_loop()  # or the thread that closes the file would wait for a loop that has ended

    for number in SIGNALS:
        signal.signal(number, _stopped)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())


def raise_open_files() -> int:
    """As far as the kernel lets us, and is of use: each connection is one; how many there may be then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(soft, MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files


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
    return listener


# ---- its processes ----


class Supervisor:
    """Starts the writer, the workers and the jobs, and starts again whichever dies.

    They are forked from here: what all of them need is imported once, and its memory is shared. So this
    process has no thread, no connection to the database and no event loop, ever.
    """

    def __init__(self, host: str, port: int, workers: int, settings: Settings) -> None:
        tell_region(settings)
        listener, measuring = _listen_or_end(host, port), _listen_for_metrics(settings)
        self._settings = settings
        self._lifeline_end, self._lifeline = os.pipe()
        self._stopping = False
        self._opened = FORK.Event()  # the database, by whoever commits
        newest = NewestChange()
        self._work: dict[str, Callable[[], None]] = {
            "writer": partial(run_writer, settings, newest, self._opened.set)
        }
        for number in range(1, workers + 1):
            self._work[f"worker {number}"] = partial(answer_beside, settings, number, listener, newest)
        self._work["jobs"] = partial(run_jobs, settings, workers + 1, measuring)
        self._children: dict[str, ForkProcess] = {}

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Until SIGTERM or SIGINT; then every child is asked to finish, and waited for."""
        for number in SIGNALS:
            signal.signal(number, self._stop)
        gc.freeze()  # a child that looked for garbage in what it shares would copy it
        self._start("writer")
        self._await_writer()
        for name in self._work:
            if name not in self._children and not self._stopping:
                self._start(name)
        if ready is not None and not self._stopping:
            ready()
        while not self._stopping:
            self._replace_the_dead()
            time.sleep(RESTART_SECONDS)
        self._end()

    def _start(self, name: str) -> None:
        """Signals wait meanwhile: the child would take its first for ours, and go on."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._children[name] = FORK.Process(target=self._become, args=(name,), daemon=True)
        self._children[name].start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _become(self, name: str) -> None:
        """In the child."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(self._lifeline)
        watch_lifeline(self._lifeline_end)
        tell_name(name)
        self._work[name]()

    def _await_writer(self) -> None:
        """Ends the program where it cannot open the database, of which it has said why."""
        deadline = time.monotonic() + OPENING_SECONDS
        while not self._opened.wait(STARTING_LOOK_SECONDS) and not self._stopping:
            if not self._children["writer"].is_alive() and not self._stopping:
                raise SystemExit(1)
            if time.monotonic() > deadline:
                self._end()
                raise SystemExit(
                    f"adserver: the database was not opened within {OPENING_SECONDS:.0f} seconds"
                )

    def _replace_the_dead(self) -> None:
        for name, child in list(self._children.items()):
            status = child.exitcode
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


def _terminate(children: list[ForkProcess]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.join(STOP_SECONDS)
        if child.is_alive():
            child.kill()


def tell_name(name: str) -> None:
    """Have this process shown by its name, where the system lets us: some forbid it, none needs it."""
    with suppress(OSError):
        OWN_NAME.write_text(name)


def watch_lifeline(descriptor: int) -> None:
    """End this child when its supervisor is gone, however it went: the pipe's other end closes."""

    def wait() -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def run_writer(settings: Settings, newest: NewestChange, opened: Callable[[], None]) -> None:
    """The one process that commits, and nothing else."""
    storage = sole_storage(settings.database_path, settings.retention, newest)
    opened()
    settle_memory()
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


def answer_beside(settings: Settings, number: int, listener: socket.socket, newest: NewestChange) -> None:
    """Answer HTTP beside other processes that do."""
    server = Server(settings, join_storage(settings.database_path, newest), number)
    run_worker(server, listener)
    server.close()


def run_jobs(settings: Settings, number: int, measuring: socket.socket | None = None) -> None:
    """The jobs beside any number of workers (`adserver work`), and what a monitoring system asks."""
    os.nice(JOBS_NICE)
    server = Server(settings, join_storage(settings.database_path), number)
    tell_metrics(server, measuring)
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
