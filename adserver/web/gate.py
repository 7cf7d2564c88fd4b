"""What every API request passes before a route sees it: its key, its size, and the answer's headers."""

import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adserver.domain.audit_log import OURSELVES, Actor, ActorKind
from adserver.web.auth import bearer_text, caller_of
from adserver.web.problems import HEADERS, problem_response
from adserver.writes import Access, ApiKey
from adserver.writes.actor import act_as

API = "/api/v1"
MOST_FEED_BYTES = 100_000_000  # a million products, compressed
OPEN = frozenset({f"{API}/openapi.json", f"{API}/docs"})
HOOK_PATH = re.compile(rf"{API}/(?:hooks/[^/]+|postback)/[^/]+")  # proved by a signature instead of a key
FEED_PATH = re.compile(rf"{API}/advertisers/[^/]+/feeds/[^/]+/import")
FILE_PATH = re.compile(
    rf"{API}/(?:advertisers/[^/]+/media|offer-pools/[^/]+/codes"
    r"|advertisers/[^/]+/suppression-lists/[^/]+/visitors)"
)

READING = frozenset({"GET", "HEAD"})
TELLING = frozenset({("POST", f"{API}/events"), ("POST", f"{API}/conversions")})
SECRETS = re.compile(rf"{API}/advertisers/[^/]+/(?:postback|webhook)")  # whoever knows them can tell orders


class Gate:
    """ASGI middleware of the addresses under /api/v1; others pass untouched."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        identify: Callable[[str], ApiKey | None],
        most_body_bytes: int,
        most_file_bytes: int,
        most_feed_bytes: int,
    ) -> None:
        self._app = app
        self._identify = identify
        self._most_body_bytes = most_body_bytes
        self._most_file_bytes = most_file_bytes
        self._most_feed_bytes = most_feed_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        act_as(OURSELVES)  # a connection may carry on the context of the request before, and its actor
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == API or path.startswith(f"{API}/")):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_open = path in OPEN or HOOK_PATH.fullmatch(path) is not None
        key = None if is_open else await self._key(headers)
        if not is_open and key is None:
            refusal = problem_response("unauthenticated", {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        if key is not None:
            if not may(key.access, scope["method"], path):
                await problem_response("narrow_key")(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller_of(key)
            act_as(Actor(ActorKind.KEY, key.key, key.name))
        most = self._most_bytes(path)
        if _declared_length(headers) > most:
            await problem_response("body_too_large")(scope, receive, send)
            return
        await self._app(scope, _counted(receive, most), _with_headers(send))

    def _most_bytes(self, path: str) -> int:
        if FEED_PATH.fullmatch(path):
            return self._most_feed_bytes
        return self._most_file_bytes if FILE_PATH.fullmatch(path) else self._most_body_bytes

    async def _key(self, headers: Headers) -> ApiKey | None:
        """Keys are read from the database, so off the event loop."""
        text = bearer_text(headers.get("authorization"))
        return await run_in_threadpool(self._identify, text) if text is not None else None


def may(access: Access, method: str, path: str) -> bool:
    """Whether a key of that access may ask this at all; what its scope reaches, the routes decide."""
    if access is Access.READ:
        return method in READING and SECRETS.fullmatch(path) is None
    return access is Access.FULL or (method, path) in TELLING


def _declared_length(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _counted(receive: Receive, most: int) -> Receive:
    """A body may come without its length, so it is counted as it comes."""
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413)
        return message

    return counting


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
