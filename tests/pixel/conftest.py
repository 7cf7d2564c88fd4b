"""Properties are tried without a deadline, since a busy machine is no counterexample; one browser for each file of the tag's."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.pixel.shop_page import ShopPage, Shopper, visits

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def shop_server() -> Iterator[ShopPage]:
    shop = ShopPage()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


@pytest.fixture
def shop(shop_server: ShopPage) -> ShopPage:
    shop_server.clear()
    return shop_server


@pytest.fixture
def visit(browser: Browser, shop: ShopPage) -> Iterator[Shopper]:
    with visits(shop, browser.new_context()) as shopper:
        yield shopper
