"""Too many requests: each gets an answer that it may get, and nothing taken is missing."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from adserver.domain.pricing import AdEvent
from adserver.domain.token import TokenKeys, verify
from tests.simulation.browser import Answer, Browser, Connection, ask_once
from tests.simulation.crowd import Reader, readers_of_an_ad
from tests.simulation.load import RECORDED, Acknowledged, faults_of, token_keys
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPC, NEWS_PAGE, SHOP_PAGE, Shop, consent, event_id, make_shop, shown_in

ITEM = "7"
CONNECTIONS = 300
REQUESTS_EACH = 3
# Of a machine that is too small for its crowd, however fast it is: it rests amid a round of its connections.
RESTS_SECONDS, WORKS_SECONDS = 0.3, 0.03
READERS = 20


class Crowd:
    """Everybody asks at once, again and again, and keeps what was answered."""

    def __init__(self, server: RunningServer, shop: Shop, readers: list[Reader]) -> None:
        self._server, self._shop, self._readers = server, shop, readers
        self._tokens = token_keys(server)
        self.acknowledged = Acknowledged()
        self.told = Counter[str]()

    async def come(self) -> None:
        await asyncio.gather(*map(self._ask_again_and_again, range(CONNECTIONS)))

    async def _ask_again_and_again(self, number: int) -> None:
        acts = (self._view, self._see, self._picture, self._beacon, self._click)
        browser, shown = self._readers[number % READERS]
        async with Connection(self._server.url) as connection:
            for turn in range(REQUESTS_EACH):
                await acts[(number + turn) % len(acts)](Reader(browser, shown), connection)

    async def _view(self, reader: Reader, connection: Connection) -> None:
        known = event_id()
        answer = await self._get(f"/m/e?m={self._shop.public_id}&e=view_item&id={ITEM}&event_id={known}",
                                 SHOP_PAGE, reader, connection)  # fmt: skip
        if answer.status == 503:
            assert int(answer.headers["retry-after"]) > 0
            self.told["view shed"] += 1
        else:
            assert (answer.status, answer.event) in ((200, "accepted"), (200, "too_many")), answer
            self.told[f"view {answer.event}"] += 1
            if answer.event == "accepted":
                self.acknowledged.events.add(known)

    async def _see(self, reader: Reader, connection: Connection) -> None:
        answer = await self._get(f"/slot/{self._slot}?", NEWS_PAGE, reader, connection)
        self.told["house" if shown_in(answer) is None else "ad"] += 1

    async def _picture(self, reader: Reader, connection: Connection) -> None:
        answer = await self._get(f"/slot/{self._slot}.gif?n=k", NEWS_PAGE, reader, connection)
        assert answer.status == 200 and answer.body.startswith(b"GIF89a"), answer

    async def _beacon(self, reader: Reader, connection: Connection) -> None:
        answer = await self._get(f"/i?t={reader.shown.token}", NEWS_PAGE, reader, connection)
        if answer.status == 503:
            self.told["beacon shed"] += 1
        else:
            assert answer.status == 200 and answer.charge in RECORDED, answer
            self._recorded(reader, AdEvent.IMPRESSION)

    async def _click(self, reader: Reader, connection: Connection) -> None:
        answer = await self._get(reader.shown.links[0], NEWS_PAGE, reader, connection)
        assert answer.status == 302, answer
        assert answer.headers["location"].startswith(f"https://{SHOP_PAGE}/p/{ITEM}?"), answer
        self.told["click"] += 1
        if answer.charge in RECORDED:
            self._recorded(reader, AdEvent.CLICK)
        if answer.charge == "taken":
            self.acknowledged.charges.add(charge_id(reader, AdEvent.CLICK, self._tokens))

    def _recorded(self, reader: Reader, event: AdEvent) -> None:
        self.acknowledged.ads.add(charge_id(reader, event, self._tokens))

    async def _get(self, target: str, page: str, reader: Reader, connection: Connection) -> Answer:
        mark = "&" if "?" in target else "?"
        headers = reader.browser.headers(page)
        return await connection.ask("GET", f"{target}{mark}{consent()}&debug=1", headers)

    @property
    def _slot(self) -> str:
        (slot,) = self._shop.slots.values()
        return slot


def charge_id(reader: Reader, event: AdEvent, keys: TokenKeys) -> int:
    token = verify(reader.shown.token, keys)
    assert token is not None
    return token.impression_id << 2 | event


async def ask_for_health(server: RunningServer, over: asyncio.Event) -> int:
    """How often the server said meanwhile that it lives, and its API who may ask."""
    answered = 0
    async with Connection(server.url) as connection:
        while not over.is_set():
            assert (await connection.ask("GET", "/healthz")).status == 200
            key = {"Authorization": f"Bearer {server.key()}"}
            assert (await connection.ask("GET", "/api/v1/campaigns", key)).status == 200
            answered += 1
    return answered


async def slow_down(server: RunningServer, over: asyncio.Event) -> None:
    """The processes that answer have the processor now and then only."""
    workers = [pid for name, pid in server.children().items() if name.startswith("worker")]
    while not over.is_set():
        for signal_number, seconds in ((signal.SIGSTOP, RESTS_SECONDS), (signal.SIGCONT, WORKS_SECONDS)):
            for pid in workers:
                os.kill(pid, signal_number)
            await asyncio.sleep(seconds)


async def crowd_and_health(server: RunningServer, crowd: Crowd) -> int:
    over = asyncio.Event()
    slowing = asyncio.create_task(slow_down(server, over))
    asking = asyncio.create_task(ask_for_health(server, over))
    await crowd.come()
    over.set()
    await slowing
    return await asking


@pytest.mark.timeout(150)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_crowd_that_cannot_be_served_is_told_so_and_nothing_is_lost(tmp_path: Path, workers: int) -> None:
    limits = {"most_visitor_events": "0", "most_network_events": "0", "most_network_clicks": "0"}
    with RunningServer(tmp_path, workers, **limits) as server:
        shop = make_shop(server, [ITEM], {"clicks": CPC})
        readers = asyncio.run(readers_of_an_ad(server, shop, READERS, ITEM))
        server.key()
        crowd = Crowd(server, shop, readers)
        assert asyncio.run(crowd_and_health(server, crowd)) > 0
        assert crowd.told["click"] > 0 and crowd.told["view shed"] + crowd.told["house"] > 0, crowd.told
        wait_until(lambda: is_shown_an_ad(server, shop, readers[0].browser), "slots are filled again")
        wait_until(
            lambda: server.count("shed_slot") > 0 or server.count("shed_event") > 0, "they are counted"
        )
        assert [fault for fault in faults_of(server, crowd.acknowledged) if "missing" in fault] == []
        server.assert_audit_is_clean()


def is_shown_an_ad(server: RunningServer, shop: Shop, browser: Browser) -> bool:
    (slot,) = shop.slots.values()
    answer = ask_once(server.url, "GET", f"/slot/{slot}?{consent()}", browser.headers(NEWS_PAGE))
    return shown_in(answer) is not None
