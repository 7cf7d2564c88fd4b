"""HTTP as it arrives under uvicorn: the hot addresses are answered here, without ASGI in between.

llhttp still parses every byte, and everything else stays uvicorn's: what is not hot, or cannot be answered at
once in its turn, goes its usual way to the ASGI application. Tested with the uvicorns below, and no other.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial
from time import monotonic
from typing import Any, ClassVar

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from adserver.web.answers import BODILESS, Answer, Headers
from adserver.web.doors import Door
from adserver.web.hot import METHODS, MOST_BODY_BYTES, Handler, Hot
from adserver.web.hot_answers import Request
from adserver.web.pending import Pending

# Ours judge anything over 8 KB as too long; from 64 KB on, the parser would refuse the whole request.
MOST_ADDRESS_BYTES = 32_768
MOST_HEAD_BYTES = 131_072  # of a request: more is nobody's, and would be kept as long as it comes
IDLE_SECONDS = 75  # longer than the usual proxy's, which must not find closed what it kept
ARRIVING_SECONDS = 10.0  # for a request, and a second more for so many bytes of it:
LEAST_BYTES_PER_SECOND = 1_000
UNREAD_SECONDS = 30.0  # that a client may take nothing of an answer
_TOO_LONG = ((b"content-length", b"0"), (b"connection", b"close"))
_METHODS = {method.encode(): method for method in METHODS}
TESTED_UVICORNS = frozenset({"0.54.0"})


class _HeadTooLong(Exception):
    """Raised within the parser, which reads no further."""


class CuttingProtocol(HttpToolsProtocol):
    """Uvicorn's own protocol, which keeps no more of an address or a head than anyone will read.

    It remembers since when its connection waits, for the round that closes those which let us wait too long.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._came_before = self._came = 0  # bytes, without and with the piece that is being read
        self._answered = 0  # of them: a request that is under way has come since
        self._head_from = self._head_until = 0  # the head under way began somewhere in between
        self._address_bytes = 0
        self._in_head = self._too_long = False  # in a head, or in the lines that may follow a body
        self._unread_bytes = 0  # of our answers, in the last round
        self._read_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.since = monotonic()  # its request arrives; or without one, the connection was made or answered
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._came == self._answered:
            self.since = monotonic()
        self._came_before = self._came
        self._came += len(data)
        super().data_received(data)
        if self._in_head and self._came - self._head_until > MOST_HEAD_BYTES:
            self._too_long = True
            self.send_400_response("")

    def on_response_complete(self) -> None:
        self._rest()
        super().on_response_complete()

    def _rest(self) -> None:
        """Nothing is asked and nothing owed, until more comes."""
        self.since, self._answered = monotonic(), self._came

    @property
    def received_bytes(self) -> int:
        """Of the request under way."""
        return self._came - self._answered

    @property
    def owes_answer(self) -> bool:
        """Whether it is our turn: a request has arrived, or more of it would find no place yet."""
        cycle: Any = self.cycle
        is_open = cycle is not None and not cycle.response_complete
        return is_open and (not cycle.more_body or self.flow.read_paused)

    def is_overdue(self, now: float) -> bool:
        """Whether its client lets us wait too long; to be asked once a second or so."""
        unread_bytes = self.transport.get_write_buffer_size()
        if unread_bytes != self._unread_bytes:
            self._unread_bytes, self._read_at = unread_bytes, now
        if unread_bytes:
            return now - self._read_at > UNREAD_SECONDS
        if self.owes_answer:
            return False
        if self.received_bytes:
            return now - self.since > ARRIVING_SECONDS + self.received_bytes / LEAST_BYTES_PER_SECOND
        return now - self.since > IDLE_SECONDS

    def on_message_begin(self) -> None:
        self._begin_head()
        super().on_message_begin()

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_from, self._head_until = self._came_before, self._came
        self._address_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._address_bytes += len(url)
        super().on_url(url[: MOST_ADDRESS_BYTES - len(self.url)])

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _end_head(self) -> None:
        self._in_head = False
        if self._came - self._head_from > MOST_HEAD_BYTES and self._head_bytes() > MOST_HEAD_BYTES:
            self._too_long = True
            raise _HeadTooLong

    def on_chunk_header(self) -> None:
        """Behind the last chunk lines may come as in a head: no proxy has looked at them, nor shall we."""
        self._in_head, self._head_until = True, self._came
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._in_head = False
        super().on_body(body)

    def _head_bytes(self) -> int:
        return self._address_bytes + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's answer to what is no request, and ours to one of which too much is said."""
        if not self._too_long:
            super().send_400_response(msg)
        elif not self.transport.is_closing():
            headers = [*self.server_state.default_headers, *_TOO_LONG]
            self.transport.write(STATUS_LINE[431] + b"".join([_line(*one) for one in headers]) + b"\r\n")
            self.transport.close()


class _Unheard:
    """Uvicorn wakes whoever reads a request's body; here nobody waits for it."""

    def set(self) -> None:
        """Nobody hears."""


class _Turn(msgspec.Struct):
    """A hot request's turn on its connection, where uvicorn keeps a cycle: what comes behind it waits."""

    handler: Handler
    request: Request
    keep_alive: bool
    body: bytearray | None = None
    more_body: bool = True
    response_complete: bool = False
    disconnected: bool = False
    message_event: ClassVar[_Unheard] = _Unheard()


class HotProtocol(CuttingProtocol):
    """Uvicorn's protocol, which asks the hot room first."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._hot: Hot | None = self.app.hot if isinstance(self.app, Door) else None

    def on_response_complete(self) -> None:
        """As uvicorn's, without its timer for each answer: whoever is idle is found by the round."""
        self._rest()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def on_message_begin(self) -> None:
        self._begin_head()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self._end_head()
        turn = self._turn()
        if turn is None:
            self._pass_on()
        else:
            self.cycle = turn  # type: ignore[assignment]

    def _turn(self) -> _Turn | None:
        """The request's turn, if it is hot, plain, and nothing before it waits for its answer."""
        if self._hot is None or self.limit_concurrency is not None or self.flow.write_paused:
            return None
        before: _Turn | None = self.cycle  # type: ignore[assignment]  # or a cycle
        if before is not None and not before.response_complete:
            return None
        url, parser = self.url, self.parser
        path, _, query = url.partition(b"?")
        if path[:1] != b"/" or b"%" in path or b"#" in url or not url.isascii():
            return None
        if self.expect_100_continue or parser.should_upgrade():
            return None
        method, address = _METHODS.get(parser.get_method()), path.decode("ascii")
        handler = self._hot.handler(method, address) if method else None
        if method is None or handler is None:
            return None
        keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
        client = self.client[0] if self.client else ""
        return _Turn(handler, Request(method, address, query, self.headers, client), keep_alive)

    def _pass_on(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._in_head = False
        turn: object = self.cycle
        if not isinstance(turn, _Turn) or not turn.more_body:
            super().on_body(body)
        elif turn.body is None:
            turn.body = bytearray(body[:MOST_BODY_BYTES])
        else:
            turn.body += body[: MOST_BODY_BYTES - len(turn.body)]

    def on_message_complete(self) -> None:
        turn: object = self.cycle
        if isinstance(turn, _Turn) and turn.more_body:  # not the one before: who asks for WebSocket has none
            self._take(turn)
        else:
            super().on_message_complete()

    def _take(self, turn: _Turn) -> None:
        assert self._hot is not None
        turn.more_body = False
        if turn.body is not None:
            turn.request.body = bytes(turn.body)
        reply = self._hot.answer(turn.handler, turn.request)
        if isinstance(reply, Answer):
            self._end(turn, lambda: reply)
        else:
            reply.then(partial(self._hear, turn))

    def _hear(self, turn: _Turn, reply: Pending) -> None:
        self._end(turn, reply.answer)

    def _end(self, turn: _Turn, answer: Callable[[], Answer]) -> None:
        """Its turn is over: with its answer, unless the client has gone; then whoever waits is next.

        A fault of ours ends here, among the outcomes of a batch, which others wait for too.
        """
        turn.response_complete = True
        if turn.disconnected or self.transport.is_closing():  # of several turns uvicorn tells the last alone
            return
        assert self._hot is not None
        try:
            written = _written(answer(), turn, self.server_state.default_headers)
        except Exception:
            written = _written(self._hot.instead(turn.request), turn, self.server_state.default_headers)
        self.transport.write(written)
        if not turn.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _written(answer: Answer, turn: _Turn, default_headers: Headers) -> bytes:
    parts = [STATUS_LINE[answer.status]]
    parts += [_line(*header) for header in default_headers]
    parts += [_line(*header) for header in answer.headers]
    if not turn.keep_alive:
        parts.append(b"connection: close\r\n")
    if answer.status in BODILESS:
        parts.append(b"\r\n")
    else:
        parts.append(b"content-length: %d\r\n\r\n" % len(answer.body))
        if turn.request.method != "HEAD":
            parts.append(answer.body)
    return b"".join(parts)


@lru_cache(maxsize=512)
def _line(name: bytes, value: bytes) -> bytes:
    """A header as it is sent; most are the same in every answer."""
    if HEADER_VALUE_RE.search(value):
        raise ValueError("a header's value may hold no line break")
    return b"%s: %s\r\n" % (name, value)


def protocol_for(version: str = uvicorn.__version__) -> type[HttpToolsProtocol]:
    """The shorter way where it was tested; elsewhere uvicorn's own."""
    return HotProtocol if version in TESTED_UVICORNS else CuttingProtocol
