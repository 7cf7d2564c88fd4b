"""Both doors to the hot addresses answer alike: over ASGI, and straight from uvicorn's protocol."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import uvicorn
import uvloop

from adserver.ports import Deferred
from adserver.web.hot import MOST_BODY_BYTES
from adserver.web.protocol import MOST_HEAD_BYTES, CuttingProtocol, HotProtocol, protocol_for
from adserver.writes import Outcome, Result
from creatives.pictures import Thumbnail
from tests.web.visiting import Visiting

HOST = b"Host: cards.example\r\n"
VIEW = b"/m/e?m=%s&e=view_item&id=boots&debug=1"
PATIENCE_SECONDS = 10.0
PICTURE = b"ab" * 16 + b".jpg"


class Doors:
    """One world behind two listeners, one for each door."""

    def __init__(self, folder: Path) -> None:
        self.world = Visiting(folder)
        known = Thumbnail(b"full", 1, 1, PICTURE[:32].decode(), b"webp", b"half", b"half webp")
        self.world.storage.media.put(known)
        self.servers: dict[str, uvicorn.Server] = {}
        self.ports: dict[str, int] = {}
        self._serving = [self._open("asgi", CuttingProtocol), self._open("protocol", HotProtocol)]

    def _open(self, name: str, protocol: type[CuttingProtocol]) -> "asyncio.Future[None]":
        listener = socket.create_server(("127.0.0.1", 0))
        self.ports[name] = listener.getsockname()[1]
        config = uvicorn.Config(
            self.world.server.application, http=protocol, lifespan="off", access_log=False, log_level="error",
            server_header=False, proxy_headers=False, timeout_graceful_shutdown=5,
        )  # fmt: skip
        self.servers[name] = uvicorn.Server(config)
        serving = self.servers[name].serve(sockets=[listener])
        return asyncio.run_coroutine_threadsafe(serving, self.world.loop)

    def stop(self, name: str) -> None:
        self.servers[name].should_exit = True

    def close(self) -> None:
        for name in self.servers:
            self.stop(name)
        for serving in self._serving:
            serving.result()
        self.world.close()

    def connect(self, name: str = "protocol") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.ports[name]))
        connection.settimeout(PATIENCE_SECONDS)
        return connection

    def most_buffered(self, name: str) -> int:
        """Bytes that wait in the server for its slowest reader, once it has had time to write."""

        async def looked() -> int:
            sizes = []
            for _ in range(50):
                await asyncio.sleep(0.01)
                connections = self.servers[name].server_state.connections
                sizes += [one.transport.get_write_buffer_size() for one in connections]  # type: ignore[union-attr]
            return max(sizes)

        size: int = self.world.wait(looked())
        return size

    def view(self) -> bytes:
        merchant: str = self.world.merchant
        return VIEW % merchant.encode()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    opened = Doors(tmp_path_factory.mktemp("doors"))
    yield opened
    opened.close()


def told(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def ask(doors: Doors, name: str, raw: bytes) -> bytes:
    with closing(doors.connect(name)) as connection:
        connection.sendall(raw)
        return told(connection)


def comparable(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Status, headers in any order, and body, without what differs from one request to the next."""
    head, _, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    status, *headers = re.sub(rb"(rt|t)=[\w-]{30,}", rb"\1=...", head).split(b"\r\n")
    kept = sorted(line for line in headers if not line.startswith(b"date:"))
    return status, kept, re.sub(rb"[\w-]{60,}", b"...", body)


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    lines = b"".join(header + b"\r\n" for header in headers)
    return line + b" HTTP/1.1\r\n" + HOST + lines + length + b"Connection: close\r\n\r\n" + body


def chunked(line: bytes, *parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    return line + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body


def requests_of(doors: Doors) -> dict[str, bytes]:
    view, slot = doors.view(), doors.world.slot.encode()
    merchant = doors.world.merchant.encode()
    body = b'{"m": "%s", "events": [{"name": "view_item", "items": [{"item_id": "boots"}]}]}' % merchant
    origin = b"Origin: https://shop.example"
    return {
        "a pixel": request(b"GET " + view),
        "a pixel that a page may read": request(b"GET " + view, origin),
        "a pixel's head": request(b"HEAD " + view),
        "a pixel by a method of nobody's": request(b"DELETE " + view),
        "a question before": request(b"OPTIONS /m/e", origin),
        "a beacon": request(b"POST /m/e?debug=1", origin, body=body),
        "a beacon in chunks": chunked(b"POST /m/e?debug=1", body[:7], body[7:]),
        "a beacon without a body": request(b"POST /m/e"),
        "a beacon that is too long": request(b"POST /m/e?debug=1", body=b"x" * (3 * MOST_BODY_BYTES)),
        "a body nobody asked for": request(b"GET " + view, body=b"x" * 100),
        "a body that is waited for": request(b"POST /m/e", b"Expect: 100-continue", body=body),
        "an unknown merchant": request(b"GET /m/e?m=nobody&debug=1"),
        "a long address": request(b"GET " + view + b"&x=" + b"y" * 20_000),
        "an address with signs": request(b"GET /%6d/e?m=" + merchant + b"&e=view_item&id=boots&debug=1"),
        "an address with a fragment": request(b"GET " + view + b"#here"),
        "a whole address": request(b"GET http://cards.example" + view),
        "a path of two slashes": request(b"GET /" + view),
        "another host": request(b"GET " + view).replace(b"cards.example", b"evil.example"),
        "no host": request(b"GET " + view).replace(HOST, b""),
        "a proxy's word": request(b"GET " + view, b"X-Forwarded-For: 1.2.3.4, 5.6.7.8"),
        "two cookies": request(b"GET " + view, b"Cookie: __Host-rt=a", b"Cookie: __Host-rt=b"),
        "HTTP/1.0": request(b"GET " + view).replace(b"HTTP/1.1", b"HTTP/1.0"),
        "an upgrade": request(b"GET " + view, b"Upgrade: websocket").replace(b"close", b"upgrade, close"),
        "a slot": request(b"GET /slot/" + slot, b"Referer: https://news.example/"),
        "a picture": request(b"GET /slot/" + slot + b".gif"),
        "a picture's link": request(b"GET /slot/" + slot + b"/click?n=1"),
        "no slot": request(b"GET /slot/slot_none"),
        "a click of nothing": request(b"GET /c?t=abc&debug=1"),
        "a beacon of nothing": request(b"POST /i?t=abc&debug=1"),
        "no picture": request(b"GET /media/..%2f..%2fkeys.json"),
        "a picture of ours": request(b"GET /media/" + PICTURE),
        "a picture's head": request(b"HEAD /media/" + PICTURE),
        "a picture that is known": request(b"GET /media/" + PICTURE, b'If-None-Match: "' + PICTURE + b'"'),
        "the tag": request(b"GET /m/tag.js"),
        "the slots' script": request(b"GET /slot.js"),
        "alive": request(b"GET /healthz"),
        "ready": request(b"GET /readyz"),
        "the visitor's page": request(b"GET /privacy"),
        "nothing": request(b"GET /nowhere"),
    }


def test_both_doors_answer_every_request_alike(doors: Doors) -> None:
    differing = {}
    for name, raw in requests_of(doors).items():
        answers = [comparable(ask(doors, door, raw)) for door in ("asgi", "protocol")]
        if answers[0] != answers[1]:
            differing[name] = answers
    assert differing == {}


def test_each_request_of_the_comparison_gets_an_answer_that_is_its_own(doors: Doors) -> None:
    said = {
        "a pixel": b"x-event: accepted",
        "a beacon": b"x-event: accepted",
        "a beacon in chunks": b"x-event: accepted",
        "a beacon that is too long": b"x-event: body_too_large",
        "an address with signs": b"x-event: accepted",
        "another host": b"400 Bad Request",
        "a picture of ours": b"content-length: 4",
        "a picture that is known": b"304 Not Modified",
        "a pixel by a method of nobody's": b"404 Not Found",
        "nothing": b"404 Not Found",
    }
    for name, words in said.items():
        assert words in ask(doors, "protocol", requests_of(doors)[name]), name


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d+)", answer)


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_what_is_pipelined_is_answered_in_order(doors: Doors, door: str) -> None:
    """A hot answer that waits for its batch, ones at hand, and the framework's."""
    kept = b" HTTP/1.1\r\n" + HOST + b"\r\n"
    lines = [b"GET " + doors.view(), b"GET /healthz", b"GET /nowhere", b"GET " + doors.view(), b"GET /c?t=x"]
    last = request(b"GET /slot/slot_none")
    answer = ask(doors, door, b"".join(line + kept for line in lines) + last)
    assert statuses(answer) == [b"200", b"200", b"404", b"200", b"302", b"404"]


def test_one_connection_carries_many_requests(doors: Doors) -> None:
    with closing(doors.connect()) as connection:
        for path in (doors.view(), b"/healthz", b"/privacy", b"/m/tag.js", doors.view()):
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
            length = int((re.search(rb"content-length: (\d+)", head) or [0, 0])[1])
            while length:
                length -= len(connection.recv(length))
            assert head.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_whoever_asks_and_does_not_read_is_not_kept_answers_for(doors: Doors, door: str) -> None:
    """The answers wait in the client's and the kernel's buffers, not in ours."""
    count, kept = 2_000, b"GET /m/tag.js HTTP/1.1\r\n" + HOST + b"\r\n"
    with closing(doors.connect(door)) as connection:
        writer = threading.Thread(
            target=connection.sendall, args=(kept * count + request(b"GET /healthz"),), daemon=True
        )
        writer.start()
        buffered = doors.most_buffered(door)
        answer = told(connection)
        writer.join(PATIENCE_SECONDS)
    assert len(statuses(answer)) == count + 1
    assert buffered < 500_000 < len(answer)


class Held:
    """A writer whose outcomes come when the test lets them."""

    def __init__(self, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        self._doors = doors
        self.waiting: list[Deferred] = []
        monkeypatch.setattr(doors.world.server.collect._writer, "submit", self._submit)

    def _submit(self, write: object) -> Deferred:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.waiting) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def let_go(self) -> None:
        async def resolve() -> None:
            for deferred in self.waiting:
                deferred.resolve(Outcome(Result.ACCEPTED))

        self._doors.world.wait(resolve())


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_a_client_that_has_gone_strands_nobody_of_its_batch(
    doors: Doors, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(doors, monkeypatch)
    gone, stays = doors.connect(door), doors.connect(door)
    gone.sendall(request(b"GET " + doors.view()))
    held.wait_for(1)
    gone.close()
    stays.sendall(request(b"GET " + doors.view()))
    held.wait_for(2)
    held.let_go()
    with closing(stays):
        assert statuses(told(stays)) == [b"200"]


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_a_client_that_is_shown_out_while_it_waits_strands_nobody_of_its_batch(
    tmp_path: Path, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked twice in one go, and then nonsense. The server's own loop takes no word for who has gone."""
    monkeypatch.setattr(asyncio, "new_event_loop", uvloop.new_event_loop)
    doors = Doors(tmp_path)
    try:
        held = Held(doors, monkeypatch)
        line = b"GET " + doors.view()
        with closing(doors.connect(door)) as noisy, closing(doors.connect(door)) as stays:
            noisy.sendall(2 * (line + b" HTTP/1.1\r\n" + HOST + b"\r\n") + b"nonsense\r\n\r\n")
            assert statuses(told(noisy)) == [b"400"]
            held.wait_for(1)
            stays.sendall(request(line))
            held.wait_for(2)
            held.let_go()
            assert statuses(told(stays)) == [b"200"]
    finally:
        doors.close()


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_a_fault_while_an_answer_is_made_late_is_told_as_try_again(
    doors: Doors, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(doors, monkeypatch)
    monkeypatch.setattr("adserver.web.answers.gif", lambda: 1 / 0)
    with closing(doors.connect(door)) as connection:
        connection.sendall(request(b"GET " + doors.view()))
        held.wait_for(1)
        held.let_go()
        assert statuses(told(connection)) == [b"503"]


def test_a_server_that_stops_gives_the_answers_under_way_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = Doors(tmp_path)
    try:
        held = Held(doors, monkeypatch)
        with closing(doors.connect()) as waiting, closing(doors.connect()) as idle:
            waiting.sendall(b"GET " + doors.view() + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            held.wait_for(1)
            doors.stop("protocol")
            assert told(idle) == b""
            held.let_go()
            answer = told(waiting)
            assert statuses(answer) == [b"200"] and b"connection: close" in answer
    finally:
        doors.close()


def with_head_of(size: int, line: bytes, *, whole: bool = True) -> bytes:
    """A request whose head counts so many bytes, in headers of a few kilobytes and one of what is left."""
    raw = request(line)
    address, left = len(line.split(b" ")[1]), size
    left -= address + sum(len(header) + 2 for header in raw.split(b"\r\n")[1:-2])
    parts = [b"X-%04d: %s\r\n" % (n, b"y" * 4_000) for n in range(left // 5_000)]
    left -= sum(map(len, parts))
    parts.append(b"X-Last: %s\r\n" % (b"y" * (left - 10)))
    return raw[:-2] + b"".join(parts) + (b"\r\n" if whole else b"")


def in_pieces(doors: Doors, door: str, raw: bytes, piece_bytes: int) -> bytes:
    with closing(doors.connect(door)) as connection:
        for start in range(0, len(raw), piece_bytes):
            try:
                connection.sendall(raw[start : start + piece_bytes])
            except OSError:  # it was refused before it was all sent
                break
            time.sleep(0.002)
        return told(connection)


@pytest.mark.parametrize("door", ["asgi", "protocol"])
@pytest.mark.parametrize("piece_bytes", [20_000, 1_000_000])
@pytest.mark.parametrize(("size", "status"), [(MOST_HEAD_BYTES, b"200"), (MOST_HEAD_BYTES + 1, b"431")])
def test_a_head_of_128_kilobytes_is_answered_and_one_byte_more_is_too_long(
    doors: Doors, door: str, piece_bytes: int, size: int, status: bytes
) -> None:
    for line in (b"GET " + doors.view(), b"GET /m/e?m=" + b"y" * 40_000, b"GET /privacy"):
        assert statuses(in_pieces(doors, door, with_head_of(size, line), piece_bytes)) == [status], line[:9]


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_a_head_that_does_not_end_is_refused_while_it_comes(doors: Doors, door: str) -> None:
    endless = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: "
    with closing(doors.connect(door)) as connection:
        connection.sendall(endless)
        sent = 0
        try:
            while sent < 100 * MOST_HEAD_BYTES:
                sent += connection.send(b"y" * 10_000)
                time.sleep(0.001)
        except OSError:
            pass
    assert sent < 20 * MOST_HEAD_BYTES


IN_CHUNKS = b"POST /m/e HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_lines_behind_a_body_that_do_not_end_are_refused_while_they_come(doors: Doors, door: str) -> None:
    """One of the line behind a body that does not end, and many that do."""
    for piece in (b"x" * 1_000, b"a: " + b"x" * 995 + b"\r\n"):
        connection, sent = doors.connect(door), 0
        with closing(connection), suppress(ConnectionError):
            connection.sendall(IN_CHUNKS + b"x: ")
            while sent < 100 * MOST_HEAD_BYTES:
                connection.sendall(piece)
                sent += len(piece)
        assert sent < 100 * MOST_HEAD_BYTES


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_a_body_of_many_chunks_is_no_long_head(doors: Doors, door: str) -> None:
    body = chunked(b"POST /m/e?debug=1", *[b"x" * 1_000] * (3 * MOST_HEAD_BYTES // 1_000))
    assert b"x-event: body_too_large" in in_pieces(doors, door, body, 1_007)


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_what_follows_a_body_says_nothing_of_who_asks(doors: Doors, door: str) -> None:
    tail = b"Origin: https://shop.example\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
    answer = ask(doors, door, IN_CHUNKS.replace(b"Transfer", b"Connection: close\r\nTransfer") + tail)
    assert statuses(answer) == [b"204"] and b"access-control" not in answer


def test_whoever_would_speak_websocket_has_not_the_request_before_answered_again(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a library for it is installed, uvicorn hands the connection over once it has the head."""
    monkeypatch.setattr(HotProtocol, "_should_upgrade_to_ws", lambda self: True)
    monkeypatch.setattr(HotProtocol, "handle_websocket_upgrade", lambda self: self.transport.close())
    held = Held(doors, monkeypatch)
    with closing(doors.connect()) as connection:
        connection.sendall(b"GET " + doors.view() + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        held.wait_for(1)
        held.let_go()
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        connection.sendall(b"GET " + doors.view() + b" HTTP/1.1\r\n" + HOST + upgrade)
        assert told(connection) == b"" and len(held.waiting) == 1


@pytest.mark.parametrize("door", ["asgi", "protocol"])
def test_much_that_is_pipelined_is_no_long_head(doors: Doors, door: str) -> None:
    count, kept = 4_000, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    answer = ask(doors, door, kept * count + request(b"POST /m/e", body=b"x" * MOST_BODY_BYTES))
    assert set(statuses(answer)) == {b"200", b"204"} and len(statuses(answer)) == count + 1


def test_a_uvicorn_that_was_not_tested_keeps_its_own_way() -> None:
    assert protocol_for() is HotProtocol
    assert protocol_for("99.0.0") is CuttingProtocol
