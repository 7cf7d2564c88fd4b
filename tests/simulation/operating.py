"""An operator at work while the server is being killed: budgets, pauses, payments, and words on orders."""

import asyncio
import random
from typing import Any

from tests.simulation.books import Books
from tests.simulation.browser import Connection
from tests.simulation.letters import Letters, Patience, Told
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import Shop, event_id

PAUSE_SECONDS = 0.02
STEPS_MICROS = (-1_000_000, -1, 0, 2_000, 500_000, 20_000_000, 100_000_000)
PAYMENTS_MICROS = (1_000_000, 50_000_000, 200_000_000)


class Operator:
    """The only one who changes campaigns, until patience is over."""

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

    async def live(self) -> None:
        acts = (self._set_budget, self._set_budget, self._pay, self._pay, self._pause, self._trust,
                self._settle)  # fmt: skip
        async with Connection(self._url) as connection:
            while not self._patience.is_over:
                await self._dice.choice(acts)(connection)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _set_budget(self, connection: Connection) -> None:
        """Around what is used by now, so that it is raised, or lowered, or lifted, or refused."""
        campaign = self._dice.choice(list(self._shop.campaigns.values()))
        name, used = self._dice.choice(
            (("total_budget_micros", "spend_micros"), ("daily_budget_micros", "spend_today_micros"))
        )
        stands = await self._letters.ask(connection, "GET", f"campaigns/{campaign}")
        if stands is None:
            return
        budget = stands[used] + stands["pending_micros"] + self._dice.choice(STEPS_MICROS)
        await self._change(connection, campaign, name, None if self._dice.random() < 0.5 else max(1, budget))

    async def _pause(self, connection: Connection) -> None:
        campaign = self._dice.choice(list(self._shop.campaigns.values()))
        for status in ("paused", "active"):
            await self._change(connection, campaign, "status", status)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _change(self, connection: Connection, campaign: str, name: str, value: Any) -> None:
        told = await self._letters.ask(connection, "PATCH", f"campaigns/{campaign}", **{name: value})
        self._books.wish_answered(campaign, name, value, told)

    async def _pay(self, connection: Connection) -> None:
        """A payment, often told twice, or some money back: refused where it is spent."""
        amount = self._dice.choice((*PAYMENTS_MICROS, -self._dice.randint(1, PAYMENTS_MICROS[-1])))
        fields: dict[str, Any] = {
            "advertiser_id": self._shop.advertiser_id,
            "amount_micros": amount,
            "reference": event_id(),
        }
        for _ in range(self._dice.choice((1, 1, 2))):
            told = await self._letters.send(connection, "deposits", **fields)
            self._books.deposit_answered(fields["reference"], told)

    async def _trust(self, connection: Connection) -> None:
        """Orders that browsers report are billed at once, or wait for a word and reserve."""
        path = f"advertisers/{self._shop.advertiser_id}"
        trusts = self._dice.random() < 0.5
        told = await self._letters.ask(connection, "PATCH", path, trust_pixel_conversions=trusts)
        assert told is None or told.status == 200, told

    async def _settle(self, connection: Connection) -> None:
        path = f"conversions?advertiser_id={self._shop.advertiser_id}&limit=20"
        pending = await self._letters.ask(connection, "GET", path)
        if pending is None or not pending["items"]:
            return
        one = self._dice.choice(pending["items"])["id"]
        if self._dice.random() < 0.5:
            self._approved(one, await self._letters.ask(connection, "POST", f"conversions/{one}/approve"))
        else:
            await self._letters.ask(connection, "POST", f"conversions/{one}/decline", reason="a test")

    def _approved(self, conversion: str, told: Told | None) -> None:
        """Or the merchant's server has spoken meanwhile."""
        if told is not None and told.status == 200:
            self._books.answers["approved"] += 1
            self._books.approved.add(conversion)
        else:
            assert told is None or told.status in (404, 409), told
