"""/metrics as Prometheus reads it, with an operator's key or on a port of its own."""

import socket
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from adserver.domain.metrics import Family, Sample

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_SECONDS = 5.0  # for a request to arrive

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


class _Handler(BaseHTTPRequestHandler):
    timeout = MOST_SECONDS
    server: "MetricsPort"

    def do_GET(self) -> None:
        if self.path != PATH:
            self.send_error(404)
            return
        body = exposition(self.server.measured())
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *message: object) -> None:
        """A scrape is no news."""


class MetricsPort(ThreadingHTTPServer):
    """Answers /metrics, and nothing else, to whoever reaches its port."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, measured: Measured) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.measured = measured

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()
