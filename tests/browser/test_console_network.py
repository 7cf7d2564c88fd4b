"""The operator's work in a real browser: an account, a hold, and each page in three languages and two sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import chromium
from tests.browser.console_walk import LANGUAGES, PASSWORD, SIZES, invited, look_at
from tests.running_demo import RunningDemo, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

ROOT = "/console/network"
PAGES = ("", "/accounts", "/traffic", "/audit", "/jobs", "/settings", "/health", "/identity", "/consent")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = RunningDemo(Path(tmp_path_factory.mktemp("demo")))
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def anna(demo: RunningDemo, browser: Browser) -> Iterator[Page]:
    """The first operator, invited by the command."""
    page = entered(demo, browser, "en", invited(demo, "operator-en@example.org"))
    yield page
    page.context.close()


def link_by(page: Page, email: str) -> str:
    """Another operator's, which the first one makes."""
    page.goto(f"{ROOT}/users")
    page.fill("[name=email]", email)
    page.select_option("[name=grant]", "operator:")
    page.click("button.main")
    return page.inner_text("code.key")


def entered(demo: RunningDemo, browser: Browser, language: str, link: str) -> Page:
    """An operator who has just come in."""
    context = browser.new_context(viewport=SIZES["desk"], locale=language, base_url=demo.url)
    page = context.new_page()
    page.goto(link)
    page.fill("[name=name]", "Anna")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/console")
    return page


def test_an_account_is_opened_paid_into_and_its_publisher_held(anna: Page) -> None:
    page = anna
    page.goto(f"{ROOT}/accounts")
    form = page.locator("form[action$='/accounts/advertisers']")
    page.click("summary >> nth=0")
    form.locator("[name=name]").fill("Atelier")
    form.locator("[name=domains]").fill("atelier.example")
    form.locator("[name=country]").select_option("FR")
    form.locator("button").click()
    page.wait_for_url("**/accounts/adv_*")
    page.fill("[name=amount]", "250")
    page.fill("[name=reference]", "wire 1")
    page.click("form[action$='/deposits'] button")
    page.get_by_text("€250.00").wait_for()
    look_at(page, "network-account")
    page.goto(f"{ROOT}/traffic")
    page.click("summary >> nth=-1")
    form = page.locator("form[action$='/holds'] >> nth=-1")
    form.locator("[name=publisher]").select_option(index=1)
    form.locator("[name=since]").fill("2026-01-01")
    form.locator("[name=reason]").fill("clicks from one office")
    form.locator("button").click()
    page.wait_for_url("**/holds/hold_*")
    look_at(page, "network-hold")
    page.click("form[action$='/release'] button")
    page.get_by_text("released", exact=True).wait_for()
    page.goto(f"{ROOT}/audit")
    page.click("summary >> nth=0")
    assert "operator-en@example.org" in page.inner_text("tbody")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_can_be_read_by_everybody(
    demo: RunningDemo, browser: Browser, anna: Page, language: str
) -> None:
    until(lambda: len(demo.api.get("/jobs").json()["items"]) > 5)
    link = link_by(anna, f"operator-{language}-2@example.org")
    page, said = entered(demo, browser, f"{language}-CH", link), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    for path in PAGES:
        page.goto(f"{ROOT}{path}")
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            look_at(page, f"network{path.replace('/', '-')}-{language}-{size}")
    assert said == []
    page.context.close()
