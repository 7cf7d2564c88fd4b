"""A budget's end under unlimited demand on two workers: all of it is spent, nothing over, and next to no free ads."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import pytest

from adserver.domain.token import TokenKeys, verify
from tests.simulation.browser import Browser, Connection
from tests.simulation.crowd import connections_to_each_worker
from tests.simulation.load import token_keys
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import CPC, CPM, NEWS_PAGE, Shop, Shown, ask_slot, change_campaign, make_shop, tell

ITEM = "7"
CLIENTS = 64
EVENTS = 1_000
PRICE = {"cpm": 2_000, "cpc": 500_000}
MOST_UNBILLED = EVENTS // 100
MOST_SECONDS = 45.0
EMPTY_SECONDS = 0.01  # before a client asks again who was shown nothing

PROMISED_MS = 1_000  # from the answer to a change until every worker acts by it
WATCHED_SECONDS = 2.5
WATCHERS = 8

Told = TypeVar("Told")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("end"), workers=2) as running:
        yield running
        running.assert_audit_is_clean()


def shop_with(server: RunningServer, model: str, **terms: Any) -> Shop:
    return make_shop(server, [ITEM], {model: {"cpm": CPM, "cpc": CPC}[model] | terms})


# ---- a budget's end ----


class Crowd:
    """Clients who ask for ads without end, and answer each at once, often to another worker."""

    def __init__(self, server: RunningServer, shop: Shop, model: str) -> None:
        self._server = server
        self._shop = shop
        self._model = model
        (self._slot_id,) = shop.slots.values()
        self.charges: Counter[str | None] = Counter()
        self.shown_after = 0

    async def spend(self) -> None:
        """Until so many events are billed, or it takes too long; then each asks once more."""
        async with connections_to_each_worker(self._server, 2 * CLIENTS) as connections:
            clients = [Browser() for _ in range(CLIENTS)]
            pairs = list(zip(clients, connections[:CLIENTS], connections[-CLIENTS:], strict=True))
            await asyncio.gather(*(self._view(browser, one) for browser, one, _ in pairs))
            await asyncio.gather(*(self._live(*pair) for pair in pairs))
            for connection in connections:
                shown = await insist(partial(ask_slot, clients[0], connection, self._slot_id))
                self.shown_after += shown is not None

    async def _view(self, browser: Browser, connection: Connection) -> None:
        answer = await tell(browser, connection, self._shop, "view_item", f"&id={ITEM}")
        assert answer.event == "accepted", answer

    async def _live(self, browser: Browser, one: Connection, other: Connection) -> None:
        deadline = time.monotonic() + MOST_SECONDS
        while self.charges["taken"] < EVENTS and time.monotonic() < deadline:
            shown = await ask_slot(browser, one, self._slot_id)
            if shown is None:
                await asyncio.sleep(EMPTY_SECONDS)
                continue
            answer = await insist(partial(browser.get, other, self._answer(shown), NEWS_PAGE))
            self.charges[answer.charge] += 1

    def _answer(self, shown: Shown) -> str:
        return f"/i?t={shown.token}&debug=1" if self._model == "cpm" else f"{shown.links[0]}&debug=1"


async def insist(ask: Callable[[], Awaitable[Told]]) -> Told:
    """Once more where the server has closed a connection that was quiet for long."""
    try:
        return await ask()
    except ConnectionError:
        return await ask()


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("model", ["cpm", "cpc"])
def test_a_budget_for_a_thousand_events_is_spent_to_its_end_with_few_free_ads(
    server: RunningServer, model: str
) -> None:
    budget = EVENTS * PRICE[model]
    shop = shop_with(server, model, total_budget_micros=budget)
    crowd = Crowd(server, shop, model)
    began = time.monotonic()
    asyncio.run(crowd.spend())
    with server.api() as api:
        campaign = api.get(f"/campaigns/{shop.campaigns[model]}").json()
    unbilled = campaign["unbilled_at_cap"]
    print(
        f"{model}: {dict(crowd.charges)} in {time.monotonic() - began:.1f} s, {unbilled} unbilled at the cap"
    )
    assert budget - PRICE[model] < campaign["spend_micros"] <= budget
    assert campaign["pending_micros"] == 0 and campaign["delivery"] == "exhausted"
    assert unbilled <= MOST_UNBILLED
    assert crowd.charges == {"taken": EVENTS} | ({"cap_reached": unbilled} if unbilled else {})
    assert crowd.shown_after == 0


# ---- a change ----


class Seen(NamedTuple):
    """A slot's answer: when it was asked for, and when the server decided on an ad, if there was one."""

    asked_ms: int
    decided_ms: int | None


class Watch:
    """Asks for ads over and over, over connections to every worker, while a campaign is changed."""

    def __init__(self, server: RunningServer, shop: Shop) -> None:
        self._server = server
        self._shop = shop
        self._keys: TokenKeys = token_keys(server)

    async def after(self, **changes: Any) -> tuple[int, list[Seen]]:
        """When the change was answered, and what was seen from a while before until a while after."""
        seen: list[Seen] = []
        async with connections_to_each_worker(self._server, WATCHERS) as connections:
            asking = [asyncio.create_task(self._ask(connection, seen)) for connection in connections]
            await asyncio.sleep(0.3)
            answered_ms = await asyncio.to_thread(self._change, changes)
            await asyncio.sleep(WATCHED_SECONDS)
            for task in asking:
                task.cancel()
            ended = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
        return answered_ms, seen

    def _change(self, changes: dict[str, Any]) -> int:
        (campaign_id,) = self._shop.campaigns.values()
        with self._server.api() as api:
            change_campaign(api, campaign_id, **changes)
        return now_ms()

    async def _ask(self, connection: Connection, seen: list[Seen]) -> None:
        browser = Browser()
        await tell(browser, connection, self._shop, "view_item", f"&id={ITEM}")
        (slot_id,) = self._shop.slots.values()
        while True:
            asked_ms = now_ms()
            shown = await ask_slot(browser, connection, slot_id)
            token = verify(shown.token, self._keys) if shown else None
            seen.append(Seen(asked_ms, token.decided_at_ms if token else None))
            await asyncio.sleep(0.03)


def now_ms() -> int:
    """By the clock that the server has, too."""
    return time.time_ns() // 1_000_000


def assert_stopped(answered_ms: int, seen: list[Seen]) -> None:
    decided = [one.decided_ms for one in seen if one.decided_ms is not None]
    assert min(decided) < answered_ms, "nothing was shown before"
    assert max(decided) <= answered_ms + PROMISED_MS
    assert any(one.asked_ms > answered_ms + PROMISED_MS for one in seen)


def assert_started(answered_ms: int, seen: list[Seen]) -> None:
    assert any(one.decided_ms is None for one in seen if one.asked_ms < answered_ms)
    later = [one for one in seen if one.asked_ms > answered_ms + PROMISED_MS]
    assert later and all(one.decided_ms is not None for one in later)


@pytest.mark.slow
def test_pause_resume_lower_and_raise_are_acted_upon_by_every_worker_within_a_second(
    server: RunningServer,
) -> None:
    watch = Watch(server, shop_with(server, "cpm"))
    assert_stopped(*asyncio.run(watch.after(status="paused")))
    assert_started(*asyncio.run(watch.after(status="active")))
    assert_stopped(*asyncio.run(watch.after(total_budget_micros=PRICE["cpm"] - 1)))
    assert_started(*asyncio.run(watch.after(total_budget_micros=1_000_000 * PRICE["cpm"])))
