"""Stands in front of the server: answers the demo's own pages, and listens to the rest for the story."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from adserver.demo.hosts import hosts_for
from adserver.demo.pages import demo_pages
from adserver.demo.seed import World
from adserver.demo.server import DemoServer
from adserver.demo.story import STRANGER, Story
from adserver.demo.telling import Reader, Telling
from adserver.domain.pricing import AdEvent
from adserver.web.caller import is_test, read_head
from adserver.web.doors import Application
from pixel.cookie import names_for, read_visitor
from pixel.parse import from_body, from_query

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EXPLAIN = b"debug=1"  # has the server say in a header what became of a request
_CHARGED = {"/i": AdEvent.IMPRESSION, "/v": AdEvent.VIEWABLE_IMPRESSION, "/c": AdEvent.CLICK}


class Overheard(msgspec.Struct):
    """A request and its answer, as they passed by."""

    method: str
    path: str
    query: bytes
    visitor_key: int
    body: bytearray
    headers: dict[bytes, bytes]
    at_ms: int


class Front:
    """An ASGI application around the server's."""

    def __init__(self, behind: Application, server: DemoServer, story: Story, pages: Application) -> None:
        self._behind = behind
        self._server = server
        self._story = story
        self._pages = pages

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._behind(scope, receive, send)
        path = scope["path"]
        hosts = hosts_for(read_head(scope["headers"]).text(b"host"))
        if hosts is not None and (path in ("/", "/demo", "/favicon.ico") or path.startswith("/demo/")):
            return await self._pages(scope, receive, send)
        if path == "/m/e" or path in _CHARGED:
            return await self._watched(scope, receive, send)
        return await self._behind(scope, receive, send)

    async def _watched(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on and listen; only a landing page's host is ever changed."""
        host = read_head(scope["headers"]).text(b"host")
        visitor_key, now_ms = self.reader(scope).visitor_key, self._server.clock()
        method, path, query = scope["method"], scope["path"], scope["query_string"]
        overheard = Overheard(method, path, query, visitor_key, bytearray(), {}, now_ms)

        async def hear() -> Message:
            message = await receive()
            overheard.body += message.get("body", b"")
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._landing(pair, host) for pair in message["headers"]]
                overheard.headers = dict(message["headers"])
                self._tell(overheard)
            await send(message)

        asked = query + b"&" + EXPLAIN if query else EXPLAIN
        await self._behind({**scope, "query_string": asked}, hear, answer)

    def _landing(self, header: tuple[bytes, bytes], host: str) -> tuple[bytes, bytes]:
        """A click leads to the shop as the visitor reached it: through a tunnel, by name, or on three hosts.

        The catalogue knows one address of the shop, as in real life; the demo's shop has several.
        """
        name, value = header
        own = f"{self._server.settings.base_url}/demo/".encode()
        hosts = hosts_for(host)
        if name != b"location" or not value.startswith(own) or hosts is None:
            return header
        room = "service" if value.startswith(own + b"service") else "shop"
        return name, (hosts.of(room) or f"http://{host}").encode() + b"/demo/" + value[len(own) :]

    # ---- what was overheard ----

    def _tell(self, heard: Overheard) -> None:
        if heard.path == "/m/e":
            self._tell_hit(heard)
            return
        said = heard.headers.get(b"x-charge", b"").decode()
        token = heard.query.split(b"&", 1)[0].removeprefix(b"t=").decode("latin-1")
        self._story.heard_charge(_CHARGED[heard.path], token, said)

    def _tell_hit(self, heard: Overheard) -> None:
        if heard.method == "OPTIONS":
            return
        posted = heard.method == "POST"
        hit = from_body(bytes(heard.body)) if posted else from_query(heard.query)
        said = heard.headers.get(b"x-event", b"").decode()
        cookie = heard.headers.get(b"set-cookie", b"").decode()
        visitor_key = heard.visitor_key or self._visitor(cookie.partition(";")[0].encode())
        if cookie and visitor_key != heard.visitor_key:
            self._story.heard_cookie(visitor_key, cookie, heard.at_ms)
        wire = _pretty(bytes(heard.body)) if posted else heard.query.decode("latin-1")
        self._story.heard_hit(visitor_key or STRANGER, hit, wire, said, heard.at_ms)

    def _visitor(self, cookie_header: bytes) -> int:
        for secure in (True, False):
            found = read_visitor(cookie_header, self._server.cookie_keys(), names_for(secure))
            if found.visitor:
                return found.visitor
        return STRANGER

    def reader(self, scope: Message) -> Reader:
        """Who asks, by the cookie of the host they ask on."""
        head = read_head(scope["headers"])
        hosts = hosts_for(head.text(b"host"))
        header = head.values.get(b"cookie", b"")
        names = names_for(bool(hosts and hosts.three))
        found = read_visitor(header, self._server.cookie_keys(), names)
        value = f"{names.visitor.decode()}={_value(header, names.visitor)[:12]}…" if found.visitor else ""
        return Reader(found.visitor or STRANGER, value, is_test(header), found.opted_out)


def stand_in_front(server: DemoServer, world: World) -> Application:
    """The demo around its server."""
    story = Story(server)
    server.serve.heard = story.heard_decision
    telling = Telling(server, world, story)

    def tell(scope: Message) -> dict[str, Any]:
        return telling.tell(front.reader(scope))

    def forget(scope: Message) -> None:
        story.forget(front.reader(scope).visitor_key)

    front = Front(server.application, server, story, demo_pages(server, world, tell, forget))
    return front


def _value(cookie_header: bytes, name: bytes) -> str:
    for pair in cookie_header.split(b";"):
        known, _, value = pair.strip().partition(b"=")
        if known == name:
            return value.decode("latin-1")
    return ""


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", "replace")
