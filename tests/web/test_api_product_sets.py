"""The API of product sets: looked at before they are saved, named by campaigns, and nobody else's."""

import pytest

from adserver.writes import Scope
from tests.web.api import Api, World, campaign_body, product_body

NIKE = {"brands": ["Nike"]}


def sets(world: World) -> str:
    return f"/advertisers/{world.advertiser}/product-sets"


def put(api: Api, world: World, item_id: str, **fields: object) -> None:
    path = f"/advertisers/{world.advertiser}/products/{item_id}"
    assert api.call("PUT", path, product_body(**fields)).status_code == 200


@pytest.fixture
def stocked(api: Api, world: World) -> World:
    put(api, world, "air", title="Air", brand="Nike", custom_labels=["", "autumn"])
    put(api, world, "max", title="Max", brand="Nike", price_micros=50_000_000, sale_price_micros=40_000_000)
    put(api, world, "suede", title="Suede", brand="Puma", product_type="Shoes > Low")
    return world


def test_a_set_is_looked_at_before_it_is_saved(api: Api, stocked: World) -> None:
    rules = {"inclusions": [{"brands": ["nike", "Pumma"]}], "exclusions": [{"price_max_micros": 40_000_000}]}
    seen = api.call("POST", f"{sets(stocked)}/preview", rules).json()
    assert (seen["size"], seen["catalogue_size"]) == (1, 4)
    assert seen["examples"] == [
        {"item_id": "air", "title": "Air", "brand": "Nike", "asked_micros": 89_900_000}
    ]
    [note] = seen["notes"]
    assert (note["code"], note["word"], note["did_you_mean"]) == ("unknown_brand", "Pumma", "Puma")
    assert note["says"] == "No product has this brand; did you mean 'Puma'?"
    assert [one["id"] for one in api.call("GET", sets(stocked)).json()["items"]] == [stocked.product_set]


def test_a_set_is_made_read_listed_and_changed(api: Api, stocked: World) -> None:
    made = api.make(sets(stocked), {"name": "Nike", "inclusions": [NIKE]})
    assert made["id"].startswith("set_") and made["version"] == 1
    [rule] = made["inclusions"]
    assert (rule["brands"], rule["categories"], rule["on_sale"]) == (["Nike"], [], None)
    path = f"{sets(stocked)}/{made['id']}"
    assert api.call("GET", path).json()["size"] == 2
    assert made in api.call("GET", sets(stocked)).json()["items"]
    changed = api.call("PATCH", path, {"exclusions": [{"on_sale": True}], "name": "Nike, full price"}).json()
    assert (changed["size"], changed["version"], changed["name"]) == (1, 2, "Nike, full price")
    assert changed["inclusions"] == made["inclusions"]


def test_a_set_made_twice_under_one_key_is_one(api: Api, world: World) -> None:
    body, headers = {"name": "Nike", "inclusions": [NIKE]}, {"Idempotency-Key": "once"}
    first, again = (api.call("POST", sets(world), body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert len(api.call("GET", sets(world)).json()["items"]) == 2  # with the world's own


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "All"}, "set_says_nothing"),
        ({"name": "All", "inclusions": [{}]}, "rule_says_nothing"),
        ({"name": "None", "inclusions": [NIKE], "exclusions": [{"brands": []}]}, "rule_says_nothing"),
        (
            {"name": "Cheap", "inclusions": [{"price_min_micros": 2, "price_max_micros": 1}]},
            "prices_reversed",
        ),
        ({"name": "Odd", "inclusions": [{"brand": ["Nike"]}]}, "invalid_request"),
        ({"name": "Empty", "inclusions": [{"brands": [""]}]}, "invalid_request"),
        ({"name": "Much", "inclusions": [{"brands": ["x"] * 201}]}, "invalid_request"),
        ({"name": "Much", "inclusions": [NIKE] * 21}, "invalid_request"),
        ({"name": "Below", "inclusions": [{"price_min_micros": -1}]}, "invalid_request"),
        ({"name": "Text", "inclusions": [{"on_sale": "yes"}]}, "invalid_request"),
        ({"inclusions": [NIKE]}, "invalid_request"),
    ],
)
def test_a_set_that_means_nothing_is_refused_by_name(
    api: Api, world: World, body: dict[str, object], code: str
) -> None:
    response = api.call("POST", sets(world), body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert len(api.call("GET", sets(world)).json()["items"]) == 1


def test_a_change_that_leaves_nothing_said_is_refused_and_changes_nothing(api: Api, world: World) -> None:
    made = api.make(sets(world), {"name": "Nike", "inclusions": [NIKE]})
    path = f"{sets(world)}/{made['id']}"
    assert api.call("PATCH", path, {"inclusions": []}).json()["code"] == "set_says_nothing"
    assert api.call("PATCH", path, {"inclusions": None}).json()["code"] == "invalid_request"
    assert api.call("GET", path).json()["version"] == 1


def test_a_campaign_names_a_set_of_its_own_advertiser(api: Api, world: World) -> None:
    made = api.make(sets(world), {"name": "Nike", "inclusions": [NIKE]})
    campaign = api.make("/campaigns", campaign_body(world.advertiser, product_set_id=made["id"]))
    assert campaign["product_set_id"] == made["id"]
    path = f"/campaigns/{campaign['id']}"
    assert api.call("PATCH", path, {"product_set_id": None}).json()["product_set_id"] is None
    others = World(api, "B")
    foreign = api.make(sets(others), {"name": "Nike", "inclusions": [NIKE]})["id"]
    for unknown in (foreign, "set_0000000000001"):
        response = api.call("PATCH", path, {"product_set_id": unknown})
        assert (response.status_code, response.json()["code"]) == (422, "unknown_product_set")
        body = campaign_body(world.advertiser, product_set_id=unknown)
        assert api.call("POST", "/campaigns", body).json()["code"] == "unknown_product_set"
    assert api.call("PATCH", path, {"product_set_id": world.audience}).json()["code"] == "invalid_request"


def test_the_sets_of_others_do_not_exist(api: Api, world: World) -> None:
    made = api.make(sets(world), {"name": "Nike", "inclusions": [NIKE]}, world.advertiser_key)
    path, other = f"{sets(world)}/{made['id']}", World(api, "B")
    asked = [
        api.call("GET", sets(world), key=other.advertiser_key),
        api.call("GET", path, key=other.advertiser_key),
        api.call("PATCH", path, {"name": "Mine"}, other.advertiser_key),
        api.call("POST", sets(world), {"name": "Mine", "inclusions": [NIKE]}, other.advertiser_key),
        api.call("POST", f"{sets(world)}/preview", {"inclusions": [NIKE]}, other.advertiser_key),
        api.call("GET", f"{sets(other)}/{made['id']}", key=other.advertiser_key),
    ]
    assert [response.status_code for response in asked] == [404] * 6
    publisher = api.make_key(Scope.PUBLISHER, world.publisher)
    assert api.call("GET", sets(world), key=publisher).status_code == 403
