"""A campaign with all that belongs to it over HTTP: made whole or not at all, and what to expect of it."""

from typing import Any

import pytest

from adserver.domain.eligibility import Refusal
from adserver.writes import AddCounts
from tests.web.api import NOW_MS, Api, World, campaign_body, key_behind
from tests.web.test_api_audience_sizes import crowd, recount

HOUR_MS = 3_600_000
LOOK = {"template": "cards", "brand": {"name": "Nordhaus"}}


def launch_body(world: World, **fields: Any) -> dict[str, Any]:
    carted = {"advertiser_id": world.advertiser, "name": "Carts", "preset": "cart_abandoners"}
    return {"campaign": campaign_body(world.advertiser), "creative": LOOK, "audiences": [carted]} | fields


def ask(api: Api, world: World, method: str, path: str, **more: Any) -> Any:
    return api.call(method, path, key=world.advertiser_key, **more)


def listed(api: Api, world: World) -> list[int]:
    return [len(ask(api, world, "GET", path).json()["items"]) for path in ("/campaigns", "/audiences")]


def count(api: Api, campaign: str, **counted: int) -> None:
    hour_ms = NOW_MS - NOW_MS % HOUR_MS
    rows = tuple((hour_ms, name, key_behind(campaign), n) for name, n in counted.items())
    api.storage.writer.commit(AddCounts(rows))


def test_a_launch_makes_campaign_creative_and_audience_together(api: Api, world: World) -> None:
    answer = ask(api, world, "POST", "/campaigns/launch", json=launch_body(world))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["creative"]["campaign_id"] == made["campaign"]["id"]
    assert [one["audience_id"] for one in made["campaign"]["audiences"]] == [made["audiences"][0]["id"]]
    told = ask(api, world, "GET", f"/campaigns/{made['campaign']['id']}").json()
    assert told == made["campaign"]
    assert made["creative"]["approval"] == "pending"


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        ({"creative": LOOK | {"link": "https://shop.example/"}}, 422),
        ({"creative": LOOK | {"brand": {"name": ""}}}, 422),
        ({"creative": LOOK | {"offer": {"percent": 10, "pool": "pool_2s"}}}, 422),
    ],
)
def test_where_one_part_is_refused_nothing_is_made(
    api: Api, world: World, broken: dict[str, Any], status: int
) -> None:
    before = listed(api, world)
    answer = ask(api, world, "POST", "/campaigns/launch", json=launch_body(world, **broken))
    assert (answer.status_code, listed(api, world)) == (status, before)


def test_a_launch_is_made_once_for_an_idempotency_key(api: Api, world: World) -> None:
    before, told = listed(api, world), []
    for _ in range(2):
        answer = ask(
            api, world, "POST", "/campaigns/launch", json=launch_body(world),
            headers={"Idempotency-Key": "autumn"},
        )  # fmt: skip
        told.append(answer.json())
    assert told[0] == told[1]
    assert listed(api, world) == [n + 1 for n in before]


def test_an_audience_of_another_account_is_not_made(api: Api, world: World) -> None:
    other = {"advertiser_id": World(api, "B").advertiser, "name": "Carts", "preset": "cart_abandoners"}
    answer = api.call("POST", "/campaigns/launch", json=launch_body(world, audiences=[other]))
    assert answer.json()["code"] == "unknown_audience"


def test_nothing_is_expected_before_anything_is_known(api: Api, world: World) -> None:
    asked = {"pricing_model": "cpm", "rate_micros": 2_000_000}
    path = f"/advertisers/{world.advertiser}/outlook"
    assert ask(api, world, "GET", path, params=asked).json()["unknown"] == "not_counted"
    crowd(api, world, 60)
    recount(api)
    told = ask(api, world, "GET", path, params=asked).json()
    assert (told["unknown"], told["spend_micros"], told["size"]["size"]) == ("never_asked", None, 60)


def test_an_outlook_follows_from_the_shops_own_figures(api: Api, world: World) -> None:
    crowd(api, world, 60)
    recount(api)
    running = ask(api, world, "POST", "/campaigns/launch", json=launch_body(world)).json()["campaign"]["id"]
    api.call("PATCH", f"/campaigns/{running}", json={"status": "active"})
    count(api, running, fills=100, refused_outranked=100, refused_not_in_audience=200)
    api.refresh.poll()
    asked = {"pricing_model": "cpm", "rate_micros": 2_000_000, "presets": ["cart_abandoners"]}
    path = f"/advertisers/{world.advertiser}/outlook"
    told = ask(api, world, "GET", path, params=asked).json()
    # 10 of the 20 within reach have a cart: of 400 requests a day 200 are theirs, of which half is won.
    assert (told["requests"]["likely"], told["ads"]["likely"]) == (200, 100)
    assert told["spend_micros"]["likely"] == 200_000
    assert told["spend_micros"]["least"] < 200_000 < told["spend_micros"]["most"]
    capped = ask(api, world, "GET", path, params=asked | {"daily_budget_micros": 50_000}).json()
    assert (capped["spend_micros"]["likely"], capped["is_capped"]) == (50_000, True)
    somewhere = ask(api, world, "GET", path, params=asked | {"targeted": True}).json()
    assert somewhere["spend_micros"]["least"] == 0


def test_what_others_do_is_not_told(api: Api, world: World) -> None:
    other = World(api, "B")
    price = {"pricing_model": "cpm", "rate_micros": 1_000}
    for path, asked in (
        (f"/advertisers/{other.advertiser}/outlook", price),
        (f"/advertisers/{other.advertiser}/presets", {}),
        (f"/advertisers/{world.advertiser}/outlook", price | {"audience_ids": [other.audience]}),
        (f"/campaigns/{other.campaign}/outlook", {}),
        (f"/campaigns/{other.campaign}/today", {}),
    ):
        assert ask(api, world, "GET", path, params=asked).status_code == 404


def test_ready_made_audiences_are_counted_and_narrowed(api: Api, world: World) -> None:
    crowd(api, world, 60)
    recount(api)
    path = f"/advertisers/{world.advertiser}/presets"

    def size(**asked: Any) -> Any:
        items = ask(api, world, "GET", path, params=asked).json()["items"]
        return next(one["size"] for one in items if one["preset"] == "cart_abandoners")

    assert size() == 30
    assert size(item_ids=["boots"], retention_days=7) == 30
    assert size(item_ids=["scarf"]) == 0


def test_a_campaigns_day_tells_what_it_did_and_when_it_was_last_shown(api: Api, world: World) -> None:
    made = ask(api, world, "POST", "/campaigns/launch", json=launch_body(world)).json()["campaign"]["id"]
    path = f"/campaigns/{made}/today"
    assert ask(api, world, "GET", path).json()["last_shown_at"] is None
    count(api, made, fills=7, impressions=6, clicks=2, **{f"refused_{Refusal.OUTRANKED}": 1})
    told = ask(api, world, "GET", path).json()
    assert (told["impressions"], told["clicks"], told["conversions"]) == (6, 2, 0)
    assert told["last_shown_at"] is not None
    reasons = ask(api, world, "GET", f"/campaigns/{made}/refusals").json()["reasons"]
    assert [(one["refusal"], one["share"]) for one in reasons] == [("outranked", 0.125)]
