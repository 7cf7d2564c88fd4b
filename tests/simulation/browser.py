"""Visitors with their cookies, over keep-alive connections small enough to put a server under load."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

MOST_SECONDS = 25.0  # no request may hang, whatever happens to the server
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> str | None:
        return self.headers.get("x-event")

    @property
    def charge(self) -> str | None:
        return self.headers.get("x-charge")


class Connection:
    """One connection, one request at a time. ConnectionError when the server goes; the next one reconnects."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Ours, by which the kernel tells who answers us."""
        assert self._streams is not None
        return int(self._streams[1].get_extra_info("sockname")[1])

    async def open(self) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        request = "\r\n".join((*lines, "", "")).encode("latin-1") + body
        try:
            async with asyncio.timeout(MOST_SECONDS):
                await self.open()
                return await self._exchange(request)
        except TimeoutError as error:
            raise AssertionError(f"no answer to {method} {target[:80]} in {MOST_SECONDS} s") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError("the server went away") from error

    async def _exchange(self, request: bytes) -> Answer:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in rest:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(first.split(" ", 2)[1]), headers, body)


def ask_once(
    url: str, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    """One request over a connection of its own, for tests that need no crowd."""

    async def ask() -> Answer:
        async with Connection(url) as connection:
            return await connection.ask(method, target, headers, body)

    return asyncio.run(ask())


class Browser:
    """One visitor: keeps the cookie it was given, and says which page it is on."""

    def __init__(self, cookie: str | None = None) -> None:
        self.cookie = cookie

    def headers(self, page: str) -> dict[str, str]:
        said = {"User-Agent": USER_AGENT, "Referer": f"https://{page}/"}
        return said if self.cookie is None else {**said, "Cookie": self.cookie}

    async def get(self, connection: Connection, target: str, page: str) -> Answer:
        return self._kept(await connection.ask("GET", target, self.headers(page)))

    async def post(self, connection: Connection, target: str, page: str, body: bytes) -> Answer:
        return self._kept(await connection.ask("POST", target, self.headers(page), body))

    def _kept(self, answer: Answer) -> Answer:
        given = answer.headers.get("set-cookie")
        if given is not None:
            self.cookie = given.split(";", 1)[0]
        return answer
