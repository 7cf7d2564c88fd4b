"""An advertiser's campaigns in a real browser: made, looked at, raised and ended; every page in each language."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import chromium
from tests.browser.console_walk import PASSWORD, SIZES, invited, look_at
from tests.running_demo import RunningDemo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = RunningDemo(Path(tmp_path_factory.mktemp("demo")))
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def entered(demo: RunningDemo, browser: Browser, language: str, *, scripts: bool = True) -> Page:
    """A page of somebody who has logged in."""
    context = browser.new_context(
        viewport=SIZES["desk"], locale=language, base_url=demo.url, java_script_enabled=scripts
    )
    page = context.new_page()
    page.goto(invited(demo, f"{secrets.token_hex(4)}@example.org"))
    page.fill("[name=name]", "Anna")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/console")
    return page


def pages(demo: RunningDemo) -> str:
    return f"/console/shop/{demo.told['advertiser_id']}/campaigns"


def test_a_campaign_from_its_first_idea_to_its_end(demo: RunningDemo, browser: Browser) -> None:
    page, said = entered(demo, browser, "en"), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(pages(demo))
    page.get_by_text("New campaign").click()
    shown = page.locator(".looks iframe").first.content_frame
    page.fill("[name=name]", "Winter")
    page.fill("[name=brand]", "Fennel in winter")
    expect(shown.get_by_text("Fennel in winter")).to_be_visible()
    page.fill("[name=rate]", "0.50")
    expect(page.locator("#plan")).to_contain_text("What it will spend cannot be told yet")
    page.select_option("[name=template]", "message")
    expect(page.locator("[name=body]")).to_be_visible()
    page.select_option("[name=template]", "cards")
    page.fill("[name=daily]", "20")
    page.get_by_text("Start it").click()
    page.wait_for_url("**?done=made")
    assert "Waiting for approval" in page.inner_text(".state")
    assert "Ask whoever runs the network" in page.inner_text("#why")
    page.goto(pages(demo))
    row = page.locator(".campaigns li", has_text="Winter")
    row.locator("summary").click()
    row.get_by_text("+25.0%").first.click()
    expect(row.locator(".spend")).to_contain_text("€25.00")
    row.get_by_text("Winter").click()
    page.get_by_text("End it", exact=True).click()
    page.get_by_text("End it for good").click()
    page.wait_for_url("**?done=saved")
    assert page.inner_text(".state") == "Ended"
    assert said == []
    page.context.close()


def test_without_scripts_show_me_draws_and_reckons(demo: RunningDemo, browser: Browser) -> None:
    page = entered(demo, browser, "en", scripts=False)
    page.goto(f"{pages(demo)}/new")
    page.fill("[name=brand]", "Fennel by hand")
    page.fill("[name=rate]", "0.50")
    page.get_by_text("Show me").click()
    expect(page.locator(".looks iframe").first.content_frame.get_by_text("Fennel by hand")).to_be_visible()
    assert "What it will spend cannot be told yet" in page.inner_text("#plan")
    page.context.close()


@pytest.mark.parametrize("language", ["en", "fr", "it"])
def test_every_page_is_legible_at_both_sizes(demo: RunningDemo, browser: Browser, language: str) -> None:
    page, base = entered(demo, browser, language), pages(demo)
    campaign = f"{base}/{demo.told['campaigns']['cpc']}"
    creative = demo.api.get("/creatives", params={"campaign_id": demo.told["campaigns"]["cpc"]}).json()
    looked_at = {
        "list": base,
        "new": f"{base}/new",
        "campaign": campaign,
        "end": f"{campaign}/end",
        "ad": f"{campaign}/ads/{creative['items'][0]['id']}",
        "audiences": f"{base.removesuffix('campaigns')}audiences",
    }
    for name, address in looked_at.items():
        page.goto(address)
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            look_at(page, f"campaigns-{name}-{language}-{size}")
    page.context.close()
