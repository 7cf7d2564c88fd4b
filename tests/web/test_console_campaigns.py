"""An advertiser's campaigns in the console: their own only, as the API has them, changed in a click."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.budget import local_day
from adserver.domain.delivery import Delivery
from adserver.domain.eligibility import Refusal
from adserver.domain.identity import read_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.refused import Hour, Refused
from adserver.domain.user import Grant, Role
from adserver.web.console.campaign_words import state_in_words
from adserver.web.console.figures import BadAmount, amount_of
from adserver.web.console.why_not import reasons_of
from adserver.writes import AddCounts, AdRecord, RecordAd
from tests.web.console import check_figures, enter, submit, words_of
from tests.web.visiting import Browser, Visiting

HOUR_MS = 3_600_000
EVERY = Refused([Hour(0, 0, dict.fromkeys(Refusal, 1))])


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


def test_budgets_that_somebody_changed_meanwhile_are_not_overwritten(world: Visiting, owner: Browser) -> None:
    path = f"{campaigns(world)}/{world.campaign}/budgets"
    submit(owner, path, daily="", total="50")
    version = str(told(world)["version"])
    form = rf'action="{path}" class="row">.*?name="version" value="{version}"'
    assert re.search(form, owner.ask("GET", campaigns(world)).text)
    world.change("PATCH", f"/campaigns/{world.campaign}", total_budget_micros=90_000_000)
    stale = submit(owner, path, daily="5", total="50", version=version)
    assert (stale.status_code, told(world)["total_budget_micros"]) == (409, 90_000_000)
    submit(owner, path, daily="5")  # says nothing of the other
    assert (told(world)["daily_budget_micros"], told(world)["total_budget_micros"]) == (
        5_000_000,
        90_000_000,
    )
    submit(owner, path, daily="", total="50")


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


def page_of(world: Visiting) -> str:
    return f"{campaigns(world)}/{world.campaign}"


def test_a_budget_is_raised_exactly_and_once_for_each_page_that_was_seen(
    world: Visiting, owner: Browser
) -> None:
    path = f"{campaigns(world)}/{world.campaign}/budgets"
    for name, by, before, after in (
        ("daily", "step", "12.34", 22_340_000),
        ("daily", "a_quarter", "12.34", 15_425_000),
        ("total", "a_quarter", "0.000001", 2),
    ):
        field = f"{name}_budget_micros"
        submit(owner, path, **({"daily": "", "total": ""} | {name: before}))
        version = str(told(world)["version"])
        submit(owner, path, **{"raise": f"{name}.{by}", "version": version})
        assert told(world)[field] == after
        again = submit(owner, path, **{"raise": f"{name}.{by}", "version": version})
        assert (again.status_code, told(world)[field]) == (409, after)
    for wrong in ("daily.twice", "other.step", "", "daily"):
        refused = submit(owner, path, **{"raise": wrong, "version": str(told(world)["version"])})
        assert refused.status_code == 422
    submit(owner, path, daily="", total="50")


def test_a_budget_below_what_is_spent_is_refused_with_the_sum(world: Visiting, owner: Browser) -> None:
    charge(world, 3_000_000)
    for path, form in (
        (f"{page_of(world)}/budgets", {"daily": "", "total": "2"}),
        (f"{page_of(world)}/change", {"total": "2", "version": str(told(world)["version"])}),
    ):
        answer = submit(owner, path, **form)
        assert answer.status_code == 409
        assert "€3.00 is spent or reserved already" in words_of(answer.text)
    assert told(world)["total_budget_micros"] == 50_000_000


def charge(world: Visiting, micros: int) -> None:
    """Bill a click of the campaign."""
    now_ms = world.server.clock()
    record = AdRecord(
        event=AdEvent.CLICK,
        impression_id=7,
        campaign_key=read_id("cmp", world.campaign) or 0,
        campaign_version=1,
        advertiser_key=read_id("adv", world.advertiser) or 0,
        publisher_key=1,
        slot_key=2,
        creative_key=3,
        product_key=0,
        visitor_key=0,
        at_ms=now_ms,
        day=local_day(now_ms, "Europe/Paris"),
        currency="EUR",
        amount_micros=Micros(micros),
    )
    assert world.storage.writer.commit(RecordAd((record,))).result == "taken"


def test_what_is_said_of_a_campaign_is_the_apis(world: Visiting, owner: Browser) -> None:
    count(world, fills=3, impressions=3, clicks=1, refused_outranked=5, refused_not_in_audience=12)
    page = owner.ask("GET", page_of(world)).text
    assert check_figures(world, page) >= 12
    assert "Another campaign was expected to earn more." in page
    assert "It is being shown." in page
    assert words_of(page).count("12 · 60.0%") == 1


def count(world: Visiting, **counted: int) -> None:
    hour_ms = world.server.clock() // HOUR_MS * HOUR_MS
    key = read_id("cmp", world.campaign) or 0
    rows = tuple((hour_ms, name, key, n) for name, n in counted.items())
    world.storage.writer.commit(AddCounts(rows))


def test_only_what_differs_is_changed(world: Visiting, owner: Browser) -> None:
    before = told(world)
    form = {"version": str(before["version"]), "name": "Autumn", "rate": "0.5", "devices": "1"}
    done = submit(owner, f"{page_of(world)}/change", **form)
    assert done.headers["location"] == f"{page_of(world)}?done=saved"
    assert told(world) == before
    wished = {
        "name": "Late autumn", "rate": "0.75", "ends": "2030-01-31", "pacing": "even", "cap": "3",
        "cap_per": "week", "countries": "France", "device.mobile": "on",
    }  # fmt: skip
    submit(owner, f"{page_of(world)}/change", **form | wished)
    after = told(world)
    assert (after["name"], after["rate_micros"], after["pacing"]) == ("Late autumn", 750_000, "even")
    assert after["ends_at"] == "2030-01-31T23:00:00.000Z"
    assert after["frequency_cap"] == {"impressions": 3, "per": "week"}
    assert after["targeting"]["countries"]["values"] == ["FR"]
    assert after["targeting"]["devices"]["values"] == ["mobile"]
    assert after["total_budget_micros"] == before["total_budget_micros"]


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""), ("rate", ""), ("rate", "-1"), ("daily", "much"), ("ends", "soon"), ("cap", "0"),
        ("cap", "ten"), ("countries", "Narnia"), ("pacing", "fast"),
    ],
)  # fmt: skip
def test_a_wrong_change_leaves_the_form_filled_in(
    world: Visiting, owner: Browser, field: str, typed: str
) -> None:
    before = told(world)
    form = {"version": str(before["version"]), "name": "Kept", field: typed}
    answer = submit(owner, f"{page_of(world)}/change", **form)
    assert (answer.status_code, told(world)) == (422, before)
    assert field == "name" or 'value="Kept"' in answer.text


def test_a_change_of_a_page_that_is_old_is_refused(world: Visiting, owner: Browser) -> None:
    before = told(world)
    answer = submit(owner, f"{page_of(world)}/change", version="1", name="Stale")
    assert (answer.status_code, told(world)) == (409, before)
    assert "Somebody has changed it meanwhile" in answer.text


def test_the_list_is_sieved_searched_and_turned(world: Visiting, owner: Browser) -> None:
    for number in range(30):
        world.change(
            "POST", "/campaigns", advertiser_id=world.advertiser, name=f"Row {number}", pricing_model="cpc",
            rate_micros=5,
        )  # fmt: skip

    def names(query: str) -> int:
        return owner.ask("GET", f"{campaigns(world)}?{query}").text.count('<li class="sheet">')

    assert (names(""), names("page=2"), names("page=99")) == (25, 6, 0)
    assert (names("q=row+2"), names("q=nothing"), names("show=paused")) == (11, 0, 0)
    assert names("show=asks") == 25
    assert names("show=nonsense&page=-1") == 25
    assert names("show=ended") == 0


def test_an_ad_is_changed_and_keeps_what_the_form_has_no_field_for(world: Visiting, owner: Browser) -> None:
    (creative,) = world.listed(f"/creatives?campaign_id={world.campaign}")
    copies = [{"headline": "Salut", "button": None, "language": "fr", "situation": None}]
    known = world.change("PATCH", f"/creatives/{creative['id']}", copies=copies)
    path = f"{page_of(world)}/ads/{creative['id']}"
    form = {
        "version": str(known["version"]),
        "template": "hero",
        "brand": "Nordhaus & Co",
        "headline": "Hello",
    }
    assert submit(owner, path, **form, deed="show").status_code == 200
    submit(owner, path, **form, deed="save")
    after = world.change("GET", f"/creatives/{creative['id']}")
    assert (after["template"], after["brand"]["name"], after["approval"]) == (
        "hero",
        "Nordhaus & Co",
        "pending",
    )
    assert [one["headline"] for one in after["copies"]] == ["Salut", "Hello"]
    assert submit(owner, path, **form, deed="save").status_code == 409
    assert submit(owner, path, **form | {"brand": ""}, deed="save").status_code == 422
    page = owner.ask("GET", page_of(world)).text
    assert "the version before is shown meanwhile" in page
    look = owner.ask("GET", f"{page_of(world)}/look/{creative['id']}/300x250")
    assert "Waxed boots" in look.text


def test_it_is_ended_after_asking_once_more_and_stays_so(world: Visiting, owner: Browser) -> None:
    asked = owner.ask("GET", f"{page_of(world)}/end").text
    assert "cannot be started again" in asked and told(world)["status"] == "active"
    submit(owner, f"{page_of(world)}/end")
    assert told(world)["status"] == "ended"
    page = owner.ask("GET", page_of(world)).text
    assert "End it" not in page and "Make another like it" in page
    refused = submit(owner, f"{page_of(world)}/change", version=str(told(world)["version"]), name="Again")
    assert refused.status_code == 409


def test_every_refusal_is_said_in_every_language() -> None:
    assert {reason.refusal for reason in reasons_of(EVERY, "en")} == set(Refusal)
    english, french = ([reason.says for reason in reasons_of(EVERY, language)] for language in ("en", "fr"))
    assert not set(english) & set(french)
