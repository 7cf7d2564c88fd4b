"""A site's own cookie in HTTP: its literal header, the cap that it keeps, and that no consent means no cookie."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pixel.cookie import SECURE_NAMES
from pixel.site_cookie import read_site
from tests.web.visiting import NEWS, Browser, Visiting

NAME = "__Host-rt-site"
LITERAL = re.compile(
    rf"{NAME}=[A-Za-z0-9_-]{{52}}; Max-Age=(\d+); Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
)
MESSAGE = {"headline": "Still here?", "body": "Your form is kept.", "button": "Go on"}


class Page(Visiting):
    """A world with a campaign for whoever reads the page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.contextual = make_contextual(self)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    world = Page(tmp_path_factory.mktemp("visiting"))
    yield world
    world.close()


def make_contextual(world: Visiting) -> str:
    """A campaign with a message that anyone may see, once a day."""
    campaign: str = world.change(
        "POST",
        "/campaigns",
        advertiser_id=world.advertiser,
        name="For the page",
        pricing_model="cpm",
        rate_micros=2_000_000,
        frequency_cap={"impressions": 1, "per": "day"},
        contextual=True,
        status="active",
    )["id"]
    world.change(
        "POST",
        "/creatives",
        campaign_id=campaign,
        template="message",
        brand={"name": "Nordhaus"},
        message=MESSAGE,
        link="https://shop.example/form",
    )
    return campaign


@pytest.fixture
def stranger(world: Page) -> Browser:
    """A browser that was never at the shop."""
    return world.browser()


def test_the_second_request_brings_the_cookie_back_and_is_capped(stranger: Browser) -> None:
    first = stranger.slot()
    assert first.headers["x-slot"] == "filled" and "Still here?" in first.text
    (set_cookie,) = first.headers.get_list("set-cookie")
    found = LITERAL.fullmatch(set_cookie)
    assert found and 86_400 <= int(found[1]) <= 90_000
    assert list(stranger.cookies) == [NAME]
    second = stranger.slot()
    assert second.headers["x-slot"] == "empty" and "set-cookie" not in second.headers


def test_a_picture_counts_in_the_same_list(world: Page, stranger: Browser) -> None:
    path = f"/slot/{world.slot}.gif?n=post-1"
    picture = stranger.ask("GET", path, headers=NEWS)
    assert picture.headers["content-type"] == "image/gif"
    assert LITERAL.fullmatch(picture.headers["set-cookie"])
    house = stranger.ask("GET", path, headers=NEWS)
    assert "set-cookie" not in house.headers and house.content != picture.content
    assert not stranger.is_shown_an_ad()
    click = stranger.ask("GET", f"/slot/{world.slot}/click?n=post-1", headers=NEWS)
    assert click.headers["location"].startswith("https://shop.example/form?rtclid=")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?consent=0", {}),
        ("?consent=unheard", {}),
        ("?gdpr=1", {}),
        ("?gdpr=1&gdpr_consent=BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", {}),
        ("?coppa=1", {}),
        ("", {"Sec-GPC": "1"}),
    ],
)
def test_without_consent_no_cookie_is_set_and_nothing_with_a_cap_is_shown(
    world: Page, stranger: Browser, query: str, headers: dict[str, str]
) -> None:
    answer = stranger.ask("GET", f"/slot/{world.slot}{query}", headers=NEWS | headers)
    assert answer.headers["x-slot"] == "empty" and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("query", "expires"),
    [
        ("consent=unheard", False),
        ("consent=unheard&ad_storage=denied&ad_user_data=denied", False),
        ("gdpr=1&gdpr_consent=" + "C" * 9_000, False),
        ("gpc=1", False),
        ("consent=0", True),
        ("ad_storage=denied", True),
    ],
)
def test_a_cap_outlives_what_nobody_said_and_ends_with_a_no(
    world: Page, stranger: Browser, query: str, expires: bool
) -> None:
    assert stranger.is_shown_an_ad()
    answer = stranger.ask("GET", f"/slot/{world.slot}?{query}", headers=NEWS)
    assert answer.headers["x-slot"] == "empty"
    assert [header.split(";")[0] for header in answer.headers.get_list("set-cookie")] == (
        [f"{NAME}="] if expires else []
    )
    assert stranger.is_shown_an_ad() is expires


@pytest.mark.parametrize(
    "header",
    [f"{NAME}=" + "A" * 40, f"{NAME}=x", f"{NAME}=" + "A" * 3_000, f"{NAME}={'A' * 40}; {NAME}={'A' * 40}"],
)
def test_a_list_that_is_not_ours_is_as_none(stranger: Browser, world: Page, header: str) -> None:
    answer = stranger.ask("GET", f"/slot/{world.slot}", headers=NEWS | {"Cookie": header})
    assert answer.headers["x-slot"] == "filled"
    (fresh,) = answer.headers.get_list("set-cookie")
    seen = read_site(fresh.split(";")[0].encode(), world.server.cookie_keys(), SECURE_NAMES).seen
    assert [times for _, _, times in seen] == [1]


def test_what_was_shown_for_the_page_is_billed_and_told_apart(world: Page, stranger: Browser) -> None:
    token = stranger.see()
    assert stranger.ask("GET", f"/i?t={token}&debug=1").headers["x-charge"] == "repeated"
    why = stranger.ask("GET", f"/why?t={token}").text
    assert "because\nof the page it was on, not because of you" in why.replace("  ", "")
    assert "its cookie is gone" not in why
    month = f"{datetime.fromtimestamp(world.server.clock() / 1_000, ZoneInfo('Europe/Paris')):%Y-%m}"
    lines = world.change("GET", f"/advertisers/{world.advertiser}/statements/{month}/events")["items"]
    told = {line["audience_id"] for line in lines if line["campaign_id"] == world.contextual}
    assert told == {"contextual"}


def test_the_shop_may_take_it_back(world: Page, stranger: Browser) -> None:
    campaign = make_contextual(world)
    for path in (f"/campaigns/{campaign}", f"/campaigns/{world.contextual}"):
        assert world.change("GET", path)["contextual"] is True
        assert world.change("PATCH", path, contextual=False)["contextual"] is False
    assert not stranger.is_shown_an_ad()
