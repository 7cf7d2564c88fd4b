"""A publisher's pages of the console: sites, slots and their codes, earnings, and whose ads are let in."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import httpx
import pytest

from adserver.domain.admission import Admission
from adserver.domain.identity import read_id
from adserver.domain.slot import OnEmpty, Slot
from adserver.domain.user import Grant, Role
from adserver.domain.validity import NOT_BILLED
from adserver.flows.serve.try_slot import Eyes
from adserver.web.console.publisher_words import (
    admission_in_words,
    amount,
    eyes_in_words,
    not_billed_in_words,
    on_empty_in_words,
)
from adserver.web.schemas.inventory import show_slot
from adserver.writes import AddCounts
from tests.web.console import check_figures, enter, send, submit, words_of
from tests.web.visiting import Browser, Visiting

SLOT = {"name": "Aside", "size": "300x600", "on_empty": "collapse", "floor": "", "currency": ""}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("publisher")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def root(world: Visiting) -> str:
    return f"/console/publisher/{world.listed('/publishers')[0]['id']}"


@pytest.fixture(scope="module")
def owner(world: Visiting, root: str) -> Browser:
    return enter(world, "owner@news.example", Grant(Role.PUBLISHER, read_id("pub", root.rsplit("/", 1)[1])))


@pytest.fixture(scope="module")
def shown(world: Visiting) -> Browser:
    """A reader who was shown an ad and clicked it, and a test visitor who was shown one."""
    reader = world.browser()
    reader.view()
    token = reader.see()
    reader.ask("GET", f"/c?t={token}")
    tester = world.browser()
    tester.post("/test-visitor", test="on")
    tester.view()
    tester.see()
    world.server.report_counts()  # a worker does so each second
    world.storage.writer.commit(AddCounts(()))  # behind them in the queue
    return reader


def page(browser: Browser, path: str) -> str:
    answer = browser.ask("GET", path)
    assert answer.status_code == 200, answer.headers
    return str(answer.text)


def slot_in(answer: httpx.Response) -> str:
    """The id of the slot whose page is the answer."""
    return str(answer.headers["location"]).partition("?")[0].rsplit("/", 1)[1]


# ---- sites and slots ----


def test_who_has_one_publisher_begins_with_its_sites(owner: Browser, root: str) -> None:
    assert owner.ask("GET", "/console").headers["location"] == f"{root}/sites"
    text = page(owner, f"{root}/sites")
    assert "News" in text
    assert "300x250" in text


def test_a_site_and_a_slot_are_added_and_changed(world: Visiting, owner: Browser, root: str) -> None:
    made = submit(owner, f"{root}/sites", name="Sports", domains="sports.example\n  scores.example ")
    assert made.status_code == 303, made.text
    site_id = made.headers["location"].split("/sites/")[1].split("/")[0]
    assert world.change("GET", f"/sites/{site_id}")["domains"] == ["sports.example", "scores.example"]
    made = submit(owner, f"{root}/sites/{site_id}/slots", **SLOT | {"floor": "0.80", "currency": "EUR"})
    slot = world.change("GET", f"/slots/{slot_in(made)}")
    assert (slot["width"], slot["height"], slot["on_empty"]) == (300, 600, "collapse")
    assert (slot["floor_cpm_micros"], slot["currency"]) == (800_000, "EUR")
    change = {"name": "Below", "on_empty": "passback", "floor": "", "blocked_advertisers": "rival.example"}
    done = submit(owner, f"{root}/sites/slots/{slot['id']}", **change, separate_competitors="on")
    assert done.headers["location"] == f"{root}/sites/slots/{slot['id']}?done=saved"
    changed = world.change("GET", f"/slots/{slot['id']}")
    assert (changed["name"], changed["floor_cpm_micros"], changed["currency"]) == ("Below", 0, None)
    assert (changed["blocked_advertisers"], changed["separate_competitors"]) == (["rival.example"], True)
    submit(owner, f"{root}/sites/{site_id}", name="Sport", domains="sports.example", categories="Sport")
    site = world.change("GET", f"/sites/{site_id}")
    assert (site["name"], site["domains"], site["categories"]) == ("Sport", ["sports.example"], ["Sport"])


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("domains", "", "without https://"),
        ("domains", "com", "without https://"),
        ("domains", "https://news.example/a", "without https://"),
        ("name", "", "at most 100 letters"),
        ("name", "x" * 101, "at most 100 letters"),
        ("name", "a\u202eb", "at most 100 letters"),
        ("categories", "> >", "Sport > Football"),
        ("click_prefixes", "javascript:alert(1)", "https://clicks.example/"),
        ("blocked_categories", "Food >", "Sport > Football"),
        ("blocked_advertisers", "no one", "rival.example"),
    ],
)
def test_a_site_that_cannot_be_is_asked_again_with_all_that_was_typed(
    world: Visiting, owner: Browser, root: str, field: str, typed: str, says: str
) -> None:
    before = world.listed("/sites")
    wish = {"name": "Kept <b>", "domains": "kept.example", field: typed}
    answer = submit(owner, f"{root}/sites", **wish)
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert ("Kept &lt;b&gt;" if field != "name" else "kept.example") in answer.text
    assert "Kept <b>" not in answer.text
    assert world.listed("/sites") == before


@pytest.mark.parametrize(
    "wish",
    [
        {"size": "301x250"},
        {"size": ""},
        {"floor": "-1", "currency": "EUR"},
        {"floor": "0.80"},
        {"floor": "0.80", "currency": "XXY"},
        {"on_empty": "explode"},
        {"name": " "},
    ],
)
def test_a_slot_that_cannot_be_is_asked_again(
    world: Visiting, owner: Browser, root: str, wish: dict[str, str]
) -> None:
    answer = submit(owner, f"{root}/sites/{world.site}/slots", **SLOT | wish)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(world.listed(f"/slots?site_id={world.site}")) == 1


def test_the_codes_are_the_apis(world: Visiting, owner: Browser, root: str) -> None:
    text = unescape(page(owner, f"{root}/sites/slots/{world.slot}"))
    for code in world.change("GET", f"/slots/{world.slot}")["embed"].values():
        assert unescape(code) in unescape(text)


def test_ad_manager_is_let_count_clicks_once(world: Visiting, owner: Browser, root: str) -> None:
    for _ in range(2):
        submit(owner, f"{root}/sites/slots/{world.slot}/ad-manager")
    site = world.change("GET", f"/sites/{world.site}")
    assert site["click_prefixes"] == ["https://adclick.g.doubleclick.net/"]
    assert "Ad Manager counts the clicks" in page(owner, f"{root}/sites/slots/{world.slot}")


# ---- how a slot looks ----


@pytest.mark.parametrize(
    ("eyes", "slot"), [("shopper", "filled"), ("stranger", "empty"), ("nobody", "empty")]
)
def test_a_slot_is_looked_at_with_other_eyes_and_nothing_is_counted(
    world: Visiting, owner: Browser, root: str, eyes: str, slot: str
) -> None:
    before = counted(world)
    seen = owner.ask("GET", f"{root}/sites/slots/{world.slot}/seen/{eyes}")
    assert (seen.headers["x-slot"], seen.status_code) == (slot, 200)
    assert "frame-ancestors 'self'" in seen.headers["content-security-policy"]
    assert "connect-src 'self'" not in seen.headers["content-security-policy"] or slot == "empty"
    assert ("boots" in seen.text) == (slot == "filled")
    assert "/i?t=" not in seen.text
    api = world.operator.ask("GET", f"/api/v1/slots/{world.slot}/preview", params={"as": eyes})
    assert (api.headers["x-slot"], api.text) == (slot, seen.text)
    assert counted(world) == before


def counted(world: Visiting) -> int:
    publisher = world.listed("/publishers")[0]["id"]
    told = world.change("GET", f"/publishers/{publisher}/earnings/{this_month(world)}")
    return int(told["requests"]) + int(told["impressions"])


def this_month(world: Visiting) -> str:
    return datetime.fromtimestamp(world.server.clock() / 1000, UTC).strftime("%Y-%m")


def test_a_test_visitor_sees_what_has_no_budget_left(world: Visiting, owner: Browser, root: str) -> None:
    world.change("PATCH", f"/campaigns/{world.campaign}", daily_budget_micros=1)
    seen = owner.ask("GET", f"{root}/sites/slots/{world.slot}/seen/shopper")
    world.change("PATCH", f"/campaigns/{world.campaign}", daily_budget_micros=None)
    assert seen.headers["x-slot"] == "filled"


@pytest.mark.parametrize(
    ("wish", "says"), [("collapse", "the place closes"), ("passback", "data-passback"), ("house", "<iframe")]
)
def test_the_page_says_what_becomes_of_an_empty_place(
    world: Visiting, owner: Browser, root: str, wish: str, says: str
) -> None:
    slot = world.change("POST", "/slots", site_id=world.site, name=wish, width=300, height=250, on_empty=wish)
    assert says in unescape(page(owner, f"{root}/sites/slots/{slot['id']}?as=nobody"))


# ---- what was earned ----


@pytest.mark.usefixtures("shown")
def test_every_figure_is_the_apis(world: Visiting, owner: Browser, root: str) -> None:
    month = this_month(world)
    assert check_figures(world, page(owner, f"{root}/sites")) >= 2
    assert check_figures(world, page(owner, f"{root}/earnings")) >= 12
    assert check_figures(world, page(owner, f"{root}/earnings/{month}")) >= 8
    assert check_figures(world, page(owner, f"{root}/sites/slots/{world.slot}")) >= 5


@pytest.mark.usefixtures("shown")
def test_earnings_are_the_publishers_share_and_what_was_not_billed_is_told(
    world: Visiting, owner: Browser, root: str
) -> None:
    text = unescape(words_of(page(owner, f"{root}/earnings")))
    assert "Earned so far€0.35" in text  # 70 % of a click at 0.50
    assert "Your own, or another test visitor's1" in text
    statement = words_of(page(owner, f"{root}/earnings/{this_month(world)}"))
    assert "To be paid out€0.35" in statement


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize(("name", "api"), [("slots", ""), ("events", "/events")])
def test_sheets_are_the_apis(world: Visiting, owner: Browser, root: str, name: str, api: str) -> None:
    publisher, month = root.rsplit("/", 1)[1], this_month(world)
    key = world.change("POST", "/keys", name="k", scope="publisher", owner_id=publisher)["secret"]
    own = world.browser(Authorization=f"Bearer {key}")
    told = own.ask("GET", f"/api/v1/publishers/{publisher}/statements/{month}{api}?format=csv")
    sheet = owner.ask("GET", f"{root}/earnings/{month}/{name}.csv")
    assert (sheet.text, sheet.text.count("\n")) == (told.text, 2)
    assert sheet.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("shown")
def test_a_statement_says_what_is_withheld_and_why(world: Visiting, owner: Browser, root: str) -> None:
    path, publisher = f"{root}/earnings/{this_month(world)}", root.rsplit("/", 1)[1]
    asked = {"publisher_id": publisher, "slot_id": world.slot, "since": "2020-01-01T00:00:00Z"}
    hold = world.change("POST", "/payout-holds", **asked, reason="clicks from one office")
    statement = page(owner, path)
    assert "Withheld while its traffic is looked into€0.35" in words_of(statement)
    assert "To be paid out€0.00" in words_of(statement)
    assert "clicks from one office" in statement and check_figures(world, statement) >= 10
    world.change("POST", f"/payout-holds/{hold['id']}/release")
    assert "To be paid out€0.35" in words_of(page(owner, path))


def test_a_month_that_is_none_leads_to_the_list(owner: Browser, root: str) -> None:
    for month in ("2026-13", "now", "1999-01", "2026-1"):
        assert owner.ask("GET", f"{root}/earnings/{month}").headers["location"] == f"{root}/earnings"


# ---- whose ads are let in ----


def asking(world: Visiting, root: str) -> str:
    told = world.listed(f"/publishers/{root.rsplit('/', 1)[1]}/advertisers")
    return next(one["admission"] for one in told if one["advertiser_id"] == world.advertiser)


def test_an_advertiser_waits_is_let_in_and_is_kept_out(world: Visiting, owner: Browser, root: str) -> None:
    assert asking(world, root) == "shown"
    submit(owner, f"{root}/approvals/blocks", approve_advertisers="on", blocked_advertisers="shop.example")
    assert asking(world, root) == "refused"  # by its domain
    steps = (("approve", "approved", "Approved by you"), ("refuse", "refused", "Refused by you"))
    for word, admission, says in steps:
        done = submit(owner, f"{root}/approvals", word=word, **{world.advertiser: "on"})
        assert done.headers["location"] == f"{root}/approvals?done=saved"
        assert asking(world, root) == admission
        assert says in page(owner, f"{root}/approvals")
        seen = owner.ask("GET", f"{root}/sites/slots/{world.slot}/seen/shopper").headers["x-slot"]
        assert (seen == "filled") == (word == "approve")
    submit(owner, f"{root}/approvals/blocks", blocked_categories="Food > Wine")
    assert asking(world, root) == "refused"  # a tick holds until it is taken back
    submit(owner, f"{root}/approvals", word="approve", **{world.advertiser: "on"})
    assert asking(world, root) == "shown"


def test_an_advertisers_ad_is_looked_at_as_it_is_shown(world: Visiting, owner: Browser, root: str) -> None:
    creative = world.listed(f"/creatives?campaign_id={world.campaign}")[0]["id"]
    look = owner.ask("GET", f"{root}/approvals/{creative}/300x250")
    assert "boots" in look.text
    assert "frame-ancestors 'self'" in look.headers["content-security-policy"]
    publisher = root.rsplit("/", 1)[1]
    api = world.operator.ask(
        "GET", f"/api/v1/publishers/{publisher}/creatives/{creative}/preview/300x250.html"
    )
    assert api.text == look.text
    for other in (f"{creative}/301x1.html", f"{creative}/300x250.svg", "crv_0000000000000/300x250.html"):
        path = other.replace("/", "/preview/", 1)
        told = world.operator.ask("GET", f"/api/v1/publishers/{publisher}/creatives/{path}")
        assert told.status_code == 404


def test_what_is_not_ticked_and_what_is_no_category_is_told(owner: Browser, root: str) -> None:
    assert submit(owner, f"{root}/approvals", word="approve").status_code == 422
    answer = submit(owner, f"{root}/approvals/blocks", blocked_categories="Food >")
    assert answer.status_code == 422
    assert "Food &gt;</textarea>" in answer.text


# ---- others ----


def paths(world: Visiting, root: str) -> list[tuple[str, str]]:
    month = "2026-11"
    return [
        ("GET", f"{root}/sites"), ("GET", f"{root}/sites/new"), ("POST", f"{root}/sites"),
        ("GET", f"{root}/sites/{world.site}"), ("POST", f"{root}/sites/{world.site}"),
        ("GET", f"{root}/sites/{world.site}/slots/new"), ("POST", f"{root}/sites/{world.site}/slots"),
        ("GET", f"{root}/sites/slots/{world.slot}"), ("POST", f"{root}/sites/slots/{world.slot}"),
        ("GET", f"{root}/sites/slots/{world.slot}/change"), ("GET", f"{root}/sites/slots/{world.slot}/seen/shopper"),
        ("POST", f"{root}/sites/slots/{world.slot}/ad-manager"), ("GET", f"{root}/earnings"),
        ("GET", f"{root}/earnings/{month}"), ("GET", f"{root}/earnings/{month}/slots.csv"),
        ("GET", f"{root}/earnings/{month}/events.csv"), ("GET", f"{root}/approvals"),
        ("POST", f"{root}/approvals"), ("POST", f"{root}/approvals/blocks"),
        ("GET", f"{root}/approvals/crv_0000000000000/300x250"),
    ]  # fmt: skip


def test_others_neither_see_nor_change_any_of_it(world: Visiting, root: str) -> None:
    other = world.change("POST", "/publishers", name="Rival")["id"]
    strangers = (
        Grant(Role.PUBLISHER, read_id("pub", other)),
        Grant(Role.ADVERTISER, read_id("adv", world.advertiser)),
        Grant(Role.WEBMASTER, read_id("adv", world.advertiser)),
    )
    for number, grant in enumerate(strangers):
        browser = enter(world, f"stranger{number}@example.org", grant)
        for method, path in paths(world, root):
            ask = browser.ask("GET", path) if method == "GET" else submit(browser, path, name="x")
            assert ask.headers.get("location") == "/console", (grant, path)


def test_anothers_slot_is_not_reached_through_ones_own_account(world: Visiting) -> None:
    other = world.change("POST", "/publishers", name="Third")["id"]
    mine, browser = f"/console/publisher/{other}", world.browser()
    browser = enter(world, "third@example.org", Grant(Role.PUBLISHER, read_id("pub", other)))
    operator = enter(world, "operator@example.org")
    for who in (browser, operator):
        for path in (
            f"/sites/{world.site}",
            f"/sites/slots/{world.slot}",
            f"/sites/slots/{world.slot}/seen/shopper",
        ):
            assert who.ask("GET", mine + path).headers["location"] == f"{mine}/sites"
        for path in (f"/sites/{world.site}/slots", f"/sites/slots/{world.slot}", f"/sites/{world.site}"):
            assert submit(who, mine + path, **SLOT).headers["location"] == f"{mine}/sites"


def test_forms_without_their_token_change_nothing(world: Visiting, owner: Browser, root: str) -> None:
    for method, path in paths(world, root):
        if method == "POST":
            assert send(owner, path, name="x").status_code == 403
            assert send(owner, path, name="x", token="0" * 64).status_code == 403


def test_an_empty_publisher_is_told_what_to_do(world: Visiting) -> None:
    empty = world.change("POST", "/publishers", name="Empty")["id"]
    browser = enter(world, "empty@example.org", Grant(Role.PUBLISHER, read_id("pub", empty)))
    root = f"/console/publisher/{empty}"
    assert "Begin with your site" in page(browser, f"{root}/sites")
    assert "Nothing yet this month" in page(browser, f"{root}/earnings")


def test_everything_that_has_a_name_has_words() -> None:
    assert set(not_billed_in_words("en")) == set(NOT_BILLED)
    assert set(admission_in_words("en")) == set(Admission)
    assert set(eyes_in_words("en")) == set(Eyes)
    assert set(on_empty_in_words("en")) == set(OnEmpty)


def test_less_than_a_cent_is_not_nothing() -> None:
    assert [amount(micros, "EUR", "en") for micros in (0, 2_520, -2_520, 10_000, 1_234_000_000)] == [
        "€0.00",
        "€0.00252",
        "-€0.00252",
        "€0.01",
        "€1,234.00",
    ]


def test_pages_of_other_domains_are_told_of(world: Visiting) -> None:
    account = world.change("POST", "/publishers", name="Moved")["id"]
    root = f"/console/publisher/{account}"
    site = world.change("POST", "/sites", publisher_id=account, name="M", domains=["old.example"])["id"]
    slot = world.change("POST", "/slots", site_id=site, name="s", width=300, height=250)["id"]
    owner = enter(world, "moved@example.org", Grant(Role.PUBLISHER, read_id("pub", account)))
    for host, says in (("old.example", "Never with an ad"), ("new.example", "add its domain to the site")):
        world.browser().ask("GET", f"/slot/{slot}", headers={"Referer": f"https://{host}/"})
        world.server.report_counts()
        world.storage.writer.commit(AddCounts(()))
        text = unescape(page(owner, f"{root}/sites/slots/{slot}"))
        assert says in text
        assert check_figures(world, text) >= 4
    told = world.change("GET", f"/publishers/{account}/earnings/{this_month(world)}")
    assert (told["requests"], told["foreign"], told["fills"]) == (2, 1, 0)


def test_ads_for_the_page_are_seen_by_a_stranger(world: Visiting, owner: Browser, root: str) -> None:
    campaign = world.change(
        "POST", "/campaigns", advertiser_id=world.advertiser, name="Page", pricing_model="cpc",
        rate_micros=500_000, contextual=True,
    )["id"]  # fmt: skip
    message = {"headline": "Rain is coming", "body": "Boots", "button": "See"}
    world.change(
        "POST", "/creatives", campaign_id=campaign, template="message", brand={"name": "N"}, message=message,
        link="https://shop.example/a",
    )  # fmt: skip
    world.change("PATCH", f"/campaigns/{campaign}", status="active")
    seen = owner.ask("GET", f"{root}/sites/slots/{world.slot}/seen/stranger")
    world.change("PATCH", f"/campaigns/{campaign}", status="paused")
    assert seen.headers["x-slot"] == "filled"
    assert "Rain is coming" in seen.text


def test_ad_manager_tells_consent_to_whom_it_can_name() -> None:
    slot = Slot(key=1, site_key=2, name="s", width=300, height=250)
    code = show_slot(slot, "https://cards.example", 812).embed.ad_manager
    assert "&amp;gdpr=${GDPR}&amp;gdpr_consent=${GDPR_CONSENT_812}" in code
