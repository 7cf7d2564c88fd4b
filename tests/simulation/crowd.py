"""Many visitors at the same moment, over connections that really reach every worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from tests.simulation.browser import Browser, Connection
from tests.simulation.running_server import RunningServer, sockets_of
from tests.simulation.shop import Shop, Shown, ask_slot, tell

AT_ONCE = 20  # while an audience is made, which is not what is tested
LEAST_OF_A_WORKER = 10
MOST_CONNECTIONS = 1_500

Guest = TypeVar("Guest")
Told = TypeVar("Told")


class Reader(NamedTuple):
    """A visitor who was shown an ad."""

    browser: Browser
    shown: Shown


@asynccontextmanager
async def connections_to_each_worker(server: RunningServer, count: int) -> AsyncIterator[list[Connection]]:
    """At least `count` open connections, of which no worker holds fewer than a few."""
    workers = [pid for name, pid in server.children().items() if name.startswith("worker")]
    before = {pid: sockets_of(pid) for pid in workers}
    opened: list[Connection] = []
    try:
        while len(opened) < count or any(sockets_of(w) < before[w] + LEAST_OF_A_WORKER for w in workers):
            assert len(opened) < MOST_CONNECTIONS, "one worker takes every connection"
            connection = Connection(server.url)
            opened.append(connection)
            await connection.ask("GET", "/healthz")  # so that a worker has taken it
        yield list(reversed(opened))
    finally:
        for connection in opened:
            connection.close()


async def all_at_once(
    server: RunningServer, guests: Sequence[Guest], act: Callable[[Guest, Connection], Awaitable[Told]]
) -> list[Told]:
    """Each guest acts in the same moment, over a connection of their own, both workers' in turn."""
    async with connections_to_each_worker(server, len(guests)) as connections:
        step = len(connections) / len(guests)
        chosen = [connections[int(number * step)] for number in range(len(guests))]
        return await asyncio.gather(*map(act, guests, chosen))


async def readers_of_an_ad(server: RunningServer, shop: Shop, count: int, item: str) -> list[Reader]:
    """Visitors who viewed an item in the shop and were then shown it on the news page."""
    waiting = iter(range(count))
    readers: list[Reader] = []

    async def come() -> None:
        async with Connection(server.url) as connection:
            for _ in waiting:
                browser = Browser()
                answer = await tell(browser, connection, shop, "view_item", f"&id={item}")
                assert answer.event == "accepted", answer
                shown = await ask_slot(browser, connection, next(iter(shop.slots.values())))
                assert shown is not None and shown.items == [item], shown
                readers.append(Reader(browser, shown))

    await asyncio.gather(*(come() for _ in range(AT_ONCE)))
    return readers
