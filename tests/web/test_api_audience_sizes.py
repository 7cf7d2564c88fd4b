"""Sizes over HTTP: of saved audiences, drafts, overlaps and campaigns; whose they are, and what is refused."""

import random
from itertools import count
from typing import Any

from adserver.flows.audience_sizes import STRETCH, CountAudiences
from adserver.writes import SeenAtSlot, StoreEvent
from pixel.events import EventName
from tests.domain.makers import make_event
from tests.web.api import NOW_MS, Api, World, audience_body, campaign_body, key_behind

NOT_COUNTED = {
    "size": None, "size_range": None, "reachable": None, "reachable_range": None, "counted_at": None,
    "warnings": ["not_counted"],
    "says": "not counted yet: the first count is there within a few minutes of the server's start",
}  # fmt: skip
COUNTED_AT = "2026-11-18T11:06:40.000Z"
VIEWED = [{"event": "view_item", "retention_days": 30}]
_keys = count(1)


def crowd(api: Api, world: World, visitors: int = 60) -> None:
    """All have seen a product, every second has filled a cart, and every third was at a slot."""
    writes: list[StoreEvent | SeenAtSlot] = []
    owner = key_behind(world.advertiser)
    for visitor in range(1, visitors + 1):
        names = [EventName.VIEW_ITEM, EventName.ADD_TO_CART][: 1 + visitor % 2]
        events = [make_event(name, "boots") for name in names]
        writes += [StoreEvent(next(_keys), owner, visitor, False, event, NOW_MS) for event in events]
        writes += [SeenAtSlot(visitor, NOW_MS)] if visitor % 3 == 0 else []
    api.storage.writer.commit_many(writes)


def recount(api: Api) -> None:
    job = CountAudiences(api.storage, api.clock, random.Random(1).random)
    while job.run() == STRETCH:
        continue


def get(api: Api, world: World, path: str, **asked: object) -> Any:
    answer = api.call("GET", path, key=world.advertiser_key, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sized(answer: Any) -> Any:
    return {name: answer[name] for name in NOT_COUNTED}


def test_an_audience_says_how_many_it_holds_and_how_many_of_them_may_be_reached(
    api: Api, world: World
) -> None:
    crowd(api, world)
    path = f"/audiences/{world.audience}"
    assert sized(get(api, world, path)) == NOT_COUNTED
    recount(api)
    told = {
        "size": 30, "size_range": None, "reachable": 10, "reachable_range": None, "counted_at": COUNTED_AT,
        "warnings": ["few"],
        "says": "of 30 in this audience, 10 were seen on our slots in 7 days; narrowed by place, list or value,"
        " an audience needs 50 to be served",
    }  # fmt: skip
    assert sized(get(api, world, path)) == told
    [listed] = get(api, world, "/audiences")["items"]
    assert sized(listed) == told


def test_a_draft_is_counted_and_not_saved(api: Api, world: World) -> None:
    crowd(api, world, 2_140)  # more than are looked up
    recount(api)
    answer = api.call("POST", "/audiences/preview", audience_body(world.advertiser), world.advertiser_key)
    assert answer.status_code == 200
    found = answer.json()
    for name, truth in (("size", 1_070), ("reachable", 357)):
        within = found[f"{name}_range"]
        assert within["least"] <= truth <= within["most"] < 1.05 * truth
        assert within["least"] <= found[name] <= within["most"]
    assert found["says"].startswith("of about 1,0") and found["warnings"] == []
    assert len(get(api, world, "/audiences")["items"]) == 1


def test_a_few_people_are_never_told_of(api: Api, world: World) -> None:
    body = audience_body(world.advertiser, inclusions=VIEWED)
    for visitors, size, warning, says in (
        (0, 0, "nobody", "nobody in this audience yet"),
        (9, None, "too_few", "fewer than 10 people in this audience: too few to launch"),
    ):
        crowd(api, world, visitors)
        recount(api)
        found = api.call("POST", "/audiences/preview", body, world.advertiser_key).json()
        assert (found["size"], found["warnings"], found["says"]) == (size, [warning], says)


def test_two_audiences_say_how_many_they_share(api: Api, world: World) -> None:
    crowd(api, world)
    viewers = api.make("/audiences", audience_body(world.advertiser, inclusions=VIEWED))["id"]
    asked = {"with": viewers}
    path = f"/audiences/{world.audience}/overlap"
    assert get(api, world, path, **asked)["counted_at"] is None
    recount(api)
    assert get(api, world, path, **asked) == {
        "size": 30, "other_size": 60, "overlap": 30, "overlap_range": None, "counted_at": COUNTED_AT,
        "says": "30 are in both: 100% of this audience, 50% of the other",
    }  # fmt: skip


def test_a_campaign_counts_each_visitor_of_its_audiences_once(api: Api, world: World) -> None:
    crowd(api, world)
    viewers = api.make("/audiences", audience_body(world.advertiser, inclusions=VIEWED))["id"]
    named = [{"audience_id": one} for one in (viewers, world.audience)]
    campaign = api.make("/campaigns", campaign_body(world.advertiser, audiences=named))["id"]
    recount(api)
    for path in (f"/campaigns/{campaign}/reach", f"/campaigns/{world.campaign}/reach"):
        found = get(api, world, path)
        assert (found["size"], found["reachable"]) == (60, 20)
        assert found["says"] == "of 60 for this campaign, 20 were seen on our slots in 7 days"


def test_nobody_learns_the_sizes_of_others(api: Api, world: World) -> None:
    other = World(api, "B")
    for path in (
        f"/audiences/{world.audience}", f"/audiences/{world.audience}/overlap?with={other.audience}",
        f"/audiences/{other.audience}/overlap?with={world.audience}", f"/campaigns/{world.campaign}/reach",
    ):  # fmt: skip
        assert api.call("GET", path, key=other.advertiser_key).status_code == 404
        assert api.call("GET", path, key=world.publisher_key).status_code == 403
    body = audience_body(world.advertiser)
    assert api.call("POST", "/audiences/preview", body, other.advertiser_key).status_code == 404
    # Not even the operator compares two shops' visitors.
    answer = api.call("GET", f"/audiences/{world.audience}/overlap", params={"with": other.audience})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_audience")


def test_an_overlap_with_what_is_no_audience_is_refused(api: Api, world: World) -> None:
    path = f"/audiences/{world.audience}/overlap"
    for asked in ({}, {"with": "boots"}, {"with": "aud_0"}, {"other": world.audience}):
        answer = api.call("GET", path, key=world.advertiser_key, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    answer = api.call("GET", path, key=world.advertiser_key, params={"with": "aud_0000000000001"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_draft_that_could_not_be_saved_is_not_counted(api: Api, world: World) -> None:
    too_long = [{"event": "view_item", "retention_days": 31}]
    body = audience_body(world.advertiser, inclusions=too_long)
    answer = api.call("POST", "/audiences/preview", body, world.advertiser_key)
    assert (answer.status_code, answer.json()["code"], answer.json()["kept_days"]) == (
        422,
        "longer_than_kept",
        30,
    )
    body = audience_body(world.advertiser, inclusions=[])
    assert api.call("POST", "/audiences/preview", body, world.advertiser_key).status_code == 422
