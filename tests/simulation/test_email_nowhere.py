"""An e-mail address in any field of any address of a real server reaches no database, log or file."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from adserver.domain.postback import signature_of as postback_signature
from adserver.domain.shop_hook import signature_of as hook_signature
from pixel import parse
from tests.pixel.shop_bodies import shopify_order, shopify_refund, shopify_refund_line, woocommerce_order
from tests.simulation.browser import USER_AGENT, Answer, Browser, Connection
from tests.simulation.planting import Planter, held_by, planted
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPA, NEWS_PAGE, SHOP_PAGE, Shop, Shown, ask_slot, event_id, make_shop, tell

ITEM = "7"
SOUND = "zqsound1"  # of no e-mail's shape: what the search finds, so that it is known to find something
SECRET = "0123456789abcdef0123456789abcdef"
QUERY_FIELDS = sorted({*parse._NAMED, *parse._LISTED, "anything"})
SLOT_FIELDS = ("url", "click", "u", "n", "cb", "gdpr_consent", "gpp", "us_privacy", "consent_cmp", "anything")
HEADERS = (
    "Referer", "Origin", "User-Agent", "Cookie", "X-Forwarded-For", "Forwarded", "Authorization", "Sec-GPC",
    "Sec-Purpose", "Accept-Language", "From", "Idempotency-Key", "X-Request-Id",
)  # fmt: skip
PERSON = {
    "email": "",
    "phone": "+49 30 1234567",
    "first_name": "Jane",
    "address1": "1 Road",
    "note": "a note",
}


class Place(NamedTuple):
    """A server with a shop, a visitor who was shown an ad, and a connection."""

    server: RunningServer
    shop: Shop
    planter: Planter
    connection: Connection
    browser: Browser
    shown: Shown

    async def get(self, target: str, page: str = SHOP_PAGE, **headers: str) -> Answer:
        return await self.ask("GET", target, b"", {**self.browser.headers(page), **headers})

    async def post(self, target: str, body: object, page: str = SHOP_PAGE, **headers: str) -> Answer:
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", target, said, {**self.browser.headers(page), **headers})

    async def api(self, path: str, body: object, key: str | None = None, method: str = "POST") -> Answer:
        headers = {
            "Authorization": f"Bearer {self.server.key()}",
            "Content-Type": "application/json",
            "Idempotency-Key": key or event_id(),
        }
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask(method, f"/api/v1/{path}", said, headers)

    async def ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Whatever stands in a header goes over the wire as UTF-8; a connection that was closed is opened anew."""
        sent = {name: text.encode().decode("latin-1") for name, text in headers.items()}
        answer = await self.connection.ask(method, target, sent, body)
        assert answer.status < 500, (method, target, answer)
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("no e-mail")
    with RunningServer(folder, workers=2, log_level="debug", metrics="same") as running:
        yield running


@asynccontextmanager
async def visited(server: RunningServer) -> AsyncIterator[Place]:
    shop = make_shop(server, [ITEM, SOUND], {"cpa": CPA}, trust_pixel_conversions=True)
    async with Connection(server.url) as connection:
        browser = Browser()
        for item in (SOUND, ITEM):
            await tell(browser, connection, shop, "view_item", f"&id={item}&event_id={item}")
        shown = await ask_slot(browser, connection, shop.slots["300x250"])
        assert shown is not None
        yield Place(server, shop, Planter(), connection, browser, shown)


def said(**fields: str) -> str:
    return "&".join(f"{name}={quote(text, safe='')}" for name, text in fields.items())


# ---- events ----


def consent_fields() -> dict[str, str]:
    return {"consent": "1", "consent_cmp": "testcmp", "consent_time": str(int(time.time()))}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def consent_said() -> dict[str, Any]:
    return {"granted": True, "cmp": "testcmp", "time": int(time.time())}


async def tell_by_query(place: Place) -> None:
    for event in ("view_item", "purchase", "generate_lead", "form_start", "landed"):
        fields = {"m": place.shop.public_id, "e": event, "id": ITEM, "value": "10", "currency": "EUR"}
        for name in QUERY_FIELDS:
            text = place.planter.address(f"GET /m/e {event} {name}")
            await place.get(f"/m/e?{said(**{**fields, **consent_fields(), name: text})}")
        text = place.planter.address(f"GET /m/e {event}, a field's name")
        await place.get(f"/m/e?{said(**fields, **consent_fields())}&{quote(text, safe='')}=1")


def documents() -> dict[str, dict[str, Any]]:
    """An event in the shapes of each pixel."""
    item = {"item_id": ITEM, "item_name": "Boots", "price": 10, "quantity": 1}
    person = {"em": "", "ph": "1"}
    return {
        "GA4": {"name": "purchase", "event_id": "", "transaction_id": "T", "value": 10, "currency": "EUR",
                "items": [item], "url": f"https://{SHOP_PAGE}/", "rtclid": "c", "search_term": "boots"},
        "Meta": {"event_name": "Purchase", "eventID": "", "user_data": person, "event_source_url": "x",
                 "custom_data": {"content_ids": [ITEM], "order_id": "T", "value": 1, "currency": "EUR",
                                 "contents": [{"id": ITEM, "quantity": 1, "item_price": 2}]}},
        "Criteo": {"event": "trackTransaction", "id": "T", "email": "", "hashed_email": "",
                   "item": [{"id": ITEM, "price": 10, "quantity": 1}]},
        "a form": {"name": "form_submit", "form_id": "f", "fields": ["first-name", "mail"], "landing_ms": 1},
    }  # fmt: skip


async def tell_by_body(place: Place) -> None:
    for shape, event in documents().items():
        body = {"m": place.shop.public_id, "events": [event], "consent": consent_said(), "debug": 1}
        for changed in planted(body, place.planter, f"POST /m/e {shape}"):
            await place.post("/m/e", changed)
            await place.post("/m/e", json.dumps(changed, ensure_ascii=False).encode())


async def tell_by_server(place: Place) -> None:
    for shape, event in documents().items():
        record = {**event, "visitor": "v", "rtclid": "c", "occurred_at": now()}
        known = {
            **event,
            "visitor": await visitor_of(place),
            "event_id": event_id(),
            "consent": consent_said(),
        }
        for one in (record, known):
            body = {"advertiser_id": place.shop.advertiser_id, "events": [one], "consent": consent_said()}
            for changed in planted(body, place.planter, f"/events {shape}"):
                await place.api("events", changed)


async def visitor_of(place: Place) -> str:
    answer = await place.get(f"/m/id?{said(m=place.shop.public_id, **consent_fields())}")
    return str(json.loads(answer.body)["visitor"])


# ---- orders ----


async def click_id_of(place: Place) -> str:
    answer = await place.get(place.shown.links[0], NEWS_PAGE)
    return parse_qs(urlsplit(answer.headers["location"]).query)["rtclid"][0]


async def tell_orders(place: Place) -> None:
    """Of an order that was billed, so that it can be cancelled and refunded."""
    clicked = await click_id_of(place)
    named = {"advertiser_id": place.shop.advertiser_id, "event": "purchase", "order_id": "O-1"}
    bodies = {
        "conversions": {**named, "value_micros": 1_000_000, "currency": "EUR", "occurred_at": now(),
                        "items": [{"item_id": ITEM, "price": 1, "quantity": 1}],
                        "rtclid": clicked},
        "refunds": {**named, "refund_id": "R-2", "amount_micros": 1, "reason": "came back"},
        "conversions/cancel": {**named, "refund_id": "R-1", "returned_micros": 1, "currency": "EUR", "reason": "came back"},
        "deposits": {"advertiser_id": place.shop.advertiser_id, "amount_micros": 1, "reference": "D-1"},
    }  # fmt: skip
    anew = {"conversions": ("order_id",), "refunds": ("refund_id",), "conversions/cancel": ("refund_id",),
            "deposits": ("reference",)}  # fmt: skip
    for path, body in bodies.items():
        assert (await place.api(path, body)).status in (200, 201), path
        for changed in planted(body, place.planter, path):
            for name in anew[path]:
                if changed[name] == body[name]:  # or it would be a repeat, of which nothing is kept
                    changed[name] = event_id()
            await place.api(path, changed)
        await place.api(path, body, key=place.planter.address(f"{path} Idempotency-Key"))
    settled = f"order_id,event,decision,reason\n{place.planter.address('csv id')},purchase,decline,no\n"
    settled += f"O-9,purchase,decline,{place.planter.address('csv reason')}\n"
    await place.api(f"conversions/settle?advertiser_id={place.shop.advertiser_id}", settled.encode())


async def tell_postbacks(place: Place) -> None:
    address = f"advertisers/{place.shop.advertiser_id}/postback"
    secret = json.loads((await place.api(address, b"", method="GET")).body)["secret"]
    for name in ("order_id", "lead_id", "event", "value", "currency", "rtclid", "nonce", "ts", "sig", "visitor",
                 "anything"):  # fmt: skip
        given = {"order_id": "O-2", "value": "8.90", "currency": "EUR", "nonce": event_id(),
                 "ts": str(int(time.time()))}  # fmt: skip
        given[name] = place.planter.address(f"postback {name}")
        given.setdefault("sig", postback_signature(secret, given))
        for method in ("GET", "POST"):
            await place.ask(method, f"/api/v1/postback/{place.shop.advertiser_id}?{said(**given)}", b"", {})


async def tell_hooks(place: Place) -> None:
    people = {"customer": PERSON, "billing": PERSON, "billing_address": PERSON, "email": "", "note": "a note",
              "contact_email": "", "customer_note": "", "cancel_reason": "other"}  # fmt: skip
    times = {"created_at": now(), "updated_at": now(), "processed_at": now()}
    times |= {f"date_{name}_gmt": now()[:19] for name in ("created", "modified", "paid")}
    clicked = {"note_attributes": [{"name": "rtclid", "value": await click_id_of(place)}]}
    refund = shopify_refund(shopify_refund_line(), note="broken", **times)
    said_by = {
        "shopify": {
            "orders/paid": shopify_order(**people, **times, **clicked),
            "orders/cancelled": shopify_order(cancelled_at=now(), **people, **times),
            "refunds/create": refund,
        },
        "woocommerce": {"order.updated": woocommerce_order(**people, **times)},
    }
    prefix = {"shopify": "X-Shopify-", "woocommerce": "X-WC-Webhook-"}
    signed = {"shopify": "X-Shopify-Hmac-Sha256", "woocommerce": "X-WC-Webhook-Signature"}
    for shop, topics in said_by.items():
        set_up = f"advertisers/{place.shop.advertiser_id}/hooks/{shop}"
        assert (await place.api(set_up, {"secret": SECRET}, method="PUT")).status == 200
        for topic, document in topics.items():
            for changed in planted(document, place.planter, f"{shop} {topic}"):
                body = json.dumps(changed).encode()
                headers = {signed[shop]: hook_signature(SECRET, body), f"{prefix[shop]}Topic": topic}
                await place.ask("POST", f"/api/v1/hooks/{shop}/{place.shop.advertiser_id}", body, headers)


# ---- ads, visitors' pages, and what is at no address ----


async def ask_slots(place: Place) -> None:
    slot = place.shop.slots["300x250"]
    for path in (f"/slot/{slot}", f"/slot/{slot}.gif", f"/slot/{slot}/click"):
        for name in SLOT_FIELDS:
            fields = {**consent_fields(), "n": "letter", name: place.planter.address(f"{path} {name}")}
            await place.get(f"{path}?{said(**fields)}", NEWS_PAGE)
    for path in ("/i", "/v", "/c", "/why", "/privacy", "/privacy/export"):
        text = quote(place.planter.address(path), safe="")
        for query in (f"t={text}", f"t={place.shown.token}&x={text}", f"t={place.shown.token}&{text}=1"):
            await place.get(f"{path}?{query}", NEWS_PAGE)


async def send_forms(place: Place) -> None:
    own = {"Origin": place.server.url, "Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/why", "/privacy/opt-in", "/test-visitor", "/privacy/opt-out", "/privacy/forget"):
        for name in ("t", "wish", "test", "anything"):
            text = place.planter.address(f"{path} {name}")
            fields = {"t": place.shown.token, "wish": "bought", "test": "on", name: text}
            headers = {**own, "Cookie": f"rt-note={text}"}  # nobody is forgotten before the end
            await place.post(path, said(**fields).encode(), NEWS_PAGE, **headers)


async def name_headers(place: Place) -> None:
    slot = place.shop.slots["300x250"]
    pages = (f"/m/e?{said(m=place.shop.public_id, e='view_item', id=ITEM, **consent_fields())}",
             f"/slot/{slot}?{said(**consent_fields())}", f"/i?t={place.shown.token}", place.shown.links[0],
             "/privacy", "/nowhere", "/api/v1/campaigns", "/metrics", "/m/tag.js", "/readyz")  # fmt: skip
    for target in pages:
        for name in HEADERS:
            text = place.planter.address(f"{name} of {target[:12]}")
            await place.ask("GET", target, b"", {"User-Agent": USER_AGENT, name: text})
            shaped = {"Referer": f"https://{SHOP_PAGE}/{text}?{text}", "Cookie": f"rt={text}; {text}=1"}
            await place.ask("GET", target, b"", {"User-Agent": USER_AGENT, **shaped})


async def miss_addresses(place: Place) -> None:
    shop = place.shop.advertiser_id
    for path in ("/{}", "/slot/{}", "/slot/{}.gif", "/media/{}", "/media/{}.jpg", "/m/{}", "/api/v1/{}",
                 "/api/v1/campaigns/{}", "/api/v1/campaigns?cursor={}", "/api/v1/campaigns?{}=1",
                 f"/api/v1/advertisers/{shop}/products?limit={{}}", "/api/v1/refunds?advertiser_id={}"):  # fmt: skip
        target = path.format(quote(place.planter.address(path), safe=""))
        for method in ("GET", "POST", "PATCH", "DELETE"):
            headers = {"User-Agent": USER_AGENT, "Authorization": f"Bearer {place.server.key()}"}
            await place.ask(method, target, b"", headers)
    for body in planted({"name": 1, "domains": [{}]}, place.planter, "an invalid advertiser"):
        await place.api("advertisers", {**body, "currency": []})


async def say_everything(server: RunningServer) -> Planter:
    ways = (tell_by_query, tell_by_body, tell_by_server, tell_orders, tell_postbacks, tell_hooks, ask_slots,
            send_forms, name_headers, miss_addresses)  # fmt: skip
    async with visited(server) as place:
        for way in ways:
            await way(place)
    return place.planter


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_email_in_any_field_of_any_address_is_in_no_file_and_no_log(server: RunningServer) -> None:
    planter = asyncio.run(say_everything(server))
    assert len(planter) > 1_000
    wait_until(lambda: server.count("rejected_personal_data") > 300, "the refusals are counted")
    data = server.folder / "data"
    while_it_runs = held_by(data, server.log)
    assert server.stop() == 0
    for held in (while_it_runs, held_by(data, server.log)):
        assert {"adserver.db", "keys.json", "server.log"} <= set(held)
        assert sum(SOUND.encode() in content for content in held.values()), "what is stored is not found"
        assert b"DEBUG" in held["server.log"]
        found = planter.found_in(held)
        assert not found, f"{len(found)} of {len(planter)} planted: " + "\n".join(found[:20])
