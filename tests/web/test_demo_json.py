"""`adserver demo --json`: one line that other programs drive the demo with, on a new and on a kept folder."""

import html
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.running_demo import RunningDemo, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[RunningDemo]:
    demo = RunningDemo(folder, anew=True)
    yield demo
    demo.close()


def visitor_who_viewed(demo: RunningDemo, item_id: str) -> httpx.Client:
    visitor = httpx.Client(base_url=demo.url)
    visitor.get("/m/e", params={"m": demo.told["merchant"], "e": "view_item", "id": item_id})
    return visitor


def orders_that_wait(folder: Path) -> int:
    """Told, and not credited yet."""
    with closing(sqlite3.connect(folder / "adserver.db")) as database:
        (count,) = database.execute("SELECT COUNT(*) FROM conversions WHERE state = 'new'").fetchone()
    return int(count)


def token_in(document: str) -> str:
    found = re.search(r"/i\?t=([\w-]+)", document)
    assert found, "no ad in the slot"
    return html.unescape(found.group(1))


def test_the_line_holds_what_the_contract_names_and_nothing_else(demo: RunningDemo) -> None:
    assert set(demo.told) == {
        "base_url",
        "operator_key",
        "advertiser_id",
        "merchant",
        "products",
        "slots",
        "campaigns",
    }
    assert set(demo.told["campaigns"]) == {"cpm", "cpc", "cpa"}
    assert sorted(demo.told["slots"].values()) == ["300x250", "300x600", "728x90"]
    assert len(demo.told["products"]) == 12


def test_each_sale_of_the_demo_strikes_a_price_through(demo: RunningDemo) -> None:
    path = f"/advertisers/{demo.told['advertiser_id']}/reference-prices"
    told = demo.api.get(path).raise_for_status().json()
    assert told["lowest_of_30_days"] and told["struck"] == told["on_sale"] > 0, told["says"]


def test_the_ids_are_the_apis_own(demo: RunningDemo) -> None:
    shop = demo.api.get(f"/advertisers/{demo.told['advertiser_id']}").raise_for_status().json()
    assert shop["public_id"] == demo.told["merchant"]
    for item_id in demo.told["products"]:
        product = demo.api.get(f"/advertisers/{demo.told['advertiser_id']}/products/{item_id}")
        assert product.raise_for_status().json()["link"] == f"{demo.url}/demo/shop/{item_id}"
    for model in ("cpm", "cpc", "cpa"):
        campaign = demo.campaign(model)
        assert (campaign["pricing_model"], campaign["delivery"]) == (model, "serving")
        assert campaign["frequency_cap"] is None


def test_beacons_that_change_nothing_stand_in_the_whole_story_only(demo: RunningDemo) -> None:
    with closing(visitor_who_viewed(demo, demo.told["products"][0])) as visitor:
        token = token_in(visitor.get(f"/slot/{next(iter(demo.told['slots']))}").text)
        for _ in range(2):
            visitor.post(f"/i?t={token}")
        visitor.get(f"/c?t={token}")
        click, repeated, first = visitor.get("/demo/story.json").json()["steps"][:3]
    assert (click["title"][:7], click["quiet"]) == ("You cli", False)
    assert (repeated["kind"], repeated["quiet"]) == ("remark", True)
    assert first["quiet"] is (first["kind"] == "remark")


@pytest.mark.parametrize("model", ["cpm", "cpc", "cpa"])
def test_each_campaign_alone_fills_every_slot(demo: RunningDemo, model: str) -> None:
    others = [key for name, key in demo.told["campaigns"].items() if name != model]
    for key in others:
        demo.api.patch(f"/campaigns/{key}", json={"status": "paused"}).raise_for_status()
    visitor = visitor_who_viewed(demo, demo.told["products"][0])
    for slot_id in demo.told["slots"]:
        answer = visitor.get(f"/slot/{slot_id}")
        assert answer.headers["x-slot"] == "filled"
        assert "Dome table lamp" in answer.text
    for key in others:
        demo.api.patch(f"/campaigns/{key}", json={"status": "active"}).raise_for_status()
    visitor.close()


def test_the_three_campaigns_are_all_shown_and_each_is_charged_in_its_own_way(demo: RunningDemo) -> None:
    before, visitor = demo.spent(), visitor_who_viewed(demo, demo.told["products"][1])
    slot_id = next(iter(demo.told["slots"]))
    for _ in range(40):  # each is tried, in no order; and none is so unlucky in most of the 64 throws
        token = token_in(visitor.get(f"/slot/{slot_id}").text)
        visitor.get("/i", params={"t": token})
        visitor.get("/c", params={"t": token}, follow_redirects=False)
        order = {"name": "purchase", "transaction_id": token[:12], "value": 79, "currency": "EUR"}
        items = [{"item_id": demo.told["products"][-1]}]
        visitor.post("/m/e", json={"m": demo.told["merchant"], "events": [{**order, "items": items}]})
        if all(demo.spent()[model] > before[model] for model in before):
            break
    until(lambda: all(demo.spent()[model] > before[model] for model in before))
    visitor.close()


def test_the_demo_explains_itself_in_headers(demo: RunningDemo) -> None:
    query = {"m": demo.told["merchant"], "e": "view_item", "id": "teapot", "debug": "1"}
    assert httpx.get(f"{demo.url}/m/e", params=query).headers["x-event"] == "accepted"


def test_a_click_leads_to_the_shop_under_the_name_it_was_reached_by(demo: RunningDemo) -> None:
    visitor = visitor_who_viewed(demo, "teapot")
    token = token_in(visitor.get(f"/slot/{next(iter(demo.told['slots']))}").text)
    names = {
        f"localhost:{demo.port}": f"http://localhost:{demo.port}/demo/shop/",
        "127.0.0.1:9999": "http://127.0.0.1:9999/demo/shop/",
        f"cards.localhost:{demo.port}": f"http://shop.localhost:{demo.port}/demo/shop/",
    }
    for host, expected in names.items():
        answer = visitor.get("/c", params={"t": token}, headers={"Host": host}, follow_redirects=False)
        assert answer.headers["location"].startswith(expected)
    visitor.close()


def test_a_page_under_a_foreign_name_is_refused(demo: RunningDemo) -> None:
    for path in ("/", "/demo/story", "/demo/story.json", "/demo/shop"):
        assert httpx.get(demo.url + path, headers={"Host": "rebound.example"}).status_code == 400


def test_a_kept_folder_is_found_again_on_another_port(demo: RunningDemo, folder: Path) -> None:
    """Last of this file: it stops the demo that the others use."""
    until(lambda: not orders_that_wait(folder))
    first, spent = demo.told, demo.spent()
    assert demo.close() == 0
    again = RunningDemo(folder)
    try:
        same = {name: value for name, value in again.told.items() if name != "base_url"}
        assert same == {name: value for name, value in first.items() if name != "base_url"}
        assert again.spent() == spent
        product = again.api.get(f"/advertisers/{same['advertiser_id']}/products/teapot").json()
        assert product["link"] == f"{again.url}/demo/shop/teapot"
        visitor = visitor_who_viewed(again, "teapot")
        document = visitor.get(f"/slot/{next(iter(same['slots']))}").text
        picture = re.search(r"/media/\w+\.jpg", document)
        assert picture and visitor.get(picture.group()).headers["content-type"] == "image/jpeg"
        visitor.close()
        assert again.audit()
    finally:
        again.close()
