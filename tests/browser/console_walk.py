"""People at the console in a real browser: they enter, speak a language, and each page is looked at."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Page
from typer.testing import CliRunner

from adserver.__main__ import app
from adserver.domain.identity import read_id
from adserver.domain.user import Role
from tests.running_demo import RunningDemo
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer

PASSWORD = "four old wet boots"
LANGUAGES = ("en", "fr", "it")
SIZES = {"desk": {"width": 1440, "height": 900}, "telephone": {"width": 390, "height": 844}}
SCREENSHOTS = PROJECT / "build" / "screenshots"
ARE_KEPT = os.environ.get("SCREENSHOTS") == "1"
VIOLATIONS = "() => axe.run(document, {resultTypes: ['violations']}).then((results) => results.violations)"
_PREFIX = {Role.ADVERTISER: "adv", Role.WEBMASTER: "adv", Role.PUBLISHER: "pub"}


@contextmanager
def demo_in(folder: Path) -> Iterator[RunningDemo]:
    demo = RunningDemo(folder)
    try:
        yield demo
    finally:
        demo.close()


def invited(demo: RunningDemo, email: str) -> str:
    return invited_beside(demo.folder, demo.url, email)


def invited_beside(data: Path, url: str, email: str) -> str:
    """The link that the operator's command prints beside the running server, run in our own process."""
    settings = {"ADSERVER_DATA_DIR": str(data), "ADSERVER_BASE_URL": url}
    done = CliRunner().invoke(app, ["invite", email, "--json"], env=settings)
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["link"])


def invited_by_command(server: RunningServer, email: str) -> str:
    """The same as an operator runs it: Python starts for it, which takes a second."""
    done = server.command("invite", email, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["link"])


def look_at(page: Page, name: str, *, in_any_language: bool = False) -> None:
    """Let axe and the ruler look: nothing serious, and nothing wider than the screen; `make screenshots` looks too.

    Axe reads the English page, or `in_any_language`: the same page has other words, which the ruler measures.
    """
    if ARE_KEPT:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    if not in_any_language and page.get_attribute("html", "lang") != "en":
        return
    if not page.evaluate("'axe' in window"):  # it stays while the same page takes another size
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate(VIOLATIONS)
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in violations] == [], name


def read_the_news(demo: RunningDemo, *, clicks: bool) -> None:
    """A shopper looks at a product, is shown it again elsewhere, and may click."""
    with httpx.Client(
        base_url=demo.url, verify=False, headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/130.0"}
    ) as shopper:
        shopper.get(
            "/m/e", params={"m": demo.told["merchant"], "e": "view_item", "id": demo.told["products"][0]}
        )
        for slot in demo.told["slots"]:
            tokens = re.findall(r"/i\?t=([\w-]+)", shopper.get(f"/slot/{slot}").text)
            for token in tokens[:1]:
                shopper.post(f"/i?t={token}")
                shopper.get(f"/c?t={token}") if clicks else None


class Person:
    """Somebody in a browser of their own, who enters by a link and stays until `leave`."""

    def __init__(
        self, browser: Browser, link: str, *, language: str = "en", size: str = "desk", scripts: bool = True
    ) -> None:
        self._origin = link.partition("/console")[0]
        self._context = browser.new_context(
            viewport=SIZES[size], locale=language, base_url=self._origin, java_script_enabled=scripts
        )
        self.page = self._context.new_page()
        self.said: list[str] = []
        self.page.on("console", self._hear)
        self.page.goto(link)
        self.page.fill("[name=name]", "Anna")
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("button.main")
        self.page.wait_for_url(lambda url: "/welcome/" not in url)

    def invites(self, email: str, role: Role, account: str = "") -> str:
        """The link for a colleague; `account` is its id in the API. Operators only."""
        key = read_id(_PREFIX[role], account) if account else ""
        self.page.goto("/console/network/users")
        self.page.fill("[name=email]", email)
        self.page.select_option("[name=grant]", f"{role}:{key}")
        self.page.click("main button.main")
        return self.page.inner_text(".told code").strip()

    def speak(self, language: str) -> None:
        """From now on, as chosen on one's own page."""
        self.page.goto("/console/account")
        self.page.select_option("[name=language]", language)
        self.page.click("#language button")
        self.page.wait_for_selector(f"html[lang={language}]")

    def look_around(self, room: str, addresses: Iterable[str]) -> None:
        """Every page in every language and size, each kept as a picture and looked at by axe."""
        pages = tuple(addresses)
        for language in LANGUAGES:
            self.speak(language)
            for address in pages:
                self._look(room, address, language)

    def _look(self, room: str, address: str, language: str) -> None:
        answer = self.page.goto(address)
        assert answer is not None, address
        assert (answer.status, self.page.url.removeprefix(self._origin)) == (200, address)
        for size, viewport in SIZES.items():
            self.page.set_viewport_size(viewport)
            look_at(self.page, f"{room}-{name_of(address)}-{language}-{size}")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.said.append(f"{message.text} ({message.location['url']})")

    def leave(self) -> None:
        """Close the browser, in which nothing went wrong."""
        assert self.said == [], self.said
        self._context.close()


def name_of(address: str) -> str:
    """What a page's pictures are called: its address without the accounts' ids."""
    parts = address.partition("?")[0].split("/")
    return "-".join(one for one in parts if one and "_" not in one and one != "console") or "home"
