"""Over the whole server: who belongs is shown the next ad, who is on a list none, and both can be said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.visiting import Browser, Visiting


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Visiting]:
    world = Visiting(tmp_path)
    yield world
    world.close()


@pytest.fixture
def browser(world: Visiting) -> Browser:
    """Who looked at the boots twice."""
    browser = world.browser()
    assert [browser.view(), browser.view()] == ["accepted"] * 2
    return browser


def name_audience(world: Visiting, **fields: Any) -> dict[str, Any]:
    """An audience that the campaign serves alone."""
    made = world.change("POST", "/audiences", advertiser_id=world.advertiser, name="Meant", **fields)
    world.change("PATCH", f"/campaigns/{world.campaign}", audiences=[{"audience_id": made["id"]}])
    return made


NESTED = {
    "all": [
        {"any": [{"event": "add_to_cart", "retention_days": 14, "items": {"brands": ["Nordhaus"]}},
                 {"event": "view_item", "retention_days": 7, "items": {"item_ids": ["boots"]},
                  "count": {"at_least": 3, "at_most": 9}}]},
        {"exclude": {"any": [{"event": "purchase", "retention_days": 30},
                             {"event": "ad_clicked", "retention_days": 7}]}},
    ]
}  # fmt: skip


def test_membership_follows_each_event_at_once(world: Visiting, browser: Browser) -> None:
    made = name_audience(world, rules=NESTED)
    assert (made["rules"], made["inclusions"], made["exclusions"]) == (NESTED, [], [])
    assert (made["wait_minutes"], made["stop_days"], made["currency"]) == (0, 8, "EUR")
    assert not browser.is_shown_an_ad()
    browser.view("scarf")
    assert not browser.is_shown_an_ad()
    browser.view("boots")
    token = browser.see()
    assert browser.ask("GET", f"/c?t={token}").status_code == 302
    assert not browser.is_shown_an_ad()


def test_categories_and_brands_are_the_catalogues_of_now(world: Visiting, browser: Browser) -> None:
    rule = {"event": "view_item", "retention_days": 7, "items": {"brands": ["Nordhaus"]}}
    name_audience(world, rules=rule)
    assert not browser.is_shown_an_ad()
    path = f"/advertisers/{world.advertiser}/products"
    world.change("PATCH", path, products=[{"item_id": "boots", "brand": "NORDHAUS"}])
    assert browser.is_shown_an_ad()


def test_ads_wait_and_stop(world: Visiting, browser: Browser) -> None:
    audience = name_audience(world, preset="product_viewers", wait_minutes=60)
    assert audience["inclusions"] == [{"event": "view_item", "retention_days": 30}]
    assert audience["exclusions"] == [{"event": "purchase", "retention_days": 30}]
    assert not browser.is_shown_an_ad()
    world.change("PATCH", f"/audiences/{audience['id']}", wait_minutes=0)
    assert browser.is_shown_an_ad()


def test_a_ready_made_audience_by_value_needs_members_enough(world: Visiting, browser: Browser) -> None:
    made = name_audience(world, preset="high_cart_value", threshold_micros=50_000_000)
    assert made["inclusions"][0] == {
        "event": "add_to_cart", "retention_days": 30, "value": {"total_at_least_micros": 50_000_000},
    }  # fmt: skip
    assert browser.view("boots", "add_to_cart", value="59", currency="EUR") == "accepted"
    assert not browser.is_shown_an_ad()


def test_who_is_on_a_list_is_shown_nothing_from_the_next_request_on(
    world: Visiting, browser: Browser
) -> None:
    other = world.browser()
    other.view()
    assert browser.is_shown_an_ad() and other.is_shown_an_ad()
    lists = f"/advertisers/{world.advertiser}/suppression-lists"
    made = world.suppress(browser)
    assert not browser.is_shown_an_ad() and other.is_shown_an_ad()
    world.change("PATCH", f"{lists}/{made}", active=False)
    assert browser.is_shown_an_ad()
    world.change("PATCH", f"{lists}/{made}", active=True, campaign_ids=[world.campaign])
    assert not browser.is_shown_an_ad()
    emptied = world.change("DELETE", f"{lists}/{made}/visitors")
    assert (emptied["removed"], emptied["size"]) == (1, 0)
    assert browser.is_shown_an_ad()


def test_a_list_is_added_to_or_replaced_and_bad_lines_are_told(world: Visiting, browser: Browser) -> None:
    other = world.browser()
    other.view(), other.view()
    made = world.suppress(browser)
    path = f"/advertisers/{world.advertiser}/suppression-lists/{made}"
    mine, theirs = browser.visitor_id(), other.visitor_id()
    csv = f"name;visitor\nx;{theirs}\ny;nobody@shop.example\n\nz;{mine[:-1]}!\nlast\n"
    added = world.send("POST", f"{path}/visitors", csv)
    assert (added["named"], added["removed"], added["size"]) == (1, 0, 2)
    assert added["rejected"] == {"unknown_visitor": 3}
    assert [one["line"] for one in added["lines"]] == [3, 5, 6]
    json = f'{{"visitor": "{theirs}"}}\n{{"visitor": 5}}\n{{"visitor"\n' + "x" * 5_000 + "\n" + theirs
    replaced = world.send("PUT", f"{path}/visitors", json)
    assert (replaced["named"], replaced["removed"], replaced["size"]) == (1, 1, 1)
    assert [one["line"] for one in replaced["lines"]] == [2, 3, 4]
    assert browser.is_shown_an_ad() and not other.is_shown_an_ad()
    again = world.send("PUT", f"{path}/visitors", "\ufeffvisitor_id\r\n" + theirs + "\r\n")
    assert (again["named"], again["removed"], again["size"]) == (1, 0, 1)


def test_a_file_that_names_nobody_leaves_a_list_as_it_was(world: Visiting, browser: Browser) -> None:
    made = world.suppress(browser)
    path = f"/api/v1/advertisers/{world.advertiser}/suppression-lists/{made}/visitors"
    for body in ("", "visitor\n", "\x00\xff\n", "a@b.example\n" * 3):
        answer = world.operator.ask("PUT", path, content=body.encode("latin-1"))
        assert (answer.status_code, answer.json()["code"]) == (422, "nobody_named")
    assert not browser.is_shown_an_ad()


def test_another_shops_ids_and_the_forgotten_are_nobody(world: Visiting, browser: Browser) -> None:
    mine, path = browser.visitor_id(), f"/advertisers/{world.advertiser}/suppression-lists"
    other = world.change(
        "POST", "/advertisers", name="Other", domains=["other.example"], currency="EUR",
        timezone="Europe/Paris", country="FR",
    )["id"]  # fmt: skip
    theirs = world.change("POST", f"/advertisers/{other}/suppression-lists", name="Mine")["id"]
    stolen = f"/api/v1/advertisers/{other}/suppression-lists/{theirs}/visitors"
    assert world.operator.ask("POST", stolen, content=mine).json()["code"] == "nobody_named"
    made = world.suppress(browser)
    assert (
        browser.ask("POST", "/privacy/forget", headers={"Origin": "https://cards.example"}).status_code < 400
    )
    assert world.change("GET", f"{path}/{made}")["size"] == 0
    again = world.operator.ask("POST", f"/api/v1{path}/{made}/visitors", content=mine)
    assert again.json()["code"] == "nobody_named"
