"""A crowd that does not wait: asks at a stated rate, whatever the server makes of it, and notes each answer."""

import asyncio
import re
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple, cast

from tests.bench.figures import quantile

MOST_CONNECTIONS = 4_000  # a crowd's browsers
TURN_SECONDS = 0.005
PATIENCE_SECONDS = 15.0  # for the last answers
_LENGTH = re.compile(rb"content-length: (\d+)")


class Told(NamedTuple):
    """One answer: when its request was due, how long after that it was there, and what it was."""

    due: float
    seconds: float
    status: int
    is_empty: bool  # a slot without an ad

    @property
    def is_refused(self) -> bool:
        return self.status == 503 or self.is_empty


class Stretch(NamedTuple):
    """So many requests were due in this time, at one rate."""

    began: float
    seconds: float
    requests: int


class Report(NamedTuple):
    """What became of the requests of a stretch."""

    began: float
    seconds: float
    told: Sequence[Told]
    unanswered: int  # no connection was free any more, or it broke, or nothing came

    def line(self) -> str:
        served = [one.seconds * 1_000 for one in self.told if not one.is_refused]
        refused = [one.seconds * 1_000 for one in self.told if one.is_refused]
        return (
            f"answered {len(served) / self.seconds:6,.0f}/s (p50 {_quantile(served, 0.5):5.0f} ms,"
            f" p99 {_quantile(served, 0.99):6.0f} ms)   shed {len(refused) / self.seconds:6,.0f}/s"
            f" (p99 {_quantile(refused, 0.99):6.0f} ms)   without an answer {self.unanswered:,}"
        )

    @property
    def seconds_until_normal(self) -> float:
        """From the beginning to the moment of the last request that was refused."""
        return max((one.due - self.began for one in self.told if one.is_refused), default=0.0)


def _quantile(taken: list[float], share: float) -> float:
    return quantile(taken, share) if taken else 0.0


class _Browser(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._due = 0.0
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's have no class in common with it

    def ask(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and (length is None or len(body) >= int(length[1])):
            self._heard = b""
            told = Told(self._due, monotonic() - self._due, int(head[9:12]), b"x-slot: empty" in head)
            self._crowd.hear(self, told)

    def connection_lost(self, error: Exception | None) -> None:
        self._crowd.lose(self)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


class Crowd:
    """Connects as it needs to, up to a maximum; on the running loop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Browser] = []
        self._all: set[_Browser] = set()
        self._opening = set[asyncio.Task[None]]()
        self._told: list[Told] = []

    def report(self, stretch: Stretch) -> Report:
        """Once it is `quiet`."""
        until = stretch.began + stretch.seconds
        told = [one for one in self._told if stretch.began <= one.due < until]
        return Report(stretch.began, stretch.seconds, told, stretch.requests - len(told))

    def hear(self, browser: _Browser, told: Told) -> None:
        self._told.append(told)
        self._free.append(browser)

    def lose(self, browser: _Browser) -> None:
        self._all.discard(browser)
        if browser in self._free:
            self._free.remove(browser)

    def close(self) -> None:
        for browser in list(self._all):
            browser.close()

    async def ask(self, requests: Sequence[bytes], per_second: float) -> Stretch:
        """Each request at its moment, whether or not those before were answered."""
        began, asked = monotonic(), 0
        while asked < len(requests):
            due_now = min(len(requests), int((monotonic() - began) * per_second))
            for number in range(asked, due_now):
                self._ask(requests[number], began + number / per_second)
            asked = due_now
            await asyncio.sleep(TURN_SECONDS)
        return Stretch(began, len(requests) / per_second, len(requests))

    async def quiet(self) -> None:
        """Until nothing more comes."""
        until = monotonic() + PATIENCE_SECONDS
        while len(self._free) < len(self._all) + len(self._opening):
            if monotonic() > until:
                return
            await asyncio.sleep(TURN_SECONDS)

    def _ask(self, request: bytes, due: float) -> None:
        """Over a connection that is free, or a new one; where there can be none, it goes without an answer."""
        if self._free:
            self._free.pop().ask(request, due)
        elif len(self._all) + len(self._opening) < MOST_CONNECTIONS:
            task = asyncio.create_task(self._ask_anew(request, due))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _ask_anew(self, request: bytes, due: float) -> None:
        loop = asyncio.get_running_loop()
        _, browser = await loop.create_connection(lambda: _Browser(self), "127.0.0.1", self._port)
        self._all.add(browser)
        browser.ask(request, due)
