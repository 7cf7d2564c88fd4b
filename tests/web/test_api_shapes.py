"""Bodies and queries are taken exactly as described, or not at all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from adserver.domain.money import LARGEST
from tests.web.api import (
    Api,
    World,
    advertiser_body,
    audience_body,
    campaign_body,
    cards_body,
    conversion_body,
    product_body,
    set_body,
    site_body,
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One server for this file: what is refused changes nothing."""
    api = Api(tmp_path_factory.mktemp("api"))
    yield api
    api.close()


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return World(api)


FORGED: list[dict[str, object]] = [
    {"spent": 0},
    {"spend_micros": 0},
    {"pending_micros": 0},
    {"unbilled_at_cap": 0},
    {"id": "cmp_0000000000000"},
    {"key": 1},
    {"version": 99},
    {"advertiser_id": "adv_0000000000000"},
    {"advertiser_key": 1},
    {"currency": "JPY"},
    {"delivery": "serving"},
    {"created_at": "2020-01-01T00:00:00Z"},
    {"cap": -1},
    {"audiences": None},
    {"audiences": {}},
    {"audiences": ["aud_0000000000000"]},
    {"audiences": [{"audience_id": "cmp_0000000000000"}]},
    {"audiences": [{"audience_id": "aud_0000000000000", "rate_micros": 0}]},
    {"audiences": [{"audience_id": "aud_0000000000000", "rate_micros": 1.5}]},
    {"audiences": [{"audience_id": "aud_0000000000000", "rate_micros": LARGEST + 1}]},
    {"audiences": [{"audience_id": "aud_0000000000000", "creative_ids": ["aud_0000000000000"]}]},
    {"audiences": [{"audience_id": "aud_0000000000000", "who": "all"}]},
    {"audiences": [{"audience_id": f"aud_{n:013}"} for n in range(21)]},
    {"contextual": "yes"},
    {"contextual": None},
    {"targeting": {"colours": {"operand": "in", "values": ["red"]}}},
    {"status": "approved"},
    {"daily_budget_micros": -1},
    {"daily_budget_micros": 0},
    {"daily_budget_micros": LARGEST + 1},
    {"daily_budget_micros": 1.5},
    {"daily_budget_micros": "5"},
    {"daily_budget_micros": True},
    {"rate_micros": None},
    {"name": None},
    {"name": ""},
    {"name": "x" * 101},
    {"name": "two\nlines"},
    {"name": "\u202etxet"},
    {"name": "\ud800"},
    {"bill_post_view": "yes"},
    {"click_window_days": 31},
    {"basket_bps": 10_001},
    {"conversion_event": "page_view"},
    {"starts_at": "2026-12-01"},
    {"starts_at": "2026-12-01T00:00:00"},
    {"starts_at": 1_795_000_000},
    {"starts_at": "0001-01-01T00:00:00Z"},
    {"starts_at": "2026-02-30T00:00:00Z"},
    {"frequency_cap": {"impressions": 0, "per": "day"}},
    {"frequency_cap": {"impressions": 5, "per": "month"}},
    {"frequency_cap": {"impressions": 5, "per": "day", "who": "all"}},
    {"landing_params": "utm=1\r\nX: y"},
    {"fallback_url": 1},
]


@pytest.mark.parametrize("change", FORGED, ids=lambda change: ascii(change)[:60])
def test_a_campaign_takes_no_field_or_value_that_is_not_the_callers_to_set(
    api: Api, world: World, change: dict[str, object]
) -> None:
    path = f"/campaigns/{world.campaign}"
    before = api.call("GET", path).json()
    headers = {"Content-Type": "application/json"}
    response = api.call("PATCH", path, content=json.dumps(change), headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert api.call("GET", path).json() == before


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/advertisers/{0.advertiser}", {"public_id": "m_1"}),
        ("/publishers/{0.publisher}", {"revenue_share_bps": 10_001}),
        ("/publishers/{0.publisher}", {"balance": 1}),
        ("/sites/{0.site}", {"publisher_id": "pub_0000000000000"}),
        ("/sites/{0.site}", {"domains": []}),
        ("/slots/{0.slot}", {"site_id": "site_0000000000000"}),
        ("/slots/{0.slot}", {"width": 728}),
        ("/slots/{0.slot}", {"blocked_categories": ["Wine > "]}),
        ("/slots/{0.slot}", {"blocked_advertisers": ["com"]}),
        ("/sites/{0.site}", {"approved_advertisers": ["adv_0"]}),
        ("/publishers/{0.publisher}", {"approve_advertisers": None}),
        ("/creatives/{0.creative}", {"copies": [{"situation": "cart"}]}),
        ("/creatives/{0.creative}", {"copies": [{"headline": "x" * 41}]}),
        ("/creatives/{0.creative}", {"copies": [{"situation": "asleep", "headline": "x"}]}),
        ("/creatives/{0.creative}", {"copies": [{"language": "french", "headline": "x"}]}),
        ("/creatives/{0.creative}", {"situations": []}),
        ("/creatives/{0.creative}", {"content_hash": "0" * 64}),
        ("/creatives/{0.creative}", {"reviews": []}),
        ("/slots/{0.slot}", {"floor_cpm_micros": None}),
        ("/creatives/{0.creative}", {"campaign_id": "cmp_0000000000000"}),
        ("/creatives/{0.creative}", {"approval": "approved"}),
        ("/creatives/{0.creative}", {"brand": {"name": "x", "colors": {"primary": "red}body{display:none"}}}),
        ("/creatives/{0.creative}", {"brand": {"name": "x", "colors": {"primary": "#123456\n"}}}),
        ("/creatives/{0.creative}", {"brand": {"name": "x", "logo": "https://evil.test/x.png"}}),
        ("/creatives/{0.creative}", {"offer": {"percent": 91}}),
        ("/creatives/{0.creative}", {"offer": {"percent": 5, "amount_micros": 5}}),
        ("/creatives/{0.creative}", {"offer": {}}),
        ("/advertisers/{0.advertiser}/products", {"products": []}),
        ("/advertisers/{0.advertiser}/products", {"products": [{"item_id": "x", "picture": "abc"}]}),
        ("/advertisers/{0.advertiser}/products", {"products": [{"price_micros": 1}]}),
    ],
)
def test_no_other_resource_takes_a_field_that_is_not_the_callers_to_set(
    api: Api, world: World, path: str, change: dict[str, object]
) -> None:
    response = api.call("PATCH", path.format(world), change)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_an_unknown_currency_is_named_in_the_field(api: Api) -> None:
    response = api.call("POST", "/advertisers", advertiser_body(currency="BTC"))
    assert response.json()["errors"][0] | {"message": ""} == {
        "field": "body.currency",
        "code": "unknown_currency",
        "message": "",
    }


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "1000000000"},
        {"limit": "0"},
        {"limit": "x"},
        {"limit": "' OR 1=1--"},
        {"cursor": "' OR 1=1--"},
        {"cursor": "cmp_0000000000000"},
        {"sort": "id;drop"},
        {"from": "0001-01-01"},
    ],
    ids=ascii,
)
def test_a_list_takes_no_query_that_it_does_not_know(api: Api, world: World, params: dict[str, str]) -> None:
    response = api.call("GET", "/campaigns", params=params)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "id_",
    [
        "1",
        "cmp_",
        "cmp_1",
        "adv_0000000000000",
        "cmp_ZZZZZZZZZZZZZ",
        "cmp_zzzzzzzzzzzzz",
        "' OR 1=1--",
        "%00",
        "..%2F",
    ],
)
def test_what_is_no_id_does_not_exist(api: Api, world: World, id_: str) -> None:
    assert api.call("GET", f"/campaigns/{id_}").status_code == 404


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "//evil.test/",
        "https://evil.test\\@shop.example/",
        "https://shop.example@evil.test/",
        "https://shop.example.evil.test/",
        "https://evilshop.example/",
        "ht\ttps://shop.example/",
        "https://shop.example\u3002evil.test/",
        "data:text/html,x",
        "https:shop.example",
    ],
    ids=ascii,
)
def test_no_link_leads_off_the_advertisers_domains(api: Api, world: World, link: str) -> None:
    path = f"/advertisers/{world.advertiser}/products/{world.item}"
    asks: list[Any] = [
        api.call("PUT", path, product_body(link=link)),
        api.call(
            "PATCH",
            f"/advertisers/{world.advertiser}/products",
            {"products": [{"item_id": world.item, "link": link}]},
        ),
        api.call("POST", "/campaigns", campaign_body(world.advertiser, fallback_url=link)),
        api.call("PATCH", f"/campaigns/{world.campaign}", {"fallback_url": link}),
    ]
    assert [response.json()["code"] in ("wrong_domain", "bad_link") for response in asks] == [True] * 4
    assert api.call("GET", path).json()["link"] == "https://shop.example/boots"


def test_a_click_prefix_is_a_whole_address(api: Api, world: World) -> None:
    body = site_body(world.publisher, click_prefixes=["javascript:x"])
    assert api.call("POST", "/sites", body).json()["code"] == "bad_link"


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": None},
        {"order_id": "jane@doe.example"},
        {"order_id": "x" * 101},
        {"order_id": "a\nb"},
        {"lead_id": "L-1"},
        {"event": "generate_lead"},
        {"event": "add_to_cart"},
        {"value_micros": -1},
        {"value_micros": 1.5},
        {"currency": None},
        {"visitor": "abc"},
        {"rtclid": "not a token"},
        {"items": [{"item_id": ""}]},
        {"campaign_id": "cmp_0000000000000"},
    ],
    ids=lambda fields: ascii(fields)[:60],
)
def test_a_conversion_says_what_it_must_and_nothing_else(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    body = conversion_body(world.advertiser, **fields)
    response = api.call("POST", "/conversions", body, headers={"Idempotency-Key": "one"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "jane" not in response.text


def test_text_of_products_may_be_anything_that_can_be_shown(api: Api, world: World) -> None:
    title = '"><img src=x onerror=alert(1)> {{7*7}} Übergröße 42½ كتاب'
    path = f"/advertisers/{world.advertiser}/products/odd"
    assert api.call("PUT", path, product_body(title=title)).json()["title"] == title


def test_a_creative_for_cards_needs_only_its_brand(api: Api, world: World) -> None:
    made = api.make("/creatives", cards_body(world.campaign))
    assert (made["offer"], made["message"], made["link"]) == (None, None, None)


RULE = {"event": "view_item", "retention_days": 30}


@pytest.mark.parametrize(
    "fields",
    [
        {"inclusions": []},
        {"inclusions": None},
        {"inclusions": RULE},
        {"inclusions": [RULE] * 21},
        {"exclusions": [RULE] * 21},
        {"inclusions": [RULE | {"event": "made_up"}]},
        {"inclusions": [RULE | {"retention_days": 0}]},
        {"inclusions": [RULE | {"retention_days": 541}]},
        {"inclusions": [RULE | {"retention_days": 1.5}]},
        {"inclusions": [RULE | {"retention_days": "30"}]},
        {"inclusions": [RULE | {"retention_days": True}]},
        {"inclusions": [{"event": "view_item"}]},
        {"inclusions": [RULE | {"country": "FR"}]},
        {"name": ""},
        {"size": 5},
        {"reachable": 5},
        {"version": 9},
    ],
    ids=lambda fields: ascii(fields)[:60],
)
def test_an_audience_takes_rules_of_known_events_within_what_is_remembered(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    path = f"/audiences/{world.audience}"
    before = api.call("GET", path).json()
    for response in (
        api.call("POST", "/audiences", audience_body(world.advertiser) | fields),
        api.call("PATCH", path, fields),
    ):
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert api.call("GET", path).json() == before


@pytest.mark.parametrize(
    "rules",
    [
        [],
        "all",
        {"all": {}},
        {"all": "view_item"},
        {"all": [], "any": []},
        {"any": [{"event": "view_item"}]},
        {"any": [{"event": "view_itme", "retention_days": 1}]},
        {"any": [{"event": "view_item", "retention_days": 1, "exclude": {}}]},
        {"any": [{"event": "view_item", "retention_days": 1, "count": {"at_least": 0}}]},
        {"any": [{"event": "view_item", "retention_days": 1, "count": {"at_most": 32}}]},
        {"any": [{"event": "view_item", "retention_days": 1, "count": {"at_least": True}}]},
        {"any": [{"event": "purchase", "retention_days": 1, "value": {"total_at_least_micros": 0}}]},
        {"any": [{"event": "purchase", "retention_days": 1, "value": {"total": 5}}]},
        {"any": [{"event": "view_item", "retention_days": 1, "items": {"product_set_id": "aud_1"}}]},
        {"any": [{"event": "view_item", "retention_days": 1, "items": {"brands": ["x\x00"]}}]},
        {"event": "view_item", "retention_days": 1, "average_price": {"at_least_micros": -1}},
        {"any": [{"event": "view_item", "retention_days": 1}] * 41},
    ],
    ids=lambda rules: ascii(rules)[:60],
)
def test_nested_rules_of_no_sound_shape_are_refused(api: Api, world: World, rules: object) -> None:
    body = {"advertiser_id": world.advertiser, "name": "Nested", "rules": rules}
    response = api.call("POST", "/audiences", body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("depth", [4, 300, 1_200])
def test_rules_nested_without_end_are_refused_and_harm_nobody(api: Api, world: World, depth: int) -> None:
    text = '{"advertiser_id": "%s", "name": "Deep", "rules": %s%s}'
    nested = '{"any":[' * depth + '{"event":"view_item","retention_days":1}' + "]}" * depth
    content = text % (world.advertiser, nested, "")
    headers = {"Content-Type": "application/json"}
    response = api.call("POST", "/audiences", content=content, headers=headers)
    assert response.status_code in (400, 422), response.text
    assert response.json()["code"] in ("too_deep", "invalid_request")


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": "everybody"},
        {"preset": "high_cart_value"},
        {"preset": "high_cart_value", "threshold_micros": 0},
        {"preset": "wishlist", "threshold_micros": 5},
        {"preset": "wishlist", "inclusions": [{"event": "view_item", "retention_days": 1}]},
        {"preset": "wishlist", "wait_minutes": -1},
        {"preset": "wishlist", "stop_days": 0},
        {"preset": "wishlist", "stop_days": "8"},
    ],
    ids=lambda fields: ascii(fields)[:60],
)
def test_a_preset_stands_for_itself(api: Api, world: World, fields: dict[str, object]) -> None:
    response = api.call("POST", "/audiences", {"advertiser_id": world.advertiser, "name": "Made"} | fields)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_an_audience_is_read_as_it_was_sent_and_leaves_its_other_form(api: Api, world: World) -> None:
    bought = {"event": "purchase", "retention_days": 30, "count": {"at_most": 2}}
    set_id = api.make(f"/advertisers/{world.advertiser}/product-sets", set_body())["id"]
    seen = {
        "event": "view_item", "retention_days": 7, "items": {"product_set_id": set_id, "brands": ["Acme"]},
        "average_price": {"at_least_micros": 1, "at_most_micros": 9},
    }  # fmt: skip
    rules = {"all": [{"any": [seen, {"event": "ad_clicked", "retention_days": 35}]}, {"exclude": bought}]}
    body = {"advertiser_id": world.advertiser, "name": "Nested", "rules": rules, "stop_days": None}
    made = api.make("/audiences", body)
    path = f"/audiences/{made['id']}"
    assert (made["rules"], made["inclusions"], made["stop_days"]) == (rules, [], None)
    flat = api.call("PATCH", path, {"inclusions": [seen], "exclusions": [bought]}).json()
    assert (flat["rules"], flat["inclusions"], flat["exclusions"]) == (None, [seen], [bought])
    again = api.call("PATCH", path, {"rules": rules, "wait_minutes": 5, "stop_days": 2}).json()
    assert (again["rules"], again["inclusions"], again["exclusions"]) == (rules, [], [])
    assert (again["wait_minutes"], again["stop_days"]) == (5, 2)
    both = api.call("PATCH", path, {"rules": rules, "inclusions": [seen]})
    assert both.json()["code"] == "audience_said_twice"
    lifted = api.call("PATCH", path, {"stop_days": None}).json()
    assert (lifted["stop_days"], lifted["rules"]) == (None, rules)
    assert api.call("GET", path).json() == lifted
