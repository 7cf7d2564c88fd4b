"""Fetches addresses that merchants name, without becoming their way into our own network."""

import asyncio
import io
import socket
from collections.abc import Callable
from typing import IO

import httpx

from adserver.domain.inflate import InflateError, Inflater
from adserver.outside.addresses import is_public
from adserver.ports import FetchRefused

MOST_REDIRECTS = 3
MOST_ADDRESSES_TRIED = 4
_PORTS = (80, 443)
_STEP_SECONDS = 10.0  # for one connect or read; the deadline is over all of them
_HEADERS = {"User-Agent": "adserver feed and picture fetcher", "Accept-Encoding": "gzip", "Accept": "*/*"}

Resolve = Callable[[str, int], list[str]]  # a host and port to its addresses; OSError where there are none


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
        resolve: Resolve = resolve_host,
    ) -> None:
        self._allow_private = allow_private
        self._fetch_seconds = fetch_seconds
        self._download_seconds = download_seconds
        self._resolve = resolve
        self._tls = httpx.create_ssl_context(trust_env=False)  # slow to make, so made once

    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The body at `url`, whole; for pictures."""
        body = io.BytesIO()
        asyncio.run(self._within(self._fetch_seconds, url, most_bytes, body))
        return body.getvalue()

    def download(self, url: str, most_bytes: int, into: IO[bytes]) -> int:
        """Write the body at `url` into a file; how many bytes it was."""
        return asyncio.run(self._within(self._download_seconds, url, most_bytes, into))

    async def _within(self, seconds: float, url: str, most_bytes: int, into: IO[bytes]) -> int:
        try:
            # httpx's own limits are for each read, so that a body of one byte a second never ends.
            async with asyncio.timeout(seconds):
                return await self._follow(url, most_bytes, into)
        except (TimeoutError, httpx.ReadTimeout):
            raise FetchRefused("timed_out") from None
        except httpx.HTTPError:
            raise FetchRefused("unreachable") from None
        except (httpx.InvalidURL, UnicodeError):
            raise FetchRefused("bad_address") from None

    async def _follow(self, url: str, most_bytes: int, into: IO[bytes]) -> int:
        address = httpx.URL(url)
        for _ in range(MOST_REDIRECTS + 1):
            for ip in await self._addresses(address):
                try:
                    found = await self._ask(address, ip, most_bytes, into)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue  # another of the host's addresses may answer
                if isinstance(found, int):
                    return found
                address = found
                break
            else:
                raise FetchRefused("unreachable")
        raise FetchRefused("too_many_redirects")

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
            found = await asyncio.to_thread(self._resolve, url.raw_host.decode("ascii"), port)
        except OSError:
            raise FetchRefused("unreachable") from None
        if not self._allow_private and not all(is_public(address) for address in found):
            raise FetchRefused("address_not_allowed")
        return found[:MOST_ADDRESSES_TRIED]

    async def _ask(self, url: httpx.URL, ip: str, most_bytes: int, into: IO[bytes]) -> int | httpx.URL:
        """The body of one address, written; or where it redirects to.

        A client for each request, so that no cookie or connection is carried from host to host.
        """
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        async with httpx.AsyncClient(transport=transport, timeout=_STEP_SECONDS, trust_env=False) as client:
            request = client.build_request(
                "GET",
                url.copy_with(host=ip),
                headers={**_HEADERS, "Host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            )
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                if response.has_redirect_location:
                    return url.join(response.headers["Location"])
                if response.status_code != 200:
                    raise FetchRefused(f"status_{response.status_code}")
                return await _write_body(response, most_bytes, into)
            finally:
                await response.aclose()


def _port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


async def _write_body(response: httpx.Response, most_bytes: int, into: IO[bytes]) -> int:
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
                if written > most_bytes:
                    raise FetchRefused("too_large")
                into.write(piece)
        if inflater is not None and written:
            inflater.finish()
    except InflateError as error:
        raise FetchRefused("too_large" if error.is_bomb else "encoding_damaged") from None
    return written
