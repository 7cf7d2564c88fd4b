"""The documentation's Shopify snippet beside our tag: the click id reaches the cart with consent, never without."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from pixel.assets import tag_script
from tests.browser.chromium import sends_cookies_to_frames
from tests.shared_data import PROJECT

pytestmark = pytest.mark.browser

SHOP = "https://shop.example"
CLICK = "Cl1ck.id~_-"
LIQUID = re.compile(r"\{\{ cart\.attributes\.rtclid .*?\}\}")


def snippet() -> str:
    """As it stands in the documentation, its one piece of Liquid still in it."""
    (found,) = re.findall(
        r"(<script>\s*addEventListener.*?</script>)", (PROJECT / "docs" / "shops.md").read_text(), re.S
    )
    assert len(LIQUID.findall(found)) == 1
    return str(found)


class Cart:
    """The shop's pages; what was asked of its cart."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.attribute = ""
        self.told: list[str] = []
        page.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(SHOP).split("?")[0]
        if path == "/en/cart/update.js":
            self.attribute = json.loads(route.request.post_data or "")["attributes"]["rtclid"]
            self.told.append(self.attribute)
            return route.fulfill(json={})
        if path == "/m/tag.js":
            return route.fulfill(body=tag_script(), content_type="text/javascript")
        return route.fulfill(body=self._html(), content_type="text/html")

    def _html(self) -> str:
        pasted = LIQUID.sub(json.dumps(self.attribute).replace("\\", "\\\\"), snippet())
        return (
            "<!doctype html><script>window.Shopify={routes:{root:'/en/'}};"
            "window.rt=window.rt||function(){(rt.q=rt.q||[]).push(arguments)};rt('init','m_1')</script>"
            f'<script src="{SHOP}/m/tag.js"></script>{pasted}'
        )

    def visit(self, path: str, granted: bool | None = None) -> None:
        """A page, the answer to its consent banner, and the time that the snippet waits."""
        self.page.clock.install()
        self.page.goto(SHOP + path)
        if granted is not None:
            self.page.evaluate(f"rt('consent', {{granted: {str(granted).lower()}, cmp: 'banner'}})")
        self.page.clock.run_for(2_000)
        self.page.wait_for_load_state("networkidle")


@pytest.fixture
def context(tmp_path: Path) -> Iterator[BrowserContext]:
    with sends_cookies_to_frames(tmp_path, 10_000) as context:
        yield context


def test_with_consent_the_click_id_reaches_the_cart_once(context: BrowserContext) -> None:
    cart = Cart(context.new_page())
    cart.visit(f"/boots?rtclid={CLICK}", granted=True)
    assert cart.told == [CLICK]
    cart.visit("/cart", granted=True)
    assert cart.told == [CLICK]


@pytest.mark.parametrize("granted", [None, False])
def test_without_consent_nothing_is_told(context: BrowserContext, granted: bool | None) -> None:
    cart = Cart(context.new_page())
    cart.visit(f"/boots?rtclid={CLICK}", granted)
    assert cart.told == []


def test_a_consent_that_is_withdrawn_empties_the_cart_of_it(context: BrowserContext) -> None:
    cart = Cart(context.new_page())
    cart.visit(f"/boots?rtclid={CLICK}", granted=True)
    cart.visit("/cart", granted=False)
    assert cart.told == [CLICK, ""]
