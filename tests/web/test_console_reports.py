"""Reports in the console: the figures of the API, asked for by an address, of one's own accounts only."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from adserver.domain.user import Grant, Role
from tests.web.api import experiment_body
from tests.web.console import check_figures, enter, send, submit, words_of
from tests.web.reporting import key_of, show_ads
from tests.web.visiting import Browser, Visiting

STARTS = re.compile(r'<nav class="starts".*?</nav>', re.DOTALL)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    show_ads(world, 0, ads=4, clicks=1)
    show_ads(world, 1, ads=12, clicks=3)
    show_ads(world, 2, ads=20, clicks=2)
    show_ads(world, 40, ads=5, clicks=5)
    yield world
    world.close()


@pytest.fixture(scope="module")
def owner(world: Visiting) -> Browser:
    return enter(world, "owner@shop.example", Grant(Role.ADVERTISER, key_of("adv", world.advertiser)))


@pytest.fixture(scope="module")
def press(world: Visiting) -> Browser:
    return enter(world, "press@news.example", Grant(Role.PUBLISHER, key_of("pub", publisher(world))))


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "operator@example.org")


def publisher(world: Visiting) -> str:
    return str(world.listed("/sites")[0]["publisher_id"])


def of_shop(world: Visiting) -> str:
    return f"/console/shop/{world.advertiser}/reports"


def page(browser: Browser, address: str, status: int = 200) -> str:
    answer = browser.ask("GET", address)
    assert answer.status_code == status, (address, answer.text)
    return str(answer.text)


def test_the_first_report_tells_what_was_spent_by_day(world: Visiting, owner: Browser) -> None:
    told = page(owner, of_shop(world))
    assert "€1.80" in words_of(told)  # six clicks of the last thirty days
    assert check_figures(world, told) >= 3 * 4
    assert "Days and hours are those of Paris." in words_of(told)


@pytest.mark.parametrize("side", ["shop", "publisher", "network"])
def test_every_figure_of_every_ready_made_report_is_the_apis(
    world: Visiting, owner: Browser, press: Browser, operator: Browser, side: str
) -> None:
    browser, root = {
        "shop": (owner, of_shop(world)),
        "publisher": (press, f"/console/publisher/{publisher(world)}/reports"),
        "network": (operator, "/console/network/reports"),
    }[side]
    found = STARTS.search(page(browser, root))
    assert found is not None
    links = re.findall(r'href="([^"]*)"', unescape(found[0]))
    assert len(links) >= 7
    figures = 0
    for link in links:
        for more in ("", "&compare=previous"):
            figures += check_figures(world, page(browser, root + link + more))
    assert figures > 40


def test_two_groups_a_filter_and_a_comparison_are_the_apis_too(world: Visiting, owner: Browser) -> None:
    asked = (
        f"?period=7_days&group_by=day&group_by=campaign&metrics=spend_micros&metrics=ctr"
        f"&campaign={world.campaign}&compare=previous"
    )
    told = page(owner, of_shop(world) + asked)
    assert check_figures(world, told) >= 2 * 3 + 2
    assert "as before" in words_of(told) or "more than" in words_of(told)


def test_an_experiments_arms_are_a_question_of_their_own(world: Visiting, owner: Browser) -> None:
    creatives = [one["id"] for one in world.listed(f"/creatives?campaign_id={world.campaign}")]
    link = {"template": "cards", "brand": {"name": "Shop"}, "campaign_id": world.campaign}
    creatives += [world.change("POST", "/creatives", **link)["id"]]
    world.change("POST", "/experiments", **experiment_body(world.campaign, creatives[-2:]))
    found = STARTS.search(page(owner, of_shop(world)))
    assert found is not None
    (arms,) = re.findall(r'href="([^"]*experiment=[^"]*)"', unescape(found[0]))
    told = page(owner, of_shop(world) + arms)
    assert "Arm of an experiment" in words_of(told)
    without = words_of(page(owner, of_shop(world) + "?period=today&group_by=arm", 422))
    assert "choose its question above" in without
    page(owner, of_shop(world) + "?period=today&group_by=arm&experiment=exp_nobody", 422)


def test_a_comparison_says_in_words_what_became_of_it(world: Visiting, owner: Browser) -> None:
    told = words_of(page(owner, of_shop(world) + "?period=yesterday&metrics=spend_micros&compare=previous"))
    assert "€0.90" in told
    assert "50.0% more than €0.60" in told


def test_today_says_that_it_is_not_over(world: Visiting, owner: Browser) -> None:
    told = words_of(page(owner, of_shop(world) + "?period=today&group_by=hour"))
    assert "Today is not over: everything up to" in told
    assert "€0.30" in told
    yesterday = words_of(page(owner, of_shop(world) + "?period=yesterday&group_by=hour"))
    assert "Today is not over" not in yesterday


def test_rows_are_sorted_by_a_link(world: Visiting, owner: Browser) -> None:
    asked = "?period=7_days&group_by=day&metrics=impressions&sort="
    days = {}
    for sort in ("-impressions", "impressions", "-day", "day", ""):
        told = page(owner, of_shop(world) + asked + sort)
        days[sort] = re.findall(r'data-path="rows/(\d+)/', told)
    assert days["-impressions"] == days["impressions"][::-1] == days["day"] == days[""]
    assert days["-day"] == days["day"][::-1]
    assert 'aria-sort="descending"' in page(owner, of_shop(world) + asked + "-impressions")


def test_the_address_holds_all_that_was_chosen(world: Visiting, owner: Browser) -> None:
    day = (datetime.fromtimestamp(world.server.clock() / 1000, UTC) - timedelta(days=20)).date()
    asked = (
        f"?period=own&from={day}&to={day}&group_by=day&metrics=clicks&metrics=ctr"
        f"&device=mobile&campaign={world.campaign}&compare=previous"
    )
    told = page(owner, of_shop(world) + asked)
    for chosen in ("own", "day", "mobile", world.campaign):
        assert f'<option value="{chosen}" selected>' in told
    for ticked in ("clicks", "ctr", "previous"):
        assert f'value="{ticked}" checked' in told
    assert f'name="from" value="{day}"' in told
    assert "Nothing in this period" in words_of(told)


def test_the_sheet_is_the_apis(world: Visiting, owner: Browser) -> None:
    asked = "?period=7_days&group_by=campaign&metrics=spend_micros,clicks&compare=previous"
    sheet = owner.ask("GET", f"{of_shop(world)}/sheet.csv{asked}")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert "attachment" in sheet.headers["content-disposition"]
    api = re.search(r'data-api="([^"]*)"', page(owner, of_shop(world) + asked))
    assert api is not None
    assert sheet.text == world.operator.ask("GET", f"{unescape(api[1])}&format=csv").text
    assert "Autumn" in sheet.text


@pytest.mark.parametrize(
    "look", ["wide", "wide-dark", "narrow", "narrow-dark", "low", "low-narrow-dark", "?", ""]
)
def test_the_picture_is_served_in_every_look(world: Visiting, owner: Browser, look: str) -> None:
    chart = f"{of_shop(world)}/chart.svg?period=7_days&group_by=day&metrics=spend_micros&look={look}"
    answer = owner.ask("GET", chart)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert "€" in answer.text
    assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_there_is_no_picture_of_nothing(world: Visiting, owner: Browser) -> None:
    for asked in ("?period=7_days&metrics=clicks", "?period=own&from=2020-01-01&to=2020-01-02&group_by=day"):
        assert owner.ask("GET", f"{of_shop(world)}/chart.svg{asked}").status_code == 404
        assert "<picture>" not in page(owner, of_shop(world) + asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("?period=own&from=2026-02-30&to=2026-03-01", "These dates cannot be read"),
        ("?period=own&from=2026-03-02&to=2026-03-01", "These dates cannot be read"),
        ("?period=nonsense", "These dates cannot be read"),
        ("?period=own", "These dates cannot be read"),
        ("?from=' OR 1=1&to=<script>", "These dates cannot be read"),
        ("?period=own&from=0001-01-01&to=9999-12-31", "too long for one report"),
        ("?period=today&metrics=everything", "asks for something that no report tells"),
        ("?period=today&group_by=planet", "asks for something that no report tells"),
        ("?period=today&country=Atlantis", "asks for something that no report tells"),
        ("?period=today&campaign=" + ",".join(f"cmp_{n}" for n in range(201)), "that no report tells"),
        ("?period=today&metrics=", "Choose at least one figure"),
        ("?period=today&group_by=day,device,country", "two things at most"),
        ("?period=today&group_by=day,hour", "does not go with the rest: Hour"),
        ("?period=today&group_by=product&metrics=fills", "Ads served + Product"),
        ("?period=today&metrics=revenue_micros", "not told here: Earned"),
        ("?period=today&campaign=cmp_nothing", "does not exist, or is not yours: Campaign"),
        ("?period=today&group_by=arm", "choose its question above"),
    ],
)
def test_what_cannot_be_told_is_said_with_the_form_still_filled_in(
    world: Visiting, owner: Browser, asked: str, said: str
) -> None:
    told = page(owner, of_shop(world) + asked, 422)
    assert said in words_of(told)
    assert 'class="ask"' in told
    assert "<script>" not in told
    assert owner.ask("GET", f"{of_shop(world)}/chart.svg{asked}").status_code == 404
    assert owner.ask("GET", f"{of_shop(world)}/sheet.csv{asked}").status_code == 303


def test_odd_addresses_break_nothing(world: Visiting, owner: Browser) -> None:
    for asked in (
        "?page=-1&period=today", "?page=99999999999999999999&period=today", "?period=today&page=٣",
        "?sort=nonsense&period=today", "?draw=spend&period=today", "?currency=€€€&period=today",
        "?%00=%ff&period=today", "?group_by=&period=today", "?look=narrow",
    ):  # fmt: skip
        page(owner, of_shop(world) + asked)


def test_a_page_beyond_the_last_row_is_empty_and_leads_back(world: Visiting, owner: Browser) -> None:
    told = page(owner, of_shop(world) + "?period=7_days&group_by=day&metrics=clicks&page=7")
    assert "Rows before" in words_of(told)


@pytest.mark.parametrize("suffix", ["", "/chart.svg?period=7_days&group_by=day", "/sheet.csv?period=7_days"])
def test_nobody_sees_anothers_reports(world: Visiting, owner: Browser, press: Browser, suffix: str) -> None:
    webmaster = enter(
        world, f"web{len(suffix)}@shop.example", Grant(Role.WEBMASTER, key_of("adv", world.advertiser))
    )
    paths = {
        "shop": of_shop(world),
        "publisher": f"/console/publisher/{publisher(world)}/reports",
        "network": "/console/network/reports",
    }
    strangers = ((webmaster, paths), (owner, paths.keys() - {"shop"}), (press, paths.keys() - {"publisher"}))
    for browser, forbidden in strangers:
        for place in forbidden:
            assert browser.ask("GET", paths[place] + suffix).headers["location"] == "/console"
    nobody = world.browser()
    assert nobody.ask("GET", of_shop(world) + suffix).headers["location"].startswith("/console/login")


def test_a_publisher_is_told_its_share_and_nothing_of_spending(world: Visiting, press: Browser) -> None:
    told = words_of(page(press, f"/console/publisher/{publisher(world)}/reports"))
    assert "Earned" in told
    assert "Spent" not in told
    assert "€1.26" in told  # seven tenths of what six clicks cost


def test_yesterdays_spend_stands_on_the_first_page(world: Visiting, owner: Browser) -> None:
    told = page(owner, f"/console/shop/{world.advertiser}/campaigns")
    said = words_of(told)
    assert said.index("Yesterday") < said.index("€0.90") < said.index("50.0% more than €0.60")
    assert said.index("Today, so far") < said.index("€0.30")
    assert check_figures(world, told) >= 10


def test_names_in_a_report_are_never_markup(world: Visiting, owner: Browser) -> None:
    world.change("PATCH", f"/campaigns/{world.campaign}", name='<img src=x onerror="1">&')
    asked = "?period=7_days&group_by=campaign&metrics=clicks"
    told, drawn = page(owner, of_shop(world) + asked), page(owner, f"{of_shop(world)}/chart.svg{asked}")
    assert "<img src=x" not in told + drawn
    assert "&lt;img src=x" in told
    world.change("PATCH", f"/campaigns/{world.campaign}", name="Autumn")


def test_a_saved_report_is_asked_again_by_its_name(world: Visiting, owner: Browser) -> None:
    asked = f"?period=this_month&metrics=spend_micros,clicks&group_by=campaign&campaign={world.campaign}"
    saved = submit(owner, f"{of_shop(world)}/saved{asked}", name="My month")
    assert saved.headers["location"] == f"{of_shop(world)}{asked}&done=saved"
    told = page(owner, of_shop(world))
    link = re.search(r'href="(\?[^"]*)">My month', told)
    assert link is not None
    assert unescape(link[1]) == asked
    listed = world.listed(f"/saved-reports?advertiser_id={world.advertiser}")
    assert [(one["name"], one["query"]) for one in listed] == [("My month", asked.removeprefix("?"))]
    api = f"/reports?{listed[0]['query']}&advertiser_id={world.advertiser}"
    assert world.operator.ask("GET", f"/api/v1{api}").status_code == 200
    opened = page(owner, of_shop(world) + asked)
    assert "Delete My month" in words_of(opened)
    gone = submit(owner, f"{of_shop(world)}/saved/{listed[0]['id']}/delete")
    assert gone.headers["location"] == f"{of_shop(world)}?done=removed"
    assert "My month" not in page(owner, of_shop(world))


@pytest.mark.parametrize("name", ["", "x" * 101, "\x00", "a\nb"])
def test_a_report_without_a_sound_name_is_not_saved(world: Visiting, owner: Browser, name: str) -> None:
    answer = submit(owner, f"{of_shop(world)}/saved?period=today&metrics=clicks", name=name)
    assert answer.status_code == 422
    assert "Give it a name of at most 100 letters" in words_of(answer.text)
    assert 'value="clicks" checked' in answer.text
    assert world.listed(f"/saved-reports?advertiser_id={world.advertiser}") == []


def test_what_cannot_be_told_is_not_saved(world: Visiting, owner: Browser) -> None:
    answer = submit(owner, f"{of_shop(world)}/saved?period=own&from=x&to=y", name="Odd")
    assert answer.status_code == 422
    assert world.listed(f"/saved-reports?advertiser_id={world.advertiser}") == []


def test_saved_reports_are_of_one_account_and_changed_by_its_own_forms_only(
    world: Visiting, owner: Browser, press: Browser, operator: Browser
) -> None:
    name = '<script>alert("1")</script>'
    submit(owner, f"{of_shop(world)}/saved?period=today&metrics=clicks", name=name)
    (saved,) = world.listed(f"/saved-reports?advertiser_id={world.advertiser}")
    assert "<script>alert" not in page(owner, of_shop(world))
    theirs = f"/console/publisher/{publisher(world)}/reports"
    for browser, root in ((press, theirs), (press, of_shop(world)), (operator, "/console/network/reports")):
        assert submit(browser, f"{root}/saved/{saved['id']}/delete").status_code == 303
    assert send(owner, f"{of_shop(world)}/saved/{saved['id']}/delete").status_code == 403
    assert send(owner, f"{of_shop(world)}/saved?period=today", name="No token").status_code == 403
    assert world.listed(f"/saved-reports?advertiser_id={world.advertiser}") == [saved]
    for gone in (saved["id"], saved["id"], "rep_nothing", "x"):
        assert submit(owner, f"{of_shop(world)}/saved/{gone}/delete").status_code == 303
    assert world.listed(f"/saved-reports?advertiser_id={world.advertiser}") == []


def test_the_api_knows_the_same_periods_by_name(world: Visiting, owner: Browser) -> None:
    told = page(owner, of_shop(world) + "?period=7_days&metrics=clicks")
    api = re.search(r'data-api="([^"]*)"', told)
    assert api is not None
    asked = f"/api/v1/reports?metrics=clicks&period=7_days&advertiser_id={world.advertiser}"
    by_dates = world.operator.ask("GET", unescape(api[1])).json()
    assert world.operator.ask("GET", asked).json() | {"until": ""} == by_dates | {"until": ""}
    assert world.operator.ask("GET", asked.replace("7_days", "someday")).status_code == 422


def test_before_anything_is_spent_the_first_page_has_figures_and_no_picture_that_cannot_be_drawn(
    tmp_path: Path, world: Visiting, owner: Browser
) -> None:
    started = Visiting(tmp_path)
    show_ads(started, 0, ads=3, clicks=0)
    own = enter(started, "owner@shop.example", Grant(Role.ADVERTISER, key_of("adv", started.advertiser)))
    for browser, of, is_drawn in ((own, started, False), (owner, world, True)):
        told = page(browser, f"/console/shop/{of.advertiser}/campaigns")
        assert 'class="sheet overview"' in told
        assert ("chart.svg" in told) is is_drawn
    started.close()
