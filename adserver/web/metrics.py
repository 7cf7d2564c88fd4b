"""/metrics as Prometheus reads it, with an operator's key or on a port of its own."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from adserver.domain.metrics import Family, Sample

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_SECONDS = 5.0  # for a whole request to arrive, and for each part of its answer to leave
MOST_CONNECTIONS = 8  # at a time; the others wait for their turn

Measured = Callable[[], list[Family]]


def exposition(families: Iterable[Family]) -> bytes:
    """The text format; names and labels are ours, and need no escape but that of the trade."""
    lines = []
    for family in families:
        lines += [f"# HELP {family.name} {family.meaning}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{_series(sample)} {sample.value}" for sample in family.samples]
    return ("\n".join(lines) + "\n").encode()


def _series(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(text)}"' for name, text in sample.labels.items())
    return f"{sample.suffix}{{{labels}}}" if labels else sample.suffix


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class _Arriving(io.RawIOBase):
    """A connection's bytes until a moment, however slowly they come: each may be in time and all too late."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: "MetricsPort"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Arriving(self.connection, self.server.most_seconds))

    def do_GET(self) -> None:
        if self.path != PATH:
            self.send_error(404)
            return
        body = exposition(self.server.measured())
        self.connection.settimeout(self.server.most_seconds)
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *message: object) -> None:
        """A scrape is no news."""


class MetricsPort(ThreadingHTTPServer):
    """Answers /metrics, and nothing else, to whoever reaches its port; none of them can hold it for long."""

    daemon_threads = True

    def __init__(
        self, listener: socket.socket, measured: Measured, most_seconds: float = MOST_SECONDS
    ) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.measured = measured
        self.most_seconds = most_seconds
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()
