"""What advertisers do every day takes few clicks from log-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from adserver.domain.user import Role
from tests.browser.chromium import chromium
from tests.browser.console_walk import PASSWORD, Person, demo_in, invited, read_the_news
from tests.running_demo import RunningDemo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

EMAIL = "owner@shop.example"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with demo_in(Path(tmp_path_factory.mktemp("demo"))) as demo:
        read_the_news(demo, clicks=False)
        yield demo


@pytest.fixture(scope="module")
def owner(demo: RunningDemo) -> Iterator[Page]:
    """Somebody with one account, who logs out."""
    with chromium() as browser:
        link = _advertiser(demo, browser)
        owner = Person(browser, link)
        owner.page.get_by_text("Log out").click()
        yield owner.page
        owner.leave()


def _advertiser(demo: RunningDemo, browser: Browser) -> str:
    operator = Person(browser, invited(demo, "operator@example.org"))
    link = operator.invites(EMAIL, Role.ADVERTISER, demo.told["advertiser_id"])
    operator.leave()
    return link


class Clicks:
    """Counts from the page on which a log-in ends."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0
        page.goto("about:blank")  # a page that asks for news would be refused them, and say so
        page.context.clear_cookies()
        page.goto("/console/login")
        page.fill("[name=email]", EMAIL)
        page.fill("[name=password]", PASSWORD)
        page.click("button.main")
        page.wait_for_url("**/campaigns")

    def click(self, place: Locator) -> None:
        place.first.click()
        self.count += 1

    def row(self, name: str) -> Locator:
        return self.page.locator(".campaigns li", has_text=name)


def test_a_campaign_is_paused_in_one_click(demo: RunningDemo, owner: Page) -> None:
    name = str(demo.campaign("cpc")["name"])
    task = Clicks(owner)
    task.click(task.row(name).get_by_text("Pause", exact=True))
    task.row(name).get_by_text("Paused by you").wait_for()
    assert (demo.campaign("cpc")["status"], task.count) == ("paused", 1)


def test_a_budget_is_raised_in_two(demo: RunningDemo, owner: Page) -> None:
    known = demo.campaign("cpm")
    task = Clicks(owner)
    row = task.row(str(known["name"]))
    task.click(row.locator("summary"))
    row.locator("[name=daily]").fill("2000")
    task.click(row.locator(".row button.main"))
    task.row(str(known["name"])).get_by_text("of €2,000.00").wait_for()
    assert (demo.campaign("cpm")["daily_budget_micros"], task.count) == (2_000_000_000, 2)


def test_the_tag_is_copied_in_two(demo: RunningDemo, owner: Page) -> None:
    owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
    task = Clicks(owner)
    task.click(owner.locator("nav[aria-label=Main]").get_by_text("Tag", exact=True))
    task.click(owner.get_by_role("button", name="Copy"))
    expect(owner.get_by_text("Copied")).to_be_visible()
    copied = owner.evaluate("navigator.clipboard.readText()")
    assert demo.told["merchant"] in copied
    assert task.count == 2


def test_what_was_spent_yesterday_is_seen_with_none_and_hour_by_hour_in_one(owner: Page) -> None:
    task = Clicks(owner)
    expect(owner.locator(".overview")).to_contain_text("Yesterday")
    task.click(owner.get_by_role("link", name="Yesterday"))
    expect(owner.locator(".report")).to_contain_text("Spent")
    assert task.count == 1


def test_why_an_ad_is_not_shown_is_found_in_one(demo: RunningDemo, owner: Page) -> None:
    name = str(demo.campaign("cpa")["name"])
    # It may have been among what the reader was shown, or not; now it is not shown for certain.
    demo.api.patch(
        f"/campaigns/{demo.told['campaigns']['cpa']}", json={"status": "paused"}
    ).raise_for_status()
    task = Clicks(owner)
    task.click(task.row(name).get_by_role("link", name=name))
    expect(owner.get_by_role("heading", name="Why is it not showing?")).to_be_visible()
    assert task.count == 1
