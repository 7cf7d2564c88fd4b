"""Fetches from and posts to addresses that merchants name, without becoming their way to our own network."""

import asyncio
import io
import re
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from ssl import SSLContext
from typing import IO, TypeVar

import httpx
import msgspec

from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from adserver.domain.inflate import InflateError, Inflater
from adserver.outside.addresses import is_public
from adserver.ports import FetchRefused, Heard

MOST_REDIRECTS = 3
MOST_ADDRESSES_TRIED = 4
MOST_LOOKUPS = 32  # of names at once, those left behind included
_PORTS = (80, 443)
_STEP_SECONDS = 10.0  # for one connect or read; the deadline is over all of them
_HEADERS = {"User-Agent": "adserver feed and picture fetcher", "Accept-Encoding": "gzip", "Accept": "*/*"}
_SENT_BACK = re.compile(r"[\x20-\x7e]{1,200}")
_POST_HEADERS = {"User-Agent": "adserver webhook", "Accept-Encoding": "identity", "Accept": "*/*"}

Made = TypeVar("Made")
Read = Callable[[httpx.Response], Awaitable[Made]]
Resolve = Callable[[str, int], list[str]]  # a host and port to its addresses; OSError where there are none


class _Asked(msgspec.Struct, frozen=True):
    """What is sent to each address that is tried."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def is_conditional(self) -> bool:
        return "If-None-Match" in self.headers or "If-Modified-Since" in self.headers


class _Into(msgspec.Struct, frozen=True):
    """Where a body goes, how long it may be, and who is told of it."""

    file: IO[bytes]
    most_bytes: int
    heard: Heard | None = None


_GET = _Asked("GET", _HEADERS)


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses that the system knows for a host; it reads `127.1` and `0x7f000001` as it connects."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class HttpFetcher:
    """Implements Fetcher. Call it from a job's thread: each fetch runs an event loop of its own.

    The host is resolved once for each hop, every address of it is checked, and the connection is made to
    one of those very addresses; asking the DNS a second time could bring a different answer.
    `allow_private` is for the loopback demo and tests, and lifts the rule about ports too.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        fetch_seconds: float = 20.0,
        download_seconds: float = 300.0,
        post_seconds: float = 5.0,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._allow_private = allow_private
        self._fetch_seconds = fetch_seconds
        self._download_seconds = download_seconds
        self._post_seconds = post_seconds
        self._resolve = resolve
        self._lookups = ThreadPoolExecutor(MOST_LOOKUPS, "names")

    @cached_property
    def _tls(self) -> SSLContext:
        """Slow to make, so made once, and only by who fetches."""
        return httpx.create_ssl_context(trust_env=False)

    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The body at `url`, whole; for pictures."""
        body = io.BytesIO()
        asyncio.run(_within(self._fetch_seconds, self._follow(url, _GET, _Into(body, most_bytes))))
        return body.getvalue()

    def download(
        self,
        url: str,
        most_bytes: int,
        into: IO[bytes],
        known: Validators = NOT_KNOWN,
        heard: Heard | None = None,
    ) -> Download:
        """Write the body at `url` into a file, unless it is still the version that is `known`."""
        asked = _Asked("GET", {**_HEADERS, **_conditions(known)})
        body = _Into(into, most_bytes, heard)
        return asyncio.run(_within(self._download_seconds, self._follow(url, asked, body)))

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status that came back. Of the answer no more is read, and a redirect is not followed."""
        asked = _Asked("POST", {**_POST_HEADERS, **headers}, body)
        return asyncio.run(_within(self._post_seconds, self._status_of(url, asked)))

    async def _follow(self, url: str, asked: _Asked, into: _Into) -> Download:
        async def read(response: httpx.Response) -> Download | httpx.URL:
            """The body, written; or where the answer redirects to."""
            if response.has_redirect_location:
                return address.join(response.headers["Location"])
            if response.status_code == 304 and asked.is_conditional:
                return Download(0, unchanged=True)
            if response.status_code != 200:
                raise FetchRefused(f"status_{response.status_code}")
            return Download(await _write_body(response, into), _validators_of(response))

        address = httpx.URL(url)
        for _ in range(MOST_REDIRECTS + 1):
            found = await self._ask(address, asked, read)
            if isinstance(found, Download):
                return found
            address = found
        raise FetchRefused("too_many_redirects")

    async def _status_of(self, url: str, asked: _Asked) -> int:
        async def read(response: httpx.Response) -> int:
            return response.status_code

        return await self._ask(httpx.URL(url), asked, read)

    async def _ask(self, url: httpx.URL, asked: _Asked, read: Read[Made]) -> Made:
        """What is read of the first of the host's addresses that takes a connection."""
        for ip in await self._addresses(url):
            try:
                return await self._ask_at(ip, url, asked, read)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent; another of the host's addresses may answer
        raise FetchRefused("unreachable")

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """The addresses behind `url`, all of them allowed."""
        if url.scheme not in ("http", "https"):
            raise FetchRefused("scheme_not_allowed")
        if not url.host:
            raise FetchRefused("bad_address")
        port = _port_of(url)
        if port not in _PORTS and not self._allow_private:
            raise FetchRefused("port_not_allowed")
        try:
            found = await self._resolved(url.raw_host.decode("ascii"), port)
        except OSError:
            raise FetchRefused("unreachable") from None
        if not self._allow_private and not all(is_public(address) for address in found):
            raise FetchRefused("address_not_allowed")
        return found[:MOST_ADDRESSES_TRIED]

    async def _resolved(self, host: str, port: int) -> list[str]:
        """Looked up in a thread that the deadline leaves behind: asyncio's own would be waited for."""
        return await asyncio.get_running_loop().run_in_executor(self._lookups, self._resolve, host, port)

    async def _ask_at(self, ip: str, url: httpx.URL, asked: _Asked, read: Read[Made]) -> Made:
        """A client for each request, so that no cookie or connection is carried from host to host."""
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        async with httpx.AsyncClient(transport=transport, timeout=_STEP_SECONDS, trust_env=False) as client:
            request = client.build_request(
                asked.method,
                url.copy_with(host=ip),
                content=asked.body,
                headers={**asked.headers, "Host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            )
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                return await read(response)
            finally:
                await response.aclose()


async def _within(seconds: float, work: Coroutine[object, object, Made]) -> Made:
    try:
        # httpx's own limits are for each read, so that a body of one byte a second never ends.
        async with asyncio.timeout(seconds):
            return await work
    except (TimeoutError, httpx.ReadTimeout):
        raise FetchRefused("timed_out") from None
    except httpx.HTTPError:
        raise FetchRefused("unreachable") from None
    except (httpx.InvalidURL, UnicodeError):
        raise FetchRefused("bad_address") from None


def _port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _conditions(known: Validators) -> dict[str, str]:
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _validators_of(response: httpx.Response) -> Validators:
    """What the answer says of its version; what is too long or odd to be sent back is not kept."""
    told = [response.headers.get(name) for name in ("ETag", "Last-Modified")]
    etag, last_modified = (text if text and _SENT_BACK.fullmatch(text) else None for text in told)
    return Validators(etag, last_modified)


async def _write_body(response: httpx.Response, into: _Into) -> int:
    """Write what `response` decodes to. httpx would decode a bomb's piece whole, so it is done here."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise FetchRefused("encoding_not_known")
    inflater = None if coding in ("identity", "") else Inflater()
    written = 0
    try:
        async for raw in response.aiter_raw():
            for piece in (raw,) if inflater is None else inflater.feed(raw):
                written += len(piece)
                if written > into.most_bytes:
                    raise FetchRefused("too_large")
                into.file.write(piece)
            if into.heard is not None:
                into.heard(written, _announced(response) if inflater is None else None)
        if inflater is not None and written:
            inflater.finish()
    except InflateError as error:
        raise FetchRefused("too_large" if error.is_bomb else "encoding_damaged") from None
    return written


def _announced(response: httpx.Response) -> int | None:
    """How many bytes the answer says that its body has."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
