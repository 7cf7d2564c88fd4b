"""Four people, an empty database, and no documentation: from the first log-in to a click that everybody sees."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from adserver.domain.user import Role
from tests.browser.chromium import chromium
from tests.browser.console_walk import Person, invited_by_command
from tests.running_demo import until
from tests.simulation.running_server import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

FEED = "id,title,link,price\n" + "".join(
    f"b{number},Boot {number},https://boots.example/b{number},{60 + number}.00 EUR\n" for number in range(4)
)
PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One in whose country silence is not a no."""
    with RunningServer(Path(tmp_path_factory.mktemp("server")), default_region="open") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def test_from_nothing_to_a_click_that_all_four_see(
    server: RunningServer, browser: Browser, tmp_path: Path
) -> None:
    anna = Person(browser, invited_by_command(server, "anna@net.example"))
    set_up(anna)
    with server.api() as api:
        shop, press = (api.get(path).json()["items"][0]["id"] for path in ("/advertisers", "/publishers"))
    wanda = Person(browser, anna.invites("wanda@boots.example", Role.WEBMASTER, shop), size="telephone")
    merchant = re.search(r"'init', '([^']+)'", wanda.page.inner_text("#plain"))
    assert merchant is not None
    hand_in_products(wanda, tmp_path)
    oscar = Person(browser, anna.invites("oscar@boots.example", Role.ADVERTISER, shop), language="fr")
    oscar.speak("en")
    make_a_campaign(oscar)
    approve(anna)
    with httpx.Client(base_url=server.url, headers=PERSON, verify=False) as reader:
        watch(wanda, reader, merchant[1])
        petra = Person(browser, anna.invites("petra@press.example", Role.PUBLISHER, press), size="telephone")
        click_an_ad(reader, slot_of(petra))
    until(lambda: "€0.50" in read(oscar, "/console"))
    assert "€0.35" in read(petra, f"/console/publisher/{press}/earnings")
    assert "Click" in read(anna, "/console/network")
    assert "€0.50" in anna.page.inner_text("main")
    anna.page.goto("/console")
    expect(anna.page.locator("[data-check=click].done")).to_be_visible()
    for one in (wanda, oscar, petra, anna):
        one.leave()
    server.assert_audit_is_clean()


def set_up(anna: Person) -> None:
    """The operator's five steps."""
    page, done = anna.page, anna.page.locator(".stages > .done")
    page.fill("#identity [name=name]", "Nord Net")
    for name, value in (("country", "FR"), ("currency", "EUR"), ("timezone", "Europe/Paris")):
        page.select_option(f"[name={name}]", value)
    page.click("#identity button.main")
    expect(done).to_have_count(1)
    page.check("[name=tool][value=consent_mode]")
    page.click("#consent button.main")
    expect(done).to_have_count(2)
    page.click("#region form button")
    expect(done).to_have_count(3)
    page.click("#browser button.main")
    expect(done).to_have_count(4)
    for kind, name, code in (("shop", "Boots", "#tag"), ("publisher", "Press", "#embed")):
        page.fill(f"#accounts [action$={kind}] [name=name]", name)
        page.fill(f"#accounts [action$={kind}] [name=domain]", f"{name.lower()}.example")
        page.click(f"#accounts [action$={kind}] button.main")
        expect(page.locator(code)).to_be_visible()


def hand_in_products(wanda: Person, folder: Path) -> None:
    """The webmaster sends a file, and sees it become products."""
    file = folder / "feed.csv"
    file.write_text(FEED)
    page = wanda.page
    page.click("nav[aria-label=Main] >> text=Feeds")
    page.set_input_files("[name=file]", file)
    page.click("form[enctype] button")
    expect(page.locator("main")).to_contain_text("Products taken4")


def make_a_campaign(oscar: Person) -> None:
    page = oscar.page
    page.goto("/console")
    page.get_by_text("Make the first campaign").click()
    page.fill("[name=name]", "Back to the boots")
    page.fill("[name=brand]", "Boots")
    page.fill("[name=rate]", "0.50")
    page.fill("[name=daily]", "20")
    page.get_by_text("Start it").click()
    page.wait_for_url("**?done=made")
    assert "Waiting for approval" in page.inner_text(".state")


def approve(anna: Person) -> None:
    page = anna.page
    page.goto("/console/network/approvals")
    page.check(".asking input[type=checkbox]")
    page.click("button[value=approve]")
    expect(page.locator("main")).to_contain_text("Nothing waits.")


def watch(wanda: Person, reader: httpx.Client, merchant: str) -> None:
    """A product is put in the cart, and the webmaster sees it come in."""
    page = wanda.page
    page.click("nav[aria-label=Main] >> text=Live events")
    page.locator("[data-watching]", has_text="Watching").wait_for()
    for event in ("view_item", "add_to_cart"):  # for who left a cart behind, as the form proposes
        reader.get("/m/e", params={"m": merchant, "e": event, "id": "b1"}).raise_for_status()
    page.locator("tr.new", has_text="Boot 1").nth(1).wait_for()


def slot_of(petra: Person) -> str:
    """The publisher finds the slot's code, and how it will look."""
    page = petra.page
    page.locator("a[href*='/sites/slots/']").first.click()
    page.locator(".stage iframe").first.content_frame.locator("a[href]").first.wait_for()
    return page.url.partition("/slots/")[2].partition("?")[0]


def click_an_ad(reader: httpx.Client, slot: str) -> None:
    shown = reader.get(f"/slot/{slot}", headers={"Referer": "https://press.example/"})
    token = re.search(r"/i\?t=([\w-]+)", shown.text)
    assert shown.headers["x-slot"] == "filled" and token is not None, shown.headers
    reader.post(f"/i?t={token[1]}").raise_for_status()
    link = re.search(r"/c\?t=[\w-]+", shown.text)
    assert link is not None
    landed = reader.get(link[0]).headers["location"]
    assert landed.startswith("https://boots.example/b") and "rtclid=" in landed


def read(person: Person, address: str) -> str:
    person.page.goto(address)
    return person.page.inner_text("main")
