"""The operator's pages: figures as the API has them, accounts, holds, the audit log; nobody else comes in."""

import re
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adserver.domain.finding import Finding, Severity
from adserver.domain.identity import read_id
from adserver.domain.installation import Answered
from adserver.domain.user import Grant, Role
from adserver.jobs import table
from adserver.web.console.network_words import finding_words, job_names
from adserver.writes import AddCounts, Result
from tests.web.console import check_figures, enter, send, submit, token_of, words_of
from tests.web.visiting import Browser, Visiting

ROOT = "/console/network"
PAGES = ("", "/accounts", "/traffic", "/audit", "/jobs", "/settings", "/health", "/identity", "/consent")
DAY_MS = 86_400_000
OPENING = {
    "name": "Atelier",
    "domains": "atelier.example, boutique.example",
    "currency": "EUR",
    "timezone": "Europe/Paris",
    "country": "FR",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=77 * 10**9))
        patched.setattr("adserver.main.beside.reach", lambda base_url: Answered(True, 0))
        world = Visiting(Path(tmp_path_factory.mktemp("console")))
        shopper = world.browser()
        shopper.view()
        shopper.ask("GET", f"/c?t={shopper.see()}")
        world.server.report_counts()
        yield world
        world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "anna@network.example")


@pytest.fixture(scope="module")
def publisher(world: Visiting) -> str:
    return str(world.listed("/publishers")[0]["id"])


def get(browser: Browser, path: str) -> Any:
    return browser.ask("GET", f"{ROOT}{path}")


def log(world: Visiting, **asked: str) -> list[dict[str, Any]]:
    told = "&".join(f"{name}={text}" for name, text in asked.items())
    return world.listed(f"/audit-log?{told}")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_the_apis_figures(world: Visiting, operator: Browser, path: str) -> None:
    page = get(operator, path)
    assert page.status_code == 200
    if path in ("", "/traffic", "/health", "/identity", "/audit"):
        assert check_figures(world, page.text) >= (0 if path == "/traffic" else 3)


@pytest.mark.parametrize("path", [*PAGES, "/accounts/x", "/traffic/holds/x"])
def test_nobody_else_comes_in(world: Visiting, path: str) -> None:
    owner, editor = read_id("adv", world.advertiser), read_id("pub", world.listed("/publishers")[0]["id"])
    for number, grant in enumerate((Grant(Role.ADVERTISER, owner), Grant(Role.PUBLISHER, editor))):
        stranger = enter(world, f"s{number}{path.replace('/', '-')}@example.org", grant)
        assert get(stranger, path).headers["location"] == "/console"
    assert get(world.browser(), path).headers["location"].startswith("/console/login")


def test_forms_without_the_sessions_token_change_nothing(
    world: Visiting, operator: Browser, publisher: str
) -> None:
    paths = ("/accounts/advertisers", "/accounts/publishers", f"/accounts/{publisher}", "/traffic/holds")
    before = len(log(world, limit="500"))
    for path in paths:
        assert send(operator, f"{ROOT}{path}", **OPENING).status_code == 403
    assert len(log(world, limit="500")) == before


def test_the_overview_has_the_ledgers_money(world: Visiting, operator: Browser) -> None:
    text = words_of(get(operator, "").text)
    assert "Charged to advertisers€0.50" in text
    assert "For publishers€0.35" in text
    assert "Left for the network€0.15" in text


def test_an_account_is_opened_changed_and_paid_into(world: Visiting, operator: Browser) -> None:
    opened = submit(operator, f"{ROOT}/accounts/advertisers", **OPENING, prepaid="1")
    path = opened.headers["location"]
    id_ = path.rpartition("/")[2]
    told = world.change("GET", f"/advertisers/{id_}")
    assert (told["name"], told["domains"]) == ("Atelier", ["atelier.example", "boutique.example"])
    assert told["prepaid"]
    submit(operator, path, **OPENING | {"name": "Atelier & fils"}, daily="12.50", total="")
    told = world.change("GET", f"/advertisers/{id_}")
    assert (told["name"], told["daily_budget_micros"], told["prepaid"]) == (
        "Atelier & fils",
        12_500_000,
        False,
    )
    for _ in range(2):
        paid = submit(operator, f"{path}/deposits", amount="100", reference="wire 7")
        assert paid.headers["location"] == path
    assert world.change("GET", f"/advertisers/{id_}")["deposited_micros"] == 100_000_000
    other = submit(operator, f"{path}/deposits", amount="99", reference="wire 7")
    assert (other.status_code, "another amount" in other.text) == (409, True)
    assert check_figures(world, operator.ask("GET", path).text) == 1
    assert "Atelier &amp; fils" in get(operator, "/accounts?search=boutique").text
    assert "Atelier" not in get(operator, "/accounts?search=nobody").text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("domains", ""),
        ("domains", "https://shop"),
        ("currency", "XXX"),
        ("timezone", "Mars/Base"),
        ("country", "France"),
    ],
)
def test_a_wrong_field_is_named_and_the_form_stays_filled_in(
    world: Visiting, operator: Browser, field: str, text: str
) -> None:
    before = len(world.listed("/advertisers"))
    answer = submit(operator, f"{ROOT}/accounts/advertisers", **OPENING | {field: text})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert (field == "name" or 'value="Atelier"' in answer.text) and "<script>alert" not in answer.text
    assert len(world.listed("/advertisers")) == before


@pytest.mark.parametrize("share", ["", "101", "-1", "7.555", "100.01", "7.", ".5", "٧٠", "a"])
def test_a_publishers_share_is_percent(world: Visiting, operator: Browser, share: str) -> None:
    assert submit(operator, f"{ROOT}/accounts/publishers", name="Press", share=share).status_code == 422


def test_a_publisher_is_opened_and_changed(world: Visiting, operator: Browser) -> None:
    path = submit(operator, f"{ROOT}/accounts/publishers", name="Press", share="65").headers["location"]
    submit(operator, path, name="Press", share="80")
    told = world.change("GET", f"/publishers/{path.rpartition('/')[2]}")
    assert told["revenue_share_bps"] == 8_000


def test_a_share_of_half_a_percent_survives_another_name(world: Visiting, operator: Browser) -> None:
    made = world.change("POST", "/publishers", name="Press", revenue_share_bps=7_050)
    path = f"{ROOT}/accounts/{made['id']}"
    (share,) = re.findall(r'name="share"[^>]* value="([^"]*)"', operator.ask("GET", path).text)
    submit(operator, path, name="Daily Press", share=share)
    told = world.change("GET", f"/publishers/{made['id']}")
    assert (told["name"], told["revenue_share_bps"]) == ("Daily Press", 7_050)


def test_what_somebody_else_changed_meanwhile_is_not_undone(world: Visiting, operator: Browser) -> None:
    path = submit(operator, f"{ROOT}/accounts/advertisers", **OPENING).headers["location"]
    api = f"/advertisers/{path.rpartition('/')[2]}"
    (version,) = re.findall(r'name="version" value="([0-9]+)"', operator.ask("GET", path).text)
    world.change("PATCH", api, daily_budget_micros=5_000_000)
    stale = submit(operator, path, **OPENING | {"name": "Other"}, daily="", total="", version=version)
    told = world.change("GET", api)
    assert (stale.status_code, told["name"], told["daily_budget_micros"]) == (409, "Atelier", 5_000_000)


def test_nobodys_address_is_kept_with_a_payment(world: Visiting, operator: Browser) -> None:
    path = f"{ROOT}/accounts/{world.advertiser}"
    answer = submit(operator, f"{path}/deposits", amount="10", reference="wire of anna@shop.example")
    assert (answer.status_code, "Give the payment a reference" in answer.text) == (422, True)
    deposits = world.listed(f"/deposits?advertiser_id={world.advertiser}")
    assert not any("anna" in one["reference"] for one in deposits)


def test_a_payment_that_is_refused_leaves_the_accounts_fields_filled_in(
    world: Visiting, operator: Browser
) -> None:
    path = f"{ROOT}/accounts/{world.advertiser}"
    answer = submit(operator, f"{path}/deposits", amount="ten", reference="wire 9").text
    name = world.change("GET", f"/advertisers/{world.advertiser}")["name"]
    assert f'name="name" value="{name}"' in answer
    assert 'value="wire 9"' in answer and 'value="ten"' in answer


def test_all_campaigns_of_an_advertiser_are_paused_at_once(world: Visiting, operator: Browser) -> None:
    path = f"{ROOT}/accounts/{world.advertiser}"
    assert submit(operator, f"{path}/pause").headers["location"] == path
    assert world.change("GET", f"/campaigns/{world.campaign}")["status"] == "paused"
    assert "No campaign is live" in operator.ask("GET", path).text
    world.change("PATCH", f"/campaigns/{world.campaign}", status="active")


def test_an_unknown_account_leads_back_to_the_list(operator: Browser) -> None:
    for id_ in ("adv_0000000000000", "pub_0000000000000", "x"):
        assert get(operator, f"/accounts/{id_}").headers["location"] == f"{ROOT}/accounts"


def test_a_hold_is_placed_looked_at_and_given_back(
    world: Visiting, operator: Browser, publisher: str
) -> None:
    form = {"publisher": publisher, "since": "2026-01-01", "reason": "a farm <b>of</b> clicks"}
    placed = submit(operator, f"{ROOT}/traffic/holds", **form)
    path = placed.headers["location"]
    page = operator.ask("GET", path).text
    assert check_figures(world, page) == 3
    assert "a farm &lt;b&gt;of&lt;/b&gt; clicks" in page
    again = submit(operator, f"{ROOT}/traffic/holds", **form)
    assert (again.status_code, "held already" in again.text) == (409, True)
    unsure = submit(operator, f"{path}/refund")
    assert (unsure.status_code, "Tick the box" in unsure.text) == (422, True)
    assert submit(operator, f"{path}/refund", sure="1").headers["location"] == path
    assert world.change("GET", f"/campaigns/{world.campaign}")["spend_micros"] == 0
    assert submit(operator, f"{path}/release").status_code == 409
    assert "given back" in get(operator, "/traffic").text


@pytest.mark.parametrize(
    "wrong",
    [{"publisher": ""}, {"since": ""}, {"since": "0001-01-01"}, {"since": "2026-13-01"}, {"reason": " "}],
)
def test_a_hold_of_nothing_is_refused(operator: Browser, publisher: str, wrong: dict[str, str]) -> None:
    form = {"publisher": publisher, "since": "2026-01-01", "reason": "odd"} | wrong
    assert submit(operator, f"{ROOT}/traffic/holds", **form).status_code == 422


def test_a_slots_hold_names_a_slot_of_that_publisher(operator: Browser, publisher: str) -> None:
    form = {"publisher": publisher, "since": "2026-01-01", "reason": "odd", "slot": "slot_0000000000000"}
    assert submit(operator, f"{ROOT}/traffic/holds", **form).status_code == 409


def test_suspect_traffic_is_shown_by_day_with_its_reasons(world: Visiting, operator: Browser) -> None:
    slot, now_ms = read_id("slot", world.slot), world.server.clock()
    rows = tuple(
        (now_ms - now_ms % DAY_MS - day * DAY_MS, "clicks_visitor_clicks", slot or 0, 2 if day else 60)
        for day in range(8)
    )
    assert world.storage.writer.commit(AddCounts(rows)).result is Result.SAVED
    page = get(operator, "/traffic").text
    assert "too many clicks of one visitor" in page
    assert "Much suspect traffic:" in page
    assert check_figures(world, page) > 20


def test_the_audit_log_tells_what_was_changed_here_and_by_whom(world: Visiting, operator: Browser) -> None:
    submit(operator, f"/console/shop/{world.advertiser}/campaigns/{world.campaign}/pause")
    submit(operator, f"/console/shop/{world.advertiser}/campaigns/{world.campaign}/resume")
    (newest, before, *_) = log(world, entity_id=world.campaign)
    assert newest["actor"] == before["actor"]
    assert (newest["actor"]["kind"], newest["actor"]["name"]) == ("user", "anna@network.example")
    assert newest["changes"] == [{"field": "status", "before": '"paused"', "after": '"active"'}]
    page = get(operator, f"/audit?entity_id={world.campaign}&actor=anna").text
    assert "anna@network.example" in page
    assert "status" in page


def test_log_ins_and_roles_are_told_and_nobodys_secret(world: Visiting, operator: Browser) -> None:
    key = read_id("adv", world.advertiser)
    browser = enter(world, "webmaster@shop.example", Grant(Role.WEBMASTER, key))
    assert token_of(browser)
    kinds = [(one["action"], one["kind"]) for one in log(world, actor="webmaster@shop.example")]
    assert kinds == [("logged_in", "User"), ("created", "User"), ("changed", "Invitation")]
    answer = world.operator.ask("GET", "/api/v1/audit-log?limit=500").text
    assert "argon2" not in answer
    assert answer.count("•••") >= 2


@pytest.mark.parametrize(
    "query", ["entity_id=x", "entity_id=cmp_", "action=nothing", "before=x", "before=-1", "kind=" + "x" * 999]
)
def test_a_search_for_what_cannot_be_is_said_to_be_one(operator: Browser, query: str) -> None:
    answer = get(operator, f"/audit?{query}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)


def test_the_log_is_leafed_through(world: Visiting, operator: Browser) -> None:
    page = get(operator, "/audit?kind=&actor=").text
    assert "Older ones" in page or len(log(world, limit="500")) <= 50
    oldest = log(world, limit="500")[-1]["number"]
    assert "Nothing here" in get(operator, f"/audit?before={oldest}").text


def test_somebodys_word_for_consent_is_held_and_believed_again(world: Visiting, operator: Browser) -> None:
    for id_, api in ((world.advertiser, "advertisers"), (world.site, "sites")):
        for word in ("held", "released", "none"):
            done = submit(operator, f"{ROOT}/consent/{id_}", hold=word)
            assert done.headers["location"] == f"{ROOT}/consent"
            assert world.change("GET", f"/{api}/{id_}")["consent_hold"] == word
    assert submit(operator, f"{ROOT}/consent/{world.advertiser}", hold="perhaps").status_code == 422
    assert submit(operator, f"{ROOT}/consent/adv_0000000000000", hold="held").status_code == 409


def test_a_proof_is_found_by_the_shop_and_its_own_id(world: Visiting, operator: Browser) -> None:
    nobody = submit(operator, f"{ROOT}/consent", shop=world.advertiser, visitor="somebody")
    assert (nobody.status_code, "no id of a visitor" in nobody.text) == (404, True)
    shopper = world.browser()
    shopper.view()
    known = submit(operator, f"{ROOT}/consent", shop=world.advertiser, visitor=shopper.visitor_id())
    assert known.status_code == 200


def test_a_visitors_id_is_in_no_address(world: Visiting, operator: Browser) -> None:
    asked = get(operator, f"/consent?shop={world.advertiser}&visitor=somebody")
    assert (asked.status_code, 'value="somebody"' in asked.text) == (200, False)
    refused = send(operator, f"{ROOT}/consent", shop=world.advertiser, visitor="somebody")
    assert refused.status_code == 403


def test_no_e_mail_address_becomes_a_payments_reference(world: Visiting, operator: Browser) -> None:
    path = f"{ROOT}/accounts/{world.advertiser}"
    refused = submit(operator, f"{path}/deposits", amount="5", reference="anna@shop.example")
    assert (refused.status_code, "Give the payment a reference" in refused.text) == (422, True)


def test_no_number_is_too_long_to_be_refused(operator: Browser) -> None:
    long = "9" * 5000
    assert (
        submit(operator, f"{ROOT}/users", email="a@b.example", grant=f"advertiser:{long}").status_code == 422
    )
    assert submit(operator, f"{ROOT}/users/{2**63}/disable").status_code == 404


def test_every_job_and_every_finding_has_words() -> None:
    names = set(job_names("en"))
    nothing: Any = type("Anything", (), {"__getattr__": lambda self, name: None})()
    assert {one.name for one in table(*[nothing] * len(signature(table).parameters))} <= names
    unknown = Finding("made_up", Severity.INFO, "Something new.")
    assert finding_words(unknown, "fr") == ("made_up", "Something new.")
    assert finding_words(Finding("little_space", Severity.ERROR, ""), "fr")[0] == "Le disque se remplit"
