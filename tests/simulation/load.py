"""Visitors who retry and repeat while a server is being killed, and remember what was acknowledged to them."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from adserver.domain.pricing import AdEvent
from adserver.domain.token import AdToken, TokenKeys, verify
from tests.simulation.browser import Answer, Browser, Connection
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import NEWS_PAGE, SHOP_PAGE, Shop, consent, event_id, shown_in

VISITORS = 16
RETRY_SECONDS = 0.05
EVENT_OF_PATH = {"/i": AdEvent.IMPRESSION, "/c": AdEvent.CLICK}
RECORDED = ("taken", "repeated", "cap_reached", "not_billable")


@dataclass
class Acknowledged:
    """What the server said is done; after any crash it must still be."""

    events: set[str] = field(default_factory=set)  # by event id
    nameless: set[str] = field(default_factory=set)  # events without an id, by an item nobody else has
    orders: set[str] = field(default_factory=set)
    ads: set[int] = field(default_factory=set)  # charge ids that were recorded
    charges: set[int] = field(default_factory=set)  # charge ids that were taken
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return len(self.events) + len(self.nameless) + len(self.ads)


class Load:
    """Keeps a server busy until `stop`; give it the running loop as `asyncio.create_task(load.run())`."""

    def __init__(self, server: RunningServer, shop: Shop, items: list[str], dice: random.Random) -> None:
        self._server = server
        self._shop = shop
        self._items = items
        self._dice = dice
        self._stopping = False
        self.acknowledged = Acknowledged()
        self._tokens = token_keys(server)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(VISITORS):
                group.create_task(self._live())

    def stop(self) -> None:
        self._stopping = True

    async def _live(self) -> None:
        async with Connection(self._server.url) as connection:
            while not self._stopping:
                browser = Browser()
                for act in (self._view, self._view_thrice, self._view_nameless, self._read_news, self._buy):
                    await act(browser, connection)

    # ---- what a visitor does ----

    async def _view(self, browser: Browser, connection: Connection) -> None:
        known = event_id()
        said = f"e=view_item&id={self._dice.choice(self._items)}&event_id={known}"
        answer = await self._insist(browser, connection, "GET", self._pixel(said))
        if answer is not None:
            self._event_acknowledged(answer, known)
            if self._dice.random() < 0.3:
                again = await self._insist(browser, connection, "GET", self._pixel(said))
                assert again is None or again.event == "duplicate", again

    async def _view_thrice(self, browser: Browser, connection: Connection) -> None:
        known = [event_id() for _ in range(3)]
        events = [
            {"name": "add_to_cart", "event_id": one, "items": [{"item_id": self._dice.choice(self._items)}]}
            for one in known
        ]
        given = {"granted": True, "cmp": "testcmp", "time": int(time.time())}
        body = json.dumps({"m": self._shop.public_id, "events": events, "consent": given}).encode()
        answer = await self._insist(browser, connection, "POST", "/m/e?debug=1", body)
        if answer is not None:
            self._event_acknowledged(answer, *known)

    async def _view_nameless(self, browser: Browser, connection: Connection) -> None:
        """Without an id a retry is another event, so this visitor does not insist."""
        item = f"only{event_id()}"
        try:
            answer = await browser.get(connection, self._pixel(f"e=view_item&id={item}"), SHOP_PAGE)
        except ConnectionError:
            return
        if answer.status != 503:
            assert answer.event == "accepted", answer
            self.acknowledged.nameless.add(item)

    async def _buy(self, browser: Browser, connection: Connection) -> None:
        known, order = event_id(), event_id()
        said = f"e=purchase&id={self._items[0]}&event_id={known}&transaction_id={order}&value=9&currency=EUR"
        answer = await self._insist(browser, connection, "GET", self._pixel(said))
        if answer is not None:
            self._event_acknowledged(answer, known)
            self.acknowledged.orders.add(order)

    async def _read_news(self, browser: Browser, connection: Connection) -> None:
        (slot_id,) = self._shop.slots.values()
        answer = await self._insist(
            browser, connection, "GET", f"/slot/{slot_id}?{consent()}", page=NEWS_PAGE
        )
        shown = None if answer is None else shown_in(answer)
        if shown is None:
            return
        token = verify(shown.token, self._tokens)
        assert token is not None, "a token that is not the server's"
        for path, target in (("/i", f"/i?t={shown.token}"), ("/c", shown.links[0])):
            for _ in range(self._dice.choice((1, 1, 2))):
                told = await self._insist(browser, connection, "GET", f"{target}&debug=1", page=NEWS_PAGE)
                if told is not None:
                    self._charge_acknowledged(told, path, token)

    # ---- what it hears ----

    def _pixel(self, said: str) -> str:
        return f"/m/e?m={self._shop.public_id}&{said}&{consent()}&debug=1"

    async def _insist(
        self,
        browser: Browser,
        connection: Connection,
        method: str,
        target: str,
        body: bytes = b"",
        page: str = SHOP_PAGE,
    ) -> Answer | None:
        """Send until it is answered; None when the load was stopped before."""
        while True:
            try:
                if method == "POST":
                    answer = await browser.post(connection, target, page, body)
                else:
                    answer = await browser.get(connection, target, page)
                if answer.status != 503:
                    return answer
                self.acknowledged.answers["503"] += 1
            except ConnectionError:
                self.acknowledged.answers["cut off"] += 1
            if self._stopping:
                return None
            await asyncio.sleep(RETRY_SECONDS)

    def _event_acknowledged(self, answer: Answer, *known: str) -> None:
        assert answer.event in ("accepted", "duplicate"), answer
        self.acknowledged.answers[answer.event] += 1
        self.acknowledged.events.update(known)

    def _charge_acknowledged(self, answer: Answer, path: str, token: AdToken) -> None:
        assert answer.status == (302 if path == "/c" else 200), answer
        charge = str(answer.charge)
        self.acknowledged.answers[f"{path} {charge}"] += 1
        charge_id = token.impression_id << 2 | EVENT_OF_PATH[path]
        if charge in RECORDED:
            self.acknowledged.ads.add(charge_id)
        if charge == "taken":
            self.acknowledged.charges.add(charge_id)


def token_keys(server: RunningServer) -> TokenKeys:
    kept = json.loads((server.database_path.parent / "keys.json").read_bytes())
    ring = {int(number): bytes.fromhex(key) for number, key in kept["tokens"].items()}
    return TokenKeys(kept["current"], ring)


def faults_of(server: RunningServer, acknowledged: Acknowledged) -> list[str]:
    """What was acknowledged and is missing, and what is there more than once."""
    by_id: Counter[str] = Counter()
    by_item: Counter[str] = Counter()
    for (body,) in server.rows("SELECT body FROM events"):
        _, known, items, *_ = msgspec.msgpack.decode(body)
        if known is None:
            by_item[items[0][0]] += 1
        else:
            by_id[known] += 1
    ads = {row[0] for row in server.rows("SELECT charge_id FROM ad_events")}
    charges = {row[0] for row in server.rows("SELECT charge_id FROM charges")}
    ((orders,),) = server.rows("SELECT COUNT(*) FROM conversions")
    faults = [f"{known} is there {n} times" for known, n in (by_id + by_item).items() if n > 1]
    faults += [f"event {known} is missing" for known in acknowledged.events if not by_id[known]]
    faults += [f"event of {item} is missing" for item in acknowledged.nameless if not by_item[item]]
    faults += [f"ad event {charge} is missing" for charge in acknowledged.ads - ads]
    faults += [f"charge {charge} is missing" for charge in acknowledged.charges - charges]
    if orders < len(acknowledged.orders):
        faults.append(f"{orders} orders kept of {len(acknowledged.orders)}")
    return faults
