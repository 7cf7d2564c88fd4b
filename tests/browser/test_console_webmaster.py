"""A webmaster's work in a real browser: the tag that is copied really works, and what it tells is seen at once."""

import statistics
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import chromium
from tests.browser.console_walk import PASSWORD, SIZES, invited, look_at
from tests.running_demo import RunningDemo, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PERSON = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
)
TABS = ["gtm", "shopify", "woocommerce", "prestashop", "server", "site"]
BEACONS = 20
# When each row came into sight, by the value that its event told.
WATCH = """() => {
  window.seen = {};
  const rows = document.querySelector("tbody[data-news]");
  new MutationObserver(() => rows.querySelectorAll("data[value]").forEach((one) => {
    window.seen[one.value] = window.seen[one.value] || Date.now();
  })).observe(rows, {childList: true, subtree: true});
}"""
TELL = """async (count) => {
  const sent = {};
  for (let n = 1; n <= count; n++) {
    sent[n * 1000000] = Date.now();
    rt('event', 'add_to_cart', {value: n, currency: 'EUR', items: [{item_id: 'lamp-table', quantity: n}]});
    await new Promise((done) => setTimeout(done, 130));
  }
  return sent;
}"""
# What Shopify's own frame has, as far as the pixel asks for it.
SANDBOX = """<!doctype html><script>
const heard = {}, cookies = {};
const init = {customerPrivacy: {marketingAllowed: true}}, api = {customerPrivacy: {subscribe() {}}};
const analytics = {subscribe: (name, tell) => { heard[name] = tell; }};
const browser = {cookie: {get: async (name) => cookies[name] || '', set: async (name, text) => { cookies[name] = text; }}};
</script><script>%s</script><script>
const variant = {id: '1', sku: 'lamp-pendant', price: {amount: 189, currencyCode: 'EUR'}};
heard.checkout_completed({id: 'sh-2', data: {checkout: {order: {id: 'gid://shopify/Order/77'},
  currencyCode: 'EUR', subtotalPrice: {amount: 189}, lineItems: [{quantity: 1, variant}]}}});
</script>"""


class Shop:
    """Pages of the shop, from a server of its own: browsers let a page of this machine alone ask this machine."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        pages = self.pages

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pages.get(self.path, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library names it
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://shop.localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = RunningDemo(Path(tmp_path_factory.mktemp("demo")))
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def feed(demo: RunningDemo) -> str:
    """A feed of which one row was left out."""
    feeds = f"/advertisers/{demo.told['advertiser_id']}/feeds"
    made = str(demo.api.post(feeds, json={}).json()["id"])
    rows = "id,title,link,price\nh1,Hat,http://shop.localhost/h1,9.00 EUR\nh2,Cap,http://shop.localhost/h2,"
    demo.api.post(f"{feeds}/{made}/import", content=rows.encode()).raise_for_status()
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def entered(demo: RunningDemo, browser: Browser, language: str) -> Page:
    """The first page of somebody new, who takes the console's words in this language."""
    context = browser.new_context(viewport=SIZES["desk"], locale=language, base_url=demo.url)
    page = context.new_page()
    page.goto(invited(demo, f"webmaster-{language}@example.org"))
    page.fill("[name=name]", "Wanda")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/console")
    return page


def test_what_is_pasted_works_and_is_seen_within_the_second(
    demo: RunningDemo, shop: Shop, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    page, said = entered(demo, browser, "en"), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    root = f"/console/shop/{demo.told['advertiser_id']}"
    page.goto(f"{root}/campaigns")
    page.click("nav >> text=Tag")
    page.locator("[data-watching]", has_text="Watching").wait_for()
    visitor = browser.new_context(user_agent=PERSON)
    snippets = page.inner_text("#plain") + page.inner_text("#view")
    shop.pages["/lamp"] = f"<!doctype html><title>Lamp</title>{snippets}"
    lamp = visitor.new_page()
    lamp.goto(f"{shop.url}/lamp")
    page.locator("tr.new", has_text="view_item").wait_for()
    page.locator("tr.new", has_text="page_view").wait_for()
    assert page.locator("tr.new .mark-bad").count() == 0
    page.evaluate(WATCH)
    sent = lamp.evaluate(TELL, BEACONS)
    until(lambda: bool(page.evaluate(f"Object.keys(window.seen).length >= {BEACONS}")))
    delays = sorted(page.evaluate("() => window.seen")[value] - at for value, at in sent.items())
    with capsys.disabled():
        print(f"\nfrom beacon to sight: p50 {statistics.median(delays):.0f} ms, p99 {delays[-1]} ms")
    page.goto(f"{root}/tag?on=shopify")
    shop.pages["/frame"] = SANDBOX % page.inner_text("#shopify")
    shop.pages["/pixel"] = '<iframe sandbox="allow-scripts allow-forms" src="/frame"></iframe>'
    lamp.goto(f"{shop.url}/pixel")
    order = page.locator("tr.new", has_text="purchase")
    order.wait_for()
    assert "Taken" in order.inner_text()
    assert "€189.00" in order.inner_text()
    assert said == []
    visitor.close()
    page.context.close()


def test_a_file_is_sent_and_watched_until_its_products_are_live(
    demo: RunningDemo, browser: Browser, tmp_path: Path
) -> None:
    page, shop = entered(demo, browser, "it"), f"/console/shop/{demo.told['advertiser_id']}"
    rows = [f"s{n},Hat {n},http://shop.localhost/s{n},9.00 EUR" for n in range(30)]
    rows += ["x1,Cap,http://shop.localhost/x1,", "x2,Tie,https://elsewhere.example/x2,9.00 EUR"]
    file = tmp_path / "feed.csv"
    file.write_text("\n".join(["id,title,link,price", *rows]))
    page.goto(f"{shop}/feeds")
    page.set_input_files("[name=file]", file)
    page.click("form[enctype] button")
    page.get_by_text("Nessun prezzo").wait_for()
    feed = page.url.rpartition("/")[2]
    told = demo.api.get(f"/advertisers/{demo.told['advertiser_id']}/feeds/{feed}").json()
    assert (told["last_import"]["products"], told["last_import"]["rejected_count"]) == (30, 2)
    page.context.close()


@pytest.mark.parametrize("language", ["en", "fr", "it"])
def test_each_page_can_be_read_by_everybody(
    demo: RunningDemo, browser: Browser, feed: str, language: str
) -> None:
    page = entered(demo, browser, f"{language}-CH")
    shop = f"/console/shop/{demo.told['advertiser_id']}"
    tabs = TABS[2 * ["en", "fr", "it"].index(language) :][:2]
    for address in (*(f"tag?on={tab}" for tab in tabs), "events", "doctor", "feeds", f"feeds/{feed}"):
        page.goto(f"{shop}/{address}")
        name = address.partition("/")[0] + ("-one" if "/" in address else "")
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            look_at(page, f"webmaster-{language}-{size}-{name.replace('?on=', '-')}")
    page.context.close()
