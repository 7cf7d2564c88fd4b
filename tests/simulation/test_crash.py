"""`kill -9` of any process under load: what was acknowledged is there, once, and the money adds up.

Visitors see ads of every pricing model, merchants report, cancel and refund, an operator changes budgets and notes
payments; all of them repeat. CRASH_KILLS=60 in the environment kills more often than the six times of every day.
"""

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.simulation.load import Load
from tests.simulation.running_server import POLL_SECONDS, RunningServer, is_running, wait_until
from tests.simulation.shop import CPA, CPC, CPM, Shop, change_campaign, make_shop

KILLS = int(os.environ.get("CRASH_KILLS", "6"))
ITEMS = [str(number) for number in range(40)]
ONCE = {"frequency_cap": {"impressions": 1, "per": "day"}}
CAMPAIGNS = {
    "cpm": {**CPM, **ONCE, "total_budget_micros": 400_000},
    "vcpm": {**ONCE, "pricing_model": "vcpm", "rate_micros": 3_000_000},
    "cpc": {**CPC, **ONCE, "total_budget_micros": 100_000_000},
    "cpa": {**CPA, **ONCE},
    "uncapped": {"pricing_model": "cpm", "rate_micros": 10_000},
}
PAID_MICROS = 200_000_000
ENOUGH = 500  # acknowledgements between two kills, so that each crash meets a server at work
MOVED = 5  # of them orders, refunds and deposits
PATIENCE_SECONDS = 40.0


def crash_shop(server: RunningServer) -> Shop:
    """A prepaid account with a campaign of every pricing model, and one without a budget of its own."""
    shop = make_shop(server, ITEMS, CAMPAIGNS, trust_pixel_conversions=True, prepaid=True)
    paid = {"advertiser_id": shop.advertiser_id, "amount_micros": PAID_MICROS, "reference": "first"}
    with server.api() as api:
        api.post("/deposits", json=paid, headers={"Idempotency-Key": "first"}).raise_for_status()
    return shop


async def reached(is_so: Callable[[], bool], what: str) -> None:
    """Until a condition holds, while the load goes on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(POLL_SECONDS)


async def acknowledged_more(load: Load) -> None:
    """Enough of all, among it money that moved, some of it in each way."""
    goal, moved = load.count + ENOUGH, sum(money_moved(load)) + MOVED
    await reached(
        lambda: load.count >= goal and sum(money_moved(load)) >= moved and all(money_moved(load)),
        "the server acknowledges again",
    )


def money_moved(load: Load) -> tuple[int, int, int]:
    """Orders that were billed, refunds and deposits."""
    return len(load.books.sold), len(load.books.refunds), len(load.books.deposits)


async def under_load(load: Load, happening: Coroutine[None, None, None]) -> None:
    """Let something happen while visitors are busy; a visitor who was answered wrongly ends it at once."""
    working, acting = asyncio.create_task(load.run()), asyncio.create_task(happening)
    await asyncio.wait({working, acting}, return_when=asyncio.FIRST_COMPLETED)
    load.stop()
    if not acting.done():
        acting.cancel()
        await working
    await acting
    await working


def assert_nothing_is_lost(server: RunningServer, load: Load) -> None:
    """And billed, refunded or paid is what was said so, within the budgets of the moment."""
    print(told_of(server, load))
    assert load.faults() == [], told_of(server, load)
    assert all(money_moved(load)) and load.acknowledged.charges and load.acknowledged.nameless
    server.assert_audit_is_clean()


def told_of(server: RunningServer, load: Load) -> str:
    """What happened, in figures."""
    tables = ("events", "ad_events", "conversions", "charges", "refunds", "deposits", "refused_charges")
    rows = {name: server.rows(f"SELECT COUNT(*) FROM {name}")[0][0] for name in tables}
    return (
        f"acknowledged {load.count}, answers {dict(load.acknowledged.answers)}\n"
        f"letters {len(load.letters.answers)}, repeated {load.letters.repeats}, {dict(load.books.answers)}\n"
        f"unanswered {dict(load.unanswered)}, rows {rows}"
    )


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * KILLS)
def test_killing_the_writer_and_the_workers_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    dice = random.Random(KILLS)
    with RunningServer(tmp_path, workers=2) as server:
        load = Load(server, crash_shop(server), ITEMS, dice)

        async def kill_at_random_moments() -> None:
            for number in range(KILLS):
                await acknowledged_more(load)
                await asyncio.sleep(dice.random() / 5)
                victims = ("writer", dice.choice(("worker 1", "worker 2")), "jobs")
                await kill(server, victims[0 if number % 2 == 0 else dice.choice((1, 1, 2))])
            await acknowledged_more(load)

        asyncio.run(under_load(load, kill_at_random_moments()))
        asyncio.run(load.ask_all_again())
        assert server.stop() == 0
        assert_nothing_is_lost(server, load)


async def kill(server: RunningServer, name: str) -> None:
    """`kill -9` of a child, and wait for its successor."""
    victim = server.children()[name]
    os.kill(victim, signal.SIGKILL)
    await reached(lambda: server.children().get(name, victim) != victim, f"the {name} is started again")


def test_killing_the_only_worker_or_all_at_once_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        load = Load(server, crash_shop(server), ITEMS, random.Random(1))

        async def kill_twice() -> None:
            await acknowledged_more(load)
            await kill(server, "worker 1")
            await acknowledged_more(load)
            server.kill()
            await asyncio.to_thread(server.start)
            await acknowledged_more(load)

        asyncio.run(under_load(load, kill_twice()))
        assert server.stop() == 0
        assert_nothing_is_lost(server, load)


def test_when_the_supervisor_is_killed_its_children_end_and_the_data_opens_again(tmp_path: Path) -> None:
    with RunningServer(tmp_path, workers=2) as server:
        load = Load(server, crash_shop(server), ITEMS, random.Random(2))

        async def kill_the_supervisor() -> None:
            await acknowledged_more(load)
            children = set(server.children().values())
            assert len(children) == 4
            server.kill_supervisor()
            await reached(lambda: not any(map(is_running, children)), "all children have ended")
            await asyncio.to_thread(server.start)
            await acknowledged_more(load)

        asyncio.run(under_load(load, kill_the_supervisor()))
        assert server.stop() == 0
        assert_nothing_is_lost(server, load)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_is_asked_to_stop_under_load_finishes_what_it_began(
    tmp_path: Path, workers: int
) -> None:
    with RunningServer(tmp_path, workers=workers) as server:
        load = Load(server, crash_shop(server), ITEMS, random.Random(3))

        async def stop_under_load() -> None:
            await acknowledged_more(load)
            assert await asyncio.to_thread(server.stop) == 0

        children = set(server.children().values())
        asyncio.run(under_load(load, stop_under_load()))
        wait_until(lambda: not any(map(is_running, children)), "all children have ended")
        assert "Traceback" not in server.log_text(), server.log_text()[-2000:]
        assert_nothing_is_lost(server, load)


# ---- those who judge the tables can tell wrong ones ----


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, Load]]:
    """A server that has stopped after some work, none of which is lost."""
    with RunningServer(tmp_path_factory.mktemp("judged")) as server:
        load = Load(server, crash_shop(server), ITEMS, random.Random(4))
        asyncio.run(under_load(load, acknowledged_more(load)))
        cap_what_is_spent(server, load)
        assert server.stop() == 0
        assert_nothing_is_lost(server, load)
        yield server, load


def cap_what_is_spent(server: RunningServer, load: Load) -> None:
    """Whatever caps the load's dice have left, one micro more than was spent passes these.

    Not where orders are billed: some may still be on their way.
    """
    name = "total_budget_micros"
    with server.api() as api:
        for campaign in api.get("/campaigns").raise_for_status().json()["items"]:
            if campaign["pricing_model"] != "cpa":
                spent = max(1, campaign["spend_micros"])
                change_campaign(api, campaign["id"], **{name: spent})
                load.books.wishes[campaign["id"], name] = spent


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("DELETE FROM events", "event "),
        ("DELETE FROM ad_events", "ad event "),
        ("DELETE FROM charges WHERE charge_id & 3 = 3", "was taken and has no charge"),
        ("DELETE FROM charges WHERE charge_id & 3 = 0", "charge "),
        ("DELETE FROM conversions WHERE by_server", "is missing"),
        ("UPDATE charges SET charge_id = charge_id + 4 WHERE charge_id & 3 = 3", "of an order nobody told"),
        ("UPDATE charges SET amount_micros = amount_micros * 1000", "spent of"),
        ("UPDATE refunds SET amount_micros = amount_micros + 1", "is kept"),
        ("DELETE FROM refunds", "None is kept"),
        ("DELETE FROM deposits WHERE reference != 'first'", "None is kept"),
        ("UPDATE deposits SET amount_micros = 1", "was paid in"),
        ("UPDATE campaigns SET body = json_set(CAST(body AS TEXT), '$.status', '', "
         "'$.total_budget_micros', -1, '$.daily_budget_micros', -1)", "was set to"),
    ],
)  # fmt: skip
def test_tables_that_are_not_as_was_acknowledged_are_told(
    judged: tuple[RunningServer, Load], wrong: str, told: str
) -> None:
    server, load = judged
    sound = server.database_path.read_bytes()
    try:
        with closing(sqlite3.connect(server.database_path, isolation_level=None)) as connection:
            connection.execute(wrong)
        assert any(told in fault for fault in load.faults())
    finally:
        server.database_path.write_bytes(sound)


def test_a_charge_of_what_was_refused_is_told(judged: tuple[RunningServer, Load]) -> None:
    _, load = judged
    charge, order = next(iter(load.acknowledged.charges)), next(iter(load.books.sold))
    load.acknowledged.refused.add(charge)
    load.books.orders[order] = ["cap_reached", "not_billable"]
    try:
        assert sum("refused and" in fault for fault in load.faults()) == 2
    finally:
        load.acknowledged.refused.discard(charge)
        load.books.orders[order] = ["taken"]
