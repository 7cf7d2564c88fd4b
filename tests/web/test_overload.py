"""Past the limit: what is said to whom, alike through both doors, and which connections are closed."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from adserver.domain.identity import read_id
from adserver.domain.overload import FEW_REQUESTS, FEW_WRITES, PAUSE_SECONDS, WRITE_SECONDS
from adserver.ports import Deferred
from adserver.web import pulse
from adserver.web.connections import close_oldest, close_overdue, most_connections, who_waits
from adserver.web.protocol import ARRIVING_SECONDS, IDLE_SECONDS, LEAST_BYTES_PER_SECOND, UNREAD_SECONDS
from adserver.writes import AddCounts, Outcome, Result
from creatives.formats import FORMATS
from tests.web.test_doors import (
    HOST,
    PATIENCE_SECONDS,
    Doors,
    Held,
    ask,
    comparable,
    request,
    requests_of,
    statuses,
    told,
)

DOORS = ["asgi", "protocol"]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    opened = Doors(tmp_path_factory.mktemp("overload"))
    yield opened
    opened.close()


@pytest.fixture
def overloaded(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> Doors:
    monkeypatch.setattr(doors.world.server.pulse._overload, "refuses", lambda *asked, waits: True)
    return doors


def shown_ad(doors: Doors) -> str:
    browser = doors.world.browser()
    assert browser.view() == "accepted"
    return browser.see()


# ---- what is said ----


def test_both_doors_refuse_alike(overloaded: Doors) -> None:
    differing = {}
    for name, raw in requests_of(overloaded).items():
        answers = [comparable(ask(overloaded, door, raw)) for door in DOORS]
        if answers[0] != answers[1]:
            differing[name] = answers
    assert differing == {}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("line", [b"GET %s", b"POST %s", b"GET /i?t=abc", b"POST /v?t=abc&debug=1"])
def test_events_and_beacons_are_told_to_come_again(overloaded: Doors, door: str, line: bytes) -> None:
    line = line.replace(b"%s", overloaded.view())
    answer = ask(overloaded, door, request(line, b"Origin: https://shop.example"))
    assert statuses(answer) == [b"503"] and b"retry-after: 1\r\n" in answer
    readable = b"access-control-allow-origin: https://shop.example" in answer
    assert readable == (b"/m/e" in line)  # so that the tag can see that it must send again


@pytest.mark.parametrize("door", DOORS)
def test_an_order_is_heard_however_it_is_told(overloaded: Doors, door: str) -> None:
    merchant = overloaded.world.merchant.encode()
    tail = b"&e=purchase&transaction_id=" + door.encode() + b"-1&value=9&currency=EUR&id=boots&debug=1"
    answer = ask(overloaded, door, request(b"GET /m/e?m=" + merchant + tail))
    assert statuses(answer) == [b"200"] and b"x-event: accepted" in answer
    order = b'{"name":"trackTransaction","id":"%s-2","item":["boots"]}' % door.encode()
    body = b'{"m":"%s","debug":1,"events":[%s]}' % (merchant, order)
    answer = ask(overloaded, door, request(b"POST /m/e", body=body))
    assert statuses(answer) == [b"204"] and b"x-event: accepted" in answer


@pytest.mark.parametrize("door", DOORS)
def test_a_yes_is_taken_back_at_once(doors: Doors, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = doors.world.browser()
    assert browser.view() == "accepted"
    ((name, value),) = browser.cookies.items()
    monkeypatch.setattr(doors.world.server.pulse._overload, "refuses", lambda *asked, waits: True)
    body = b'{"m":"%s","events":[],"consent":{"granted":false,"cmp":"own"}}' % doors.world.merchant.encode()
    told = request(
        b"POST /m/e",
        b"Origin: https://shop.example",
        b"Cookie: %s=%s" % (name.encode(), value.encode()),
        body=body,
    )
    answer = ask(doors, door, told)
    assert statuses(answer) == [b"204"] and b"max-age=0" in answer.lower()
    assert statuses(ask(doors, door, request(b"POST /m/e", body=body))) == [
        b"503"
    ]  # who has nothing to take back


def test_a_slot_gets_the_house_ad_and_nobodys_profile_is_read(
    overloaded: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(key: int) -> None:
        raise AssertionError("a profile was read")

    world = overloaded.world
    monkeypatch.setattr(world.server.serve._judge._profiles, "profile", read)
    for door in DOORS:
        document = ask(overloaded, door, request(b"GET /slot/" + world.slot.encode()))
        assert statuses(document) == [b"200"] and b"x-slot: empty" in document
        assert b"frame-ancestors news.example" in document
        picture = ask(overloaded, door, request(b"GET /slot/" + world.slot.encode() + b".gif"))
        assert picture.endswith(world.server.draw.house(FORMATS["300x250"]))


@pytest.mark.parametrize("door", DOORS)
def test_a_click_leads_on_and_is_recorded(doors: Doors, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = shown_ad(doors).encode()
    monkeypatch.setattr(doors.world.server.pulse._overload, "refuses", lambda *asked, waits: True)
    answer = ask(doors, door, request(b"GET /c?t=" + token + b"&debug=1"))
    assert statuses(answer) == [b"302"] and b"location: https://shop.example/boots?" in answer
    assert b"x-charge: taken" in answer or b"x-charge: not_billable" in answer
    picture = ask(doors, door, request(b"GET /slot/" + doors.world.slot.encode() + b"/click?n=1"))
    assert statuses(picture) == [b"302"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/healthz", b"200"), (b"/readyz", b"200"), (b"/m/tag.js", b"200"), (b"/slot.js", b"200"),
        (b"/privacy", b"200"), (b"/api/v1/openapi.json", b"200"), (b"/api/v1/campaigns", b"401"),
        (b"/slot/slot_none", b"404"),
    ],
)  # fmt: skip
def test_all_else_is_reached(overloaded: Doors, door: str, path: bytes, status: bytes) -> None:
    assert statuses(ask(overloaded, door, request(b"GET " + path))) == [status]


def test_what_is_refused_is_counted_and_not_stored(overloaded: Doors) -> None:
    world = overloaded.world
    slot_key = read_id("slot", world.slot)
    assert slot_key is not None
    world.server.report_counts()
    stored = world.storage.reader.row("SELECT COUNT(*) FROM events, decisions, charges")
    before = counts_of(overloaded, slot_key), counts_of(overloaded, 0)
    for line in (b"GET " + overloaded.view(), b"POST /i?t=abc", b"GET /slot/" + world.slot.encode()):
        ask(overloaded, "protocol", request(line))
    of_slot, of_all = counts_of(overloaded, slot_key), counts_of(overloaded, 0)
    for name in ("requests", "empty", "shed_slot"):
        assert of_slot[name] == before[0].get(name, 0) + 1
    for name in ("shed_event", "shed_beacon"):
        assert of_all[name] == before[1].get(name, 0) + 1
    assert world.storage.reader.row("SELECT COUNT(*) FROM events, decisions, charges") == stored


def counts_of(doors: Doors, owner_key: int) -> dict[str, int]:
    """Once the writer has what was counted: it takes writes in their order."""

    async def report() -> None:
        doors.world.server.report_counts()

    doors.world.wait(report())
    doors.world.storage.writer.commit(AddCounts(()))
    return doors.world.storage.stats.counts(owner_key, 0)


# ---- how it is known ----


class Clock:
    """A loop that beats when the test says so, and its writer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 50.0
        self.waiting = 0
        self.probes: list[Deferred] = []
        monkeypatch.setattr(pulse, "monotonic", lambda: self.now)
        self.pulse = pulse.Pulse(self)  # type: ignore[arg-type]
        self.beat = lambda: self.pulse.beat(self)  # type: ignore[arg-type]

    def call_later(self, seconds: float, beat: Callable[..., None], *given: object) -> None: ...

    def submit(self, write: object) -> Deferred:
        self.probes.append(Deferred())
        return self.probes[-1]


def test_a_loop_that_does_not_come_round_refuses_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.beat()
    assert not any(clock.pulse.refuses() for _ in range(FEW_REQUESTS))
    clock.now += PAUSE_SECONDS + 0.01
    assert clock.pulse.refuses()
    clock.beat()
    assert not clock.pulse.refuses()


def test_writes_are_refused_where_an_empty_one_behind_them_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    clock.waiting = 4 * FEW_WRITES
    clock.beat()
    assert not clock.pulse.refuses() and len(clock.probes) == 1
    clock.now += WRITE_SECONDS * 2
    clock.beat()
    assert clock.pulse.refuses() and len(clock.probes) == 1  # it is not back yet, and known to be late
    clock.probes[0].resolve(Outcome(Result.SAVED))
    assert clock.pulse.refuses()
    clock.waiting = FEW_WRITES
    assert not clock.pulse.refuses()


def test_a_fast_writer_may_have_many_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.waiting = 4 * FEW_WRITES
    clock.beat()
    clock.now += WRITE_SECONDS / 2
    clock.probes[0].resolve(Outcome(Result.SAVED))
    clock.beat()
    assert not clock.pulse.refuses() and len(clock.probes) == 2
    clock.waiting = 9 * FEW_WRITES
    assert clock.pulse.refuses()


# ---- slow clients ----


class Round:
    """Goes the round of a door's connections, as if so many seconds had passed."""

    def __init__(self, doors: Doors, door: str) -> None:
        self._doors = doors
        self._connections = doors.servers[door].server_state.connections

    def go(self, seconds: float) -> None:
        async def go() -> None:
            close_overdue(self._connections, time.monotonic() + seconds)

        self._doors.world.wait(go())

    def keep(self, most: int) -> None:
        async def keep() -> None:
            close_oldest(self._connections, most)

        self._doors.world.wait(keep())

    def wait_until(self, holds: Callable[[list[object]], bool]) -> None:
        """Until something holds of the connections that are open."""
        deadline = time.monotonic() + PATIENCE_SECONDS

        async def look() -> bool:
            return holds(list(self._connections))

        while not self._doors.world.wait(look()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def wait_for_bytes(self, count: int) -> None:
        self.wait_until(lambda all_: any(one.received_bytes >= count for one in all_))  # type: ignore[attr-defined]


@pytest.fixture(params=DOORS)
def round_of(request: pytest.FixtureRequest, doors: Doors) -> tuple[Round, str]:
    going = Round(doors, request.param)
    going.wait_until(lambda all_: not all_)
    return going, request.param


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True


HALVES = {
    "a head": b"GET /m/e?m=1 HTTP/1.1\r\nHost: car",
    "a body": b"POST /m/e HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{",
    "a body of the framework's": b"POST /api/v1/hooks/shopify/x HTTP/1.1\r\n" + HOST
    + b"Content-Length: 100\r\n\r\n{",
}  # fmt: skip


@pytest.mark.parametrize("half", HALVES)
def test_a_request_that_does_not_arrive_is_not_waited_for(
    doors: Doors, round_of: tuple[Round, str], half: str
) -> None:
    going, door = round_of
    with closing(doors.connect(door)) as slow, closing(doors.connect(door)) as idle:
        slow.sendall(HALVES[half])
        going.wait_for_bytes(len(HALVES[half]))
        going.go(ARRIVING_SECONDS - 5)
        assert is_open(slow)
        going.go(ARRIVING_SECONDS + 1)
        assert told(slow) == b""
        assert is_open(idle)


def test_a_long_request_has_longer(doors: Doors, round_of: tuple[Round, str]) -> None:
    going, door = round_of
    sent = b"POST /m/e HTTP/1.1\r\n" + HOST + b"Content-Length: 99999\r\n\r\n" + b"x" * 30_000
    with closing(doors.connect(door)) as steady:
        steady.sendall(sent)
        going.wait_for_bytes(len(sent))
        going.go(ARRIVING_SECONDS + len(sent) / LEAST_BYTES_PER_SECOND - 5)
        assert is_open(steady)
        going.go(ARRIVING_SECONDS + len(sent) / LEAST_BYTES_PER_SECOND + 1)
        assert not is_open(steady)


def test_an_idle_connection_is_closed_later_than_a_proxy_would(
    doors: Doors, round_of: tuple[Round, str]
) -> None:
    going, door = round_of
    with closing(doors.connect(door)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\nok"):  # head and body may come apart
            answer += idle.recv(1)
        assert answer.startswith(b"HTTP/1.1 200")
        going.go(IDLE_SECONDS - 5)
        assert is_open(idle)
        going.go(IDLE_SECONDS + 1)
        assert told(idle) == b""


def test_whoever_waits_for_our_answer_is_never_closed(
    doors: Doors, round_of: tuple[Round, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    going, door = round_of
    held = Held(doors, monkeypatch)
    with closing(doors.connect(door)) as waiting:
        waiting.sendall(request(b"GET " + doors.view()))
        held.wait_for(1)
        going.go(10_000.0)
        going.keep(0)
        held.let_go()
        assert statuses(told(waiting)) == [b"200"]


def test_whoever_reads_nothing_is_closed(doors: Doors, round_of: tuple[Round, str]) -> None:
    going, door = round_of
    kept = b"GET /m/tag.js HTTP/1.1\r\n" + HOST + b"\r\n"
    with closing(doors.connect(door)) as slow:
        slow.sendall(kept * 1_000)
        going.wait_until(lambda all_: any(one.transport.get_write_buffer_size() for one in all_))  # type: ignore[attr-defined]
        doors.most_buffered(door)  # until the kernel takes no more
        going.go(0.0)
        going.go(UNREAD_SECONDS - 5)
        assert going._connections
        going.go(UNREAD_SECONDS + 1)
        going.wait_until(lambda all_: not all_)


def test_the_longest_idle_make_room(doors: Doors, round_of: tuple[Round, str]) -> None:
    going, door = round_of
    opened = []
    for count in range(1, 4):
        opened.append(doors.connect(door))
        going.wait_until(lambda all_, count=count: len(all_) == count)  # type: ignore[misc]
    going.keep(2)
    assert [is_open(one) for one in opened] == [False, True, True]
    for one in opened:
        one.close()


def test_room_is_left_for_files() -> None:
    assert most_connections(20_000) == 15_000


def test_all_who_wait_are_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        taken = list(who_waits(listener))
        assert {one.getpeername() for one in taken} == {one.getsockname() for one in clients}
        assert list(who_waits(listener)) == []
        for one in (*clients, *taken):
            one.close()
