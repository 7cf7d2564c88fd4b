"""Where browsers refuse cookies to frames, each site keeps its own count of what was shown there, and no other's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import refuses_cookies_to_frames
from tests.browser.parties import DESKTOP, SHOP_HOST, Pages, Parties, Shopper, write_news
from tests.simulation.running_server import RunningServer

pytestmark = pytest.mark.browser

BLOG_HOST = "blog.localhost"
SITE_COOKIE = "__Host-rt-site"
ONCE_A_DAY = {"impressions": 1, "per": "day"}
SLOW_TOOL = """window.__tcfapi=(command,version,callback)=>{window.answer=()=>
callback({eventStatus:'useractioncomplete',gdprApplies:false,tcString:''},true)};"""
MESSAGE = {"headline": "Pots for tea", "body": "Thrown by hand.", "button": "See them"}


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    with RunningServer(tmp_path / "server") as server:
        parties = Parties(server, f"http://{SHOP_HOST}", tmp_path)
        yield parties
        parties.close()


@pytest.fixture
def blog(parties: Parties, tmp_path: Path) -> Iterator[Pages]:
    """A site of another publisher, with a slot of its own."""
    blog = Pages(tmp_path / "blog", BLOG_HOST)
    publisher = parties.make("publishers", name="Blog")
    site = parties.make("sites", publisher_id=publisher["id"], name="Blog", domains=[BLOG_HOST])
    slot = parties.make("slots", site_id=site["id"], name="Top", width=300, height=250)
    write_news(blog.folder, slot["id"], parties.cards)
    yield blog
    blog.close()


def test_a_cap_holds_on_each_site_for_itself_by_a_cookie_that_no_other_site_sees(
    parties: Parties, blog: Pages, tmp_path: Path
) -> None:
    look = {"template": "message", "message": MESSAGE, "link": f"http://{SHOP_HOST}/teapot.html"}
    parties.campaign(look, contextual=True, frequency_cap=ONCE_A_DAY)
    with refuses_cookies_to_frames(tmp_path / "refuses", 10_000, user_agent=DESKTOP) as context:
        reader = Shopper(parties, context)

        def reads(url: str) -> tuple[str, list[str]]:
            """What the site's slot answered, and the names of our cookies that it was asked with."""
            with reader.page.expect_response(lambda answer: "/slot/" in answer.url) as slot:
                reader.page.goto(url)
            sent = slot.value.request.all_headers().get("cookie", "")
            return slot.value.headers["x-slot"], [pair.split("=")[0] for pair in sent.split("; ") if pair]

        assert reads(parties.news.url) == ("filled", [])
        assert reads(parties.news.url) == ("empty", [SITE_COOKIE])
        assert reads(blog.url) == ("filled", [])
        assert reads(blog.url) == ("empty", [SITE_COOKIE])
        kept = [cookie for cookie in context.cookies() if cookie["name"] == SITE_COOKIE]
        assert {cookie["partitionKey"] for cookie in kept} == {
            "http://news.localhost",
            "http://blog.localhost",
        }
        assert all(
            cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "None" for cookie in kept
        )
        assert [cookie["name"] for cookie in context.cookies()] == [SITE_COOKIE, SITE_COOKIE]
    assert parties.server.rows("SELECT visitor_key FROM profiles") == []


def test_a_cap_holds_though_the_consent_tool_answers_late_on_each_page(
    parties: Parties, tmp_path: Path
) -> None:
    look = {"template": "message", "message": MESSAGE, "link": f"http://{SHOP_HOST}/teapot.html"}
    parties.campaign(look, contextual=True, frequency_cap=ONCE_A_DAY)
    page = parties.news.folder / "index.html"
    page.write_text(page.read_text().replace("<script async", '<script async data-timeout="50"'))
    with refuses_cookies_to_frames(tmp_path / "refuses", 10_000, user_agent=DESKTOP) as context:
        reader = Shopper(parties, context)
        reader.page.add_init_script(SLOW_TOOL)

        def reads() -> tuple[str, str]:
            """What the slot answered before the tool spoke, and after."""
            with reader.page.expect_response(lambda answer: "consent=unheard" in answer.url) as guessed:
                reader.page.goto(parties.news.url)
            with reader.page.expect_response(lambda answer: "gdpr=0" in answer.url) as heard:
                reader.page.evaluate("answer()")
            return guessed.value.headers["x-slot"], heard.value.headers["x-slot"]

        assert [reads(), reads(), reads()] == [("empty", "filled"), ("empty", "empty"), ("empty", "empty")]
