"""Over HTTP, from a public network: a flood costs nobody anything, and readers still get their ads."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adserver.domain.identity import read_id
from adserver.domain.validity import Limits
from adserver.writes import AddCounts, Result
from tests.web.visiting import BASE_URL, NEWS, Browser, Visiting


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Visiting]:
    world = Visiting(tmp_path)
    yield world
    world.close()


def browser_at(world: Visiting, address: str) -> Browser:
    transport = httpx.ASGITransport(world.server.application, client=(address, 4_000))
    client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, timeout=30)
    world._clients.append(client)
    return Browser(world, client)


def test_clicks_past_the_limit_lead_on_and_are_not_billed(world: Visiting) -> None:
    browser = browser_at(world, "8.8.8.8")
    assert browser.view() == browser.view() == "accepted"
    often = {"impressions": 50, "per": "hour"}
    world.change("PATCH", f"/advertisers/{world.advertiser}", frequency_cap=often)
    most = Limits().visitor_clicks
    charges = []
    for _ in range(most + 3):
        answer = browser.ask("GET", f"/c?t={browser.see()}&debug=1", headers=NEWS)
        assert answer.headers["location"].startswith("https://shop.example/boots?rtclid=")
        charges.append(answer.headers["x-charge"])
    assert charges == ["taken"] * most + ["not_billable"] * 3


def test_a_flood_of_events_is_told_apart_and_stores_no_more(world: Visiting) -> None:
    flooding, reading = browser_at(world, "8.8.8.8"), browser_at(world, "8.8.8.9")
    assert reading.view() == "accepted"
    told = [flooding.view(f"item{n}") for n in range(Limits().visitor_events + 5)]
    assert told[0] == "accepted" and set(told[-4:]) == {"too_many"}
    stored = world.storage.reader.row("SELECT COUNT(*) FROM events")
    assert stored is not None and stored[0] <= Limits().visitor_events + 2
    assert reading.is_shown_an_ad()
    assert reading.view() == "accepted"


def test_a_flood_of_slot_requests_is_shown_the_house_ad_and_stores_no_more(world: Visiting) -> None:
    flooding, reading = browser_at(world, "8.8.8.8"), browser_at(world, "8.8.8.9")
    assert flooding.view() == reading.view() == "accepted"
    most = Limits().visitor_events
    shown = [flooding.is_shown_an_ad() for _ in range(most + 5)]
    assert shown == [True] * most + [False] * 5
    decided = world.storage.reader.row("SELECT COUNT(*) FROM decisions")
    assert decided is not None and decided[0] <= most
    assert reading.is_shown_an_ad()
    world.server.report_counts()
    assert world.storage.writer.commit(AddCounts(())).result is Result.SAVED  # behind what was reported
    assert world.storage.stats.counts(read_id("slot", world.slot), 0)["flooded"] == 5
