"""An advertiser's money in the console, and the proof of it: the API's figures, and the ledger's."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adserver.domain.identity import read_id
from adserver.domain.statement import month_of, months_before
from adserver.domain.user import Grant, Role
from adserver.flows.seal import Seal
from tests.domain.makers import DAY_MS
from tests.shared_data import PROJECT
from tests.web.billing import PRICE, Billed
from tests.web.console import Figures, check_figures, enter, send, submit, words_of
from tests.web.visiting import Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def billed(world: Visiting) -> Billed:
    """Two clicks that were billed, of which one is given back in part, and an order that waits."""
    billed = Billed(world)
    billed.click()
    billed.refund(billed.click(), 230_000)
    billed.order("W-1")
    return billed


@pytest.fixture(scope="module")
def owner(world: Visiting) -> Browser:
    return enter(world, "owner@shop.example", Grant(Role.ADVERTISER, read_id("adv", world.advertiser)))


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "operator@example.org")


def this_month(world: Visiting) -> str:
    return f"{datetime.fromtimestamp(world.server.clock() / 1000, ZoneInfo('Europe/Paris')):%Y-%m}"


def values(page: str) -> dict[str, int]:
    """The figures of a page by their paths into the API's answers."""
    return {path: int(value) for _, path, value in Figures(page).found}


def pay(
    operator: Browser, billed: Billed, amount: str, reference: str, way: str = "in", once: str = ""
) -> int:
    """Note a payment; the status of the answer."""
    fields = {"amount": amount, "reference": reference, "way": way, "once": once or reference}
    return submit(operator, f"{billed.shop}/money/deposits", **fields).status_code


def test_what_is_spent_reserved_refunded_and_paid_in_is_the_ledgers(
    world: Visiting, billed: Billed, owner: Browser, operator: Browser
) -> None:
    assert pay(operator, billed, "500.50", "B-ledger") == 303
    page = owner.ask("GET", f"{billed.shop}/money").text
    assert check_figures(world, page) >= 6
    shown, ledger = values(page), billed.ledger()
    assert shown["spent_micros"] == ledger["spent"] == 2 * PRICE - 230_000
    assert shown["pending_micros"] == ledger["pending"] == PRICE
    assert shown["refunded_micros"] == ledger["refunded"] == 230_000
    assert shown["deposited_micros"] == ledger["deposited"]
    assert "B-ledger" in page and "sent back" in page and "€500.50" in words_of(page)


def test_a_payment_counts_once_however_often_it_is_sent(
    world: Visiting, billed: Billed, operator: Browser
) -> None:
    before = billed.ledger()["deposited"]
    assert [pay(operator, billed, "20", "B-20", once="form") for _ in range(2)] == [303, 303]
    assert pay(operator, billed, "20", "B-20", once="another form") == 303
    assert billed.ledger()["deposited"] == before + 20_000_000
    assert pay(operator, billed, "30", "B-20", once="third") == 409
    assert pay(operator, billed, "20", "B-20", once="third") == 409  # that form has had its answer
    assert pay(operator, billed, "5", "B-20-back", "back") == 303
    assert billed.ledger()["deposited"] == before + 15_000_000


def test_more_than_is_left_is_not_paid_back_and_the_form_stays_filled_in(
    world: Visiting, billed: Billed, operator: Browser
) -> None:
    before = billed.ledger()
    sent = {"amount": "1,000,000", "reference": "B-back", "way": "back", "once": "x"}
    answer = submit(operator, f"{billed.shop}/money/deposits", **sent)
    assert (answer.status_code, billed.ledger()) == (409, before)
    assert 'value="1,000,000"' in answer.text and 'value="B-back"' in answer.text
    assert "must remain: pay back less" in answer.text


@pytest.mark.parametrize(
    ("amount", "reference"),
    [("", "B"), ("0", "B"), ("-5", "B"), ("ten", "B"), ("5", ""), ("5", "a@example.org"), ("5", "x" * 101)],
)
def test_what_is_no_payment_notes_nothing(
    billed: Billed, operator: Browser, amount: str, reference: str
) -> None:
    before = billed.ledger()
    assert pay(operator, billed, amount, reference, once="n") == 422
    assert billed.ledger() == before


def test_only_an_operator_notes_payments(billed: Billed, owner: Browser, operator: Browser) -> None:
    before, path = billed.ledger(), f"{billed.shop}/money/deposits"
    assert "Note a payment" not in owner.ask("GET", f"{billed.shop}/money").text
    fields = {"amount": "5", "reference": "mine", "way": "in", "once": "o"}
    assert submit(owner, path, **fields).headers["location"] == "/console"
    assert send(operator, path, **fields).status_code == 403  # without the form's token
    assert billed.ledger() == before


def test_a_months_statement_is_the_apis_and_adds_up_from_the_ledger(
    world: Visiting, billed: Billed, owner: Browser
) -> None:
    money = owner.ask("GET", f"{billed.shop}/money").text
    assert f'href="{billed.shop}/money/{this_month(world)}"' in money
    page = owner.ask("GET", f"{billed.shop}/money/{this_month(world)}").text
    assert check_figures(world, page) >= 8
    shown, ledger = values(page), billed.ledger()
    assert shown["total/net_micros"] == ledger["spent"]
    assert shown["total/charged_micros"] == ledger["charged"]
    for odd in ("2026-13", "never", "1999-12"):
        found = owner.ask("GET", f"{billed.shop}/money/{odd}")
        assert found.headers["location"] == f"{billed.shop}/money"


def test_a_months_sheets_are_the_apis(world: Visiting, billed: Billed, owner: Browser) -> None:
    month = this_month(world)
    for ours, theirs in (("campaigns.csv", ""), ("events.csv", "/events")):
        sheet = owner.ask("GET", f"{billed.shop}/money/{month}/{ours}")
        api = f"/api/v1/advertisers/{world.advertiser}/statements/{month}{theirs}?format=csv"
        assert sheet.content == world.operator.ask("GET", api).content
        assert sheet.headers["cache-control"] == "no-store"
        assert "attachment" in sheet.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(sheet.text, newline="")))
    assert (
        sum(int(row["amount_micros"]) for row in rows if row["kind"] == "charge")
        == (billed.ledger()["charged"])
    )


def test_months_go_back_to_the_one_in_which_the_account_was_opened() -> None:
    november = month_of(2026, 11, "Europe/Paris")
    opened = month_of(2026, 8, "Europe/Paris").start_ms
    listed = months_before(opened, november, 60, "Europe/Paris")
    assert [one.number for one in listed] == [11, 10, 9, 8]
    assert len(months_before(0, november, 5, "Europe/Paris")) == 5


# ---- proof ----


def test_the_proof_of_account_and_campaign_is_the_apis(
    world: Visiting, billed: Billed, owner: Browser
) -> None:
    for of in (world.advertiser, world.campaign):
        page = owner.ask("GET", f"{billed.shop}/proof?of={of}").text
        assert check_figures(world, page) >= 4
        assert values(page)["spent_micros"] == billed.ledger()["spent"]
        assert "No day is sealed yet" in page


def test_the_downloads_are_replayed_by_the_script_that_is_offered(
    world: Visiting, billed: Billed, owner: Browser, tmp_path: Path
) -> None:
    base = f"{billed.shop}/proof/{world.campaign}"
    for name, address in (
        ("replay.py", "/console/replay.py"),
        ("entries.ndjson", f"{base}/entries.ndjson"),
        ("proof.json", f"{base}/proof.json"),
    ):
        answer = owner.ask("GET", address)
        assert answer.status_code == 200
        (tmp_path / name).write_bytes(answer.content)
    command = [sys.executable, "replay.py", "entries.ndjson", "proof.json"]
    right = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, timeout=30)
    assert right.returncode == 0, right.stderr
    assert json.loads(right.stdout)["balance_micros"] == billed.ledger()["spent"]
    entries = (tmp_path / "entries.ndjson").read_text()
    (tmp_path / "entries.ndjson").write_text(entries.replace(str(PRICE), str(PRICE - 1), 1))
    assert subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, timeout=30).returncode == 1


@pytest.mark.parametrize("name", ["replay", "signatures"])
def test_a_script_is_the_one_of_the_documentation(owner: Browser, name: str) -> None:
    offered = owner.ask("GET", f"/console/{name}.py").text
    assert f"```python\n{offered}```" in (PROJECT / "docs/proof.md").read_text()


def test_a_sealed_day_is_shown_and_its_signature_holds(
    world: Visiting, billed: Billed, owner: Browser, tmp_path: Path
) -> None:
    charge, server = billed.click(), world.server
    Seal(world.storage.writer, world.storage.seals, server.signer, lambda: server.clock() + DAY_MS).run()
    page = owner.ask("GET", f"{billed.shop}/proof?of={world.campaign}&charge={charge}").text
    assert check_figures(world, page) >= 8
    assert "their signature holds it" in page
    for name, address in (
        ("signatures.py", "/console/signatures.py"),
        ("proof.json", f"{billed.shop}/proof/{world.campaign}/proof.json"),
    ):
        (tmp_path / name).write_bytes(owner.ask("GET", address).content)
    command = [sys.executable, "signatures.py", "proof.json"]
    done = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, timeout=30)
    assert done.stdout.decode().startswith("1 signed days")
    signed = owner.ask("GET", f"{billed.shop}/money/{this_month(world)}").text
    assert json.loads((tmp_path / "proof.json").read_text())["heads"][0]["head"] in page
    assert "as they were last sealed" in signed


def test_one_charge_is_checked_with_its_refund(world: Visiting, billed: Billed, owner: Browser) -> None:
    charge = billed.click()
    billed.refund(charge, 30_000)
    page = owner.ask("GET", f"{billed.shop}/proof?charge={charge}").text
    assert check_figures(world, page) >= 8
    entries = re.findall(r"<code>({&#34;amount_micros.*?})</code>", page)
    assert len(entries) == 2
    assert "sealed at midnight UTC" in page
    for odd in ("chg_0000000000000", "nonsense", "<b>"):
        answer = owner.ask("GET", f"{billed.shop}/proof", params={"charge": odd})
        assert answer.status_code == 404
        assert "There is no such charge" in answer.text and "<b>&" not in answer.text


def test_nobody_else_sees_money_or_proof(world: Visiting, billed: Billed, owner: Browser) -> None:
    shop = {"domains": ["o.example"], "currency": "EUR", "timezone": "Europe/Paris", "country": "FR"}
    other = world.change("POST", "/advertisers", name="Other", **shop)["id"]
    month = this_month(world)
    campaign = f"proof/{world.campaign}"
    pages = ["money", f"money/{month}", f"money/{month}/events.csv", f"money/{month}/campaigns.csv", "proof"]
    pages += [f"{campaign}/entries.ndjson", f"{campaign}/proof.json"]
    grants = (
        Grant(Role.ADVERTISER, read_id("adv", other)),
        Grant(Role.WEBMASTER, read_id("adv", world.advertiser)),
        Grant(Role.PUBLISHER, read_id("pub", world.listed("/publishers")[0]["id"])),
    )
    for number, grant in enumerate(grants):
        stranger = enter(world, f"m{number}@example.org", grant)
        for page in pages:
            assert stranger.ask("GET", f"{billed.shop}/{page}").headers["location"] == "/console", page
    rival = enter(world, "rival@example.org", grants[0])
    theirs = f"/console/shop/{other}/proof"
    assert rival.ask("GET", f"{theirs}/{world.campaign}/entries.ndjson").headers["location"] == theirs
    charge = billed.click()
    assert rival.ask("GET", f"{theirs}?charge={charge}").status_code == 404
    assert world.campaign not in rival.ask("GET", f"{theirs}?of={world.campaign}").text
