"""What the snippet sends from a shop's page, in a real browser under a strict content security policy."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from shutil import which
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pixel.assets import tag_script
from pixel.events import Event, EventName, Item
from pixel.parse import Hit, from_body, from_query

pytestmark = pytest.mark.browser

STUB = "window.rt=window.rt||function(){(rt.q=rt.q||[]).push(arguments)};"
TCF = """
let tell;
window.__tcfapi = (command, version, callback) => { tell = callback; callback({eventStatus: 'cmpuishown'}, true) };
window.answer = (purposes, applies = true) => tell({eventStatus: 'useractioncomplete', gdprApplies: applies,
    tcString: 'CPtc', purpose: {consents: purposes}}, true);
"""
GPP = """
window.__gpp = (command, callback) => {
  window.answer = () => callback({eventName: 'signalStatus', data: 'ready',
    pingData: {signalStatus: 'ready', gppString: 'DBAA~x', applicableSections: [7, 8]}});
  callback({eventName: 'listenerRegistered', pingData: {signalStatus: 'not ready'}}) };
"""


class Loopback:
    """A shop, and the ad server beside it, on one loopback port under two host names."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.script = ""
        self.html = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/m/e":
                    return self.record(parts.query.encode())
                if parts.path == "/m/tag.js":
                    return self.answer(tag_script(), "text/javascript")
                if parts.path == "/shop/page":
                    return self.answer(outer.page().encode(), "text/html")
                return self.answer(b"", "text/plain")

            def do_POST(self) -> None:
                self.record(self.rfile.read(int(self.headers["content-length"])))

            def record(self, said: bytes) -> None:
                outer.requests.append({"method": self.command, "said": said, "headers": dict(self.headers)})
                self.answer(b"", "image/gif")

            def answer(self, body: bytes, content_type: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", outer.policy())
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.cards = f"http://cards.localhost:{self.server.server_port}"
        self.shop = f"http://shop.localhost:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src 'nonce-n' {self.cards};"
            f" connect-src {self.cards}; img-src {self.cards}; form-action 'self'"
        )

    def page(self) -> str:
        return (
            f'<!doctype html><meta charset="utf-8"><script nonce="n">{STUB}{self.script}</script>'
            f'<script nonce="n" async src="{self.cards}/m/tag.js"></script>{self.html}'
        )

    def hits(self, count: int) -> list[Hit]:
        """The first `count` hits, read as the server would read them, and the certainty that no more came."""
        waited_until_seconds = time.monotonic() + 5
        while len(self.requests) < count and time.monotonic() < waited_until_seconds:
            time.sleep(0.01)
        assert len(self.requests) == count
        read = [
            from_body(request["said"]) if request["method"] == "POST" else from_query(request["said"])
            for request in self.requests
        ]
        assert all(isinstance(hit, Hit) and not hit.rejections for hit in read)
        return [hit for hit in read if isinstance(hit, Hit)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    loopback = Loopback()
    yield loopback
    loopback.server.shutdown()
    loopback.server.server_close()


@pytest.fixture
def loopback(server: Loopback) -> Loopback:
    server.requests, server.script, server.html = [], "", ""
    return server


Open = Callable[..., Page]


@pytest.fixture
def open_shop(browser: Browser, loopback: Loopback) -> Iterator[Open]:
    """Opens the shop's page with `script` before the tag; a page error fails the test."""
    context = browser.new_context()
    errors: list[str] = []

    def open_page(script: str = "", *, query: str = "", html: str = "", before: str = "") -> Page:
        loopback.script, loopback.html = script, html
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        if before:
            page.add_init_script(before)
        page.goto(f"{loopback.shop}/shop/page{query}")
        page.wait_for_function("window.rt.ready")
        return page

    yield open_page
    context.close()
    assert errors == []


def stored_click_ids(page: Page) -> list[str]:
    return [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "_rtclid"]


def test_the_tag_is_at_most_four_kilobytes_compressed() -> None:
    assert len(gzip.compress(tag_script(), 9)) <= 4096


def test_queued_commands_become_one_request_that_the_server_understands(
    loopback: Loopback, open_shop: Open
) -> None:
    open_shop(
        """rt('init', 'shop-1'); rt('set', {currency: 'EUR'});
        rt('event', 'view_item', {event_id: 'E1', value: 12.5, email: 'jane@doe.example',
            items: [{item_id: 'A', price: 12.5, quantity: 2, item_name: 'Lamp'}]});
        rt('event', 'page_view')""",
        query="?q=jane@doe.example#top",
    )
    (hit,) = loopback.hits(1)
    url = f"{loopback.shop}/shop/page"
    assert hit.merchant == "shop-1"
    assert hit.events[0] == Event(
        EventName.VIEW_ITEM, "E1", (Item("A", 2, 12_500_000),), 12_500_000, "EUR", url=url
    )
    assert hit.events[1].name is EventName.PAGE_VIEW
    assert len(hit.events[1].event_id or "") == 36
    request = loopback.requests[0]
    assert request["method"] == "POST"
    assert request["headers"]["Content-Type"].startswith("text/plain")
    assert request["headers"]["Origin"] == loopback.shop
    assert b"Lamp" not in request["said"]


def test_commands_after_loading_run_at_once(loopback: Loopback, open_shop: Open) -> None:
    page = open_shop()
    page.evaluate("rt('init', 'shop-1'); rt('event', 'login'); rt('event', 'sign_up')")
    (hit,) = loopback.hits(1)
    assert [event.name for event in hit.events] == [EventName.LOGIN, EventName.SIGN_UP]


def test_more_than_twenty_events_become_several_requests(loopback: Loopback, open_shop: Open) -> None:
    open_shop("rt('init', 'shop-1'); for (let i = 0; i < 45; i++) rt('event', 'page_view')")
    assert sorted(len(hit.events) for hit in loopback.hits(3)) == [5, 20, 20]


def test_events_wait_for_consent_when_told_to_and_carry_it(loopback: Loopback, open_shop: Open) -> None:
    page = open_shop("rt('init', 'shop-1', {waitForConsent: true}); rt('event', 'login')")
    page.wait_for_timeout(100)
    assert loopback.requests == []
    page.evaluate("rt('consent', {granted: true, cmp: 'Klaro', time: 1790000000})")
    (hit,) = loopback.hits(1)
    assert (hit.said.asserted, hit.said.asserted_by, hit.said.asserted_at_seconds) == (True, "Klaro", 1_790_000_000)


@pytest.mark.parametrize("written", ["1790000000", "1790000000123", "'2026-09-21T14:13:20Z'"])
def test_the_time_of_consent_may_be_written_in_any_usual_way(
    loopback: Loopback, open_shop: Open, written: str
) -> None:
    open_shop(
        f"rt('init', 's'); rt('consent', {{granted: true, cmp: 'c', time: {written}}}); rt('event', 'login')"
    )
    assert loopback.hits(1)[0].said.asserted_at_seconds == 1_790_000_000


def test_a_refusal_is_sent_as_such(loopback: Loopback, open_shop: Open) -> None:
    open_shop(
        "rt('init', 's', {waitForConsent: true}); rt('consent', {granted: false}); rt('event', 'login')"
    )
    assert loopback.hits(1)[0].said.asserted is False


def test_a_click_id_is_sent_from_the_landing_page_and_stored_only_with_consent(
    loopback: Loopback, open_shop: Open
) -> None:
    page = open_shop("rt('init', 's'); rt('event', 'login')", query="?rtclid=click.1")
    assert loopback.hits(1)[0].events[0].click_id == "click.1"
    assert stored_click_ids(page) == []
    page.evaluate("rt('consent', {granted: true, cmp: 'c'})")
    assert stored_click_ids(page) == ["click.1"]
    loopback.requests.clear()
    page = open_shop("rt('init', 's'); rt('consent', {granted: true, cmp: 'c'}); rt('event', 'purchase')")
    assert loopback.hits(1)[0].events[0].click_id == "click.1"
    page.evaluate("rt('consent', {granted: false, cmp: 'c'})")
    assert stored_click_ids(page) == []


@pytest.mark.parametrize(("purposes", "stored"), [("{1: true}", ["click.1"]), ("{1: false, 3: true}", [])])
def test_a_tcf_tool_is_waited_for_and_its_string_attached(
    loopback: Loopback, open_shop: Open, purposes: str, stored: list[str]
) -> None:
    page = open_shop(TCF + "rt('init', 's'); rt('event', 'login')", query="?rtclid=click.1")
    page.wait_for_timeout(50)
    assert loopback.requests == []
    page.evaluate(f"answer({purposes})")
    (hit,) = loopback.hits(1)
    assert (hit.said.gdpr, hit.said.gdpr_consent, hit.said.asserted) == ("1", "CPtc", None)
    assert stored_click_ids(page) == stored


def test_a_gpp_tool_is_waited_for_and_its_string_attached(loopback: Loopback, open_shop: Open) -> None:
    page = open_shop(GPP + "rt('init', 's'); rt('event', 'login')")
    page.evaluate("answer()")
    (hit,) = loopback.hits(1)
    assert (hit.said.gpp, hit.said.gpp_sid) == ("DBAA~x", "7,8")


def test_the_privacy_control_of_a_browser_is_told_and_nothing_is_stored(
    loopback: Loopback, open_shop: Open
) -> None:
    page = open_shop(
        "rt('init', 's'); rt('consent', {granted: true, cmp: 'c'}); rt('event', 'login')",
        query="?rtclid=click.1",
        before="Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
    )
    assert loopback.hits(1)[0].said.global_privacy_control
    assert stored_click_ids(page) == []


def test_a_beacon_is_sent_where_fetch_fails(loopback: Loopback, open_shop: Open) -> None:
    before = "window.fetch = () => Promise.reject(new Error('blocked'))"
    open_shop("rt('init', 's'); rt('event', 'login')", before=before)
    assert loopback.hits(1)[0].events[0].name is EventName.LOGIN
    assert loopback.requests[0]["method"] == "POST"


def test_an_image_says_the_same_where_nothing_else_works(loopback: Loopback, open_shop: Open) -> None:
    script = """rt('init', 's', {debug: true}); rt('consent', {granted: true, cmp: 'Klaro', time: 1790000000,
            gdpr: '1', gdpr_consent: 'CP'});
        rt('event', 'purchase', {event_id: 'E1', transaction_id: 'T&1', value: 3, currency: 'EUR',
            items: [{item_id: 'A', quantity: 2}, {item_id: 'B', price: 1}]})"""
    open_shop(script)
    (posted,) = loopback.hits(1)
    loopback.requests.clear()
    open_shop(
        script, before="delete window.fetch; window.fetch = undefined; navigator.sendBeacon = () => false"
    )
    (fetched,) = loopback.hits(1)
    assert loopback.requests[0]["method"] == "GET"
    assert fetched == posted


def test_ecommerce_pushed_to_the_data_layer_is_read_when_told(loopback: Loopback, open_shop: Open) -> None:
    script = """window.dataLayer = [{event: 'gtm.js'}, {event: 'view_item',
            ecommerce: {currency: 'EUR', value: 5, items: [{item_id: 'A'}]}}];
        function gtag() { dataLayer.push(arguments) }
        rt('init', 's', {dataLayer: true})"""
    page = open_shop(script)
    page.evaluate("""gtag('event', 'add_to_cart', {currency: 'EUR', value: 6, items: [{item_id: 'B'}]});
        dataLayer.push({event: 'purchase', ecommerce: {transaction_id: 'T1', items: [{item_id: 'C'}]}},
            null, 'text', {ecommerce: null}, {event: 'scroll'})""")
    events = [event for hit in loopback.hits(2) for event in hit.events]
    assert [(event.name, event.items[0].item_id) for event in events] == [
        (EventName.VIEW_ITEM, "A"), (EventName.ADD_TO_CART, "B"), (EventName.PURCHASE, "C"),
    ]  # fmt: skip
    assert (events[1].value_micros, events[2].order_id) == (6_000_000, "T1")
    assert page.evaluate("dataLayer.length") == 8


def test_the_data_layer_is_left_alone_unless_told(loopback: Loopback, open_shop: Open) -> None:
    open_shop("window.dataLayer = [{event: 'login'}]; rt('init', 's'); rt('event', 'sign_up')")
    assert [event.name for event in loopback.hits(1)[0].events] == [EventName.SIGN_UP]


def test_a_marked_form_tells_that_it_was_begun_and_sent_and_never_what_was_typed(
    loopback: Loopback, open_shop: Open
) -> None:
    page = open_shop(
        "rt('init', 's'); addEventListener('submit', (event) => event.preventDefault())",
        html='<form data-rt-form="quote" data-rt-item="loan"><input name="dataset"><button>go</button></form>'
        '<form><input name="other"></form>',
    )
    page.fill("[name=other]", "secret")
    page.fill("[name=dataset]", "secret")
    page.fill("[name=dataset]", "secret2")
    page.click("button")
    events = [event for hit in loopback.hits(2) for event in hit.events]
    assert [(event.name, event.items) for event in events] == [
        (EventName.FORM_START, (Item("loan"),)), (EventName.FORM_SUBMIT, (Item("loan"),)),
    ]  # fmt: skip
    assert all(b"secret" not in request["said"] for request in loopback.requests)


def test_an_event_before_leaving_the_page_still_arrives(loopback: Loopback, open_shop: Open) -> None:
    page = open_shop("rt('init', 's')")
    with page.expect_navigation():
        page.evaluate("rt('event', 'add_to_cart'); location.href = '/shop/page?elsewhere'")
    waited_until_seconds = time.monotonic() + 5
    while not loopback.requests and time.monotonic() < waited_until_seconds:
        page.wait_for_timeout(10)
    said = [json.loads(request["said"])["events"][0] for request in loopback.requests]
    # Chromium may call the delivered fetch of a page that is gone a failure; the beacon has the same id.
    assert {event["name"] for event in said} == {"add_to_cart"}
    assert len({event["event_id"] for event in said}) == 1


def test_a_demonstration_can_see_what_was_sent(loopback: Loopback, open_shop: Open) -> None:
    page = open_shop(
        "document.addEventListener('rt:sent', (event) => { window.sent = event.detail });"
        "rt('init', 's', {debug: true}); rt('event', 'login')"
    )
    assert loopback.hits(1)[0].debug
    assert page.evaluate("sent") == json.loads(loopback.requests[0]["said"])


def test_a_mistake_of_the_page_never_stops_its_own_script(loopback: Loopback, open_shop: Open) -> None:
    page = open_shop("rt('init', 's')")
    page.evaluate("""rt(); rt('toString'); rt('event', 'view_item', {items: [null]});
        rt('event', 'login', null);        rt('consent'); rt('set', null); window.reached = true""")
    assert page.evaluate("reached")
    assert [event.name for event in loopback.hits(1)[0].events] == [EventName.LOGIN]
