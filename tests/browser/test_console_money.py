"""An advertiser settles its conversions, reads its money and checks its charges, in a real browser."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from adserver.domain.user import Role
from tests.browser.chromium import chromium
from tests.browser.console_walk import Person, demo_in, invited, look_at
from tests.running_demo import RunningDemo, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

ORDERS = 4


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with demo_in(Path(tmp_path_factory.mktemp("demo"))) as demo:
        shop = f"/advertisers/{demo.told['advertiser_id']}"
        demo.api.patch(shop, json={"trust_pixel_conversions": False}).raise_for_status()
        only(demo, "cpc")
        buy(demo, "clicked")
        only(demo, "cpa")
        for number in range(ORDERS):
            buy(demo, f"R-{number}")
        until(lambda: len(waiting(demo)) == ORDERS)
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def only(demo: RunningDemo, model: str) -> None:
    """Let one of the shop's campaigns serve, and none beside it."""
    for name, key in demo.told["campaigns"].items():
        status = "active" if name == model else "paused"
        demo.api.patch(f"/campaigns/{key}", json={"status": status}).raise_for_status()


def buy(demo: RunningDemo, order: str) -> None:
    """Somebody looks at a product, clicks an ad for it, and buys."""
    merchant, item = demo.told["merchant"], demo.told["products"][0]
    with httpx.Client(base_url=demo.url, verify=False) as visitor:
        visitor.get("/m/e", params={"m": merchant, "e": "view_item", "id": item})
        found = re.search(r"/i\?t=([\w-]+)", visitor.get(f"/slot/{next(iter(demo.told['slots']))}").text)
        assert found is not None
        token = unescape(found[1])
        visitor.get("/i", params={"t": token})
        visitor.get("/c", params={"t": token}, follow_redirects=False)
        bought = {"name": "purchase", "transaction_id": order, "value": 79, "currency": "EUR"}
        sent = {"m": merchant, "events": [bought | {"items": [{"item_id": item}]}]}
        assert visitor.post("/m/e", json=sent).status_code == 204


def waiting(demo: RunningDemo) -> list[str]:
    path = f"/advertisers/{demo.told['advertiser_id']}/conversions"
    told = demo.api.get(path, params={"state": "pending"}).raise_for_status().json()
    return [str(one["id"]) for one in told["items"]]


def test_conversions_are_settled_money_is_noted_and_charges_are_proved(
    demo: RunningDemo, browser: Browser, tmp_path: Path
) -> None:
    operator = Person(browser, invited(demo, "operator@example.org"))
    shop = f"/console/shop/{demo.told['advertiser_id']}"
    link = operator.invites("owner@shop.example", Role.ADVERTISER, demo.told["advertiser_id"])
    settle(demo, Person(browser, link), shop, tmp_path)
    operator.page.goto(f"{shop}/money")
    operator.page.get_by_text("Note a payment").click()
    operator.page.fill("[name=amount]", "500.50")
    operator.page.fill("[name=reference]", "B-2026-11")
    operator.page.get_by_role("button", name="Note it").click()
    operator.page.get_by_text("The payment is noted.").wait_for()
    charge = prove(demo, operator, shop)
    told = demo.api.get(f"/advertisers/{demo.told['advertiser_id']}/charges/{charge}").raise_for_status()
    day = told.json()["lines"][0]["day"]
    pages = ["conversions", "conversions/all", "money", f"money/{day[:7]}"]
    pages += [f"proof?of={demo.told['campaigns']['cpc']}&charge={charge}"]
    operator.look_around("money", [f"{shop}/{page}" for page in pages])
    operator.leave()


def settle(demo: RunningDemo, owner: Person, shop: str, folder: Path) -> None:
    """One by hand with a reason, two by a file; one waits on."""
    page = owner.page
    page.goto(f"{shop}/conversions")
    page.check("tbody tr:first-child input[type=checkbox]")
    page.get_by_role("button", name="Decline").click()
    page.get_by_text("Say why you decline").wait_for()
    assert "422" in owner.said.pop()  # the browser notes the refused form
    page.fill("[name=reason]", "sent back")
    page.get_by_role("button", name="Decline").click()
    page.get_by_text("Declined: 1 conversion.").wait_for()
    with page.expect_download() as download:
        page.get_by_text("Download what waits").click()
    header, *rows = download.value.path().read_text("utf-8-sig").splitlines()
    file = folder / "decisions.csv"
    file.write_text("\n".join([header, *(one.replace(",", ",approve", 1) for one in rows[:2]), *rows[2:]]))
    page.set_input_files("[name=file]", file)
    page.get_by_role("button", name="Send the file", exact=True).click()
    expect(page.locator(".counts")).to_contain_text("2 Approved")
    look_at(page, "money-file-en-desk")
    assert len(waiting(demo)) == 1
    owner.leave()


def prove(demo: RunningDemo, person: Person, shop: str) -> str:
    """The browser adds a campaign's entries up; one of its charges is looked up by its id."""
    campaign = demo.told["campaigns"]["cpc"]
    person.page.goto(f"{shop}/proof?of={campaign}")
    person.page.get_by_role("button", name="Check it in this browser").click()
    expect(person.page.locator(".check output")).to_have_class("right")
    entries = demo.api.get(f"/campaigns/{campaign}/entries").json()["items"]
    charge = next(str(one["charge_id"]) for one in entries if one["kind"] == "charge")
    person.page.fill("[name=charge]", charge)
    person.page.get_by_role("button", name="Check it", exact=True).click()
    expect(person.page.locator(".entry")).to_have_count(1)
    return charge
