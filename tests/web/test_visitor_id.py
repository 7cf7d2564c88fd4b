"""What a merchant's page may ask of its visitor, and what its server does with the answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.visiting import Browser, Visiting

SHOP = {"Origin": "https://shop.example"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Visiting]:
    world = Visiting(tmp_path)
    yield world
    world.close()


def visitor_id(world: Visiting, browser: Browser, headers: dict[str, str], **said: str) -> str | None:
    answer = browser.ask("GET", "/m/id", params={"m": world.merchant} | said, headers=headers)
    assert answer.status_code == 200 and "set-cookie" not in answer.headers
    told: str | None = answer.json()["visitor"]
    return told


def test_the_merchants_own_page_learns_an_id_that_is_not_the_cookies(world: Visiting) -> None:
    browser = world.browser()
    assert visitor_id(world, browser, SHOP) is None  # no cookie: nobody
    browser.view()
    told = visitor_id(world, browser, SHOP)
    assert told is not None and len(told) == 32
    assert visitor_id(world, browser, SHOP) == told
    (cookie,) = browser.cookies.values()
    assert told not in cookie and cookie not in told
    answer = browser.ask("GET", "/m/id", params={"m": world.merchant}, headers=SHOP)
    assert answer.headers["access-control-allow-origin"] == SHOP["Origin"]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://shop.example.evil.example"},
        {"Origin": "https://news.example"},
        SHOP | {"Sec-GPC": "1"},
    ],
)
def test_nobody_else_learns_it(world: Visiting, headers: dict[str, str]) -> None:
    browser = world.browser()
    browser.view()
    assert visitor_id(world, browser, headers) is None


def test_without_consent_there_is_none(world: Visiting) -> None:
    browser = world.browser()
    browser.view()
    for said in ({"gdpr": "1"}, {"consent": "0"}, {"coppa": "1"}, {"m": "m_0000000000000"}, {"m": ""}):
        assert visitor_id(world, browser, SHOP, **said) is None
    browser.post("/privacy/opt-out")
    assert visitor_id(world, browser, SHOP) is None


def test_an_order_that_the_shops_server_tells_counts_for_the_same_visitor_at_once(world: Visiting) -> None:
    browser = world.browser()
    browser.view()
    browser.view()
    assert browser.is_shown_an_ad()
    bought = {"name": "purchase", "transaction_id": "R-1", "items": [{"item_id": "boots"}]}
    consent = {"granted": True, "cmp": "Banner", "time": world.server.clock() // 1000}
    told = visitor_id(world, browser, SHOP)
    results = world.change(
        "POST",
        "/events",
        advertiser_id=world.advertiser,
        events=[bought | {"visitor": told}],
        consent=consent,
    )["results"]
    assert results == [{"result": "accepted", "reason": None, "order": "unattributed"}]
    assert not browser.is_shown_an_ad()


def test_a_postback_needs_no_key_and_is_signed_by_the_servers_own_secret(world: Visiting) -> None:
    answer = world.browser().ask("GET", f"/api/v1/postback/{world.advertiser}", params={"sig": "0" * 64})
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
