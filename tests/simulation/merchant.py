"""A merchant's own server: reports orders, often twice and beside its page's pixel, cancels and refunds."""

import asyncio
import random
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.simulation.books import Books
from tests.simulation.browser import Answer, Browser, Connection
from tests.simulation.letters import Letters, Patience
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import Shop, event_id, tell

IDLE_SECONDS = 0.02
MOST_WAITING = 200  # clicks whose visitors have not bought yet; older ones never will
PRICE_MICROS = 5_000_000  # of a conversion
BASKET = {"value_micros": 10_000_000, "currency": "EUR"}


class Landed(NamedTuple):
    """A visitor who came to the shop by an ad."""

    browser: Browser
    click_id: str


def landed(browser: Browser, answer: Answer) -> Landed:
    click_id = parse_qs(urlsplit(answer.headers["location"]).query)["rtclid"][0]
    return Landed(Browser(browser.cookie), click_id)


class Merchant:
    """Sells to whoever landed in the shop, until patience is over."""

    def __init__(
        self, server: RunningServer, shop: Shop, letters: Letters, patience: Patience, books: Books,
        dice: random.Random,
    ) -> None:  # fmt: skip
        self._url = server.url
        self._shop = shop
        self._letters = letters
        self._patience = patience
        self._books = books
        self._dice = dice
        self.landed: deque[Landed] = deque(maxlen=MOST_WAITING)
        self.charges: list[str] = []  # of ads; the operator may refund them too

    async def live(self) -> None:
        async with Connection(self._url) as connection:
            while not self._patience.is_over:
                if not self.landed:
                    await asyncio.sleep(IDLE_SECONDS)
                    continue
                await self._sell(connection, self.landed.popleft())
                act = self._dice.choice((self._cancel, self._refund_order, self._refund_ad, None, None))
                if act is not None:
                    await act(connection)

    # ---- orders ----

    async def _sell(self, connection: Connection, visitor: Landed) -> None:
        """By the server alone, or by the page too: before, in the same moment or after."""
        order = event_id()
        if self._dice.random() < 0.05:
            await self._cancel_early(connection, order)
        by_pixel = self._dice.choice(("before", "meanwhile", "after", "never", "never"))
        if by_pixel == "before":
            await self._tell_by_pixel(connection, visitor, order)
        if by_pixel == "meanwhile":
            async with Connection(self._url) as page:
                report = self._report(connection, visitor, order)
                await asyncio.gather(report, self._tell_by_pixel(page, visitor, order))
        else:
            await self._report(connection, visitor, order)
        if by_pixel == "after":
            await self._tell_by_pixel(connection, visitor, order)
        if self._dice.random() < 0.3:
            await self._report(connection, visitor, order)  # under another key

    async def _report(self, connection: Connection, visitor: Landed, order: str) -> None:
        self._books.order_answered(order, None)  # for as long as nobody knows
        told = await self._letters.send(
            connection, "conversions", **self._named(order), rtclid=visitor.click_id, **BASKET
        )
        if told is not None:
            self._books.orders[order].remove(None)
            self._books.order_answered(order, told)

    async def _tell_by_pixel(self, connection: Connection, visitor: Landed, order: str) -> None:
        self._books.told_by_pixel.add(order)
        said = f"&id=1&event_id={event_id()}&transaction_id={order}&value=10&currency=EUR"
        answer = await self._patience.insist(
            lambda: tell(visitor.browser, connection, self._shop, "purchase", said)
        )
        assert answer is None or answer.event in ("accepted", "duplicate"), answer

    def _named(self, order: str) -> dict[str, Any]:
        return {"advertiser_id": self._shop.advertiser_id, "event": "purchase", "order_id": order}

    # ---- and what comes back ----

    async def _cancel_early(self, connection: Connection, order: str) -> None:
        told = await self._letters.send(
            connection, "conversions/cancel", **self._named(order), reason="changed their mind"
        )
        if told is not None:
            assert (told.status, told["result"]) == (200, "not_charged"), told
            self._books.cancelled_early.add(order)

    async def _cancel(self, connection: Connection) -> None:
        """A whole order; sometimes it was refunded before, in part or in full, or is told twice."""
        if not self._books.sold:
            return
        order, charge_id = self._dice.choice(list(self._books.sold.items()))
        name = self._dice.choice(("full", event_id()))
        for _ in range(self._dice.choice((1, 2))):
            told = await self._letters.send(
                connection, "conversions/cancel", **self._named(order), refund_id=name, reason="returned"
            )
            self._books.refund_answered(charge_id, name, told)

    async def _refund_order(self, connection: Connection) -> None:
        if self._books.sold:
            order, charge_id = self._dice.choice(list(self._books.sold.items()))
            await self._refund(connection, charge_id, PRICE_MICROS, **self._named(order))

    async def _refund_ad(self, connection: Connection) -> None:
        if self.charges:
            charge_id = self._dice.choice(self.charges)
            await self._refund(connection, charge_id, 2_000, charge_id=charge_id)

    async def _refund(self, connection: Connection, charge: str, most: int, **named: str) -> None:
        """What is left, or a part; the same refund under two keys is one refund."""
        amounts: tuple[dict[str, int], ...] = ({}, {"amount_micros": self._dice.randint(1, most)})
        fields = {**named, **self._dice.choice(amounts), "refund_id": event_id(), "reason": "returned"}
        for _ in range(self._dice.choice((1, 1, 2))):
            told = await self._letters.send(connection, "refunds", **fields)
            self._books.refund_answered(charge, str(fields["refund_id"]), told)
