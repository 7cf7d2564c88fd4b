"""Conversions in the console: approved and declined by hand or by file, and all of them with their fate."""

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adserver.domain.identity import read_id
from adserver.domain.user import Grant, Role
from tests.web.billing import PRICE, Billed
from tests.web.console import Figures, check_figures, enter, submit, token_of, words_of
from tests.web.visiting import OWN, Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def billed(world: Visiting) -> Billed:
    return Billed(world)


@pytest.fixture(scope="module")
def owner(world: Visiting) -> Browser:
    return enter(world, "owner@shop.example", Grant(Role.ADVERTISER, read_id("adv", world.advertiser)))


def send_file(browser: Browser, path: str, content: bytes, token: str | None = None) -> httpx.Response:
    fields = {"token": token_of(browser) if token is None else token}
    answer: httpx.Response = browser.ask(
        "POST", path, data=fields, files={"file": ("decisions.csv", content, "text/csv")}, headers=OWN
    )
    return answer


def test_with_nothing_to_decide_the_page_says_when_there_will_be(billed: Billed, owner: Browser) -> None:
    page = owner.ask("GET", f"{billed.shop}/conversions").text
    assert "Nothing waits for you" in page
    assert "after 14 days" in words_of(page)
    assert "No conversion yet" in owner.ask("GET", f"{billed.shop}/conversions/all").text


def test_several_are_approved_at_once_and_said_so(billed: Billed, owner: Browser) -> None:
    first, second, third = (billed.order(f"H-{number}") for number in range(3))
    picked = {f"pick-{first}": "1", f"pick-{second}": "1"}
    done = submit(owner, f"{billed.shop}/conversions/decide", decision="approve", **picked)
    assert done.status_code == 303
    told = words_of(owner.ask("GET", done.headers["location"]).text)
    assert "Approved: 2 conversions." in told
    assert [billed.state(one) for one in (first, second, third)] == ["taken", "taken", "pending"]
    submit(
        owner, f"{billed.shop}/conversions/decide", decision="decline", reason="x", **{f"pick-{third}": "1"}
    )


def test_a_declined_one_has_its_reason_and_costs_nothing(billed: Billed, owner: Browser) -> None:
    one, before = billed.order("D-1"), billed.ledger()
    path = f"{billed.shop}/conversions/decide"
    missing = submit(owner, path, decision="decline", reason="  ", **{f"pick-{one}": "1"})
    assert (missing.status_code, billed.state(one)) == (422, "pending")
    assert f'name="pick-{one}" value="1" checked' in missing.text
    done = submit(owner, path, decision="decline", reason="sent <back>", **{f"pick-{one}": "1"})
    assert (done.status_code, billed.state(one)) == (303, "declined")
    after = billed.ledger()
    assert (after["spent"], after["pending"]) == (before["spent"], before["pending"] - PRICE)
    assert "sent &lt;back&gt;" in owner.ask("GET", f"{billed.shop}/conversions/all?state=declined").text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"decision": "approve"}, 422),
        ({"decision": "perhaps", "pick": "1"}, 422),
        ({"decision": "decline", "pick": "1", "reason": "ask anna@example.org"}, 422),
        ({"decision": "decline", "pick": "1", "reason": "x" * 301}, 422),
        ({"decision": "approve", "pick-nonsense": "1"}, 422),
        ({"decision": "approve", "pick-cnv_0000000000000": "1"}, 409),
    ],
)
def test_what_cannot_be_meant_changes_nothing(
    billed: Billed, owner: Browser, fields: dict[str, str], status: int
) -> None:
    one = billed.order(f"B-{len(fields)}-{fields.get('reason', '')[:1]}-{fields['decision']}-{status}")
    before = billed.ledger()
    sent = {f"pick-{one}" if name == "pick" else name: value for name, value in fields.items()}
    answer = submit(owner, f"{billed.shop}/conversions/decide", **sent)
    assert (answer.status_code, billed.ledger()) == (status, before)
    assert 'role="alert"' in answer.text


def test_a_file_is_downloaded_filled_in_and_sent_twice(billed: Billed, owner: Browser) -> None:
    good, bad, left = (billed.order(f"F-{number}") for number in range(3))
    sheet = owner.ask("GET", f"{billed.shop}/conversions/waiting.csv")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert sheet.headers["cache-control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"), newline="")))
    assert {good, bad, left} <= {row["conversion_id"] for row in rows}
    (row,) = [row for row in rows if row["conversion_id"] == good]
    assert (row["campaign"], row["value"], row["cost"]) == ("Autumn", "89", "1.23 EUR")
    assert row["clicked"] and row["approves_itself"] > row["arrived"]
    word = {good: ("approve", ""), bad: ("decline", "sent back")}
    filled = io.StringIO()
    writer = csv.DictWriter(filled, list(row))
    writer.writeheader()
    for one in rows:
        decision, reason = word.get(one["conversion_id"], ("", ""))
        writer.writerow(one | {"decision": decision, "reason": reason})
    for _ in range(2):
        answer = send_file(owner, f"{billed.shop}/conversions/file", filled.getvalue().encode())
        assert answer.status_code == 200, answer.text
        assert ("1 Approved" in words_of(answer.text)) and ("1 Declined" in words_of(answer.text))
        assert "No decision: it waits still" in answer.text
        assert [billed.state(one) for one in (good, bad, left)] == ["taken", "declined", "pending"]


def test_each_line_of_a_file_says_what_became_of_it(billed: Billed, owner: Browser) -> None:
    settled, waits = billed.order("L-1"), billed.order("L-2")
    submit(owner, f"{billed.shop}/conversions/decide", decision="approve", **{f"pick-{settled}": "1"})
    lines = [
        "order_id;decision;reason",
        "L-1;decline;too late",
        "L-2;approve;",
        "L-404;approve;",
        "L-2;perhaps;",
    ]
    answer = send_file(owner, f"{billed.shop}/conversions/file", "\r\n".join(lines).encode())
    told = dict(re.findall(r"<tr><td>(\d)</td><td>([^<]+)", answer.text))
    assert told["2"] == "Settled before: it stays as it was"
    assert told["3"] == "Approved"
    assert told["4"] == "Not known here"
    assert told["5"].startswith("Cannot be read")
    assert billed.state(waits) == "taken"


@pytest.mark.parametrize(
    "content",
    [b"", b"decision\napprove\n", b"\xff\xfe", b'order_id,decision,reason\n"open,approve,\n', b"PK\x03\x04"],
    ids=["nothing", "no header", "no UTF-8", "an open quote", "a spreadsheet itself"],
)
def test_a_bad_file_changes_nothing_and_says_why(billed: Billed, owner: Browser, content: bytes) -> None:
    before = billed.ledger()
    answer = send_file(owner, f"{billed.shop}/conversions/file", content)
    assert (answer.status_code, billed.ledger()) == (422, before)
    assert 'role="alert"' in answer.text


def test_a_file_that_is_too_large_is_refused_and_only_who_is_logged_in_sends_any(
    world: Visiting, billed: Billed, owner: Browser
) -> None:
    assert send_file(owner, f"{billed.shop}/conversions/file", b"x" * 4_000_001).status_code == 413
    too_many = "order_id,decision,reason\n" + "R,approve,\n" * 10_001
    answer = send_file(owner, f"{billed.shop}/conversions/file", too_many.encode())
    assert (answer.status_code, "10,000" in answer.text) == (422, True)
    stranger = world.browser(**OWN)
    files = {"file": ("a.csv", b"x")}
    refused = stranger.ask("POST", "/console/login", data={"email": "owner@shop.example"}, files=files)
    assert "owner@shop.example" not in refused.text


def test_a_file_without_the_forms_token_is_not_read(billed: Billed, owner: Browser) -> None:
    one, path = billed.order("T-1"), f"{billed.shop}/conversions/file"
    content = f"conversion_id,decision,reason\n{one},approve,\n".encode()
    assert send_file(owner, path, content, token="").status_code == 403
    foreign = owner.ask(
        "POST", path, data={"token": token_of(owner)}, files={"file": ("a.csv", content)},
        headers={"Origin": "https://evil.example"},
    )  # fmt: skip
    assert foreign.status_code == 403
    broken = owner.ask("POST", path, content=b"--x", headers=OWN | {"Content-Type": "multipart/form-data"})
    assert broken.status_code == 403
    assert billed.state(one) == "pending"


def test_all_are_found_by_state_day_and_order_number(billed: Billed, owner: Browser) -> None:
    one = billed.order("N-77")
    path = f"{billed.shop}/conversions/all"
    found = owner.ask("GET", f"{path}?order_id=N-77").text
    assert len(re.findall(r'class="is pending"', found)) == 1
    assert "€89.00" in found and "clicked" in words_of(found)
    for nothing in ("order_id=N-78", "from=2090-01-01", "to=2001-01-01"):
        assert "Nothing like that" in owner.ask("GET", f"{path}?{nothing}").text
    for wrong in ("from=yesterday", "state=odd", "order_id=a@example.org", "from=2026-02-02&to=2026-02-01"):
        answer = owner.ask("GET", f"{path}?{wrong}")
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert owner.ask("GET", f"{path}?cursor=x").status_code == 303
    assert billed.state(one) == "pending"


def test_every_figure_is_the_apis_and_what_is_reserved_the_ledgers(
    world: Visiting, billed: Billed, owner: Browser
) -> None:
    billed.order("Z-1")
    page = owner.ask("GET", f"{billed.shop}/conversions").text
    assert check_figures(world, page) >= 3
    (reserved,) = [value for _, path, value in Figures(page).found if path == "pending_micros"]
    assert int(reserved) == billed.ledger()["pending"]
    assert check_figures(world, owner.ask("GET", f"{billed.shop}/conversions/all").text) >= 2
    assert check_figures(world, owner.ask("GET", f"{billed.shop}/conversions/all?state=taken").text) >= 2


def test_more_than_a_page_of_them_go_on_where_the_page_before_ended(
    world: Visiting, billed: Billed, owner: Browser
) -> None:
    made = {billed.order(f"P-{number}", 1_000) for number in range(55)}
    seen: list[str] = []
    address = f"{billed.shop}/conversions"
    while address:
        page = owner.ask("GET", address).text
        assert check_figures(world, page) >= 3
        seen += re.findall(r'name="pick-(cnv_\w+)"', page)
        more = re.findall(r'class="button" href="([^"]+cursor[^"]+)"', page)
        address = html.unescape(more[0]) if more else ""
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


PAGES = ["", "/all", "/waiting.csv"]
FORMS = ["/decide", "/file"]


def test_nobody_else_sees_or_settles_them(world: Visiting, billed: Billed) -> None:
    one = billed.order("S-1")
    shop = {"domains": ["o.example"], "currency": "EUR", "timezone": "Europe/Paris", "country": "FR"}
    other = world.change("POST", "/advertisers", name="Other", **shop)
    grants = (
        Grant(Role.ADVERTISER, read_id("adv", other["id"])),
        Grant(Role.WEBMASTER, read_id("adv", world.advertiser)),
        Grant(Role.PUBLISHER, read_id("pub", world.listed("/publishers")[0]["id"])),
    )
    for number, grant in enumerate(grants):
        stranger = enter(world, f"s{number}@example.org", grant)
        for page in PAGES:
            assert stranger.ask("GET", f"{billed.shop}/conversions{page}").headers["location"] == "/console"
        for form in FORMS:
            answer = submit(
                stranger, f"{billed.shop}/conversions{form}", decision="approve", **{f"pick-{one}": "1"}
            )
            assert answer.headers["location"] == "/console"
    rival = enter(world, "rival@example.org", grants[0])
    path = f"/console/shop/{other['id']}/conversions/decide"
    assert submit(rival, path, decision="approve", **{f"pick-{one}": "1"}).status_code == 409
    assert billed.state(one) == "pending"
