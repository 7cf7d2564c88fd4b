"""The API says what is struck through beside a price, why, since when the price is known and what to do next."""

import pytest

from adserver.writes import Scope
from tests.domain.makers import DAY_MS
from tests.web.api import NOW_MS, Api, World, advertiser_body, product_body

FULL, SALE = 100_000_000, 80_000_000


def put(api: Api, world: World, item_id: str, days_ago: int = 0, **fields: object) -> None:
    api.now_ms = NOW_MS - days_ago * DAY_MS
    path = f"/advertisers/{world.advertiser}/products/{item_id}"
    response = api.call("PUT", path, product_body(price_micros=FULL, **fields))
    assert response.status_code == 200, response.text
    api.now_ms = NOW_MS


def price(api: Api, world: World, item_id: str) -> dict[str, object]:
    product = api.call("GET", f"/advertisers/{world.advertiser}/products/{item_id}").json()
    told: dict[str, object] = product["reference_price"]
    return told


def test_a_product_tells_what_is_struck_through_and_what_was_asked(api: Api, world: World) -> None:
    put(api, world, "boots", days_ago=40)
    put(api, world, "boots", sale_price_micros=SALE)
    told = price(api, world, "boots")
    assert (told["why"], told["asked_micros"], told["struck_micros"]) == ("lowest_of_30_days", SALE, FULL)
    assert told["known_since"] == told["lowest_since"] == "2026-10-09T11:06:40.000Z"
    assert told["reduced_since"] == "2026-11-18T11:06:40.000Z"
    assert [step["asked_micros"] for step in told["history"]] == [FULL, SALE]  # type: ignore[attr-defined]
    assert str(told["says"]).startswith("100.00 EUR is struck through")


def test_a_sale_of_an_unknown_price_says_since_when_it_is_known_and_from_when_on_it_is_enough(
    api: Api, world: World
) -> None:
    put(api, world, "boots", sale_price_micros=SALE)
    told = price(api, world, "boots")
    assert (told["why"], told["struck_micros"], told["lowest_micros"]) == ("known_too_short", None, None)
    for part in ("2026-11-18T11:06:40", "after 2026-12-18T11:06:40", "`trust_reference_price`"):
        assert part in str(told["says"])


def test_a_price_raised_for_its_sale_says_which_lower_one_was_asked(api: Api, world: World) -> None:
    put(api, world, "boots", days_ago=40)
    path = f"/advertisers/{world.advertiser}/products"
    raised = {"item_id": "boots", "price_micros": FULL * 2, "sale_price_micros": FULL}
    assert api.call("PATCH", path, {"products": [raised]}).status_code == 200
    told = price(api, world, "boots")
    assert (told["why"], told["struck_micros"], told["lowest_micros"]) == ("not_lower", None, FULL)
    assert "100.00 EUR was asked since 2026-10-09" in str(told["says"])


def test_a_product_that_is_not_on_sale_says_so(api: Api, world: World) -> None:
    put(api, world, "boots")
    assert (price(api, world, "boots")["why"], price(api, world, "boots")["struck_micros"]) == (
        "not_on_sale", None,
    )  # fmt: skip
    assert price(api, world, world.item)["why"] == "not_on_sale"


@pytest.mark.parametrize("change", [{"trust_reference_price": True}, {"country": "GB"}])
def test_trust_or_another_country_strikes_the_feeds_price_through(
    api: Api, world: World, change: dict[str, object]
) -> None:
    put(api, world, "boots", sale_price_micros=SALE)
    changed = api.call("PATCH", f"/advertisers/{world.advertiser}", change)
    assert changed.status_code == 200 and changed.json() | change == changed.json()
    told = price(api, world, "boots")
    assert (told["why"], told["struck_micros"]) == ("feed", FULL)


def test_an_advertiser_may_vouch_for_its_own_prices(api: Api, world: World) -> None:
    change = {"trust_reference_price": True}
    path = f"/advertisers/{world.advertiser}"
    assert api.call("PATCH", path, change, world.advertiser_key).status_code == 200
    opened = api.make("/advertisers", advertiser_body(trust_reference_price=True))
    assert opened["trust_reference_price"] is True


def test_the_sales_of_an_advertiser_are_summed_up(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/reference-prices"
    empty = api.call("GET", path).json()
    assert empty["says"] == "0 products are on sale: 0 with a struck-through price."
    put(api, world, "boots", days_ago=40)
    put(api, world, "boots", sale_price_micros=SALE)
    put(api, world, "hat", sale_price_micros=SALE)
    put(api, world, "scarf", days_ago=40)
    put(api, world, "scarf", sale_price_micros=SALE, days_ago=30)
    put(api, world, "scarf", days_ago=20)
    put(api, world, "scarf", sale_price_micros=SALE)
    told = api.call("GET", path).json()
    assert (told["on_sale"], told["struck"], told["lowest_of_30_days"]) == (3, 1, True)
    assert {one["why"]: one["products"] for one in told["not_struck"]} == {
        "known_too_short": 1,
        "not_lower": 1,
    }
    assert "known only since 2026-11-18" in told["says"] and "as little was asked" in told["says"]
    trusting = api.call("PATCH", f"/advertisers/{world.advertiser}", {"trust_reference_price": True})
    assert trusting.status_code == 200
    told = api.call("GET", path).json()
    assert (told["on_sale"], told["struck"], told["not_struck"]) == (3, 3, [])


def test_the_prices_of_others_do_not_exist(api: Api, world: World) -> None:
    other = World(api, "B")
    for path in ("reference-prices", f"products/{world.item}"):
        response = api.call("GET", f"/advertisers/{world.advertiser}/{path}", key=other.advertiser_key)
        assert response.status_code == 404
    assert api.call("GET", f"/advertisers/{world.advertiser}/reference-prices", key=api.make_key(
        Scope.PUBLISHER, world.publisher)).status_code == 403  # fmt: skip


@pytest.mark.parametrize("fields", [{"price_micros": 0}, {"sale_price_micros": 0}, {"price": "0.00 EUR"}])
def test_a_price_of_nothing_is_refused_as_in_a_feed(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    body = product_body() | fields
    if "price" in fields:
        del body["price_micros"], body["currency"]
    response = api.call("PUT", f"/advertisers/{world.advertiser}/products/free", body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    change = {"products": [{"item_id": world.item} | fields]}
    response = api.call("PATCH", f"/advertisers/{world.advertiser}/products", change)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
