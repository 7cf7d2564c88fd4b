"""A publisher in a real browser: from nothing to an ad on a page by every code, and whose ads are let in."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from adserver.domain.user import Role
from tests.browser.chromium import chromium
from tests.browser.console_walk import Person, demo_in, invited
from tests.running_demo import RunningDemo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

CODES = ("script", "iframe", "image", "ad_manager")
AD_MANAGER = {"%%CLICK_URL_ESC%%": "https%3A%2F%2Fadclick.g.doubleclick.net%2Fpcs%2Fclick%3Fadurl%3D",
              "%%CACHEBUSTER%%": "1234", "KEY": "issue-1"}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with demo_in(Path(tmp_path_factory.mktemp("publisher"))) as demo:
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(demo: RunningDemo, browser: Browser) -> Iterator[Person]:
    person = Person(browser, invited(demo, "operator@example.org"))
    yield person
    person.leave()


@contextmanager
def blog(body: str) -> Iterator[str]:
    """A publisher's page; of the same host as the server, whose cookie goes without HTTPS there only."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Blog</title><h1>Blog</h1>{body}".encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def codes_on(page: Page) -> dict[str, str]:
    """Each code as somebody copies it."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    return {name: page.inner_text(f"#code-{name}") for name in CODES}


def filled_in(code: str) -> str:
    """As the ad manager fills its macros in, and somebody who sends mails the issue."""
    for macro, value in AD_MANAGER.items():
        code = code.replace(macro, value)
    return code


def shows_an_ad(page: Page, name: str) -> bool:
    if name == "image":
        picture = page.locator("img")
        assert picture.evaluate("(one) => one.decode().then(() => one.naturalWidth === one.width)")
        link = page.locator("a").get_attribute("href")
        landed = page.request.get(str(link), max_redirects=0)
        return "rtclid=" in landed.headers["location"]  # the house's has none
    page.frame_locator("iframe").locator("a[href]").first.wait_for()
    return page.frame_locator("iframe").locator("body.house").count() == 0


def test_from_an_empty_account_to_an_ad_on_a_page(
    demo: RunningDemo, browser: Browser, operator: Person
) -> None:
    account = demo.api.post("/publishers", json={"name": "The Blog"}).json()["id"]
    anna = Person(browser, operator.invites("anna@blog.example", Role.PUBLISHER, account))
    page = anna.page
    page.click("main .button")
    page.fill("[name=name]", "Blog")
    page.fill("[name=domains]", "127.0.0.1")
    page.click("main button.main")
    page.fill("[name=name]", "Beside the text")
    page.fill("[name=floor]", "0.01")
    page.select_option("[name=currency]", "EUR")
    page.click("main button.main")
    page.wait_for_url("**/slots/**")
    root, slot = page.url.partition("/sites/")[0], page.url.partition("?")[0]
    frame = page.frame_locator(".stage iframe")
    frame.locator("a[href]").first.wait_for()
    codes = codes_on(page)
    page.click("text=Let Ad Manager count the clicks")
    page.get_by_text("Ad Manager counts the clicks").wait_for()
    _each_code_shows_an_ad(demo, browser, codes)
    address = root.partition("/console")[2]
    pages = [f"/console{address}{one}" for one in ("/sites", "/earnings", "/approvals")]
    site = demo.api.get("/sites", params={"publisher_id": account}).json()["items"][0]["id"]
    pages += [f"/console{address}/sites/{site}", f"/console{address}/sites/{site}/slots/new"]
    own = "/console" + slot.partition("/console")[2]
    anna.look_around("publisher", [*pages, own])
    anna.leave()


def _each_code_shows_an_ad(demo: RunningDemo, browser: Browser, codes: dict[str, str]) -> None:
    """To somebody who was in the shop."""
    reader = browser.new_context()
    page = reader.new_page()
    item = {"m": demo.told["merchant"], "e": "view_item", "id": demo.told["products"][0]}
    for name, code in codes.items():
        with blog(filled_in(code)) as address:
            _visit(page, demo, item)
            page.goto(address)
            assert shows_an_ad(page, name), name
            if name == "ad_manager":
                link = page.frame_locator("iframe").locator("main a[href]").first.get_attribute("href")
                assert str(link).startswith("https://adclick.g.doubleclick.net/pcs/click?adurl="), link
    reader.close()


def _visit(page: Page, demo: RunningDemo, item: dict[str, Any]) -> None:
    query = "&".join(f"{name}={value}" for name, value in item.items())
    page.goto(f"{demo.url}/m/e?{query}")


def test_the_publisher_keeps_a_shop_out_and_the_network_approves_an_ad(
    demo: RunningDemo, operator: Person
) -> None:
    page = operator.page
    shop = demo.told["advertiser_id"]
    secret = demo.api.post("/keys", json={"name": "k", "scope": "advertiser", "owner_id": shop}).json()
    body = {"campaign_id": demo.told["campaigns"]["cpc"], "template": "hero", "brand": {"name": "New look"}}
    key = {"Authorization": f"Bearer {secret['secret']}"}
    made = demo.api.post("/creatives", json=body, headers=key).json()
    page.goto("/console/network/approvals")
    page.frame_locator(".looks iframe >> nth=0").locator("main").wait_for()
    operator.look_around("approvals", ["/console/network/approvals"])
    operator.speak("en")
    page.goto("/console/network/approvals")
    page.check(f"[name={made['id']}]")
    page.click("text=Approve what is ticked")
    page.get_by_text("Nothing waits").wait_for()
    assert demo.api.get(f"/creatives/{made['id']}").json()["approval"] == "approved"
    publisher = demo.api.get("/publishers").json()["items"][0]["id"]
    page.goto(f"/console/publisher/{publisher}/approvals")
    page.check(f"[name={shop}]")
    page.click("text=Keep them out")
    page.get_by_text("Refused by you").wait_for()
    page.check(f"[name={shop}]")
    page.click("text=Let the ticked ones in")
    page.get_by_text("Refused by you").wait_for(state="detached")
