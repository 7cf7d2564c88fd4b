"""A new campaign in the console: all on one page, shown before anybody sees it, and made whole or not at all."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adserver.domain.identity import read_id
from adserver.domain.user import Grant, Role
from tests.web.console import PASSWORD, check_figures, enter, invitation, send, submit, words_of
from tests.web.visiting import OWN, Browser, Visiting

FILLED = {
    "name": "Winter", "model": "cpc", "rate": "0.45", "template": "cards", "brand": "Nordhaus",
    "primary": "#1f3a5f", "accent": "#d9480f", "theme": "light", "daily": "20", "total": "",
    "starts": "2030-12-01", "ends": "2030-12-24", "countries": "France, ch",
    "preset.cart_abandoners": "on", "deed": "draft",
}  # fmt: skip
MESSAGE = {
    "template": "message",
    "headline": "Back in stock",
    "body": "The boots you liked.",
    "button": "Look",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("launching")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def owner(world: Visiting) -> Browser:
    return enter(world, "owner@shop.example", Grant(Role.ADVERTISER, read_id("adv", world.advertiser)))


def pages(world: Visiting) -> str:
    return f"/console/shop/{world.advertiser}/campaigns"


def all_there(world: Visiting) -> list[dict[str, Any]]:
    return [*world.listed("/campaigns?limit=500"), *world.listed("/audiences?limit=500")]


def made(world: Visiting, location: str) -> dict[str, Any]:
    key = location.removeprefix(f"{pages(world)}/").partition("?")[0]
    return world.change("GET", f"/campaigns/{key}")


def test_a_campaign_its_ad_and_its_audience_are_made_at_once(world: Visiting, owner: Browser) -> None:
    answer = submit(owner, f"{pages(world)}/new", **FILLED)
    told = made(world, answer.headers["location"])
    assert (told["status"], told["rate_micros"], told["daily_budget_micros"]) == (
        "draft",
        450_000,
        20_000_000,
    )
    assert (told["starts_at"], told["ends_at"]) == ("2030-11-30T23:00:00.000Z", "2030-12-24T23:00:00.000Z")
    assert told["targeting"]["countries"]["values"] == ["FR", "CH"]
    (creative,) = world.listed(f"/creatives?campaign_id={told['id']}")
    assert (creative["brand"]["name"], creative["approval"]) == ("Nordhaus", "pending")
    (audience,) = world.listed(f"/audiences?advertiser_id={world.advertiser}")
    assert told["audiences"][0]["audience_id"] == audience["id"]
    again = submit(owner, f"{pages(world)}/new", **FILLED)
    assert made(world, again.headers["location"])["audiences"][0]["audience_id"] == audience["id"]
    assert len(world.listed("/audiences")) == 1


def test_the_same_form_sent_twice_makes_one_campaign_and_another_makes_another(
    world: Visiting, owner: Browser
) -> None:
    new = owner.ask("GET", f"{pages(world)}/new").text
    (once,) = re.findall(r'name="once" value="([0-9a-f]{32})"', new)
    form = FILLED | {"once": once, "name": "Once"}
    first, second = (submit(owner, f"{pages(world)}/new", **form) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    other = submit(owner, f"{pages(world)}/new", **form | {"name": "Another"})
    assert other.headers["location"] != first.headers["location"]
    names = [one["name"] for one in world.listed("/campaigns?limit=500")]
    assert (names.count("Once"), names.count("Another")) == (1, 1)
    flawed = submit(owner, f"{pages(world)}/new", **form | {"rate": ""}).text
    assert f'name="once" value="{once}"' in flawed  # so that what is mended is still the same form


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""), ("name", "x" * 101), ("rate", ""), ("rate", "0"), ("rate", "-1"), ("rate", "1e3"),
        ("daily", "ten"), ("total", "0"), ("starts", "2030-13-01"), ("ends", "tomorrow"), ("ends", "9999-12-31"),
        ("countries", "Atlantis"), ("brand", ""), ("primary", "red"), ("headline", "x" * 41),
        ("button", "x" * 21), ("offer", "percent"), ("product_set", "set_nonsense"), ("model", "barter"),
        ("template", "hologram"), ("audience.aud_nonsense", "on"), ("theme", "neon"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_made(
    world: Visiting, owner: Browser, field: str, typed: str
) -> None:
    before = all_there(world)
    answer = submit(owner, f"{pages(world)}/new", **FILLED | {"deed": "start", field: typed})
    assert (answer.status_code, all_there(world)) == (422, before)
    assert 'class="flaw"' in answer.text
    assert 'value="2030-12-01"' in answer.text or field == "starts"


def test_where_the_flow_refuses_the_form_stays_filled_in(world: Visiting, owner: Browser) -> None:
    before = all_there(world)
    wrong = FILLED | {"starts": "2030-12-24", "ends": "2030-12-01"}
    answer = submit(owner, f"{pages(world)}/new", **wrong)
    assert (answer.status_code, all_there(world)) == (409, before)
    assert "The last day is before the first" in answer.text
    assert 'value="Winter"' in answer.text
    elsewhere = FILLED | MESSAGE | {"link": "https://elsewhere.example/"}
    assert "The link leads to another site" in submit(owner, f"{pages(world)}/new", **elsewhere).text
    assert all_there(world) == before


def test_a_message_is_made_with_its_words_and_link(world: Visiting, owner: Browser) -> None:
    answer = submit(owner, f"{pages(world)}/new", **FILLED | MESSAGE | {"link": "https://shop.example/boots"})
    told = made(world, answer.headers["location"])
    (creative,) = world.listed(f"/creatives?campaign_id={told['id']}")
    assert creative["message"]["headline"] == "Back in stock"
    assert creative["link"] == "https://shop.example/boots"


def test_show_me_makes_nothing_and_every_figure_is_the_apis(world: Visiting, owner: Browser) -> None:
    before = all_there(world)
    page = submit(owner, f"{pages(world)}/new", **FILLED | {"deed": "show"}).text
    assert all_there(world) == before
    assert "What it will spend cannot be told yet" in page
    assert "brand=Nordhaus" in page
    check_figures(world, page)
    plan = owner.ask("GET", f"{pages(world)}/new/plan?model=cpc&rate=0.45&preset.carters=on")
    assert plan.status_code == 200 and "<html" not in plan.text


def test_the_preview_shows_the_shops_own_products(world: Visiting, owner: Browser) -> None:
    address = f"{pages(world)}/look/300x250?template=cards&brand=Nordhaus&primary=%23112233"
    shown = owner.ask("GET", address)
    assert "Waxed boots" in shown.text and "#112233" in shown.text
    assert "frame-ancestors 'self'" in shown.headers["content-security-policy"]
    for wrong in ("template=cards", "template=hologram&brand=x", "template=cards&brand=x&primary=red;}"):
        refused = owner.ask("GET", f"{pages(world)}/look/300x250?{wrong}")
        assert "Waxed boots" not in refused.text and refused.status_code == 200
        assert "frame-ancestors 'self'" in refused.headers["content-security-policy"]
    assert "Waxed boots" not in owner.ask("GET", f"{pages(world)}/look/1x1?template=cards&brand=x").text


def test_another_like_it_is_filled_in_and_has_no_days(world: Visiting, owner: Browser) -> None:
    first = submit(owner, f"{pages(world)}/new", **FILLED | {"offer": "percent", "off": "15"})
    told = made(world, first.headers["location"])
    page = owner.ask("GET", f"{pages(world)}/new?like={told['id']}").text
    for value in ("Winter", "0.45", "France, Switzerland", "15", "20"):
        assert f'value="{value}"' in page
    assert "2030-12-01" not in page
    assert f'name="audience.{told["audiences"][0]["audience_id"]}" checked' in page
    assert 'value="Winter"' not in owner.ask("GET", f"{pages(world)}/new?like=cmp_nothing").text


def test_amounts_and_countries_are_read_in_the_readers_language(world: Visiting) -> None:
    key = read_id("adv", world.advertiser)
    browser = world.browser(**OWN)
    link = invitation(world, "fr@shop.example", Grant(Role.ADVERTISER, key))
    send(browser, link, name="Anne", password=PASSWORD, language="fr")
    answer = submit(
        browser, f"{pages(world)}/new", **FILLED | {"rate": "0,45", "countries": "Suisse, Allemagne"}
    )
    told = made(world, answer.headers["location"])
    assert told["rate_micros"] == 450_000
    assert told["targeting"]["countries"]["values"] == ["CH", "DE"]


@pytest.mark.parametrize("path", ["new", "new/plan", "look/300x250"])
def test_strangers_see_none_of_it(world: Visiting, path: str) -> None:
    grants = (
        Grant(Role.WEBMASTER, read_id("adv", world.advertiser)),
        Grant(Role.PUBLISHER, read_id("pub", world.change("POST", "/publishers", name="P")["id"])),
    )
    for number, grant in enumerate(grants):
        stranger = enter(world, f"s{number}-{path.replace('/', '-')}@example.org", grant)
        assert stranger.ask("GET", f"{pages(world)}/{path}").headers["location"] == "/console"
        assert submit(stranger, f"{pages(world)}/new", **FILLED).headers["location"] == "/console"


def test_a_form_without_its_token_makes_nothing(world: Visiting, owner: Browser) -> None:
    before = all_there(world)
    for path in (f"{pages(world)}/new", f"/console/shop/{world.advertiser}/audiences"):
        assert send(owner, path, **FILLED).status_code == 403
    assert all_there(world) == before


def test_an_audience_is_counted_and_made(world: Visiting, owner: Browser) -> None:
    path = f"/console/shop/{world.advertiser}/audiences"
    form = {
        "name": "Boots",
        "preset": "product_viewers",
        "days": "7",
        "categories": "Shoes, Boots",
        "brands": "",
    }
    before = world.listed("/audiences")
    page = submit(owner, path, **form, deed="show")
    assert page.status_code == 200 and world.listed("/audiences") == before
    assert 'role="status"' in page.text
    check_figures(world, page.text)
    assert submit(owner, path, **form, deed="make").headers["location"] == f"{path}?done=made"
    told = next(one for one in world.listed("/audiences") if one["name"] == "Boots")
    rule = told["inclusions"][0]
    assert (rule["event"], rule["retention_days"]) == ("view_item", 7)
    assert rule["items"]["categories"] == ["Shoes", "Boots"]
    assert "Boots" in words_of(owner.ask("GET", path).text)


@pytest.mark.parametrize(
    ("field", "typed", "status"),
    [
        ("name", "", 422), ("name", "x" * 101, 422), ("preset", "all", 422), ("days", "0", 422), ("days", "541", 422),
        ("days", "-3", 422), ("brands", "x" * 101, 422), ("days", "540", 409),
    ],
)  # fmt: skip
def test_a_wrong_audience_is_not_made(
    world: Visiting, owner: Browser, field: str, typed: str, status: int
) -> None:
    before = world.listed("/audiences")
    form = {"name": "Boots", "preset": "cart_abandoners", "days": "", "deed": "make"}
    answer = submit(owner, f"/console/shop/{world.advertiser}/audiences", **form | {field: typed})
    assert (answer.status_code, world.listed("/audiences")) == (status, before)


@pytest.mark.parametrize(
    "more",
    [
        {"preset.high_cart_value": "on"}, {"preset.nonsense": "on"}, {"model": "cpa", "event": "page_view"},
        {"countries": "FR," * 900}, {"name": "\x00"}, {"name": "\u202eretniW"}, {"offer": "pool", "pool": "pool_2s"},
        {"rate": "9" * 30}, {"starts": "0001-01-01"}, {"body": "x" * 70_000}, {"link": "javascript:alert(1)"},
        {f"audience.aud_{number}": "on" for number in range(30)}, {"brand": "<script>alert(1)</script>"},
    ],
)  # fmt: skip
def test_whoever_sends_odd_forms_is_answered(world: Visiting, owner: Browser, more: dict[str, str]) -> None:
    for deed in ("show", "draft"):
        answer = submit(owner, f"{pages(world)}/new", **FILLED | more | {"deed": deed})
        assert answer.status_code in (200, 303, 403, 409, 413, 422)
        assert "<script>alert" not in answer.text
