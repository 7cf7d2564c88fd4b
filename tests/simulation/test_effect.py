"""What a visitor or a shop says to one worker, the other knows at the very next request for an ad."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from adserver.domain.token import verify
from tests.simulation.browser import Answer, Browser, Connection
from tests.simulation.load import token_keys
from tests.simulation.running_server import RunningServer, answered_by
from tests.simulation.shop import (
    CPM,
    Shop,
    Shown,
    ask_slot,
    change_campaign,
    event_id,
    make_shop,
    tell,
)
from tests.simulation.test_budget_end import PROMISED_MS, now_ms

ITEM = "7"
ROUNDS = 200
MOST_CONNECTIONS = 200


class Street(NamedTuple):
    """A shop and a news page, and a connection to each of two workers."""

    server: RunningServer
    shop: Shop
    one: Connection
    other: Connection


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("effect"), workers=2) as running:
        yield running
        running.assert_audit_is_clean()


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Shop:
    return make_shop(server, [ITEM], {"cpm": CPM})


@asynccontextmanager
async def connected(server: RunningServer, shop: Shop) -> AsyncIterator[Street]:
    """The first connection that each worker took; the others are closed."""
    by_worker: dict[str, Connection] = {}
    for _ in range(MOST_CONNECTIONS):
        connection = Connection(server.url)
        await connection.ask("GET", "/healthz")
        kept = by_worker.setdefault(answered_by(connection.port, server), connection)
        if kept is not connection:
            connection.close()
        if len(by_worker) == 2:
            break
    one, other = by_worker.values()
    try:
        yield Street(server, shop, one, other)
    finally:
        one.close()
        other.close()


async def is_shown(street: Street, browser: Browser, connection: Connection) -> Shown | None:
    return await ask_slot(browser, connection, street.shop.slots["300x250"])


async def someone_shown_an_ad(street: Street) -> tuple[Browser, Shown]:
    """A new visitor who saw a product by one worker and is shown it by both."""
    browser = Browser()
    answer = await tell(browser, street.one, street.shop, "view_item", f"&id={ITEM}")
    assert answer.event == "accepted", answer
    shown = await is_shown(street, browser, street.other)
    assert shown is not None and shown.items == [ITEM]
    return browser, shown


# ---- what visitors say ----

Act = Callable[[Street, Browser, Shown], Awaitable[Answer]]


async def buy(street: Street, browser: Browser, shown: Shown) -> Answer:
    order = f"&id={ITEM}&transaction_id={event_id()}"
    answer = await tell(browser, street.one, street.shop, "purchase", order)
    assert answer.event == "accepted", answer
    return answer


def form(path: str, **fields: str) -> Act:
    """A form of our own pages; the browser's cookie stays as it was, as in another tab."""

    async def send(street: Street, browser: Browser, shown: Shown) -> Answer:
        headers = {**browser.headers("any.example"), "Origin": street.server.url}
        told = {"t": shown.token, **fields} if fields else {}
        body = "&".join(f"{name}={text}" for name, text in told.items()).encode()
        return await street.one.ask("POST", path, headers, body)

    return send


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("act", "status"),
    [
        (buy, 200),
        (form("/privacy/opt-out"), 200),
        (form("/privacy/forget"), 200),
        (form("/why", wish="bought"), 303),
        (form("/why", wish="not_this_product"), 303),
        (form("/why", wish="not_this_shop"), 303),
    ],
    ids=["a purchase", "opt-out", "forget me", "I bought it", "not this product", "not this shop"],
)
def test_what_a_visitor_told_one_worker_the_other_acts_upon_at_the_next_request(
    server: RunningServer, shop: Shop, act: Act, status: int
) -> None:
    async def live() -> None:
        async with connected(server, shop) as street:
            for number in range(ROUNDS):
                turned = street if number % 2 else street._replace(one=street.other, other=street.one)
                browser, shown = await someone_shown_an_ad(turned)
                assert (await act(turned, browser, shown)).status == status
                assert await is_shown(turned, browser, turned.other) is None, f"in round {number}"

    asyncio.run(live())


# ---- what shops say ----


async def change(street: Street, method: str, path: str, body: Any) -> None:
    headers = {"Authorization": f"Bearer {street.server.key()}", "Content-Type": "application/json"}
    answer = await street.one.ask(method, f"/api/v1/{path}", headers, json.dumps(body).encode())
    assert answer.status == 200, answer


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_product_that_is_out_of_stock_is_not_shown_by_the_other_worker(
    server: RunningServer, shop: Shop
) -> None:
    path = f"advertisers/{shop.advertiser_id}/products"

    async def live() -> None:
        async with connected(server, shop) as street:
            browser, _ = await someone_shown_an_ad(street)
            for number in range(ROUNDS):
                turned = street if number % 2 else street._replace(one=street.other, other=street.one)
                for stock in ("out_of_stock", "in_stock"):
                    await change(
                        turned, "PATCH", path, {"products": [{"item_id": ITEM, "availability": stock}]}
                    )
                    shown = await is_shown(turned, browser, turned.other)
                    assert (shown is None) == (stock == "out_of_stock"), f"{stock} in round {number}"

    asyncio.run(live())


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_product_that_leaves_the_campaigns_set_is_not_shown_by_the_other_worker(
    server: RunningServer,
) -> None:
    """Of a shop of its own, whose one campaign shows a set."""
    shop = make_shop(server, [ITEM], {"cpm": CPM})
    rules = {"without": [{"item_ids": ["another"]}], "with": [{"item_ids": [ITEM]}]}
    sets = f"/advertisers/{shop.advertiser_id}/product-sets"
    with server.api() as api:
        made = api.post(sets, json={"name": "One", "inclusions": rules["with"]}).json()["id"]
        change_campaign(api, shop.campaigns["cpm"], product_set_id=made)

    async def live() -> None:
        async with connected(server, shop) as street:
            browser, _ = await someone_shown_an_ad(street)
            for number in range(ROUNDS):
                turned = street if number % 2 else street._replace(one=street.other, other=street.one)
                for which, inclusions in rules.items():
                    await change(turned, "PATCH", f"{sets[1:]}/{made}", {"inclusions": inclusions})
                    shown = await is_shown(turned, browser, turned.other)
                    assert (shown is not None) == (which == "with"), f"{which} it in round {number}"

    asyncio.run(live())


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_campaign_that_was_paused_is_not_shown_by_the_other_worker_a_moment_later(
    server: RunningServer, shop: Shop
) -> None:
    """A worker hears of a campaign by the writer's next answer: a tenth of a second, and a second is promised."""
    path, keys = f"campaigns/{shop.campaigns['cpm']}", token_keys(server)

    async def last_decided_ms(street: Street, browser: Browser, *, paused: bool) -> int:
        """Ask until it is as it was told; the moment of the last decision that was not."""
        last_ms = 0
        while ((shown := await is_shown(street, browser, street.other)) is None) != paused:
            token = verify(shown.token, keys) if shown else None
            last_ms = token.decided_at_ms if token else now_ms()
        return last_ms

    async def live() -> None:
        lags_ms = []
        async with connected(server, shop) as street:
            browser, _ = await someone_shown_an_ad(street)
            for number in range(ROUNDS):
                turned = street if number % 2 else street._replace(one=street.other, other=street.one)
                for status in ("paused", "active"):
                    await change(turned, "PATCH", path, {"status": status})
                    answered_ms = now_ms()
                    last_ms = await last_decided_ms(turned, browser, paused=status == "paused")
                    lags_ms.append(max(0, last_ms - answered_ms))
        print(f"{len(lags_ms)} changes; the last decision without them at most {max(lags_ms)} ms later")
        assert max(lags_ms) <= PROMISED_MS

    asyncio.run(live())
