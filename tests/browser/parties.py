"""A shop and a news site on hosts of their own, with the tag and the slot pasted as our documentation has them."""

import re
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Frame, Page, Response

from adserver.demo.pictures import PRODUCT_PICTURES
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer, wait_until

DESKTOP = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
SHOP_HOST, NEWS_HOST, CARDS_HOST = "shop.localhost", "news.localhost", "cards.localhost"
PRICE_MICROS = 6_000_000  # of a sale
TEAPOT, TITLE = "teapot", "Teapot, terracotta"
DOCUMENTED_SLOT = "slot_..."


class Pages:
    """A folder of pages on loopback under a host of their own."""

    def __init__(self, folder: Path, host: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder)))
        self.port = self._server.server_port
        self.url = f"http://{host}:{self.port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def snippet(public_id: str, tag: str) -> str:
    """What docs/tag.md has a webmaster paste."""
    (found,) = re.findall(r"```html\n(.*?)```", (PROJECT / "docs" / "tag.md").read_text(), re.S)
    return str(found).replace("PUBLIC_ID", public_id).replace("https://cards.example.com/m/tag.js", tag)


def embed(slot_id: str, cards: str) -> str:
    """What docs/privacy.md has a publisher paste, with the reader's yes to the site's own consent tool."""
    (found,) = re.findall(
        r"```html\n(<div data-slot.*?)```", (PROJECT / "docs" / "privacy.md").read_text(), re.S
    )
    said = f'data-consent="granted" data-consent-cmp="banner" data-consent-time="{int(time.time())}" src='
    return (
        str(found)
        .replace(DOCUMENTED_SLOT, slot_id)
        .replace("https://cards.example", cards)
        .replace("src=", said)
    )


def write_shop(folder: Path, public_id: str, tag: str) -> None:
    """Four pages: a home, a product, an order, and the home of someone who takes their yes back."""
    item = f"items: [{{item_id: '{TEAPOT}', price: 42, quantity: 1}}], value: 42, currency: 'EUR'"
    pages = {
        "index": "",
        TEAPOT: f"rt('event', 'view_item', {{{item}}});",
        "thanks": f"rt('event', 'purchase', {{transaction_id: 'R-1001', {item}}});",
        "no": "",
    }
    for name, said in pages.items():
        answer = "granted: false" if name == "no" else "granted: true, cmp: 'banner', time: Date.now()"
        (folder / f"{name}.html").write_text(
            f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>Shop</title>"
            f"<h1>The shop: {name}</h1><a href=thanks.html>Buy</a>{snippet(public_id, tag)}"
            f"<script>rt('consent', {{{answer}}}); {said}</script>"
        )


def write_news(folder: Path, slot_id: str, cards: str) -> None:
    (folder / "index.html").write_text(
        "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>News</title>"
        f"<h1>The news</h1><p>What happened today.</p>{embed(slot_id, cards)}"
    )


class Parties:
    """The ad server with a shop's and a publisher's account, and the pages of both."""

    def __init__(self, server: RunningServer, shop_url: str, folder: Path) -> None:
        self.server = server
        self.cards = f"http://{CARDS_HOST}:{server.port}"
        self.shop = shop_url
        self.news = Pages(folder / "news", NEWS_HOST)
        self._api = server.api()
        shop = self.make(
            "advertisers", name="Clay", domains=[SHOP_HOST], currency="EUR", timezone="Europe/Paris",
            country="FR", trust_pixel_conversions=True,
        )  # fmt: skip
        self.advertiser, self.public_id = shop["id"], shop["public_id"]
        publisher = self.make("publishers", name="News")
        site = self.make("sites", publisher_id=publisher["id"], name="News", domains=[NEWS_HOST])
        self.picture: str | None = None
        self.slot = self.make("slots", site_id=site["id"], name="Side", width=300, height=250)["id"]
        write_news(self.news.folder, self.slot, self.cards)

    def close(self) -> None:
        self._api.close()
        self.news.close()

    def make(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = self._api.post(f"/{path}", json=fields)
        assert answer.status_code == 201, (path, answer.text)
        return dict(answer.json())

    def sell(self, picture: str | None = None, **look: Any) -> str:
        """A teapot in the catalogue, and a campaign of its cards that is paid by the sale."""
        fields = {
            "title": TITLE,
            "link": f"{self.shop}/{TEAPOT}.html",
            "price_micros": 42_000_000,
            "currency": "EUR",
        }
        address = f"/advertisers/{self.advertiser}/products/{TEAPOT}"
        answer = self._api.put(address, json=fields | ({} if picture is None else {"image_link": picture}))
        assert answer.status_code == 200, answer.text
        if picture is not None:
            wait_until(lambda: bool(self._api.get(address).json()["has_picture"]), "the picture is ready")
        return self.campaign({"template": "cards"} | look)

    def advertise(self) -> str:
        """A campaign of a message that is shown for the page, whoever reads it."""
        message = {"headline": "Pots for tea", "body": "Thrown by hand.", "button": "See them"}
        look = {"template": "message", "message": message, "link": f"{self.shop}/{TEAPOT}.html"}
        return self.campaign(look, contextual=True)

    def campaign(self, look: dict[str, Any], **terms: Any) -> str:
        """An active one, paid by the sale."""
        made = self.make(
            "campaigns", advertiser_id=self.advertiser, name="Sale", pricing_model="cpa",
            rate_micros=PRICE_MICROS, **terms,
        )  # fmt: skip
        self.make("creatives", campaign_id=made["id"], brand={"name": "Clay"}, **look)
        answer = self._api.patch(f"/campaigns/{made['id']}", json={"status": "active"})
        assert answer.status_code == 200, answer.text
        return str(made["id"])

    def spent(self, campaign: str) -> int:
        return int(self._api.get(f"/campaigns/{campaign}").json()["spend_micros"])


def draw_teapot(folder: Path) -> str:
    """The product's picture among the shop's files; its name."""
    (folder / "teapot.png").write_bytes(PRODUCT_PICTURES[TEAPOT]().picture())
    return "teapot.png"


class Shopper:
    """Someone with one tab, who reads the news and shops; whatever a page complains of is kept."""

    def __init__(self, parties: Parties, context: BrowserContext) -> None:
        self.parties = parties
        self.context = context
        self.complaints: list[str] = []
        self.page = self._watched(context.new_page())

    def _watched(self, page: Page) -> Page:
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def opens(self, name: str) -> Response:
        """A page of the shop; what the ad server answered to what the tag told there."""
        with self.page.expect_response(is_pixel) as pixel:
            self.page.goto(f"{self.parties.shop}/{name}.html")
        return pixel.value

    def reads_the_news(self) -> str:
        """Whether the slot was filled, in the server's word."""
        with self.page.expect_response(lambda answer: "/slot/" in answer.url) as slot:
            self.page.goto(self.parties.news.url)
        self.ad().wait_for_selector("body *")
        return slot.value.headers["x-slot"]

    def ad(self) -> Frame:
        frame = self.page.wait_for_selector("[data-slot] iframe").content_frame()
        assert frame is not None
        return frame

    def clicks_the_ad(self) -> None:
        """It opens the shop in a tab of its own, where the walk goes on once the tag has told of it."""
        with self.context.expect_page() as opened:
            self.ad().locator("a.card, a.message").first.click()
        self.page = self._watched(opened.value)
        self.page.wait_for_load_state()

    def buys(self) -> None:
        with self.page.expect_response(is_pixel):
            self.page.get_by_role("link", name="Buy").click()

    def cookies(self, url: str) -> dict[str, Any]:
        return {str(cookie.get("name")): cookie for cookie in self.context.cookies(url)}


def is_pixel(answer: Response) -> bool:
    return urlsplit(answer.url).path in ("/m/e", "/rt/e")
