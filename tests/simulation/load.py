"""Visitors, merchants and an operator who retry and repeat while a server is killed, and remember its answers."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from adserver.domain.identity import write_id
from adserver.domain.pricing import AdEvent
from adserver.domain.token import AdToken, TokenKeys, verify
from tests.simulation.books import Books, faults_of_books
from tests.simulation.browser import Answer, Browser, Connection
from tests.simulation.letters import Letters, Patience
from tests.simulation.merchant import Merchant, landed
from tests.simulation.operating import Operator
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import NEWS_PAGE, SHOP_PAGE, Shop, Shown, consent, event_id, shown_in

VISITORS = 12
MERCHANTS = 5
ADS_OF_A_VISIT = 4  # each campaign shows itself once to a visitor, so that all of them have their turn
EVENT_OF_PATH = {"/i": AdEvent.IMPRESSION, "/v": AdEvent.VIEWABLE_IMPRESSION, "/c": AdEvent.CLICK}
REFUSED = ("cap_reached", "not_billable")
RECORDED = ("taken", "repeated", *REFUSED)
ALL_AGAIN = 300  # letters, when the last crash is over


@dataclass
class Acknowledged:
    """What the server said is done; after any crash it must still be."""

    events: set[str] = field(default_factory=set)  # by event id
    nameless: set[str] = field(default_factory=set)  # events without an id, by an item nobody else has
    orders: set[str] = field(default_factory=set)
    ads: set[int] = field(default_factory=set)  # charge ids that were recorded
    charges: set[int] = field(default_factory=set)  # charge ids that were taken
    refused: set[int] = field(default_factory=set)  # charge ids that were not, by the last answer
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
        self._patience = Patience()
        self.acknowledged = Acknowledged()
        self.books = Books()
        self.letters = Letters(server, self._patience, dice)
        who = (server, shop, self.letters, self._patience, self.books, dice)
        self._merchant, self._operator = Merchant(*who), Operator(*who)
        self._tokens = token_keys(server)

    @property
    def count(self) -> int:
        """Of acknowledgements so far."""
        return self.acknowledged.count + len(self.letters.answers)

    @property
    def unanswered(self) -> Counter[str]:
        return self._patience.unanswered

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._operator.live())
            for _ in range(MERCHANTS):
                group.create_task(self._merchant.live())
            for _ in range(VISITORS):
                group.create_task(self._live())

    def stop(self) -> None:
        self._patience.is_over = True

    async def ask_all_again(self) -> None:
        """Whatever moved money is answered as it was the first time."""
        await self.letters.ask_all_again(ALL_AGAIN)

    def faults(self) -> list[str]:
        return faults_of(self._server, self.acknowledged) + faults_of_books(
            self._server, self._shop, self.books
        )

    async def _live(self) -> None:
        acts = (self._view, self._view_thrice, self._view_nameless, *[self._read_news] * ADS_OF_A_VISIT,
                self._buy)  # fmt: skip
        async with Connection(self._server.url) as connection:
            while not self._patience.is_over:
                browser = Browser()
                for act in acts:
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
        self.books.told_by_pixel.add(order)
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
        await self._tell_of_ad("/i", f"/i?t={shown.token}", browser, connection, token)
        if self._dice.random() < 0.8:
            await self._tell_of_ad("/v", f"/v?t={shown.token}", browser, connection, token)
        if self._dice.random() < 0.7:
            await self._click(shown, browser, connection, token)

    async def _click(self, shown: Shown, browser: Browser, connection: Connection, token: AdToken) -> None:
        """It proves that the ad was seen, so it may bill what was refused before."""
        for proven in (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION):
            self.acknowledged.refused.discard(token.impression_id << 2 | proven)
        answer = await self._tell_of_ad("/c", shown.links[0], browser, connection, token)
        bought_by = self._shop.campaigns["cpa"] if self._dice.random() < 0.9 else None
        if answer is not None and bought_by in (None, write_id("cmp", token.campaign_key)):
            self._merchant.landed.append(landed(browser, answer))

    async def _tell_of_ad(
        self, path: str, target: str, browser: Browser, connection: Connection, token: AdToken
    ) -> Answer | None:
        """Once or twice; where an answer was lost or late, nobody knows what becomes of the first."""
        charge_id, is_sure = token.impression_id << 2 | EVENT_OF_PATH[path], True
        told = None
        for _ in range(self._dice.choice((1, 1, 2))):
            lost = self.unanswered.total()
            told = await self._insist(browser, connection, "GET", f"{target}&debug=1", page=NEWS_PAGE)
            if told is not None:
                self._charge_acknowledged(told, path, charge_id)
            is_sure &= told is not None and told.charge in RECORDED and self.unanswered.total() == lost
        if not is_sure:
            self.acknowledged.refused.discard(charge_id)
        return told

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
        if method == "POST":
            return await self._patience.insist(lambda: browser.post(connection, target, page, body))
        return await self._patience.insist(lambda: browser.get(connection, target, page))

    def _event_acknowledged(self, answer: Answer, *known: str) -> None:
        assert answer.event in ("accepted", "duplicate"), answer
        self.acknowledged.answers[answer.event] += 1
        self.acknowledged.events.update(known)

    def _charge_acknowledged(self, answer: Answer, path: str, charge_id: int) -> None:
        assert answer.status == (302 if path == "/c" else 200), answer
        charge = str(answer.charge)
        self.acknowledged.answers[f"{path} {charge}"] += 1
        self.acknowledged.refused.discard(charge_id)
        if charge in RECORDED:
            self.acknowledged.ads.add(charge_id)
        if charge in REFUSED:
            self.acknowledged.refused.add(charge_id)
        if charge == "taken":
            self.acknowledged.charges.add(charge_id)
            self._merchant.charges.append(write_id("chg", charge_id))


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
    ((orders,),) = server.rows("SELECT COUNT(*) FROM conversions WHERE by_server = 0")
    faults = [f"{known} is there {n} times" for known, n in (by_id + by_item).items() if n > 1]
    faults += [f"event {known} is missing" for known in acknowledged.events if not by_id[known]]
    faults += [f"event of {item} is missing" for item in acknowledged.nameless if not by_item[item]]
    faults += [f"ad event {charge} is missing" for charge in acknowledged.ads - ads]
    faults += [f"charge {charge} is missing" for charge in acknowledged.charges - charges]
    faults += [f"ad event {charge} was refused and is charged" for charge in acknowledged.refused & charges]
    if orders < len(acknowledged.orders):
        faults.append(f"{orders} orders kept of {len(acknowledged.orders)}")
    return faults
