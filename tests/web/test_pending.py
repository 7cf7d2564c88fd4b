"""An answer that waits is made once, of what was told first, and by whoever listens."""

import asyncio
from collections.abc import Callable

import pytest

from adserver.web.answers import Answer, plain
from adserver.web.pending import Pending, in_time, waited
from adserver.writes import Outcome, Result


def named(name: str) -> Answer:
    return plain(200, name)


@pytest.mark.parametrize("listens_first", [True, False])
def test_what_is_told_first_is_answered_once(listens_first: bool) -> None:
    pending, heard = Pending(named), list[Answer]()

    def listen() -> None:
        pending.then(lambda told: heard.append(told.answer()))

    steps: list[Callable[[], None]] = [lambda: pending.hear(Outcome(Result.TAKEN)), listen]
    for step in reversed(steps) if listens_first else steps:
        step()
    pending.tell("late")
    assert heard == [named("taken")]


def test_who_waits_in_a_coroutine_is_woken_and_may_have_gone() -> None:
    async def wait() -> Answer:
        stays, gone = Pending(named), Pending(named)
        tasks = [asyncio.ensure_future(waited(pending)) for pending in (stays, gone)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        gone.tell("taken")
        stays.tell("taken")
        return await tasks[0]

    assert asyncio.run(wait()) == named("taken")


def test_a_fault_of_what_makes_an_answer_in_time_reaches_who_asks_for_it() -> None:
    async def fails() -> Answer:
        raise LookupError

    async def ask() -> Answer:
        return await waited(in_time(fails()))

    with pytest.raises(LookupError):
        asyncio.run(ask())
