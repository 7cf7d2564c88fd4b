"""The disk has the event before the visitor has the answer, as the kernel saw it."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.browser import Browser, Connection
from tests.simulation.crowd import readers_of_an_ad
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPC, NEWS_PAGE, SHOP_PAGE, Shop, consent, make_shop

EVENTS = 20
ITEM = "7"
STRACE = shutil.which("strace")

# What the kernel tells: one call on a line, or its beginning and its end on two, with the thread before it.
_LINE = re.compile(r"^(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)$")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


@pytest.fixture
def server(tmp_path: Path, trace: Path) -> Iterator[RunningServer]:
    """A server of one worker, every read, write and flush of which is written down."""
    if STRACE is None:
        pytest.skip("missing: strace")
    running = RunningServer(tmp_path / "server")
    calls = "read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fdatasync,fsync"
    how = f"-D -f --seccomp-bpf -y -s 1500 -e trace={calls} -o".split()
    running.behind = (STRACE, *how, str(trace))
    with running:
        yield running


def steps_of(trace: Path, marker: str) -> list[str]:
    """From the request with this mark on: `asked`, `flushed` for each flush of the log that ended, `answered`."""
    steps: list[str] = []
    flushing: set[str] = set()
    for line in trace.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        thread, rest = found["thread"], found["rest"]
        call = found["call"] or found["resumed"]
        if call in ("fdatasync", "fsync"):
            if "adserver.db-wal>" in rest:
                flushing.add(thread)
            if thread in flushing and rest.endswith("= 0"):
                flushing.discard(thread)
                steps += ["flushed"] if steps else []
        elif marker in rest and "HTTP/1.1" in rest and call in ("read", "recvfrom", "recvmsg"):
            steps = ["asked"]
            flushing.clear()  # what was being flushed already cannot hold it
        elif steps and '"HTTP/1.1 ' in rest:
            return [*steps, "answered"]
    return []


async def send_events(server: RunningServer, shop: Shop, marks: list[str]) -> None:
    browser = Browser()
    async with Connection(server.url) as connection:
        for mark in marks:
            said = f"m={shop.public_id}&e=view_item&id={ITEM}&event_id={mark}&debug=1&{consent()}"
            answer = await browser.get(connection, f"/m/e?{said}", SHOP_PAGE)
            assert answer.event == "accepted"


@pytest.mark.slow
def test_the_log_is_flushed_between_each_request_and_its_answer(server: RunningServer, trace: Path) -> None:
    shop = make_shop(server, [ITEM], {"cpc": CPC})
    (reader,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))
    marks = [f"mark{number}end" for number in range(EVENTS)]
    asyncio.run(send_events(server, shop, marks))

    async def click() -> None:
        async with Connection(server.url) as connection:
            answer = await reader.browser.get(
                connection, f"{reader.shown.links[0]}&debug=1&markclick", NEWS_PAGE
            )
            assert answer.charge == "taken"

    asyncio.run(click())
    for mark in (*marks, "markclick"):
        wait_until(lambda mark=mark: bool(steps_of(trace, mark)), f"{mark} is in the trace")
        steps = steps_of(trace, mark)
        assert steps[0] == "asked" and steps[-1] == "answered" and "flushed" in steps, (mark, steps)


def test_the_reader_of_traces_sees_an_answer_that_came_too_soon(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    asked = '7 read(9<socket:[1]>, "GET /m/e?event_id=mark HTTP/1.1\\r\\n", 100) = 40'
    answered = '7 write(9<socket:[1]>, "HTTP/1.1 200 OK\\r\\n", 17) = 17'
    begun, ended = "8 fdatasync(5</d/adserver.db-wal> <unfinished ...>", "8 <... fdatasync resumed>) = 0"
    for lines, steps in (
        ([asked, begun, ended, answered], ["asked", "flushed", "answered"]),
        ([asked, begun, answered, ended], ["asked", "answered"]),
        ([begun, ended, asked, answered], ["asked", "answered"]),
        ([begun, asked, ended, answered], ["asked", "answered"]),
        ([asked, begun.replace("db-wal", "db"), ended, answered], ["asked", "answered"]),
        ([asked, begun, ended], []),
    ):
        trace.write_text("\n".join(lines))
        assert steps_of(trace, "mark") == steps
