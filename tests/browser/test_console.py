"""The console in a real browser: three languages, a desk and a telephone, and what axe-core finds in it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from tests.creatives.gallery import chromium
from tests.running_demo import RunningDemo
from tests.shared_data import PROJECT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PASSWORD = "four old wet boots"
SIZES = {"desk": {"width": 1440, "height": 900}, "telephone": {"width": 390, "height": 844}}
WORDS = {
    "en": ("Paused by you", "Resume", "Log out"),
    "fr": ("Mise en pause par vous", "Reprendre", "Se déconnecter"),
    "it": ("In pausa per tua scelta", "Riprendi", "Esci"),
}
SCREENSHOTS = PROJECT / "build" / "screenshots"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = RunningDemo(Path(tmp_path_factory.mktemp("demo")))
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def invited(demo: RunningDemo, email: str) -> str:
    """The link that the operator's command prints, beside the running server."""
    environment = {**os.environ, "ADSERVER_DATA_DIR": str(demo.folder), "ADSERVER_BASE_URL": demo.url}
    command = [sys.executable, "-m", "adserver", "invite", email, "--json"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["link"])


def look_at(page: Page, name: str) -> None:
    """Keep a picture, and let axe and the ruler look: nothing serious, and nothing wider than the screen."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    page.evaluate(AXE_SCRIPT)
    violations = page.evaluate("() => axe.run(document).then((results) => results.violations)")
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in violations] == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", WORDS)
def test_from_the_invitation_to_a_paused_campaign(
    demo: RunningDemo, browser: Browser, language: str, size: str
) -> None:
    name, (paused, resume, leave) = f"console-{language}-{size}", WORDS[language]
    context = browser.new_context(viewport=SIZES[size], locale=language, base_url=demo.url)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(invited(demo, f"{name}@example.org"))
    look_at(page, f"{name}-welcome")
    page.fill("[name=name]", "Anna")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/console")
    look_at(page, f"{name}-home")
    page.click(".places a >> nth=0")
    page.wait_for_url("**/campaigns")
    look_at(page, f"{name}-campaigns")
    row = page.locator(".campaigns li").first
    row.locator(".head button").click()
    row.get_by_text(paused).wait_for()
    look_at(page, f"{name}-paused")
    row.get_by_text(resume, exact=True).click()
    row.get_by_text(paused).wait_for(state="detached")
    for address in ("/console/network/users", "/console/account"):
        page.goto(address)
        look_at(page, name + address.replace("/", "-"))
    page.get_by_text(leave, exact=True).click()
    page.wait_for_url("**/console/login")
    look_at(page, f"{name}-login")
    assert said == []
    context.close()


def test_a_campaign_is_paused_without_any_script(demo: RunningDemo, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=demo.url)
    page = context.new_page()
    page.goto(invited(demo, "plain@example.org"))
    page.fill("[name=name]", "Anna")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.click(".places a >> nth=0")
    page.click(".campaigns li >> nth=0 >> .head button")
    assert "Paused by you" in page.inner_text(".campaigns li >> nth=0")
    page.click(".campaigns li >> nth=0 >> .head button")
    assert page.inner_text(".campaigns li >> nth=0 >> .head button") == "Pause"
    context.close()
