"""Who goes first is the operator's to say; a house campaign needs no rate."""

from tests.web.api import Api, World, campaign_body


def test_the_operator_alone_says_who_goes_first(api: Api, world: World) -> None:
    path = f"/campaigns/{world.campaign}"
    assert api.call("GET", path).json()["tier"] == "standard"
    for body in ({"tier": "house", "rate_micros": 0}, {"tier": "remnant"}):
        refused = api.call("PATCH", path, body, key=world.advertiser_key)
        assert (refused.status_code, refused.json()["code"]) == (403, "tier_is_operators")
    made = campaign_body(world.advertiser, tier="sponsorship")
    assert (
        api.call("POST", "/campaigns", made, key=world.advertiser_key).json()["code"] == "tier_is_operators"
    )
    assert api.call("PATCH", path, {"tier": "sponsorship"}).json()["tier"] == "sponsorship"
    same = api.call("PATCH", path, {"tier": "sponsorship", "name": "New"}, key=world.advertiser_key)
    assert same.json()["name"] == "New"


def test_a_house_campaign_has_neither_rate_nor_budget(api: Api, world: World) -> None:
    made = campaign_body(world.advertiser, tier="house", rate_micros=0)
    house = api.call("POST", "/campaigns", made).json()
    assert (house["tier"], house["rate_micros"]) == ("house", 0)
    for change in ({"rate_micros": 1}, {"total_budget_micros": 1}, {"basket_bps": 100}):
        refused = api.call("PATCH", f"/campaigns/{house['id']}", change)
        assert (refused.status_code, refused.json()["code"]) == (422, "house_is_free")
    paid = api.call("PATCH", f"/campaigns/{house['id']}", {"tier": "standard", "rate_micros": 250_000})
    assert paid.json()["tier"] == "standard"
    free = api.call("PATCH", f"/campaigns/{house['id']}", {"rate_micros": 0})
    assert free.json()["code"] == "rate_missing"
