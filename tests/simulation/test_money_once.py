"""Refunds and deposits over two workers: once each, one answer for each key, also when nobody lived to give it."""

import asyncio
import json
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulation.browser import Answer, Connection, ask_once
from tests.simulation.crowd import Reader, all_at_once, readers_of_an_ad
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPA, CPC, NEWS_PAGE, Shop, make_shop

ITEM = "7"
AT_ONCE = 50
PRICE = int(CPA["rate_micros"])
LETTERS = 12  # under way at once while processes are killed
KILLS = 4
TURN_SECONDS = 0.1  # of the writer, then of the workers, when one of them must not hear the other


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("money"), workers=2) as running:
        yield running
        running.assert_audit_is_clean()


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Shop:
    return make_shop(server, [ITEM], {"cpa": CPA})


async def move(server: RunningServer, connection: Connection, path: str, key: str, **body: Any) -> Answer:
    """A POST that moves money, with its Idempotency-Key."""
    headers = {
        "Authorization": f"Bearer {server.key()}",
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    return await connection.ask("POST", f"/api/v1/{path}", headers, json.dumps(body).encode())


async def insist(server: RunningServer, path: str, key: str, **body: Any) -> Answer:
    """The same POST again and again, until somebody lives long enough to answer it."""
    async with Connection(server.url) as connection:
        while True:
            try:
                answer = await move(server, connection, path, key, **body)
            except ConnectionError:
                await asyncio.sleep(0.05)
                continue
            if answer.status != 503:
                return answer
            await asyncio.sleep(0.05)


def an_order(server: RunningServer, shop: Shop) -> dict[str, Any]:
    """An order of a reader who clicked, as the merchant's server tells it."""
    (reader,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))
    clicked = ask_once(server.url, "GET", reader.shown.links[0], reader.browser.headers(NEWS_PAGE))
    click_id = parse_qs(urlsplit(clicked.headers["location"]).query)["rtclid"][0]
    named = {"advertiser_id": shop.advertiser_id, "event": "purchase", "order_id": secrets.token_hex(8)}
    return {**named, "rtclid": click_id}


def a_sale(server: RunningServer, shop: Shop) -> str:
    """An order that was billed; its charge's id."""
    order = an_order(server, shop)
    told = json.loads(asyncio.run(insist(server, "conversions", order["order_id"], **order)).body)
    assert told["result"] == "taken", told
    return str(told["charge_id"])


def refunds(server: RunningServer) -> list[tuple[Any, ...]]:
    return server.rows("SELECT refund_id, amount_micros FROM refunds")


def deposited(server: RunningServer, shop: Shop) -> int:
    with server.api() as api:
        told: int = api.get(f"/advertisers/{shop.advertiser_id}").json()["deposited_micros"]
    return told


def assert_all_are_told_the_same(answers: list[Answer]) -> None:
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}


@pytest.mark.parametrize("keys", [1, AT_ONCE], ids=["one key", "fifty keys"])
def test_of_fifty_refunds_of_one_name_at_once_one_is_made_and_all_are_told_so(
    server: RunningServer, shop: Shop, keys: int
) -> None:
    charge_id, name = a_sale(server, shop), secrets.token_hex(4)
    body = {"charge_id": charge_id, "refund_id": name, "amount_micros": 1_000, "reason": "returned"}

    async def ask(number: int, connection: Connection) -> Answer:
        return await move(server, connection, "refunds", f"{name}-{number % keys}", **body)

    before = len(refunds(server))
    assert_all_are_told_the_same(asyncio.run(all_at_once(server, range(AT_ONCE), ask)))
    assert len(refunds(server)) == before + 1 and (name, 1_000) in refunds(server)


@pytest.mark.parametrize("keys", [1, AT_ONCE], ids=["one key", "fifty keys"])
def test_of_fifty_deposits_of_one_reference_at_once_one_is_noted_and_all_are_told_so(
    server: RunningServer, shop: Shop, keys: int
) -> None:
    name, before = secrets.token_hex(4), deposited(server, shop)
    body = {"advertiser_id": shop.advertiser_id, "amount_micros": 1_000, "reference": name}

    async def ask(number: int, connection: Connection) -> Answer:
        return await move(server, connection, "deposits", f"{name}-{number % keys}", **body)

    assert_all_are_told_the_same(asyncio.run(all_at_once(server, range(AT_ONCE), ask)))
    assert deposited(server, shop) == before + 1_000


def test_fifty_parts_at_once_never_refund_more_than_was_billed(server: RunningServer, shop: Shop) -> None:
    charge_id, part = a_sale(server, shop), PRICE // 20

    async def ask(number: int, connection: Connection) -> int:
        body = {"charge_id": charge_id, "refund_id": f"{number}", "amount_micros": part, "reason": "returned"}
        return (await move(server, connection, "refunds", secrets.token_hex(8), **body)).status

    statuses = asyncio.run(all_at_once(server, range(AT_ONCE), ask))
    assert sorted(statuses) == [200] * 20 + [409] * 30


def test_of_twenty_clicks_at_once_a_prepaid_account_is_billed_what_it_has_paid_for(
    server: RunningServer,
) -> None:
    prepaid = make_shop(server, [ITEM], {"cpc": CPC})
    readers = asyncio.run(readers_of_an_ad(server, prepaid, 20, ITEM))
    paid = {"advertiser_id": prepaid.advertiser_id, "amount_micros": 3 * CPC["rate_micros"]}
    asyncio.run(insist(server, "deposits", "prepaid", **paid, reference="prepaid"))
    with server.api() as api:
        path = f"/advertisers/{prepaid.advertiser_id}"
        assert api.patch(path, json={"prepaid": True}).status_code == 200

        async def click(reader: Reader, connection: Connection) -> str | None:
            link = f"{reader.shown.links[0]}&debug=1"
            return (await reader.browser.get(connection, link, NEWS_PAGE)).charge

        charged = Counter(asyncio.run(all_at_once(server, readers, click)))
        assert charged == {"taken": 3, "cap_reached": 17}
        assert api.get(path).json()["prepaid_left_micros"] == 0


def test_when_a_worker_is_killed_between_effect_and_answer_the_repeat_is_told_of_the_effect(
    server: RunningServer, shop: Shop
) -> None:
    order, before = an_order(server, shop), charges(server)
    kill_between_effect_and_answer(server, "conversions", order["order_id"], order)
    sold = [asyncio.run(insist(server, "conversions", order["order_id"], **order)) for _ in range(3)]
    assert_all_are_told_the_same(sold)
    told = json.loads(sold[0].body)
    assert (told["result"], charges(server)) == ("taken", before + 1)

    refund = {"charge_id": told["charge_id"], "refund_id": "killed", "reason": "returned"}
    kill_between_effect_and_answer(server, "refunds", "killed", refund)
    answers = [asyncio.run(insist(server, "refunds", "killed", **refund)) for _ in range(3)]
    assert_all_are_told_the_same(answers)
    assert json.loads(answers[0].body)["amount_micros"] == PRICE
    assert refunds(server).count(("killed", PRICE)) == 1


def charges(server: RunningServer) -> int:
    return int(server.rows("SELECT COUNT(*) FROM charges")[0][0])


def kill_between_effect_and_answer(server: RunningServer, path: str, key: str, body: dict[str, Any]) -> None:
    """Ask once; who asked hears nothing, since the workers died when all was on disk."""

    async def ask() -> Answer:
        async with Connection(server.url) as connection:
            return await move(server, connection, path, key, **body)

    children = server.children()
    writer = children["writer"]
    workers = [pid for child, pid in children.items() if child.startswith("worker")]

    async def ask_and_kill() -> None:
        os.kill(writer, signal.SIGSTOP)  # before anybody could be answered
        asking = asyncio.create_task(ask())
        await asyncio.to_thread(kill_after_the_effect, server, key, writer, workers)
        with pytest.raises(ConnectionError):
            await asking

    asyncio.run(ask_and_kill())


def kill_after_the_effect(server: RunningServer, key: str, writer: int, workers: list[int]) -> None:
    """The writer is held while workers run, and they while it commits: so nobody is answered meanwhile."""
    try:
        wait_until(lambda: comes_to_disk(server, key, writer, workers), "it is on disk with its receipt", 60)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        os.kill(writer, signal.SIGCONT)
    wait_until(lambda: not set(workers) & set(server.children().values()), "the workers are gone")


def comes_to_disk(server: RunningServer, key: str, writer: int, workers: list[int]) -> bool:
    """Let the workers run for a while, then the writer, hold all, and look if the effect has its receipt."""
    for running in (workers, [writer]):
        for pid in running:
            os.kill(pid, signal.SIGCONT)
        time.sleep(TURN_SECONDS)
        for pid in running:
            os.kill(pid, signal.SIGSTOP)
    return has_receipt(server, key)


def has_receipt(server: RunningServer, key: str) -> bool:
    return bool(server.rows("SELECT 1 FROM receipts WHERE idempotency_key = ?", key))


@pytest.mark.slow
def test_while_writer_and_workers_are_killed_each_deposit_is_noted_once_and_told_the_same(
    server: RunningServer, shop: Shop
) -> None:
    noted: dict[str, Answer] = {}
    before = deposited(server, shop)

    async def pay(killing: asyncio.Future[None]) -> None:
        while not killing.done():
            name = secrets.token_hex(6)
            noted[name] = await insist(server, "deposits", name, **deposit_body(shop, name))

    async def pay_while_killed() -> None:
        killing = asyncio.ensure_future(asyncio.to_thread(kill_now_and_then, server, noted))
        await asyncio.gather(killing, *(pay(killing) for _ in range(LETTERS)))

    asyncio.run(pay_while_killed())
    for name, answer in noted.items():
        again = asyncio.run(insist(server, "deposits", name, **deposit_body(shop, name)))
        assert (again.status, again.body) == (200, answer.body)
    assert deposited(server, shop) == before + len(noted)


def deposit_body(shop: Shop, name: str) -> dict[str, Any]:
    return {"advertiser_id": shop.advertiser_id, "amount_micros": 1, "reference": name}


def kill_now_and_then(server: RunningServer, noted: dict[str, Answer]) -> None:
    """`kill -9` of the writer and of a worker in turn, each time after some more were answered."""
    dice = random.Random(KILLS)
    for number in range(KILLS):
        victim = "writer" if number % 2 else dice.choice(("worker 1", "worker 2"))
        goal = len(noted) + 2 * LETTERS
        wait_until(partial(has_more, noted, goal), "deposits are answered again", 60)
        time.sleep(dice.random() / 20)
        wait_until(partial(is_there, server, victim), f"the {victim} is started again", 60)
        os.kill(server.children()[victim], signal.SIGKILL)


def has_more(noted: dict[str, Answer], goal: int) -> bool:
    return len(noted) >= goal


def is_there(server: RunningServer, name: str) -> bool:
    return name in server.children()
