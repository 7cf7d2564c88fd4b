"""Past the limit: twice the load that the server can carry, 10,000 idle connections, and slow heads."""

import gc
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import uvloop

from tests.bench import processor
from tests.bench.cases import click, impression, pixel, slot
from tests.bench.crowd import Crowd, Report
from tests.bench.measure import served
from tests.bench.world import World
from tests.simulation.running_server import RunningServer

STRETCH_SECONDS = 4.0
IDLE, SLOW = 10_000, 500
SLOW_SECONDS = 12.0
SPARE_FILES = 1_000
TURN = "ppppspipsppppsppipp" * 5 + "c"  # pixels, slots, impressions and a click, mixed as on pages
Tell = Callable[[str], None]


def measure_overload(world: World, folder: Path, capacity: float, tell: Tell) -> dict[str, Any]:
    """With one worker; `capacity` is how much of the mixed traffic it answers per second, as was measured."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    gc.freeze()  # the world is large, and does not change
    with served(world, folder, 1) as (server, _):
        found: dict[str, Any] = uvloop.run(_measure(world, server, capacity, tell))
        return found


async def _measure(world: World, server: RunningServer, capacity: float, tell: Tell) -> dict[str, Any]:
    stretches = _Stretches(world, server, tell)
    await stretches.run({"half of the limit": capacity / 2})
    reports = await stretches.run({"twice the limit": capacity * 2, "half again": capacity / 2})
    normal_seconds = reports[1].seconds_until_normal
    tell(f"  back to normal {normal_seconds:.2f} s after the load fell (must 1)")
    await stretches.run({"four times the limit": capacity * 4})
    with ExitStack() as stack:
        before_mb = _resident_mb(server)
        idle = [stack.enter_context(_connection(server)) for _ in range(min(IDLE, _free_files()))]
        await stretches.run({f"half, beside {len(idle):,} idle": capacity / 2})
        idle_kb = (_resident_mb(server) - before_mb) * 1_024 / len(idle)
        tell(f"  an idle connection holds {idle_kb:.1f} kB")
        slow = [one for one in idle[:SLOW] if one.send(b"GET /m/e?")]
        await stretches.run({f"half, beside {len(slow)} slow heads": capacity / 2}, SLOW_SECONDS)
        left = sum(map(_is_open, slow))
        tell(f"  {left} of the slow heads are left after {SLOW_SECONDS:.0f} s")
    stretches.close()
    figures = {"normal_seconds": normal_seconds, "idle_connection_kb": idle_kb, "slow_heads_left": left}
    return {"capacity": capacity, "lines": stretches.lines, **figures}


class _Stretches:
    """Rates against one server, one after the other; each request is asked once."""

    def __init__(self, world: World, server: RunningServer, tell: Tell) -> None:
        self._requests = _requests(world, server.port)
        self._crowd = Crowd(server.port)
        self._tell = tell
        self.lines: list[str] = []

    async def run(self, rates: dict[str, float], seconds: float = STRETCH_SECONDS) -> list[Report]:
        """Without a rest in between; what became of each, once all is quiet."""
        prepared = {name: list(islice(self._requests, int(rate * seconds))) for name, rate in rates.items()}
        stretches = [await self._crowd.ask(prepared[name], rate) for name, rate in rates.items()]
        await self._crowd.quiet()
        reports = [self._crowd.report(stretch) for stretch in stretches]
        for (name, rate), report in zip(rates.items(), reports, strict=True):
            self.lines.append(f"{name:28} {rate:7,.0f}/s: {report.line()}")
            self._tell(f"  {self.lines[-1]}")
        return reports

    def close(self) -> None:
        self._crowd.close()


def _requests(world: World, port: int) -> Iterator[bytes]:
    asks = {"p": pixel(world), "s": slot(world), "i": impression(world), "c": click(world)}
    for kind in cycle(TURN):
        yield next(asks[kind]).to_bytes(f"127.0.0.1:{port}")


def _free_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES


def _resident_mb(server: RunningServer) -> float:
    return max(processor.resident_mb(server.pid).values())


def _connection(server: RunningServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port))


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
