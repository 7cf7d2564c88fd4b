"""The funnel over HTTP: its figures and exits, whose it is, and what it refuses by name."""

from itertools import count
from typing import Any

from adserver.writes import StoreEvent
from pixel.events import EventName
from tests.contract.stores import roll_up_funnel
from tests.domain.makers import make_event
from tests.web.api import NOW_MS, Api, World, key_behind

NOBODY = {"visitors": 0, "events": 0}
_keys = count(1)


def path(world: World) -> str:
    return f"/advertisers/{world.advertiser}/funnel"


def tell(api: Api, world: World, name: EventName, visitors: range) -> None:
    event = make_event(name, url=f"https://shop.example/{name}")
    owner = key_behind(world.advertiser)
    api.storage.writer.commit_many(
        [StoreEvent(next(_keys), owner, visitor, False, event, NOW_MS) for visitor in visitors]
    )


def get(api: Api, world: World, **asked: object) -> Any:
    answer = api.call("GET", path(world), key=world.advertiser_key, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_funnel_of_nobody_is_all_noughts(api: Api, world: World) -> None:
    told = get(api, world)
    assert (told["from"], told["to"], told["exits"]) == ("2026-10-20", "2026-11-18", [])
    assert told["counted_until"] == "2026-11-18T11:06:10.000Z"
    assert [row["step"] for row in told["shop"]] == ["visit", "view", "cart", "checkout", "purchase"]
    assert [row["step"] for row in told["form"]] == ["form_start", "form_submit"]
    for row in (*told["shop"], *told["form"]):
        assert [row[name] for name in ("total", "exposed", "held_out", "others")] == [NOBODY] * 4


def test_a_funnel_says_how_far_visitors_came_and_where_they_left(api: Api, world: World) -> None:
    tell(api, world, EventName.VIEW_ITEM, range(1, 61))
    tell(api, world, EventName.ADD_TO_CART, range(1, 31))
    tell(api, world, EventName.ADD_TO_CART, range(1, 11))
    tell(api, world, EventName.FORM_START, range(100, 115))
    tell(api, world, EventName.FORM_SUBMIT, range(100, 104))
    roll_up_funnel(api.storage)
    told = get(api, world, **{"from": "2026-11-18", "to": "2026-11-18"})
    cart = told["shop"][2]
    assert cart["total"] == cart["others"] == {"visitors": 30, "events": 40}
    assert cart["exposed"] == cart["held_out"] == NOBODY
    assert [row["total"]["visitors"] for row in told["form"]] == [15, None]
    assert told["exits"] == [
        {"after": "visit", "page": "/form_start", "visitors": 11},
        {"after": "visit", "page": "(other)", "visitors": 4},
        {"after": "view", "page": "/view_item", "visitors": 30},
        {"after": "cart", "page": "/add_to_cart", "visitors": 30},
        {"after": "form_start", "page": "/form_start", "visitors": 11},
    ]
    assert get(api, world, to="2026-11-17")["shop"][1]["total"] == NOBODY


def test_a_funnel_is_its_advertisers_and_the_operators(api: Api, world: World) -> None:
    other = World(api, "B")
    assert api.call("GET", path(world)).status_code == 200
    assert api.call("GET", path(world), key=other.advertiser_key).status_code == 404
    assert api.call("GET", path(world), key=world.publisher_key).status_code == 403
    assert api.call("GET", path(world), key="").status_code == 401


def test_a_period_that_cannot_be_told_is_refused(api: Api, world: World) -> None:
    for asked, code in (
        ({"from": "2026-11-18", "to": "2026-11-17"}, "bad_period"),
        ({"from": "2020-01-01", "to": "2026-11-17"}, "bad_period"),
        ({"from": "yesterday"}, "invalid_request"),
        ({"group_by": "campaign"}, "invalid_request"),
    ):
        answer = api.call("GET", path(world), key=world.advertiser_key, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
