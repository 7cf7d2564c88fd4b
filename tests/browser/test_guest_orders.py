"""A guest fills a cart, logs in and orders, and the shop's server tells the order: one visitor, one profile, one charge."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Route

from tests.browser.chromium import sends_cookies_to_frames
from tests.browser.parties import (
    DESKTOP,
    PRICE_MICROS,
    SHOP_HOST,
    TEAPOT,
    Pages,
    Parties,
    Shopper,
    write_shop,
)
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer, wait_until

pytestmark = pytest.mark.browser

CART = f"rt('event', 'add_to_cart', {{items: [{{item_id: '{TEAPOT}', price: 42, quantity: 1}}], currency: 'EUR'}});"


def log_in(public_id: str, cards: str) -> str:
    """What docs/events.md has a shop's page do at log-in."""
    ask, keep = re.findall(r"```js\n(.*?)```", (PROJECT / "docs" / "events.md").read_text(), re.S)
    return (
        (str(ask) + str(keep))
        .replace("PUBLIC_ID", public_id)
        .replace("https://cards.example.com", cards)
        .replace("1795000000", str(int(time.time())))
    )


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    with RunningServer(tmp_path / "server") as server:
        shop = Pages(tmp_path / "shop", SHOP_HOST)
        parties = Parties(server, shop.url, tmp_path)
        write_shop(shop.folder, parties.public_id, f"{parties.cards}/m/tag.js")
        plain = (shop.folder / "index.html").read_text()
        for name, script in (("cart", CART), ("login", log_in(parties.public_id, parties.cards))):
            (shop.folder / f"{name}.html").write_text(f"{plain}<script>{script}</script>")
        yield parties
        parties.close()
        shop.close()


@pytest.fixture
def context(tmp_path: Path) -> Iterator[BrowserContext]:
    with sends_cookies_to_frames(tmp_path / "profile", 10_000, user_agent=DESKTOP) as context:
        yield context


class Account:
    """What the shop keeps of its customer, and what its server tells of the order once it is paid."""

    def __init__(self, parties: Parties, shopper: Shopper) -> None:
        self.parties = parties
        self.visitor = ""
        shopper.context.route("**/account/visitor", self._keep)

    def _keep(self, route: Route) -> None:
        self.visitor = route.request.post_data or ""
        route.fulfill(status=204)

    def tell_order(self, **who: str) -> dict[str, Any]:
        """The same order as the browser's, told by the server."""
        order = {
            "name": "purchase",
            "transaction_id": "R-1001",
            "value": 42,
            "currency": "EUR",
            "items": [{"item_id": TEAPOT}],
        }
        consent = {"granted": True, "cmp": "banner", "time": int(time.time())}
        letter = {"advertiser_id": self.parties.advertiser, "events": [order | who], "consent": consent}
        with self.parties.server.api() as api:
            answer = api.post("/events", json=letter)
        assert answer.status_code == 200, answer.text
        (told,) = answer.json()["results"]
        return dict(told)


class Guest:
    """Fills a cart as nobody in particular, clicks the ad that comes of it, and logs in."""

    def __init__(self, parties: Parties, context: BrowserContext) -> None:
        self.parties = parties
        self.campaign = parties.sell()
        self.shopper = Shopper(parties, context)
        self.account = Account(parties, self.shopper)
        self.shopper.opens("index")
        self.shopper.opens("cart")
        assert self.shopper.reads_the_news() == "filled"
        self.shopper.clicks_the_ad()
        (self.click_id,) = parse_qs(urlsplit(self.shopper.page.url).query)["rtclid"]
        with self.shopper.page.expect_response("**/account/visitor"):
            self.shopper.opens("login")
        assert self.shopper.reads_the_news() == "filled"

    def assert_the_order_counts_once(self) -> None:
        """Told by the browser too; of one visitor, billed once."""
        self.shopper.opens("thanks")
        rows = self.parties.server.rows
        wait_until(lambda: not rows("SELECT 1 FROM conversions WHERE state = 'new'"), "it is settled")
        assert len(rows("SELECT DISTINCT conversion_key FROM conversions")) == 1
        assert self.parties.spent(self.campaign) == PRICE_MICROS
        assert len(rows("SELECT visitor_key FROM profiles")) == 1
        assert self.shopper.reads_the_news() == "empty"
        assert self.shopper.complaints == []
        self.parties.server.assert_audit_is_clean()


def test_an_order_told_with_the_id_of_the_log_in_empties_the_guests_cart_and_counts_once(
    parties: Parties, context: BrowserContext
) -> None:
    guest = Guest(parties, context)
    told = guest.account.tell_order(visitor=guest.account.visitor)
    assert told == {"result": "accepted", "reason": None, "order": "taken"}
    assert guest.shopper.reads_the_news() == "empty"
    guest.assert_the_order_counts_once()


def test_an_order_told_with_the_click_id_is_the_browsers_order(
    parties: Parties, context: BrowserContext
) -> None:
    guest = Guest(parties, context)
    told = guest.account.tell_order(rtclid=guest.click_id)
    assert told == {"result": "accepted", "reason": None, "order": "taken"}
    guest.assert_the_order_counts_once()
