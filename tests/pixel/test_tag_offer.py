"""What the tag tells a page of the offer that its visitor came by, and the banner of the documentation."""

import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.pixel.shop_page import ShopPage, Shopper
from tests.shared_data import PROJECT

pytestmark = pytest.mark.browser

HEAR = "rt('offer', (offer) => { window.offer = JSON.parse(JSON.stringify(offer)); })"
HOUR = 3_600


def landing(left: int = HOUR, ends_in: int = HOUR, **more: str) -> str:
    """An address as a click leads to it, `left` seconds before the end by the server's clock."""
    ends = int(time.time()) + ends_in
    said = {"rtclid": "abc", "rt_offer": "A-1001", "rt_offer_percent": "10"} | more
    said |= {"rt_offer_ends": str(ends), "rt_offer_left": str(left)}
    return "?" + "&".join(f"{name}={value}" for name, value in said.items() if value)


def told(page: Page) -> dict[str, Any] | None:
    offer: dict[str, Any] | None = page.evaluate("window.offer || null")
    return offer


def test_a_page_is_told_the_offer_its_visitor_came_by(visit: Shopper) -> None:
    page = visit(HEAR, query=landing())
    offer = told(page)
    assert offer is not None
    ms_left = offer.pop("ms_left")
    assert 0 < ms_left <= HOUR * 1_000
    ends = page.evaluate("new URLSearchParams(location.search).get('rt_offer_ends')")
    assert offer.pop("ends_at").startswith(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(int(ends))))
    assert offer == {"code": "A-1001", "percent": 10}


def test_an_amount_has_its_currency_and_an_offer_by_link_has_no_code(visit: Shopper) -> None:
    page = visit(HEAR, query="?rt_offer_amount=5.25&rt_offer_currency=EUR#top")
    assert told(page) == {"amount": 5.25, "currency": "EUR"}


@pytest.mark.parametrize(
    "query", ["", "?rt_offer=A-1001", "?rtclid=abc", "?rt_offer_percent=ten", "?rt_offer_ends=9"]
)
def test_without_an_offer_the_page_is_told_nothing(visit: Shopper, query: str) -> None:
    assert told(visit(HEAR, query=query)) is None


def test_the_offer_needs_neither_init_nor_consent_and_is_stored_nowhere(
    shop: ShopPage, visit: Shopper
) -> None:
    page = visit(HEAR + "; rt('init', 's', {pages: false}); rt('consent', {granted: false})", query=landing())
    assert told(page)
    kept = page.evaluate(
        "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, history.state])"
    )
    assert json.loads(kept) == ["", {}, {}, None]
    assert not shop.said_anywhere(b"A-1001")


@pytest.mark.parametrize(
    ("left", "ends_in"),
    [(0, HOUR), (HOUR, -5), (0, -5)],
    ids=["the server said so", "the address is opened again after the end", "both"],
)
def test_an_offer_that_has_ended_has_no_time_left(visit: Shopper, left: int, ends_in: int) -> None:
    offer = told(visit(HEAR, query=landing(left, ends_in)))
    assert offer is not None and offer["ms_left"] == 0


def test_a_clock_that_is_slow_is_given_no_more_than_the_server_said(visit: Shopper) -> None:
    offer = told(visit(HEAR, query=landing(left=60, ends_in=24 * HOUR)))
    assert offer is not None and 0 < offer["ms_left"] <= 60_000


def test_a_page_that_stumbles_over_its_offer_is_not_disturbed(shop: ShopPage, visit: Shopper) -> None:
    visit("rt('offer', () => { throw Error('x') }); rt('offer'); rt('init', 's', {pages: false}); rt('event', 'login')",
          query=landing())  # fmt: skip
    assert "login" in shop.told(2)


def documented_banner() -> tuple[str, str]:
    """The example's HTML and its script."""
    text = (PROJECT / "docs" / "offers.md").read_text(encoding="utf-8")
    found = re.search(r"```html\n(<p .*?</p>)\n<script>\n(.*?)</script>\n```", text, re.DOTALL)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (landing(left=90), "10 % off with the code A-1001, for 2 minutes"),
        ("?rt_offer_amount=5.25&rt_offer_currency=EUR", "5.25 EUR off"),
        (landing(left=0), None),
        ("?rt_offer_percent=10&rt_offer=<b>x</b>", "10 % off with the code <b>x</b>"),
        ("", None),
    ],
    ids=["ninety seconds", "an amount", "over", "markup", "nothing"],  # two runners must name them alike
)
def test_the_documented_banner_says_the_offer_and_goes_with_it(
    visit: Shopper, query: str, said: str | None
) -> None:
    html, script = documented_banner()
    page = visit(f"addEventListener('DOMContentLoaded', () => {{ {script} }});", query=query, html=html)
    banner = page.locator("#offer")
    if said is None:
        assert banner.is_hidden()
    else:
        banner.wait_for(state="visible")
        assert banner.inner_text() == said
