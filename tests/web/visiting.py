"""A whole server over real storage, with a shop, a publisher's slot, and browsers that visit both."""

import asyncio
import html
import re
import threading
from pathlib import Path
from typing import Any

import httpx

from adserver.config import Settings
from adserver.main.beside import create_operator_key
from adserver.main.server import Server
from adserver.storage.embedded import own_storage
from pixel.consent import Region

BASE_URL = "https://cards.example"
NEWS = {"Referer": "https://news.example/"}
OWN = {"Origin": BASE_URL}


class Visiting:
    """The server's application on one event loop in a thread of its own, with `more` settings."""

    def __init__(self, folder: Path, **more: Any) -> None:
        usual = {
            "data_dir": folder,
            "base_url": BASE_URL,
            "default_region": Region.OPEN,
            "debug_headers": True,
            "robots_refused": False,
            "click_delay_ms": 0,
        }
        settings = Settings(**usual | more)
        self.storage = own_storage(settings.database_path)
        self.server = Server(settings, self.storage)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.loop.call_soon_threadsafe(self.server.attach_loop)
        self._clients: list[httpx.AsyncClient] = []
        self.operator = self.browser(
            Authorization=f"Bearer {create_operator_key(self.storage, self.server.clock, 'test')}"
        )
        self._make_world()

    def close(self) -> None:
        for client in self._clients:
            self.wait(client.aclose())
        self.server.detach_loop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.server.close()

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def browser(self, **headers: str) -> "Browser":
        transport = httpx.ASGITransport(self.server.application, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers, timeout=30)
        self._clients.append(client)
        return Browser(self, client)

    def change(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = self.operator.ask(method, f"/api/v1{path}", json=body)
        assert answer.status_code < 300, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    def suppress(self, *browsers: "Browser", **fields: Any) -> str:
        """Put browsers on a new suppression list, as the shop does with the ids that its page was told."""
        lists = f"/advertisers/{self.advertiser}/suppression-lists"
        made: str = self.change("POST", lists, **{"name": "Staff"} | fields)["id"]
        file = "visitor\n" + "\n".join(browser.visitor_id() for browser in browsers)
        answer = self.operator.ask("POST", f"/api/v1{lists}/{made}/visitors", content=file)
        assert answer.json()["named"] == len(browsers), answer.text
        return made

    def send(self, method: str, path: str, file: str) -> dict[str, Any]:
        answer = self.operator.ask(method, f"/api/v1{path}", content=file.encode())
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def listed(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.operator.ask("GET", f"/api/v1{path}").json()["items"]
        return items

    def _make_world(self) -> None:
        shop = self.change(
            "POST",
            "/advertisers",
            name="Nordhaus Trading Ltd",
            domains=["shop.example"],
            currency="EUR",
            timezone="Europe/Paris",
            country="FR",
            trust_pixel_conversions=True,
        )
        self.advertiser, self.merchant = shop["id"], shop["public_id"]
        for item, title in (("boots", "Waxed boots"), ("scarf", "Wool scarf")):
            self.change(
                "PUT",
                f"/advertisers/{self.advertiser}/products/{item}",
                title=title,
                link=f"https://shop.example/{item}",
                price_micros=59_000_000,
                currency="EUR",
            )
        publisher = self.change("POST", "/publishers", name="News")
        self.site = self.change(
            "POST", "/sites", publisher_id=publisher["id"], name="News", domains=["news.example"]
        )["id"]
        self.slot = self.change("POST", "/slots", site_id=self.site, name="s", width=300, height=250)["id"]
        self.campaign = self.change(
            "POST",
            "/campaigns",
            advertiser_id=self.advertiser,
            name="Autumn",
            pricing_model="cpc",
            rate_micros=500_000,
            total_budget_micros=50_000_000,
        )["id"]
        self.change(
            "POST", "/creatives", campaign_id=self.campaign, template="cards", brand={"name": "Nordhaus"}
        )
        self.change("PATCH", f"/campaigns/{self.campaign}", status="active")


class Browser:
    """A browser with its own cookies."""

    def __init__(self, world: Visiting, client: httpx.AsyncClient) -> None:
        self._world = world
        self._client = client

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._client.cookies)

    def keep(self, cookies: dict[str, str]) -> None:
        for name, value in cookies.items():
            self._client.cookies.set(name, value, domain="cards.example")

    async def aclose(self) -> None:
        await self._client.aclose()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer: httpx.Response = self._world.wait(self._client.request(method, path, **more))
        return answer

    def visitor_id(self) -> str:
        """By what the shop's own page knows this browser."""
        asked = {"params": {"m": self._world.merchant}, "headers": {"Origin": "https://shop.example"}}
        told: str = self.ask("GET", "/m/id", **asked).json()["visitor"]
        return told

    def view(self, item: str = "boots", event: str = "view_item", **more: str) -> str:
        asked = {"m": self._world.merchant, "e": event, "id": item, "debug": "1"} | more
        return self.ask("GET", "/m/e", params=asked).headers["x-event"]

    def slot(self) -> httpx.Response:
        return self.ask("GET", f"/slot/{self._world.slot}", headers=NEWS)

    def is_shown_an_ad(self) -> bool:
        return self.slot().headers["x-slot"] == "filled"

    def see(self) -> str:
        """Be shown an ad; its token."""
        document = self.slot()
        assert document.headers["x-slot"] == "filled"
        found = re.search(r"/i\?t=([\w-]+)", html.unescape(document.text))
        assert found
        self.ask("POST", f"/i?t={found[1]}")
        return found[1]

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        return self.ask("POST", path, data=form, headers=OWN if headers is None else headers)
