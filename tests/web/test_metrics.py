"""/metrics among the other addresses: for an operator's key, where it was asked for."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from adserver.config import Settings
from adserver.domain.metrics import Family, Kind, Sample
from adserver.main.beside import create_operator_key
from adserver.main.server import Server
from adserver.storage.embedded import own_storage
from adserver.web.metrics import MOST_CONNECTIONS, MetricsPort, exposition
from tests.simulation.scrape import read_exposition, value


def ask(folder: Path, metrics: str, key: str | None = None) -> httpx.Response:
    """By an operator's key, or by the one given."""
    return asyncio.run(_ask(folder, metrics, key))


async def _ask(folder: Path, metrics: str, key: str | None) -> httpx.Response:
    settings = Settings(data_dir=folder, metrics=metrics)
    storage = own_storage(settings.database_path)
    server = Server(settings, storage)
    if key is None:
        key = create_operator_key(storage, server.clock, "test")
    transport = httpx.ASGITransport(server.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    server.close()
    return answer


def test_an_operators_key_is_told_the_figures(tmp_path: Path) -> None:
    answer = ask(tmp_path, "same")
    assert answer.status_code == 200
    assert value(read_exposition(answer.text), "adserver_writer_records") == 1


@pytest.mark.parametrize("key", ["", "rt_live_wrong"])
def test_nobody_else_learns_that_there_are_any(tmp_path: Path, key: str) -> None:
    assert ask(tmp_path, "same", key).status_code == 404


@pytest.mark.parametrize("metrics", ["", "9100"])
def test_elsewhere_they_are_not_told_here(tmp_path: Path, metrics: str) -> None:
    assert ask(tmp_path, metrics).status_code == 404


@pytest.mark.parametrize(
    ("metrics", "address"),
    [
        ("", None),
        ("same", None),
        ("9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
        ("::1:9100", ("::1", 9100)),
    ],
)
def test_a_port_alone_is_one_of_this_machine(metrics: str, address: tuple[str, int] | None) -> None:
    assert Settings(metrics=metrics).metrics_address == address


@pytest.mark.parametrize("metrics", ["here", "0", "65536", "host:", "-1", "9100x"])
def test_what_is_no_port_is_said(metrics: str) -> None:
    with pytest.raises(ValidationError, match="a port"):
        Settings(metrics=metrics)


def test_a_label_is_read_as_it_was_written() -> None:
    family = Family("a_total", Kind.COUNTER, "One.", [Sample(2, {"job": 'a "b" \\ c'})])
    assert read_exposition(exposition([family]).decode()) == {("a_total", (("job", r"a \"b\" \\ c"),)): 2.0}


# ---- a port of its own ----

FAMILY = Family("a_total", Kind.COUNTER, "One.", [Sample(2)])
REQUEST = b"GET /metrics HTTP/1.0\r\n\r\n"


class Port:
    """A port that answers one figure; no request may take longer than `most_seconds` to arrive."""

    def __init__(self, most_seconds: float) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.at_work = threading.Semaphore(0)  # one for each who is being answered
        self.go_on = threading.Event()
        self.server = MetricsPort(listener, self._measured, most_seconds)
        self.server.start()

    def _measured(self) -> list[Family]:
        self.at_work.release()
        assert self.go_on.wait(30)
        return [FAMILY]

    def connect(self, sent: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address, timeout=30)
        client.sendall(sent)
        return client

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[Port]:
    port = Port(request.param)
    yield port
    port.close()


def read_all(client: socket.socket) -> bytes:
    with client, client.makefile("rb") as file:
        return file.read()


@pytest.mark.parametrize("port", [30.0], indirect=True)
def test_no_more_than_a_few_are_answered_at_a_time_and_the_others_in_their_turn(port: Port) -> None:
    clients = [port.connect(REQUEST) for _ in range(MOST_CONNECTIONS + 1)]
    for _ in range(MOST_CONNECTIONS):
        assert port.at_work.acquire(timeout=30)
    assert not port.at_work.acquire(timeout=0.2)
    port.go_on.set()
    assert all(read_all(client).endswith(exposition([FAMILY])) for client in clients)


@pytest.mark.parametrize("port", [0.3], indirect=True)
def test_a_request_that_never_ends_is_ended_however_often_a_byte_of_it_comes(port: Port) -> None:
    """The client stops before the test's own patience does: only a connection that was cut ends it."""
    port.go_on.set()
    client = port.connect(b"GET /metrics HTTP/1.0\r\nX: ")
    client.settimeout(0.05)
    for _ in range(600):
        try:
            client.sendall(b"x")
            answer = client.recv(1)
        except TimeoutError:
            continue
        except ConnectionError:
            answer = b""
        break
    else:
        pytest.fail("it was listened to for as long as it spoke")
    client.close()
    assert answer == b""
    assert read_all(port.connect(REQUEST)).endswith(exposition([FAMILY]))
