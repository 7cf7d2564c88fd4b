"""The console in a real browser: three languages, a desk and a telephone, and what axe-core finds in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.browser.console_walk import PASSWORD, SIZES, Person, demo_in, invited, look_at
from tests.running_demo import RunningDemo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

WORDS = {
    "en": ("Paused by you", "Resume", "Log out"),
    "fr": ("Mise en pause par vous", "Reprendre", "Se déconnecter"),
    "it": ("In pausa per tua scelta", "Riprendi", "Esci"),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with demo_in(Path(tmp_path_factory.mktemp("demo"))) as demo:
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


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
    look_at(page, f"{name}-welcome", in_any_language=True)
    page.fill("[name=name]", "Anna")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/console")
    look_at(page, f"{name}-home", in_any_language=True)
    page.click(".places a >> nth=0")
    page.wait_for_url("**/campaigns")
    look_at(page, f"{name}-campaigns", in_any_language=True)
    row = page.locator(".campaigns li").first
    row.locator(".head button").click()
    row.get_by_text(paused).wait_for()
    look_at(page, f"{name}-paused", in_any_language=True)
    row.get_by_text(resume, exact=True).click()
    row.get_by_text(paused).wait_for(state="detached")
    page.get_by_text(leave, exact=True).click()
    page.wait_for_url("**/console/login")
    look_at(page, f"{name}-login", in_any_language=True)
    assert said == []
    context.close()


def test_who_speaks_another_language_finds_every_page_in_it(demo: RunningDemo, browser: Browser) -> None:
    anna = Person(browser, invited(demo, "anna@example.org"))
    anna.look_around("house", ("/console/account", "/console/network/users"))
    anna.leave()


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
