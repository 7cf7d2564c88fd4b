"""A clock that jumps: a server starts a day ahead, then back, then ahead again, and no money moves for it."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from adserver.domain.identity import write_id
from adserver.domain.pricing import AdEvent
from adserver.domain.token import verify
from tests.simulation.books import overspent
from tests.simulation.browser import Answer, Connection
from tests.simulation.crowd import Reader, readers_of_an_ad
from tests.simulation.load import token_keys
from tests.simulation.merchant import Landed, landed
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPA, CPM, NEWS_PAGE, Shop, change_campaign, event_id, make_shop, tell

DAY_SECONDS = 86_400
ITEM = "7"
PRICE = 2_000  # of an impression
PAID, DELIVERED = 3, 5  # a day
SALE = 5_000_000  # of a conversion
HEADS = "SELECT owner_key, day, entries, head, spent, pending, signature FROM daily_heads ORDER BY 2, 1"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def noon() -> int:
    """How far ahead the next noon is, so that no day ends by itself while days are told apart."""
    return (12 * 3_600 - int(time.time())) % DAY_SECONDS


class Stay(NamedTuple):
    """What was seen while the server's clock stood at one day."""

    spent_before: dict[str, int]  # by the API's name, of the CPM campaign
    spent: dict[str, int]
    seen: dict[str, Counter[str | None]]  # how its readers' impressions were answered, by day of the ad
    told: dict[str, tuple[int, bytes]]  # how letters were answered, by their Idempotency-Key
    heads: list[tuple[Any, ...]]  # sealed days


class Traveller:
    """Goes from day to day with one server, its ads, and the letters that moved money."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.news = make_shop(server, [ITEM], {"cpm": CPM})
        self.sales = make_shop(server, [ITEM], {"cpa": CPA}, trust_pixel_conversions=True)
        self.readers: dict[str, list[Reader]] = {}
        self.letters: dict[str, tuple[str, dict[str, Any]]] = {}

    def stay(self, day: str, signed_heads: int) -> Stay:
        """Serve the day's ads if it is new; then all beacons and letters that there ever were, once more."""
        before = self._spent()
        if day not in self.readers:
            self.readers[day] = self._served()
        seen = {served: Counter(asyncio.run(self._see(readers))) for served, readers in self.readers.items()}
        told = {key: self._post(key) for key in self.letters}
        self._buy()
        wait_until(lambda: len(self._heads(signed=True)) == signed_heads, "the days before are signed")
        self.server.assert_audit_is_clean()
        assert overspent(self.server) == []
        return Stay(before, self._spent(), seen, told, self._heads())

    def raise_budget(self) -> None:
        """By one impression a day, from the day of the clock on: on one too that has begun ahead of it."""
        with self.server.api() as api:
            change_campaign(api, self.news.campaigns["cpm"], daily_budget_micros=(PAID + 1) * PRICE)

    def order(self, key: str) -> None:
        """A visitor comes by an ad, and the merchant's server is going to report what they buy."""
        named = {"advertiser_id": self.sales.advertiser_id, "event": "purchase", "order_id": event_id()}
        click_id = asyncio.run(self._land()).click_id
        self.letters[key] = ("conversions", {**named, "rtclid": click_id})

    def refund(self, key: str, charge_id: str) -> None:
        self.letters[key] = ("refunds", {"charge_id": charge_id, "refund_id": key, "reason": "returned"})

    def billed(self, day: str) -> str:
        """The charge of the first reader of a day's ads."""
        token = verify(self.readers[day][0].shown.token, token_keys(self.server))
        assert token is not None
        return write_id("chg", token.impression_id << 2 | AdEvent.IMPRESSION)

    def _served(self) -> list[Reader]:
        """More ads than the day's budget pays for, which is set when they are out."""
        with self.server.api() as api:
            set_budget = partial(change_campaign, api, self.news.campaigns["cpm"])
            set_budget(daily_budget_micros=None)
            readers = asyncio.run(readers_of_an_ad(self.server, self.news, DELIVERED, ITEM))
            set_budget(daily_budget_micros=PAID * PRICE)
        return readers

    async def _see(self, readers: list[Reader]) -> list[str | None]:
        async with Connection(self.server.url) as connection:
            return [await seen(connection, reader) for reader in readers]

    async def _land(self) -> Landed:
        (reader,) = await readers_of_an_ad(self.server, self.sales, 1, ITEM)
        async with Connection(self.server.url) as connection:
            clicked = await reader.browser.get(connection, reader.shown.links[0], NEWS_PAGE)
        return landed(reader.browser, clicked)

    def _buy(self) -> None:
        """By pixel: it is credited by a job, whatever the clock said when that job ran last."""

        async def buy() -> Answer:
            visitor = await self._land()
            async with Connection(self.server.url) as connection:
                said = f"&id={ITEM}&transaction_id={event_id()}&value=10&currency=EUR"
                return await tell(visitor.browser, connection, self.sales, "purchase", said)

        assert asyncio.run(buy()).event == "accepted"
        waiting = "SELECT COUNT(*) FROM conversions WHERE state = 'new'"
        wait_until(lambda: self.server.rows(waiting) == [(0,)], "the browser's order is credited")

    def _post(self, key: str) -> tuple[int, bytes]:
        path, fields = self.letters[key]
        with self.server.api() as api:
            answer = api.post(f"/{path}", json=fields, headers={"Idempotency-Key": key})
        return answer.status_code, answer.content

    def _spent(self) -> dict[str, int]:
        with self.server.api() as api:
            told = api.get(f"/campaigns/{self.news.campaigns['cpm']}").json()
        return {name: told[name] for name in ("spend_micros", "spend_today_micros", "pending_micros")}

    def _heads(self, *, signed: bool = False) -> list[tuple[Any, ...]]:
        return [row for row in self.server.rows(HEADS) if not signed or row[-1] is not None]


async def seen(connection: Connection, reader: Reader) -> str | None:
    target = f"/i?t={reader.shown.token}&debug=1"
    return (await reader.browser.get(connection, target, NEWS_PAGE)).charge


class Journey(NamedTuple):
    """The days in the order in which they were lived."""

    first: Stay
    ahead: Stay
    back: Stay
    ahead_again: Stay
    further: Stay
    server: RunningServer
    sales: Shop


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    base = noon()
    server = RunningServer(tmp_path_factory.mktemp("clock"), test_mode="1", clock_offset_seconds=str(base))
    with server:
        traveller = Traveller(server)

        def go_to(day: int) -> None:
            server.restart(clock_offset_seconds=str(base + day * DAY_SECONDS))

        traveller.order("sold-at-once")
        first = traveller.stay("today", 0)
        traveller.order("sold-tomorrow")
        traveller.refund("seen-today", traveller.billed("today"))
        traveller.refund("bought-today", json.loads(first.told["sold-at-once"][1])["charge_id"])
        go_to(1)
        ahead = traveller.stay("tomorrow", 4)
        go_to(0)
        back = traveller.stay("today", 4)
        traveller.raise_budget()
        go_to(1)
        ahead_again = traveller.stay("tomorrow", 4)
        go_to(2)
        yield Journey(first, ahead, back, ahead_again, traveller.stay("later", 8), server, traveller.sales)


def spending(all_days: int, today: int) -> dict[str, int]:
    return {
        "spend_micros": all_days * PRICE,
        "spend_today_micros": today * PRICE,
        "pending_micros": 0,
    }


def test_each_day_has_a_budget_of_its_own_however_often_the_clock_comes_to_it(journey: Journey) -> None:
    assert journey.first.spent == spending(PAID, PAID)
    assert journey.ahead.spent_before == spending(PAID, 0)
    assert journey.ahead.spent == spending(2 * PAID - 1, PAID)  # one of today's was refunded
    assert journey.back.spent_before == spending(2 * PAID - 1, PAID - 1)
    assert journey.back.spent == spending(2 * PAID, PAID)  # and its budget billed another
    assert journey.ahead_again.spent_before == spending(2 * PAID, PAID)
    assert journey.ahead_again.spent == spending(2 * PAID + 1, PAID + 1)  # it was raised on the day before
    assert journey.further.spent == spending(3 * PAID + 1, PAID)


def test_what_was_billed_is_a_repeat_on_whatever_day_it_is_told_again(journey: Journey) -> None:
    paid = {"taken": PAID, "cap_reached": DELIVERED - PAID}
    paid_before = {"repeated": PAID, "cap_reached": DELIVERED - PAID}
    expired = {"expired": DELIVERED}
    assert journey.first.seen == {"today": paid}
    assert journey.ahead.seen == {"today": expired, "tomorrow": paid}
    one_more = {"repeated": PAID, "taken": 1, "cap_reached": DELIVERED - PAID - 1}
    assert journey.back.seen == {"today": one_more, "tomorrow": paid_before}
    assert journey.ahead_again.seen == {"today": expired, "tomorrow": one_more}
    assert journey.further.seen == {"today": expired, "tomorrow": expired, "later": paid}


def test_a_letter_that_moved_money_is_answered_the_same_on_every_day(journey: Journey) -> None:
    for stay in (journey.ahead, journey.back, journey.ahead_again, journey.further):
        assert stay.told == {**journey.ahead.told, **journey.first.told}
    told = {key: (status, json.loads(body)) for key, (status, body) in journey.further.told.items()}
    assert {status for status, _ in told.values()} == {200}
    assert told["sold-at-once"][1]["result"] == told["sold-tomorrow"][1]["result"] == "taken"
    assert told["seen-today"][1]["amount_micros"] == PRICE
    assert told["bought-today"][1]["amount_micros"] == SALE


def test_an_order_counts_on_the_day_it_was_told_and_its_refund_on_the_day_of_its_charge(
    journey: Journey,
) -> None:
    """Bought by pixel: one of the first day, one ahead, one back, one ahead again and one further."""
    days = journey.server.rows(
        "SELECT budgets.day, spent FROM budgets JOIN advertisers ON key = owner_key"
        " WHERE public_id = ? ORDER BY 1", journey.sales.public_id
    )  # fmt: skip
    assert [spent for _, spent in days] == [6 * SALE, 2 * SALE, 3 * SALE, 1 * SALE]


def test_a_sealed_day_stays_as_it_was_sealed_when_its_day_comes_back(journey: Journey) -> None:
    assert journey.first.heads == []
    for later in (journey.back, journey.ahead_again):
        assert later.heads == journey.ahead.heads
    assert journey.further.heads[:4] == journey.ahead.heads
    sealed = Counter(day for _, day, *_ in journey.further.heads)
    assert sorted(sealed.values()) == [4, 4]  # two accounts, each with a campaign
