"""Makes a shop, a news page and campaigns through the server's API, as an operator would."""

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from html import escape, unescape
from typing import Any, NamedTuple, Protocol

import httpx

from tests.simulation.browser import Answer, Browser, Connection

SHOP_PAGE, NEWS_PAGE = "shop.example", "news.example"
CPM = {"pricing_model": "cpm", "rate_micros": 2_000_000}
CPC = {"pricing_model": "cpc", "rate_micros": 500_000}
CPA = {"pricing_model": "cpa", "rate_micros": 5_000_000}

_TITLE = re.compile(rb'class="title"[^>]*>Product (\w+)<')
_TOKEN = re.compile(rb"/i\?t=([\w-]+)")
_LINK = re.compile(rb'class="card" href="([^"]+)"')


class AnyServer(Protocol):
    """A server that can be asked over HTTP, whoever started it."""

    url: str

    def api(self) -> httpx.Client: ...


class Shop(NamedTuple):
    """What was made: opaque ids, slots by their size, campaigns by the name they were given."""

    advertiser_id: str
    public_id: str
    slots: dict[str, str]
    campaigns: dict[str, str]


class Shown(NamedTuple):
    """A slot's answer as a reader of the page sees it: which products, and what its beacons carry."""

    items: list[str]
    token: str
    links: list[str]


def make_shop(
    server: AnyServer,
    products: Sequence[str],
    campaigns: Mapping[str, Mapping[str, Any]],
    sizes: Sequence[str] = ("300x250",),
    **advertiser: Any,
) -> Shop:
    """A shop with products and active campaigns, and a news page with slots."""
    with server.api() as api:
        fields = {"domains": [SHOP_PAGE], "currency": "EUR", "timezone": "Europe/Paris", "country": "FR"}
        shop = _post(api, "/advertisers", name="Shop", **(fields | advertiser))
        if products:  # an empty feed is refused
            put_products(api, shop["id"], products)
        publisher = _post(api, "/publishers", name="News")
        site = _post(api, "/sites", publisher_id=publisher["id"], name="news", domains=[NEWS_PAGE])
        slots = {size: _make_slot(api, site["id"], size) for size in sizes}
        made = {name: make_campaign(api, shop["id"], name, **terms) for name, terms in campaigns.items()}
    return Shop(shop["id"], shop["public_id"], slots, made)


def make_campaign(api: httpx.Client, advertiser_id: str, name: str, **terms: Any) -> str:
    campaign = _post(api, "/campaigns", advertiser_id=advertiser_id, name=name, **terms)
    _post(api, "/creatives", campaign_id=campaign["id"], template="cards", brand={"name": "Shop"})
    change_campaign(api, campaign["id"], status="active")
    return str(campaign["id"])


def change_campaign(api: httpx.Client, campaign_id: str, **changes: Any) -> None:
    answer = api.patch(f"/campaigns/{campaign_id}", json=changes)
    assert answer.status_code == 200, answer.text


def put_products(api: httpx.Client, advertiser_id: str, products: Sequence[str]) -> None:
    """Import a feed whose titles name the item, so that a card tells which product it shows."""
    feed = _post(api, f"/advertisers/{advertiser_id}/feeds")
    rows = "".join(_row(item_id) for item_id in products)
    body = f'<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>{rows}</channel></rss>'
    answer = api.post(f"/advertisers/{advertiser_id}/feeds/{feed['id']}/import", content=body.encode())
    report = answer.json()
    assert answer.status_code == 200 and report["products"] == len(products), answer.text


def _row(item_id: str) -> str:
    name = escape(item_id)
    return (
        f"<item><g:id>{name}</g:id><title>Product {name}</title><link>https://{SHOP_PAGE}/p/{name}</link>"
        "<g:price>10.00 EUR</g:price><g:availability>in_stock</g:availability></item>"
    )


def _make_slot(api: httpx.Client, site_id: str, size: str) -> str:
    width, height = map(int, size.split("x"))
    return str(_post(api, "/slots", site_id=site_id, name=size, width=width, height=height)["id"])


def _post(api: httpx.Client, path: str, **fields: Any) -> dict[str, Any]:
    answer = api.post(path, json=fields)
    assert answer.status_code == 201, (path, answer.text)
    made: dict[str, Any] = answer.json()
    return made


def consent() -> str:
    """Consent asserted by the page, with the name of the tool that asked and the time."""
    return f"consent=1&consent_cmp=testcmp&consent_time={int(time.time())}"


def event_id() -> str:
    return secrets.token_hex(8)


def shown_in(answer: Answer) -> Shown | None:
    """What a slot's document shows; None where it is the house ad."""
    assert answer.status == 200, answer
    token = _TOKEN.search(answer.body)
    if token is None:
        assert answer.headers["x-slot"] == "empty"
        return None
    assert answer.headers["x-slot"] == "filled"
    items = [item.decode() for item in _TITLE.findall(answer.body)]
    links = [unescape(link.decode()) for link in _LINK.findall(answer.body)]
    return Shown(items, token[1].decode(), links)


async def ask_slot(browser: Browser, connection: Connection, slot_id: str) -> Shown | None:
    answer = await browser.get(connection, f"/slot/{slot_id}?{consent()}", NEWS_PAGE)
    return shown_in(answer)


async def tell(browser: Browser, connection: Connection, shop: Shop, name: str, said: str = "") -> Answer:
    """One pixel event with consent; `said` is the rest of its query, as in `&id=7`."""
    target = f"/m/e?m={shop.public_id}&e={name}&{consent()}&debug=1{said}"
    return await browser.get(connection, target, SHOP_PAGE)
