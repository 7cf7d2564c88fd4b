"""A publisher's site and a whole ad server, each on loopback, for tests of what stands on the site's pages."""

import asyncio
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import uvicorn

from tests.web.visiting import Visiting


class News:
    """A publisher's site on loopback under a host of its own, with a strict policy; tests say its page."""

    def __init__(self) -> None:
        self.html = ""
        self.policy = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.html.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", outer.policy)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://news.localhost:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Stage:
    """The whole scene: the ad server, the news site, and the slots of its pages."""

    def __init__(self, folder: Path) -> None:
        self.world = Visiting(folder)
        self.news = News()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.cards = f"http://cards.localhost:{self._listener.getsockname()[1]}"
        self._uvicorn = uvicorn.Server(uvicorn.Config(self.world.server.application, log_level="error"))
        self._serving = asyncio.run_coroutine_threadsafe(
            self._uvicorn.serve([self._listener]), self.world.loop
        )
        self.world.change("PATCH", f"/sites/{self.world.site}", domains=["news.localhost", "cards.localhost"])
        self.slots = {"house": self.world.slot}
        for wish in ("collapse", "passback"):
            self.slots[wish] = self.world.change(
                "POST", "/slots", site_id=self.world.site, name=wish, width=300, height=250, on_empty=wish
            )["id"]

    def opens_a_shop_with(self, item: str) -> str:
        """The shop has an address that answers, where this item is sold."""
        world, shop = self.world, f"http://shop.localhost:{self.news.server.server_port}"
        world.change("PATCH", f"/advertisers/{world.advertiser}", domains=["shop.example", "shop.localhost"])
        fields = {"title": item, "link": f"{shop}/{item}", "price_micros": 59_000_000, "currency": "EUR"}
        world.change("PUT", f"/advertisers/{world.advertiser}/products/{item}", **fields)
        return shop

    def close(self) -> None:
        self._uvicorn.should_exit = True
        self._serving.result(10)
        self.news.close()
        self.world.close()
