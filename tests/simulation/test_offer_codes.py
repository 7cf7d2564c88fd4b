"""More clicks than codes over two workers, and kill -9 in the middle: no code is handed twice, none is lost."""

import asyncio
import os
import signal
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulation.browser import Browser, Connection
from tests.simulation.crowd import Reader, all_at_once, readers_of_an_ad
from tests.simulation.running_server import RunningServer, is_running, wait_until
from tests.simulation.shop import CPC, NEWS_PAGE, Shop, consent, make_shop, tell

CODES, READERS = 100, 130
ITEM = "7"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("offers"), workers=2) as running:
        yield running
        running.assert_audit_is_clean()


def promising_shop(server: RunningServer, codes: int) -> tuple[Shop, str]:
    """A shop whose ads promise codes of a pool; the shop, and the pool."""
    shop = make_shop(server, [ITEM], {"cpc": CPC})
    pool = {"advertiser_id": shop.advertiser_id, "name": "Autumn", "kind": "uploaded", "valid_minutes": 60}
    with server.api() as api:
        pool_id = str(api.post("/offer-pools", json=pool).json()["id"])
        listed = {"codes": [f"CODE-{number:04}" for number in range(codes)]}
        assert api.post(f"/offer-pools/{pool_id}/codes", json=listed).json()["added"] == codes
        [creative] = api.get("/creatives", params={"campaign_id": shop.campaigns["cpc"]}).json()["items"]
        offer = {"percent": 10, "pool": pool_id}
        api.patch(f"/creatives/{creative['id']}", json={"offer": offer}).raise_for_status()
    return shop, pool_id


def counts(server: RunningServer, pool_id: str) -> dict[str, int]:
    with server.api() as api:
        shown: dict[str, int] = api.get(f"/offer-pools/{pool_id}").json()["counts"]
    return shown


async def code_of(reader: Reader, connection: Connection) -> str | None:
    """What the click leads on with; it always leads on."""
    answer = await reader.browser.get(connection, reader.shown.links[0], NEWS_PAGE)
    assert answer.status == 302 and answer.headers["location"].startswith("https://shop.example/p/7?rtclid=")
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    return said.get("rt_offer", [None])[0]


def test_of_more_clicks_than_codes_at_once_each_code_goes_to_one_click(server: RunningServer) -> None:
    shop, pool_id = promising_shop(server, CODES)
    readers = asyncio.run(readers_of_an_ad(server, shop, READERS, ITEM))
    first = asyncio.run(all_at_once(server, readers, code_of))
    handed = [code for code in first if code is not None]
    assert len(handed) == len(set(handed)) == CODES
    again = asyncio.run(all_at_once(server, readers, code_of))
    assert again == first
    assert counts(server, pool_id) == {"free": 0, "handed": CODES, "redeemed": 0, "expired": 0}


def test_every_worker_stops_showing_an_offer_whose_codes_are_gone(server: RunningServer) -> None:
    shop, _ = promising_shop(server, 1)
    slot = next(iter(shop.slots.values()))
    (reader,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))

    async def sees_offer(number: int, connection: Connection) -> bool:
        browser = Browser()
        await tell(browser, connection, shop, "view_item", f"&id={ITEM}")
        answer = await browser.get(connection, f"/slot/{slot}?{consent()}", NEWS_PAGE)
        return b"9,00" in answer.body  # ten percent off, as the French write it

    def seen() -> list[bool]:
        return asyncio.run(all_at_once(server, list(range(20)), sees_offer))

    assert all(seen())
    assert asyncio.run(all_at_once(server, [reader], code_of)) == ["CODE-0000"]
    assert not any(seen())


def test_a_code_that_was_told_before_a_crash_is_still_that_clicks(server: RunningServer) -> None:
    shop, pool_id = promising_shop(server, CODES)
    readers = asyncio.run(readers_of_an_ad(server, shop, 60, ITEM))
    told: dict[int, str] = {}
    dead = server.children()["writer"]

    async def click(number: int, connection: Connection) -> None:
        """Some of these are cut off: they click again afterwards."""
        try:
            code = await code_of(readers[number], connection)
        except ConnectionError:
            return
        if code is not None:
            told[number] = code
        if len(told) == 10:
            os.kill(dead, signal.SIGKILL)

    asyncio.run(all_at_once(server, list(range(60)), click))
    wait_until(lambda: not is_running(dead) and "writer" in server.children(), "another writer is there")
    wait_until(server._is_ready, "the server takes traffic")
    again = asyncio.run(all_at_once(server, readers, code_of))
    assert all(again), "there are codes for all of them"
    assert len(set(again)) == len(again)
    assert len(told) >= 10 and all(again[number] == code for number, code in told.items())
    assert counts(server, pool_id)["handed"] == len(readers)
