"""`kill -9` of any process under load: what was acknowledged is there, once, and the money adds up.

CRASH_KILLS=60 in the environment kills more often than the six times of every day.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from tests.simulation.load import Load, faults_of
from tests.simulation.running_server import POLL_SECONDS, RunningServer, is_running, wait_until
from tests.simulation.shop import CPC, CPM, Shop, make_shop

KILLS = int(os.environ.get("CRASH_KILLS", "6"))
ITEMS = [str(number) for number in range(40)]
CAMPAIGNS = {
    "cpm": {**CPM, "total_budget_micros": 400_000},
    "cpc": {**CPC, "total_budget_micros": 100_000_000},
    "uncapped": {"pricing_model": "cpm", "rate_micros": 10_000},
}
ENOUGH = 500  # acknowledgements between two kills, so that each crash meets a server at work
PATIENCE_SECONDS = 30.0


def crash_shop(server: RunningServer) -> Shop:
    return make_shop(server, ITEMS, CAMPAIGNS, trust_pixel_conversions=True)


async def reached(is_so: Callable[[], bool], what: str) -> None:
    """Until a condition holds, while the load goes on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(POLL_SECONDS)


async def acknowledged_more(load: Load) -> None:
    goal = load.acknowledged.count + ENOUGH
    await reached(lambda: load.acknowledged.count >= goal, "the server acknowledges again")


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
    assert faults_of(server, load.acknowledged) == [], load.acknowledged.answers
    assert load.acknowledged.charges and load.acknowledged.nameless, load.acknowledged.answers
    server.assert_audit_is_clean()


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
        assert server.stop() == 0
        assert_nothing_is_lost(server, load)


async def kill(server: RunningServer, name: str) -> None:
    """`kill -9` of a child, and wait for its successor."""
    victim = server.children()[name]
    os.kill(victim, signal.SIGKILL)
    await reached(lambda: server.children().get(name, victim) != victim, f"the {name} is started again")


def test_killing_a_server_of_one_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        load = Load(server, crash_shop(server), ITEMS, random.Random(1))

        async def kill_twice() -> None:
            for _ in range(2):
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
            server.kill()
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
