"""Targeting over HTTP: what the API takes and refuses, and who is served, by MaxMind's own test database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.web.visiting import NEWS, Visiting

ENGLAND, SWEDEN, CALIFORNIA = "2.125.160.216", "89.160.20.112", "2001:480::1"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile"
    " Safari/537.36"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Visiting]:
    """A server that knows cities, behind a proxy on this machine."""
    cities = shared_data / "geoip" / "GeoLite2-City-Test.mmdb"
    world = Visiting(tmp_path_factory.mktemp("targeting"), geoip_path=cities, trusted_proxies=("127.0.0.1",))
    yield world
    world.close()


def set_to(world: Visiting, targeting: dict[str, Any] | None) -> dict[str, Any]:
    return world.change("PATCH", f"/campaigns/{world.campaign}", targeting=targeting)


def asked(world: Visiting, targeting: object) -> httpx.Response:
    """What the API says of it."""
    return world.operator.ask("PATCH", f"/api/v1/campaigns/{world.campaign}", json={"targeting": targeting})


def one(name: str, operand: str, *values: str) -> dict[str, Any]:
    return {name: {"operand": operand, "values": list(values)}}


def is_served(world: Visiting, query: str = "", **headers: str) -> bool:
    """Whether a shopper is shown the campaign there, who lives in an open country."""
    named = NEWS | {name.replace("_", "-"): value for name, value in headers.items()}
    browser = world.browser()
    for _ in range(2):
        assert browser.view() == "accepted"
    answer = browser.ask("GET", f"/slot/{world.slot}{query}", headers=named)
    return answer.headers["x-slot"] == "filled"


@pytest.mark.parametrize(
    ("targeting", "served"),
    [
        (one("countries", "in", "US"), True),
        (one("countries", "in", "SE"), False),
        (one("countries", "not_in", "US"), False),
        (one("subdivisions", "in", "US-CA"), True),
        (one("subdivisions", "in", "US-WA"), False),
        (one("devices", "in", "mobile"), True),
        (one("devices", "in", "desktop", "tablet", "tv"), False),
        (one("languages", "in", "es"), True),
        (one("languages", "not_in", "es"), False),
        (one("keywords", "in", "rain coat"), True),
        (one("keywords", "not_in", "rain coat"), False),
        (one("categories", "in", "Weather"), True),
        (one("categories", "in", "Weather > Storms"), False),
        (one("countries", "in", "us") | one("devices", "in", "tv"), False),
    ],
)
def test_a_reader_in_california_is_served_where_the_targeting_holds(
    world: Visiting, targeting: dict[str, Any], served: bool
) -> None:
    set_to(world, targeting)
    query = "?kw=rain+coat,snow&cat=Weather%20%3E%20Rain"
    headers = {"X_Forwarded_For": CALIFORNIA, "User_Agent": PHONE, "Accept_Language": "es-MX,en;q=0.5"}
    assert is_served(world, query, **headers) is served


@pytest.mark.parametrize(
    "name", ["countries", "subdivisions", "devices", "languages", "keywords", "categories"]
)
def test_what_a_reader_does_not_tell_is_not_what_a_campaign_asks_for(world: Visiting, name: str) -> None:
    value = {"countries": "US", "subdivisions": "US-CA", "devices": "mobile", "languages": "en"}.get(
        name, "word"
    )
    unknown = {"X_Forwarded_For": "203.0.113.7", "User_Agent": "curl/8.5", "Accept_Language": "*"}
    set_to(world, one(name, "in", value))
    assert not is_served(world, **unknown)
    set_to(world, one(name, "not_in", value))
    assert is_served(world, **unknown)


def test_a_targeting_is_answered_as_it_was_given_and_null_takes_it_away(world: Visiting) -> None:
    given = {
        "countries": {"operand": "in", "values": ["FR", "BE"]},
        "hours": {"operand": "not_in", "values": ["sat-sun", "mon-fri 00-07"]},
        "keywords": [
            {"operand": "in", "values": ["rain coat"]},
            {"operand": "not_in", "values": ["flood"]},
        ],
    }
    shown = set_to(world, given)["targeting"]
    assert {name: said for name, said in shown.items() if said is not None} == given
    assert set_to(world, shown)["targeting"] == shown
    assert world.change("PATCH", f"/campaigns/{world.campaign}", name="Winter")["targeting"] == shown
    assert set_to(world, None)["targeting"] is None
    assert set_to(world, {})["targeting"] is None


@pytest.mark.parametrize(
    ("targeting", "code", "says"),
    [
        (
            one("countries", "in", "UK"),
            "unknown_country",
            "'UK' is not an ISO country code such as FR: did you mean GB?",
        ),
        (one("countries", "in", "France"), "unknown_country", "did you mean FR?"),
        (one("countries", "in", "someone@example.com"), "unknown_country", "This is not"),
        (one("subdivisions", "in", "IDF"), "bad_subdivision", "such as FR-IDF"),
        (one("devices", "in", "phone"), "unknown_device", "did you mean mobile?"),
        (one("languages", "in", "fr-FR"), "bad_language", "did you mean fr?"),
        (one("hours", "in", "8 to 20"), "bad_hours", "mon 08-20"),
        (one("sites", "in", "news.example"), "bad_site", "not the id of a site"),
        (one("keywords", "in", "06 12 34 56 78"), "bad_keyword", "five digits"),
        (
            {"hours": [one("h", "in", "mon")["h"], one("h", "not_in", "mon")["h"]]},
            "value_twice",
            "leave it out",
        ),
        ({"hours": [one("h", "in", "mon")["h"]] * 2}, "operand_twice", "once each"),
        (one("countries", "in", "FR") | one("subdivisions", "in", "BE-WAL"), "never_met", "No request"),
        (one("countries", "within", "FR"), "enum", "'in' or 'not_in'"),
        (one("countries", "in"), "too_short", "at least 1"),
        (one("countries", "in", *["FR"] * 501), "too_long", "at most 500"),
        (one("colours", "in", "red"), "extra_forbidden", "not permitted"),
    ],
)
def test_a_targeting_that_is_not_understood_says_what_to_do(
    world: Visiting, targeting: object, code: str, says: str
) -> None:
    answer = asked(world, targeting)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    found = {error["code"]: error for error in answer.json()["errors"]}
    assert says in found[code]["message"]
    assert "someone@" not in answer.text
    assert all("targeting" in error["field"] for error in found.values())


@pytest.mark.parametrize(
    "targeting",
    ["FR", ["FR"], 7, {"countries": "FR"}, {"countries": ["FR"]}, {"countries": None, "hours": 3}],
)
def test_a_targeting_of_another_shape_is_refused(world: Visiting, targeting: object) -> None:
    assert asked(world, targeting).status_code == 422


def test_an_advertiser_names_its_competitors_and_what_it_competes_in(world: Visiting) -> None:
    path = f"/advertisers/{world.advertiser}"
    named = {"competitors": ["rival.example"], "competes_in": ["Apparel > Shoes"]}
    assert named.items() <= world.change("PATCH", path, **named).items()
    assert world.change("PATCH", path, competitors=[])["competitors"] == []
    answer = world.operator.ask("PATCH", f"/api/v1{path}", json={"competitors": ["not a domain"]})
    assert answer.status_code == 422


def test_a_site_says_what_it_is_about_and_may_part_competitors(world: Visiting) -> None:
    path = f"/sites/{world.site}"
    named = {"categories": ["News > Local", "IAB12"], "separate_competitors": True}
    assert named.items() <= world.change("PATCH", path, **named).items()
    answer = world.operator.ask("PATCH", f"/api/v1{path}", json={"categories": ["<b>"]})
    assert answer.json()["errors"][0]["code"] == "bad_category"
    world.change("PATCH", path, categories=[], separate_competitors=False)


def test_slots_of_a_page_are_answered_together_over_http(world: Visiting) -> None:
    set_to(world, None)
    other = world.change("POST", "/slots", site_id=world.site, name="o", width=320, height=50)["id"]
    slot = world.change("POST", "/slots", site_id=world.site, name="p", width=320, height=50)["id"]
    browser = world.browser()
    for item in ("boots", "scarf", "boots", "scarf"):
        browser.view(item)
    first = browser.ask("GET", f"/slot/{slot}?page=new&with={other}", headers=NEWS)
    sheet = first.text.split('data-page="')[1].split('"')[0]
    second = browser.ask("GET", f"/slot/{other}?page={sheet}&place=1", headers=NEWS)
    titles = [
        next(title for title in ("Waxed boots", "Wool scarf") if title in one.text) for one in (first, second)
    ]
    assert sorted(titles) == ["Waxed boots", "Wool scarf"]
    assert first.headers["content-security-policy"] == second.headers["content-security-policy"]
    assert "data-page" not in second.text


@pytest.mark.parametrize(
    "query",
    ["page=", "page=new&with=", "page=new&with=,,,&place=x", "page=%00%ff&place=-1", "page=new&place=999999999",
     "with=nobody&place=1", "kw=%00&cat=%3E%3E", "page=" + "A" * 7_000],
)  # fmt: skip
def test_no_query_makes_a_slot_fail(world: Visiting, query: str) -> None:
    answer = world.browser().ask("GET", f"/slot/{world.slot}?{query}", headers=NEWS)
    assert (answer.status_code, answer.headers["x-slot"]) == (200, "empty")
