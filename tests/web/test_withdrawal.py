"""A page's no over HTTP: the shop's part goes before the answer, the cookie with the last part; proof stays."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adserver.writes import Outcome, Result
from tests.web.visiting import Browser, Visiting

SHOP = {"Origin": "https://shop.example"}
YES = {"granted": True, "cmp": "Klaro", "time": int(time.time()) - 60}
EXPIRED = "__Host-rt=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Visiting]:
    world = Visiting(tmp_path)
    yield world
    world.close()


@pytest.fixture
def browser(world: Visiting) -> Browser:
    """A browser that agreed on the shop's page, and came back."""
    browser = world.browser()
    assert [say(world, browser, YES).headers["x-event"] for _ in range(2)] == ["accepted", "accepted"]
    assert browser.is_shown_an_ad()
    return browser


def say(
    world: Visiting, browser: Browser, consent: dict[str, object], headers: dict[str, str] = SHOP
) -> httpx.Response:
    event = {"name": "view_item", "items": [{"item_id": "boots"}]}
    body = {"m": world.merchant, "events": [event], "consent": consent, "debug": 1}
    return browser.ask("POST", "/m/e", json=body, headers=headers)


def known_as(world: Visiting, browser: Browser) -> str:
    yes = {"granted": "1", "cmp": "Klaro", "time": str(YES["time"])}
    told = browser.ask("GET", "/m/id", params={"m": world.merchant} | yes, headers=SHOP)
    return str(told.json()["visitor"])


def proofs(world: Visiting, visitor: str) -> list[dict[str, Any]]:
    path = f"/advertisers/{world.advertiser}/consents"
    found: list[dict[str, Any]] = world.change("GET", f"{path}?visitor={visitor}")["items"]
    return found


def test_the_answer_to_a_no_comes_when_all_is_erased_and_takes_the_cookie(
    world: Visiting, browser: Browser
) -> None:
    answer = say(world, browser, {"granted": False})
    assert (answer.status_code, answer.content, answer.headers["x-event"]) == (204, b"", "no_consent")
    assert answer.headers.get_list("set-cookie") == [EXPIRED]
    assert browser.cookies == {}
    reader = world.storage.reader
    for table in ("events", "profiles"):
        assert reader.row(f"SELECT COUNT(*) FROM {table}") == (0,)
    assert not browser.is_shown_an_ad()


def test_a_no_by_the_tags_empty_body_does_the_same(world: Visiting, browser: Browser) -> None:
    body = {"m": world.merchant, "events": [], "consent": {"ad_storage": "denied"}}
    answer = browser.ask("POST", "/m/e", json=body, headers=SHOP)
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (204, [EXPIRED])


@pytest.mark.parametrize("headers", [SHOP, {"Referer": "https://shop.example/product/1"}])
def test_a_picture_on_the_shops_own_page_erases_nothing(
    world: Visiting, browser: Browser, headers: dict[str, str]
) -> None:
    """Whoever writes a review there may put one in it, some with an `Origin`: no picture posts."""
    asked = {"m": world.merchant, "consent": "0", "debug": "1"}
    picture = browser.ask("GET", "/m/e", params=asked, headers=headers)
    assert (picture.headers["content-type"], picture.headers["x-event"]) == ("image/gif", "no_consent")
    assert "set-cookie" not in picture.headers
    assert browser.is_shown_an_ad()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Referer": "https://news.example/"}],
)
def test_a_foreign_page_erases_nothing(world: Visiting, browser: Browser, headers: dict[str, str]) -> None:
    answer = say(world, browser, {"granted": False}, headers)
    assert "set-cookie" not in answer.headers
    assert browser.is_shown_an_ad()
    asked = browser.ask("HEAD", "/m/e", params={"m": world.merchant, "consent": "0"}, headers=SHOP)
    assert "set-cookie" not in asked.headers
    assert browser.is_shown_an_ad()


def test_a_no_that_cannot_be_made_durable_is_to_be_said_again(
    world: Visiting, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox = world.server.storage.writer._postbox
    monkeypatch.setattr(postbox, "_begin", None)  # the loop leaves its batches to the thread, which fails
    monkeypatch.setattr(postbox, "_send", lambda writes, resent: [Outcome(Result.UNRECORDED)] * len(writes))
    answer = say(world, browser, {"granted": False})
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers
    monkeypatch.undo()
    assert say(world, browser, {"granted": False}).status_code == 204
    assert not browser.is_shown_an_ad()


# ---- proof ----


def test_the_merchant_proves_a_consent_while_it_lasts_and_after_it_was_withdrawn(
    world: Visiting, browser: Browser
) -> None:
    visitor = known_as(world, browser)
    [proof] = proofs(world, visitor)
    assert (proof["kind"], proof["cmp"], proof["site"]) == ("asserted", "Klaro", "shop.example")
    assert (proof["ended_at"], proof["ended_by"]) == (None, None)
    say(world, browser, {"granted": False})
    [ended] = proofs(world, visitor)
    assert ended["ended_by"] == "withdrawn" and ended["ended_at"] >= ended["first_seen_at"]
    assert {**ended, "ended_at": None, "ended_by": None} == proof


@pytest.mark.parametrize(
    ("path", "ended_by"), [("/privacy/forget", "forgotten"), ("/privacy/opt-out", "opted_out")]
)
def test_it_is_told_how_a_consent_ended(world: Visiting, browser: Browser, path: str, ended_by: str) -> None:
    visitor = known_as(world, browser)
    browser.post(path)
    assert [one["ended_by"] for one in proofs(world, visitor)] == [ended_by]


def test_what_a_shops_server_tells_is_proven_too(world: Visiting, browser: Browser) -> None:
    visitor = known_as(world, browser)
    world.change(
        "POST",
        "/events",
        advertiser_id=world.advertiser,
        events=[{"name": "view_item", "visitor": visitor, "items": [{"item_id": "boots"}]}],
        consent=YES | {"cmp": "Shop"},
    )
    assert [(one["cmp"], one["site"]) for one in proofs(world, visitor)] == [
        ("Klaro", "shop.example"),
        ("Shop", ""),
    ]


def test_visitors_are_shown_what_they_agreed_to(world: Visiting, browser: Browser) -> None:
    [row] = browser.ask("GET", "/privacy/export").json()["held"]["consents"]["rows"]
    assert (row["advertiser"], row["cmp"], row["kind"]) == (world.advertiser, "Klaro", "asserted")
    assert row["proof"] == proofs(world, known_as(world, browser))[0]["proof"]
    assert "What you agreed to in each shop" in browser.ask("GET", "/privacy").text


@pytest.mark.parametrize("visitor", ["", "x", "A" * 32, "ÿ" * 32])
def test_an_id_that_is_none_of_the_advertisers_finds_nothing(world: Visiting, visitor: str) -> None:
    path = f"/api/v1/advertisers/{world.advertiser}/consents"
    answer = world.operator.ask("GET", path, params={"visitor": visitor})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert world.operator.ask("GET", path).json()["code"] == "invalid_request"
