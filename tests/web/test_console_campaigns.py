"""An advertiser's campaigns in the console: their own only, as the API has them, changed in a click."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.delivery import Delivery
from adserver.domain.identity import read_id
from adserver.domain.user import Grant, Role
from adserver.web.console.campaigns import state_in_words
from adserver.web.console.figures import BadAmount, amount_of
from tests.web.console import check_figures, enter, submit, words_of
from tests.web.visiting import Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def owner(world: Visiting) -> Browser:
    key = read_id("adv", world.advertiser)
    assert key is not None
    return enter(world, "owner@shop.example", Grant(Role.ADVERTISER, key))


def campaigns(world: Visiting) -> str:
    return f"/console/shop/{world.advertiser}/campaigns"


def told(world: Visiting) -> dict[str, object]:
    return next(one for one in world.listed("/campaigns") if one["id"] == world.campaign)


def test_who_has_one_account_begins_with_its_campaigns(world: Visiting, owner: Browser) -> None:
    assert owner.ask("GET", "/console").headers["location"] == campaigns(world)
    page = owner.ask("GET", campaigns(world)).text
    assert "Autumn" in page
    assert "Serving" in page
    assert "of €50.00" in words_of(page)


def test_every_figure_is_the_apis(world: Visiting, owner: Browser) -> None:
    assert check_figures(world, owner.ask("GET", campaigns(world)).text) >= 2


def test_a_campaign_is_paused_and_resumed_in_one_click(world: Visiting, owner: Browser) -> None:
    for action, status, words in (("pause", "paused", "Paused by you"), ("resume", "active", "Serving")):
        done = submit(owner, f"{campaigns(world)}/{world.campaign}/{action}")
        assert done.headers["location"] == campaigns(world)
        assert told(world)["status"] == status
        assert words in owner.ask("GET", campaigns(world)).text


def test_budgets_are_raised_and_lifted_exactly(world: Visiting, owner: Browser) -> None:
    path = f"{campaigns(world)}/{world.campaign}/budgets"
    submit(owner, path, daily="12.34", total="1,000.5")
    assert (told(world)["daily_budget_micros"], told(world)["total_budget_micros"]) == (
        12_340_000,
        1_000_500_000,
    )
    submit(owner, path, daily="", total="50")
    assert (told(world)["daily_budget_micros"], told(world)["total_budget_micros"]) == (None, 50_000_000)


@pytest.mark.parametrize("typed", ["-5", "0", "ten", "1e9", "12.3456789", "1,00", "99999999999", "NaN"])
def test_what_is_no_amount_changes_nothing(world: Visiting, owner: Browser, typed: str) -> None:
    before = told(world)
    answer = submit(owner, f"{campaigns(world)}/{world.campaign}/budgets", daily=typed, total="50")
    assert (answer.status_code, told(world)) == (422, before)


@pytest.mark.parametrize("action", ["pause", "resume", "budgets"])
def test_others_can_neither_see_nor_change_them(world: Visiting, action: str) -> None:
    before = told(world)
    shop = {"domains": ["o.example"], "currency": "EUR", "timezone": "Europe/Paris", "country": "FR"}
    other = world.change("POST", "/advertisers", name="Other", **shop)
    publisher = world.change("POST", "/publishers", name="Press")
    grants = (
        Grant(Role.ADVERTISER, read_id("adv", other["id"])),
        Grant(Role.WEBMASTER, read_id("adv", world.advertiser)),
        Grant(Role.PUBLISHER, read_id("pub", publisher["id"])),
    )
    for number, grant in enumerate(grants):
        stranger = enter(world, f"s{number}{action}@example.org", grant)
        assert stranger.ask("GET", campaigns(world)).headers["location"] == "/console"
        refused = submit(stranger, f"{campaigns(world)}/{world.campaign}/{action}", daily="1")
        assert refused.headers["location"] == "/console"
    assert told(world) == before


def test_anothers_campaign_is_not_reached_through_ones_own_account(world: Visiting, owner: Browser) -> None:
    other = world.change(
        "POST", "/advertisers", name="Other", domains=["o.example"], currency="EUR",
        timezone="Europe/Paris", country="FR",
    )  # fmt: skip
    theirs = world.change(
        "POST", "/campaigns", advertiser_id=other["id"], name="Theirs", pricing_model="cpc", rate_micros=5
    )
    answer = submit(owner, f"{campaigns(world)}/{theirs['id']}/resume")
    assert answer.status_code == 409
    assert "There is no such thing." in words_of(answer.text)
    assert next(one for one in world.listed("/campaigns") if one["id"] == theirs["id"])["status"] == "draft"


def test_every_state_has_words() -> None:
    assert len({state_in_words(delivery, "en") for delivery in Delivery}) == len(Delivery)


@pytest.mark.parametrize(
    ("typed", "language", "micros"),
    [
        ("30", "en", 30_000_000),
        ("1,234.50", "en", 1_234_500_000),
        ("30,50", "fr", 30_500_000),
        ("1 234,5", "fr", 1_234_500_000),
        ("30.50", "fr", 30_500_000),
        ("1.234,50", "it", 1_234_500_000),
        ("  ", "en", None),
        ("0.000001", "en", 1),
    ],
)
def test_amounts_are_read_as_the_language_writes_them(typed: str, language: str, micros: int | None) -> None:
    assert amount_of(typed, language) == micros


@pytest.mark.parametrize(
    ("typed", "language"), [("30,50", "en"), ("1.2.3", "fr"), ("€30", "fr"), ("٣٠", "en")]
)
def test_what_could_mean_two_things_is_asked_again(typed: str, language: str) -> None:
    with pytest.raises(BadAmount):
        amount_of(typed, language)
