"""A shop whose pages carry the tag, and the ad server beside it, on one loopback port under two host names."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page

from pixel.assets import tag_script
from pixel.events import Event
from pixel.parse import Hit, from_body, from_query

STUB = "window.rt=window.rt||function(){(rt.q=rt.q||[]).push(arguments)};"
SETTLED_SECONDS = 0.1


class ShopPage:
    """What the page says is set before it is opened; what the tag told is read as the server would."""

    def __init__(self) -> None:
        self.clear()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": self}))
        self.cards = f"http://cards.localhost:{self.server.server_port}"
        self.shop = f"http://shop.localhost:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def clear(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.statuses: list[int] = []  # of the next answers; 200 after them
        self.script = self.html = self.third_party = ""
        self.bearable = ""  # what the browser may complain of

    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src 'nonce-n' {self.cards};"
            f" connect-src {self.cards}; img-src {self.cards}; form-action 'self'"
        )

    def page(self) -> str:
        tag = f'<script nonce="n" async src="{self.cards}/m/tag.js"></script>'
        return f'<!doctype html><meta charset="utf-8"><script nonce="n">{STUB}{self.script}</script>{tag}{self.html}'

    # ---- what was told ----

    def hits(self, count: int) -> list[Hit]:
        """The first `count` requests as the server reads them, and the certainty that no more came.

        Those sent without waiting for one another may come in any order: each has a connection of its own.
        """
        self.wait(lambda: len(self.requests) >= count)
        assert len(self.requests) == count, [request["said"] for request in self.requests]
        return self.read()

    def events(self, count: int) -> list[Event]:
        """The first `count` events, in however many requests, and no more of them."""
        self.wait(lambda: sum(len(hit.events) for hit in self.read()) >= count)
        events = [event for hit in self.read() for event in hit.events]
        assert len(events) == count, events
        return events

    def told(self, count: int) -> list[str]:
        """The same in short: names, and what they are about."""
        return [
            " ".join([event.name, *(item.item_id for item in event.items)]) for event in self.events(count)
        ]

    def said_anywhere(self, text: bytes) -> bool:
        return any(text in request["said"] or text.decode() in request["path"] for request in self.requests)

    def read(self) -> list[Hit]:
        read = [
            from_body(request["said"]) if request["method"] == "POST" else from_query(request["said"])
            for request in list(self.requests)
        ]
        hits = [hit for hit in read if isinstance(hit, Hit) and not hit.rejections]
        assert len(hits) == len(read), read
        return hits

    def wait(self, is_there: Any) -> None:
        until_seconds = time.monotonic() + 5
        while not is_there() and time.monotonic() < until_seconds:
            time.sleep(0.01)
        time.sleep(SETTLED_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    shop: ShopPage

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/e"):
            return self.record(parts.query.encode())
        if parts.path.endswith("/tag.js"):
            return self.answer(tag_script(), "text/javascript")
        if parts.path == "/third.js":
            return self.answer(self.shop.third_party.encode(), "text/javascript")
        if parts.path.startswith("/shop/"):
            return self.answer(self.shop.page().encode(), "text/html")
        return self.answer(b"", "text/plain")

    def do_POST(self) -> None:
        self.record(self.rfile.read(int(self.headers["content-length"])))

    def record(self, said: bytes) -> None:
        request = {
            "method": self.command,
            "path": self.path,
            "said": said,
            "headers": dict(self.headers),
        }
        self.shop.requests.append(request)
        self.answer(b"", "image/gif", self.shop.statuses.pop(0) if self.shop.statuses else 200)

    def answer(self, body: bytes, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.shop.policy())
        if "Origin" in self.headers:  # as the server's own answers
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.send_header("Access-Control-Allow-Credentials", "true")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class Shopper:
    """A browser's visits to the shop; an error on a page fails the test."""

    def __init__(self, shop: ShopPage, context: BrowserContext) -> None:
        self.shop = shop
        self.context = context
        self.errors: list[str] = []

    def __call__(
        self,
        script: str = "",
        *,
        query: str = "",
        html: str = "",
        before: str = "",
        third_party: str = "",
        clock: bool = False,
    ) -> Page:
        """Open the page with `script` before the tag, `before` ahead of everything, `html` as its body."""
        self.shop.script, self.shop.html, self.shop.third_party = script, html, third_party
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        if clock:
            page.clock.install()
        if before:
            page.add_init_script(before)
        page.goto(f"{self.shop.shop}/shop/page{query}")
        page.wait_for_function("window.rt.ready")
        return page

    def load_third_party(self, page: Page) -> None:
        """Another company's script, loaded as its snippet would."""
        page.evaluate(
            """(address) => new Promise((loaded) => { const script = document.createElement('script');
            script.src = address; script.onload = loaded; document.head.append(script); })""",
            f"{self.shop.cards}/third.js",
        )

    def click_ids(self) -> list[str]:
        return [cookie["value"] for cookie in self.context.cookies() if cookie["name"] == "_rtclid"]


@contextmanager
def visits(shop: ShopPage, context: BrowserContext) -> Iterator[Shopper]:
    shopper = Shopper(shop, context)
    yield shopper
    context.close()
    assert [error for error in shopper.errors if not shop.bearable or shop.bearable not in error] == []
