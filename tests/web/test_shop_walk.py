"""An ad is clicked, the shop's own webhook tells the order, the sale is billed; cancelled, it is given back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adserver.domain.shop_hook import signature_of
from tests.pixel.shop_bodies import body_of, shopify_order, woocommerce_order
from tests.web.visiting import Browser, Visiting

SECRET = "0123456789abcdef0123456789abcdef"
PRICE = 3_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Visiting]:
    world = Visiting(tmp_path)
    world.change("PATCH", f"/campaigns/{world.campaign}", status="paused")
    yield world
    world.close()


def sell(world: Visiting) -> str:
    """A campaign paid by the sale."""
    campaign = world.change(
        "POST",
        "/campaigns",
        advertiser_id=world.advertiser,
        name="Sales",
        pricing_model="cpa",
        rate_micros=PRICE,
        status="active",
    )
    world.change("POST", "/creatives", campaign_id=campaign["id"], template="cards", brand={"name": "N"})
    id_: str = campaign["id"]
    return id_


def clicked(browser: Browser) -> str:
    """The click id with which the shop's page was reached."""
    browser.view()
    browser.view()
    landed = browser.ask("GET", f"/c?t={browser.see()}").headers["location"]
    (click_id,) = parse_qs(urlsplit(landed).query)["rtclid"]
    return click_id


def soon(zone: str = "") -> str:
    """The next whole second: shops tell no parts of one, and nobody orders in the second of the click."""
    return (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S") + zone


def shopify_now(click_id: str, **fields: Any) -> dict[str, Any]:
    noted = [{"name": "rtclid", "value": click_id}]
    return shopify_order(created_at=soon("Z"), updated_at=soon("+00:00"), note_attributes=noted, **fields)


def woocommerce_now(click_id: str, **fields: Any) -> dict[str, Any]:
    meta = [{"id": 1, "key": "_rtclid", "value": click_id}]
    return woocommerce_order(date_created_gmt=soon(), date_modified_gmt=soon(), meta_data=meta, **fields)


WALKS = [
    ("shopify", "X-Shopify", shopify_now, "orders/paid", {"cancelled_at": "2026-01-01T00:00:00Z"}),
    ("woocommerce", "X-WC-Webhook", woocommerce_now, "order.updated", {"status": "cancelled"}),
]


@pytest.mark.parametrize(
    ("shop", "prefix", "order_of", "topic", "cancelled"), WALKS, ids=lambda one: str(one)[:11]
)
def test_a_clicked_ad_an_order_and_its_cancellation(
    world: Visiting, shop: str, prefix: str, order_of: Any, topic: str, cancelled: dict[str, str]
) -> None:
    campaign = sell(world)
    hook = world.change("PUT", f"/advertisers/{world.advertiser}/hooks/{shop}", secret=SECRET)
    click_id = clicked(world.browser())
    sender = world.browser()

    def deliver(**fields: Any) -> httpx.Response:
        body = body_of(order_of(click_id, **fields))
        seal = "Hmac-Sha256" if shop == "shopify" else "Signature"
        headers = {f"{prefix}-Topic": topic, f"{prefix}-{seal}": signature_of(SECRET, body)}
        return sender.ask("POST", urlsplit(hook["address"]).path, content=body, headers=headers)

    def spend() -> int:
        micros: int = world.change("GET", f"/campaigns/{campaign}")["spend_micros"]
        return micros

    assert deliver().json() == {"results": ["taken"], "reasons": [""]}
    assert spend() == PRICE
    assert deliver().json()["results"] == ["duplicate"]
    assert deliver(**cancelled).json()["results"] == ["refunded"]
    assert spend() == 0
    sender.ask("POST", urlsplit(hook["address"]).path, content=b"{}")
    world.server.report_counts()
    told = world.change("PUT", f"/advertisers/{world.advertiser}/hooks/{shop}", secret=SECRET)
    assert told["results"] == {"bad_signature": 1, "duplicate": 1, "refunded": 1, "taken": 1}
