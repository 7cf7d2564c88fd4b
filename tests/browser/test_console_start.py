"""An operator's first hour in a real browser: from an empty database to a list that ticks itself."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.browser.console_walk import Person, invited_beside
from tests.simulation.running_server import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAGES = ("/console/start", "/console", "/console/network/keys")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(Path(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def anna(server: RunningServer, browser: Browser) -> Iterator[Person]:
    anna = Person(browser, invited_beside(server.folder / "data", server.url, "anna@example.org"))
    yield anna
    anna.leave()


def test_from_an_empty_database_to_a_tag_that_is_heard(server: RunningServer, anna: Person) -> None:
    page = anna.page
    assert page.url == f"{server.url}/console/start"
    page.fill("#identity [name=name]", "Nord Net")
    page.select_option("[name=country]", "FR")
    page.select_option("[name=currency]", "EUR")
    page.select_option("[name=timezone]", "Europe/Paris")
    page.click("#identity button.main")
    page.check("[name=tool][value=consent_mode]")
    page.click("#consent button.main")
    page.click("#region form button")
    page.click("#browser button.main")
    page.fill("#accounts [action$=shop] [name=name]", "Boots")
    page.fill("#accounts [action$=shop] [name=domain]", "boots.example")
    page.click("#accounts [action$=shop] button.main")
    page.fill("#accounts [action$=publisher] [name=name]", "Press")
    page.fill("#accounts [action$=publisher] [name=domain]", "press.example")
    page.click("#accounts [action$=publisher] button.main")
    assert page.locator(".stages > .done").count() == 5
    assert "/slot.js" in page.inner_text("#embed")
    public_id = page.inner_text("#tag").split("'init', '")[1].split("'")[0]
    assert page.locator("[data-check=tag].done").count() == 0
    httpx.get(f"{server.url}/m/e", params={"m": public_id, "e": "view_item", "id": "boot-1"}, verify=False)
    page.locator("[data-check=tag].done").wait_for()


def test_every_page_of_the_first_run_in_every_language_and_size(anna: Person) -> None:
    anna.look_around("first", PAGES)


def test_the_first_step_is_taken_without_any_script(server: RunningServer, browser: Browser) -> None:
    link = invited_beside(server.folder / "data", server.url, "plain@example.org")
    plain = Person(browser, link, scripts=False, size="telephone")
    plain.page.goto("/console/start")
    plain.page.fill("#identity [name=name]", "South Net")
    plain.page.click("#identity button.main")
    assert plain.page.inner_text("[role=status]") == "Saved."
    assert plain.page.input_value("#identity [name=name]") == "South Net"
    assert not plain.page.is_visible("[data-copy]")
    plain.leave()
