"""More ads than budget, all answered at the same moment over two workers: exactly the budget is billed."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulation.browser import Answer, Connection
from tests.simulation.crowd import Reader, all_at_once, readers_of_an_ad
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPA, CPC, CPM, NEWS_PAGE, Shop, change_campaign, make_shop, tell

DELIVERED, PAID = 200, 10
ITEM = "7"
Act = Callable[[Reader, Connection], Awaitable[Answer]]
PRICE = {"cpm": 2_000, "cpc": 500_000, "cpa": 5_000_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("race"), workers=2) as running:
        yield running
        running.assert_audit_is_clean()


def shop_with(server: RunningServer, model: str) -> Shop:
    terms = {"cpm": CPM, "cpc": CPC, "cpa": CPA}[model]
    return make_shop(server, [ITEM], {model: terms}, trust_pixel_conversions=True)


def delivered(server: RunningServer, shop: Shop, model: str) -> list[Reader]:
    """All ads go out while nothing caps them; only then is the budget set."""
    readers = asyncio.run(readers_of_an_ad(server, shop, DELIVERED, ITEM))
    if model == "cpa":
        asyncio.run(all_at_once(server, readers, click))
    with server.api() as api:
        change_campaign(api, shop.campaigns[model], total_budget_micros=PAID * PRICE[model])
    return readers


async def see(reader: Reader, connection: Connection) -> Answer:
    return await reader.browser.get(connection, f"/i?t={reader.shown.token}&debug=1", NEWS_PAGE)


async def click(reader: Reader, connection: Connection) -> Answer:
    answer = await reader.browser.get(connection, f"{reader.shown.links[0]}&debug=1", NEWS_PAGE)
    assert answer.status == 302 and answer.headers["location"].startswith("https://shop.example/p/7?rtclid=")
    return answer


def assert_spent(server: RunningServer, shop: Shop, model: str) -> None:
    with server.api() as api:
        campaign = api.get(f"/campaigns/{shop.campaigns[model]}").json()
    assert campaign["spend_micros"] == PAID * PRICE[model]
    assert campaign["pending_micros"] == 0 and campaign["unbilled_at_cap"] == DELIVERED - PAID
    assert campaign["delivery"] == "exhausted"


@pytest.mark.parametrize(("model", "act"), [("cpm", see), ("cpc", click)])
def test_of_two_hundred_ads_that_are_answered_at_once_exactly_the_budget_is_billed(
    server: RunningServer, model: str, act: Act
) -> None:
    shop = shop_with(server, model)
    readers = delivered(server, shop, model)
    answers = asyncio.run(all_at_once(server, readers, act))
    assert Counter(answer.charge for answer in answers) == {"taken": PAID, "cap_reached": DELIVERED - PAID}
    assert_spent(server, shop, model)
    again = asyncio.run(all_at_once(server, readers, act))
    assert Counter(answer.charge for answer in again) == {"repeated": PAID, "cap_reached": DELIVERED - PAID}
    assert_spent(server, shop, model)


def test_of_two_hundred_orders_told_by_the_merchants_server_exactly_the_budget_is_billed(
    server: RunningServer,
) -> None:
    shop = shop_with(server, "cpa")
    readers = delivered(server, shop, "cpa")
    click_ids = [click_id_of(answer) for answer in asyncio.run(all_at_once(server, readers, click))]

    async def order(click_id: str, connection: Connection) -> str:
        return await tell_order(server, shop, connection, secrets.token_hex(8), click_id)

    results = asyncio.run(all_at_once(server, click_ids, order))
    assert Counter(results) == {"taken": PAID, "cap_reached": DELIVERED - PAID}
    assert_spent(server, shop, "cpa")


def test_of_two_hundred_orders_told_by_browsers_exactly_the_budget_is_billed(server: RunningServer) -> None:
    shop = shop_with(server, "cpa")
    readers = delivered(server, shop, "cpa")

    async def buy(reader: Reader, connection: Connection) -> str | None:
        said = f"&id={ITEM}&transaction_id={secrets.token_hex(8)}&value=10&currency=EUR"
        return (await tell(reader.browser, connection, shop, "purchase", said)).event

    assert Counter(asyncio.run(all_at_once(server, readers, buy))) == {"accepted": DELIVERED}
    wait_until(lambda: settled(server, shop) == DELIVERED, "every order is credited or refused")
    assert_spent(server, shop, "cpa")


def test_of_fifty_clicks_of_one_ad_at_once_one_is_billed_and_all_are_redirected(
    server: RunningServer,
) -> None:
    shop = shop_with(server, "cpc")
    (reader,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))
    answers = asyncio.run(all_at_once(server, [reader] * 50, click))
    assert Counter(answer.charge for answer in answers) == {"taken": 1, "repeated": 49}


def test_one_order_told_fifty_times_by_browser_and_server_is_billed_once(server: RunningServer) -> None:
    shop = shop_with(server, "cpa")
    (reader,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))
    (clicked,) = asyncio.run(all_at_once(server, [reader], click))

    async def order(number: int, connection: Connection) -> str:
        if number % 2:
            said = f"&id={ITEM}&transaction_id=same&value=10&currency=EUR"
            return str((await tell(reader.browser, connection, shop, "purchase", said)).event)
        return await tell_order(server, shop, connection, "same", click_id_of(clicked))

    asyncio.run(all_at_once(server, range(50), order))
    wait_until(lambda: not waiting(server, shop), "the browser's order is settled")
    with server.api() as api:
        campaign = api.get(f"/campaigns/{shop.campaigns['cpa']}").json()
    assert campaign["spend_micros"] == PRICE["cpa"]


def click_id_of(answer: Answer) -> str:
    return parse_qs(urlsplit(answer.headers["location"]).query)["rtclid"][0]


async def tell_order(
    server: RunningServer, shop: Shop, connection: Connection, order_id: str, click_id: str
) -> str:
    """POST /api/v1/conversions as the merchant's server would; the outcome."""
    order = {"advertiser_id": shop.advertiser_id, "event": "purchase", "order_id": order_id,
             "rtclid": click_id, "value_micros": 10_000_000, "currency": "EUR"}  # fmt: skip
    headers = {"Authorization": f"Bearer {server.key()}", "Content-Type": "application/json",
               "Idempotency-Key": secrets.token_hex(8)}  # fmt: skip
    answer = await connection.ask("POST", "/api/v1/conversions", headers, json.dumps(order).encode())
    assert answer.status == 200, answer
    return str(json.loads(answer.body)["result"])


def settled(server: RunningServer, shop: Shop) -> int:
    return orders(server, shop) - waiting(server, shop)


def waiting(server: RunningServer, shop: Shop) -> int:
    return orders(server, shop, "AND state = 'new'")


def orders(server: RunningServer, shop: Shop, narrowed: str = "") -> int:
    """How many orders of this shop are known."""
    ((count,),) = server.rows(
        "SELECT COUNT(*) FROM conversions JOIN advertisers ON advertisers.key = advertiser_key"
        f" WHERE public_id = ? {narrowed}",
        shop.public_id,
    )
    return int(count)
