"""Reports in a real browser: a question asked, narrowed, drawn, saved as a picture and printed on paper."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from adserver.domain.user import Role
from tests.browser.chromium import chromium
from tests.browser.console_walk import SCREENSHOTS, Person, demo_in, invited, read_the_news
from tests.running_demo import RunningDemo, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with demo_in(tmp_path_factory.mktemp("demo")) as demo:
        for number in range(8):
            read_the_news(demo, clicks=number % 2 == 0)
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def test_an_advertiser_asks_a_question_of_its_own_and_keeps_the_answer(
    demo: RunningDemo, browser: Browser
) -> None:
    operator = Person(browser, invited(demo, "reports@example.org"))
    shop = demo.told["advertiser_id"]
    anna = Person(browser, operator.invites("shop@example.org", Role.ADVERTISER, shop))
    page = anna.page
    expect(page.locator(".overview")).to_contain_text("Yesterday")
    page.click("nav[aria-label=Main] >> text=Reports")
    page.get_by_role("link", name="How is today going?").click()
    expect(page.locator(".report")).to_contain_text("Today is not over")
    is_drawn(page)
    page.get_by_text("Your own report").click()
    page.select_option("[name=group_by] >> nth=0", "campaign")
    page.check("[name=compare]")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".report-rows tbody tr")).not_to_have_count(0)
    is_drawn(page)
    page.locator(".report-rows thead a").nth(1).click()
    expect(page.locator("[aria-sort=descending]")).to_have_count(1)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the picture").click()
    picture = SCREENSHOTS / "reports-saved.png"
    saved.value.save_as(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as sheet:
        page.get_by_role("link", name="Save as CSV").click()
    assert sheet.value.suggested_filename.endswith(".csv")
    page.get_by_text("Save this report").click()
    page.fill("[name=name]", "By campaign")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    page.get_by_role("link", name="By campaign").click()
    is_drawn(page)
    page.emulate_media(media="print")
    expect(page.locator(".own-report")).to_be_hidden()
    expect(page.locator(".report-rows")).to_be_visible()
    page.pdf(path=SCREENSHOTS / "reports-printed.pdf")
    page.emulate_media(media="screen")
    asked = "?period=today&group_by=hour&group_by=campaign&compare=previous"
    anna.look_around("reports", [f"/console/shop/{shop}/reports{asked}"])
    anna.leave()
    news = demo.api.get("/publishers").json()["items"][0]["id"]
    operator.look_around(
        "reports-of",
        (
            "/console/network/reports?period=today&group_by=slot&metrics=requests,fills,impressions",
            f"/console/publisher/{news}/reports?period=today&group_by=hour",
        ),
    )
    operator.leave()


def is_drawn(page: Page) -> None:
    """The picture has arrived, and is one."""
    until(lambda: bool(page.evaluate("document.querySelector('.report img').naturalWidth > 300")))
