"""The demo as a newcomer walks through it: shop, news, click, order, form, and the story that tells it all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, FrameLocator, Page, expect

from tests.browser.chromium import sends_cookies_to_frames
from tests.running_demo import RunningDemo, until
from tests.shared_data import PROJECT

pytestmark = pytest.mark.browser

SCREENSHOTS = PROJECT / "build" / "screenshots"
SIZES = ("728x90", "300x250", "300x600")
LAMP = "Dome table lamp"
MOST_RELOADS = 8


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = RunningDemo(tmp_path_factory.mktemp("demo"))
    yield demo
    assert demo.close() == 0


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser for all three hosts of the walk, whose cookies go with frames too."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=20_000)
    looks = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
    with sends_cookies_to_frames(tmp_path_factory.mktemp("profile"), 20_000, **looks) as context:
        yield context


class Shopper:
    """A newcomer with one tab; whatever a page complains of is a failure."""

    def __init__(self, demo: RunningDemo, context: BrowserContext, three_hosts: bool = False) -> None:
        self.demo = demo
        self.context = context
        self.three_hosts = three_hosts
        self.complaints: list[str] = []
        self.page = self.watched(context.new_page())

    def watched(self, page: Page) -> Page:
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def at(self, room: str) -> str:
        return f"http://{room}.localhost:{self.demo.port}" if self.three_hosts else self.demo.url

    def open(self, path: str, room: str) -> None:
        self.page.bring_to_front()  # a click in a tab behind another opens nothing
        self.page.goto(f"{self.at(room)}/demo/{path}")

    def views(self, title: str = LAMP) -> None:
        self.open("shop", "shop")
        self.page.get_by_role("link", name=title).click()
        self.hears(f"you viewed {title}")

    def hears(self, said: str) -> None:
        """The panel tells what the server just heard."""
        expect(self.page.locator("#live-steps")).to_contain_text(said)

    def slot(self, size: str) -> FrameLocator:
        return self.page.frame_locator(f"[data-size='{size}'] iframe")

    def reads_the_news(self) -> None:
        """Open the news page, until each place's caption says who is there."""
        self.open("news", "news")
        for size in SIZES:
            caption = self.page.locator(f".s{size} figcaption b")
            expect(caption).to_be_attached()

    def finds_ad(self, pays: str) -> FrameLocator:
        """The ad of a campaign that pays in this way; campaigns take turns, so load again until it is there."""
        for _ in range(MOST_RELOADS):
            self.reads_the_news()
            for size in SIZES:
                if f"pays {pays}" in self.page.locator(f".s{size} figcaption").inner_text():
                    return self.slot(size)
        raise AssertionError(f"no ad that pays {pays}")

    def clicks(self, ad: FrameLocator) -> Page:
        """Click an ad; its new tab, once the landing page is there."""
        with self.context.expect_page() as opened:
            ad.locator("a.card, a.message").first.click()
        landed = self.watched(opened.value)
        landed.wait_for_load_state()
        return landed

    def story(self) -> dict[str, Any]:
        answer = self.context.request.get(f"{self.at('cards')}/demo/story.json")
        return dict(answer.json())

    def shows(self, name: str, full_page: bool = False) -> None:
        self.page.screenshot(path=SCREENSHOTS / f"demo-{name}.png", full_page=full_page)


@pytest.fixture
def shopper(demo: RunningDemo, profile: BrowserContext) -> Iterator[Shopper]:
    profile.clear_cookies()
    shopper = Shopper(demo, profile)
    yield shopper
    for page in profile.pages[1:]:
        page.close()
    assert shopper.complaints == []


def test_a_shopper_sees_the_product_again_and_each_campaign_is_charged_once(
    demo: RunningDemo, shopper: Shopper
) -> None:
    before = demo.spent()
    shopper.open("story", "cards")
    shopper.shows("story-before", full_page=True)
    shopper.open("shop", "shop")
    shopper.shows("shop", full_page=True)
    shopper.views(LAMP)
    shopper.shows("product")
    shopper.reads_the_news()
    for size in SIZES:
        expect(shopper.slot(size).locator("a.card").first).to_contain_text(LAMP)
    until(lambda: demo.spent()["cpm"] > before["cpm"])
    shopper.shows("news")

    landed = shopper.clicks(shopper.finds_ad("per click"))
    assert "/demo/shop/lamp-table?utm_source=127.0.0.1&utm_campaign=Bring%20them%20back&rtclid=" in landed.url
    until(lambda: demo.spent()["cpc"] == before["cpc"] + 240_000)

    landed = shopper.clicks(shopper.finds_ad("per sale"))
    assert demo.spent()["cpa"] == before["cpa"]
    landed.get_by_role("button", name="Buy now").click()
    expect(landed.locator("#live-steps")).to_contain_text("was credited to “Ten percent off”")
    landed.reload()
    expect(landed.locator("#live-steps")).to_contain_text("same order id as before")
    assert demo.spent()["cpa"] == before["cpa"] + 12_000_000

    shopper.reads_the_news()
    for size in SIZES:
        expect(shopper.page.locator(f".s{size} figcaption")).to_contain_text("No ad")
    shopper.open("story", "cards")
    expect(shopper.page.locator("#walk .done")).to_have_count(4)
    expect(shopper.page.locator("#profile")).to_contain_text("bought: not shown again")
    shopper.shows("story-after", full_page=True)
    assert demo.audit()


def test_a_half_filled_form_brings_the_services_own_message_until_it_is_sent(
    demo: RunningDemo, shopper: Shopper
) -> None:
    shopper.open("service", "service")
    shopper.shows("service")
    shopper.page.get_by_label("Postal code").fill("SW1A 2AA")
    shopper.hears("began to fill in the quote form")
    ad = shopper.finds_ad("per quote")
    expect(ad.locator(".message")).to_contain_text("Your roof is waiting")
    shopper.shows("news-service")
    landed = shopper.clicks(ad)
    landed.get_by_role("button", name="Send me my quote").click()
    expect(landed.locator("#live-steps")).to_contain_text("was credited to “Finish your quote”")
    assert "SW1A 2AA" not in json.dumps(shopper.story())
    shopper.reads_the_news()
    expect(shopper.page.locator(".s300x250 figcaption")).to_contain_text("No ad")


def test_what_lies_in_the_basket_comes_first(shopper: Shopper) -> None:
    shopper.views("Teapot, terracotta")
    shopper.page.get_by_role("button", name="Put in the basket").click()
    shopper.hears("you put in the basket Teapot")
    shopper.shows("basket")
    shopper.views("Oak stool")
    shopper.reads_the_news()
    expect(shopper.slot("300x250").locator("a.card").first).to_contain_text("Teapot")
    shopper.open("story", "cards")
    expect(shopper.page.locator("#profile")).to_contain_text("in the basket")


def test_a_test_visitor_sees_everything_and_bills_nothing(demo: RunningDemo, shopper: Shopper) -> None:
    before = demo.spent()
    shopper.page.goto(f"{demo.url}/demo/story")
    shopper.page.get_by_role("link", name="test visitor").click()
    shopper.page.get_by_role("button").first.click()
    until(lambda: bool(shopper.story()["visitor"]["test"]))
    shopper.views("Moon vase")
    landed = shopper.clicks(shopper.finds_ad("per click"))
    landed = shopper.clicks(shopper.finds_ad("per sale"))
    landed.get_by_role("button", name="Buy now").click()
    expect(landed.locator("#live-steps")).to_contain_text("Your order")
    shopper.open("story", "cards")
    expect(shopper.page.locator("#notice")).to_contain_text("nothing is billed")
    shopper.shows("story-test-visitor")
    assert demo.spent() == before


def test_the_walk_works_with_three_hosts_where_cookies_are_third_party(
    demo: RunningDemo, profile: BrowserContext, shopper: Shopper
) -> None:
    before = demo.spent()
    shopper.three_hosts = True
    shopper.views("Shell chair")
    shopper.reads_the_news()
    for size in SIZES:
        expect(shopper.slot(size).locator("a.card").first).to_contain_text("Shell chair")
    shopper.shows("three-hosts-news")
    landed = shopper.clicks(shopper.finds_ad("per sale"))
    assert landed.url.startswith(f"http://shop.localhost:{demo.port}/demo/shop/chair-shell?")
    landed.get_by_role("button", name="Buy now").click()
    expect(landed.locator("#live-steps")).to_contain_text("was credited to “Ten percent off”")
    assert demo.spent()["cpa"] == before["cpa"] + 12_000_000
    cookies = {cookie["name"]: cookie for cookie in profile.cookies(f"http://cards.localhost:{demo.port}")}
    assert cookies["__Host-rt"]["sameSite"] == "None"
    assert not profile.cookies(f"http://shop.localhost:{demo.port}/demo/shop")
    shopper.open("story", "cards")
    expect(shopper.page.locator("#steps")).to_contain_text("Shell chair")
    shopper.shows("three-hosts-story")


def test_every_page_fits_a_phone(shopper: Shopper) -> None:
    shopper.page.set_viewport_size({"width": 390, "height": 844})
    for path, room in (("story", "cards"), ("shop", "shop"), ("shop/teapot", "shop"), ("shop/cart", "shop"),
                       ("service", "service"), ("news", "news")):  # fmt: skip
        shopper.open(path, room)
        shopper.shows(f"phone-{path.replace('/', '-')}", full_page=True)
        assert shopper.page.evaluate("document.documentElement.scrollWidth") <= 390, path
