"""The bench's requests are what browsers send, and none of them is sent twice; no server is asked here."""

from itertools import islice
from pathlib import Path

import pytest

from adserver.writes import StoreEvent
from pixel.consent import Region, Signals, decide
from pixel.parse import Hit, from_query
from tests.bench.cases import CASES, NEWS_PAGE, SHOP_PAGE, Case, mixed, pixel, slot_gif
from tests.bench.world import Size, World, visits
from tests.simulation.browser import Answer

SMALL = Size(visitors=60, products=80, campaigns=40)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"), SMALL)


def make_answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_request_is_whole_and_names_its_host(case: Case, world: World) -> None:
    for ask in islice(case.asks(world), 5):
        head, _, body = ask.to_bytes("127.0.0.1:8000").partition(b"\r\n\r\n")
        assert head.startswith(f"{ask.method} /".encode())
        assert b"\r\nHost: 127.0.0.1:8000\r\n" in head
        assert b"\0" not in head + body  # what separates the requests of a file
        assert (b"Content-Length: %d" % len(body) in head) is (ask.method == "POST")


@pytest.mark.parametrize("name", ["pixel", "pixel-new", "beacon", "impression", "click"])
def test_what_counts_once_is_sent_once(name: str, world: World) -> None:
    case = next(case for case in CASES if case.name == name)
    asks = list(islice(case.asks(world), 3 * SMALL.visitors))
    assert len({ask.target if ask.body is None else ask.body for ask in asks}) == len(asks)


def test_all_visitors_come_before_one_comes_again(world: World) -> None:
    asks = islice(CASES[0].asks(world), SMALL.visitors)
    assert len({ask.cookie for ask in asks}) == SMALL.visitors


def test_returning_visitors_state_the_consent_that_their_profiles_stand_on(world: World) -> None:
    said = from_query(next(pixel(world)).target.partition("?")[2].encode())
    assert isinstance(said, Hit)
    shop = Signals(Region.STRICT, world.clock(), said.said, origin_verified=True, site=SHOP_PAGE)
    (first, *_), proof = visits(world), decide(shop).proof
    assert isinstance(first, StoreEvent)
    assert first.proof == proof is not None


def test_mixed_traffic_has_twenty_five_slots_among_a_hundred_and_sixty_five(world: World) -> None:
    pages = [ask.page for ask in islice(mixed(world), 330)]
    assert pages.count(NEWS_PAGE) == 50


def test_only_visitors_of_shops_with_drawn_frames_ask_for_pictures(tmp_path: Path) -> None:
    world = World(tmp_path, Size(visitors=60, products=400, campaigns=200))
    known = {visitor.cookie: visitor.shops for visitor in world.visitors}
    asked = [known[str(ask.cookie)] for ask in islice(slot_gif(world), 100)]
    assert asked and max(max(shops) for shops in asked) < 10


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("pixel", make_answer(x_event="accepted"), make_answer(x_event="duplicate")),
        ("pixel-new", make_answer(x_event="accepted", set_cookie="rt=1"), make_answer(x_event="accepted")),
        ("beacon", make_answer(204, x_event="accepted"), make_answer(503)),
        (
            "slot",
            make_answer(200, b"/c?t=a /c?t=b /c?t=c /c?t=d", x_slot="filled"),
            make_answer(200, b"/c?t=a /c?t=a /c?t=a /c?t=a", x_slot="filled"),
        ),
        ("slot-stranger", make_answer(x_slot="empty"), make_answer(x_slot="filled")),
        ("impression", make_answer(x_charge="taken"), make_answer(x_charge="repeated")),
        ("click", make_answer(302, x_charge="taken"), make_answer(302, x_charge="cap_reached")),
    ],
)
def test_an_answer_that_does_less_is_a_fault(name: str, good: Answer, bad: Answer) -> None:
    case = next(case for case in CASES if case.name == name)
    assert case.fault(good) is None
    assert case.fault(bad) is not None
