"""Every refusal of audiences and suppression lists, with a request that is refused so."""

from collections.abc import Callable

import httpx

from tests.web.api import Api, World, audience_body

Ask = Callable[[Api, World], httpx.Response]


def audience(**fields: object) -> Ask:
    """A new audience by lists, sound unless told otherwise."""
    return lambda api, world: api.call("POST", "/audiences", audience_body(world.advertiser) | fields)


def nested(rules: object) -> Ask:
    """A new audience by nested rules."""
    return lambda api, world: api.call("POST", "/audiences", named_only(world) | {"rules": rules})


def named_only(world: World) -> dict[str, object]:
    return {"advertiser_id": world.advertiser, "name": "Nobody"}


def new_list(api: Api, world: World, **body: object) -> httpx.Response:
    return api.call("POST", f"/advertisers/{world.advertiser}/suppression-lists", {"name": "Staff"} | body)


def one_list_too_many(api: Api, world: World) -> httpx.Response:
    for _ in range(50):
        answer = new_list(api, world)
    return answer


def a_file_of_nobody(api: Api, world: World) -> httpx.Response:
    path = f"/advertisers/{world.advertiser}/suppression-lists/{world.suppression_list}/visitors"
    return api.call("PUT", path, content=b"visitor\nsomebody@shop.example\n")


SEEN: dict[str, object] = {"event": "view_item", "retention_days": 30}
PAGE: dict[str, object] = {"event": "page_view", "retention_days": 1, "items": {"brands": ["Acme"]}}
AD: dict[str, object] = {"event": "ad_seen", "retention_days": 1, "value": {"one_at_least_micros": 1}}
NO_SET = {"items": {"product_set_id": "set_0000000000000"}}
OUT = {"exclude": {"event": "purchase", "retention_days": 30}}

CASES: list[tuple[str, int, Ask]] = [
    ("unknown_product_set", 422, nested(SEEN | NO_SET)),
    ("audience_says_nothing", 422, lambda api, world: api.call("POST", "/audiences", named_only(world))),
    ("audience_said_twice", 422, audience(rules=SEEN)),
    ("empty_group", 422, nested({"any": []})),
    ("exclusion_without_inclusion", 422, nested({"all": [OUT]})),
    ("exclusion_in_any", 422, nested({"any": [SEEN, OUT]})),
    ("exclusion_in_exclusion", 422, nested({"all": [SEEN, {"exclude": OUT}]})),
    ("two_exclusions", 422, nested({"all": [SEEN, OUT, OUT]})),
    ("too_deep", 422, nested({"any": [{"all": [{"any": [{"all": [SEEN]}]}]}]})),
    ("too_many_rules", 422, nested({"any": [SEEN] * 21})),
    ("limits_reversed", 422, nested(SEEN | {"count": {"at_least": 2, "at_most": 1}})),
    ("filter_says_nothing", 422, nested(SEEN | {"items": {}})),
    ("items_not_kept", 422, nested(PAGE)),
    ("value_not_kept", 422, nested(AD)),
    ("audience_never_served", 422, audience(wait_minutes=60 * 24 * 8)),
    ("unknown_campaign", 422, lambda api, world: new_list(api, world, campaign_ids=["cmp_0000000000000"])),
    ("too_many_lists", 409, one_list_too_many),
    ("nobody_named", 422, a_file_of_nobody),
]
