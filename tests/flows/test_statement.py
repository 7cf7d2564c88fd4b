"""Statements say what the ledger says, for every grouping, whatever was charged and given back, in any zone."""

import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.money import Micros
from adserver.domain.statement import Sums, month_of, total
from adserver.flows.statement import NamedLine
from adserver.storage.embedded import Storage
from adserver.writes import Deposit, Result
from tests.contract.stores import rows_of, save
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, PUBLISHER, SLOT, make_advertiser, make_publisher
from tests.flows.books import (
    CPM_CAMPAIGN,
    MONTHS,
    NOW_MS,
    OTHER_PUBLISHER,
    OTHER_SLOT,
    ZONES,
    Spent,
    advertisers_books,
    book,
    expected,
    open_books,
    publishers_books,
    spendings,
)

NOVEMBER = (2026, 11)
MID_NOVEMBER_MS = month_of(*NOVEMBER, "UTC").start_ms + 15 * DAY_MS
DECEMBER_MS = month_of(*NOVEMBER, "UTC").end_ms

Told = dict[tuple[tuple[int, int], int, str], tuple[int, int]]


def tell(told: Told, month: tuple[int, int], owner: int, sums: Sums) -> None:
    """Note a part of a statement as `expected` does, its empty kinds left out."""
    kinds = {"charge": sums.charges, "refund": sums.refunds, "credit_note": sums.credit_notes}
    for kind, tally in kinds.items():
        if tally.count:
            told[month, owner, kind] = (tally.count, tally.micros)


def tell_lines(month: tuple[int, int], lines: list[NamedLine], amount: str) -> Told:
    found: defaultdict[tuple[tuple[int, int], int, str], list[int]] = defaultdict(list)
    for named in lines:
        key = named.line.campaign_key if amount == "amount" else named.line.slot_key
        found[month, key, named.kind].append(getattr(named.line, amount))
    return {key: (len(amounts), sum(amounts)) for key, amounts in found.items()}


@settings(max_examples=25, deadline=None)
@given(st.lists(spendings(), max_size=12), st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_statements_and_their_lines_are_the_ledger(spent: list[Spent], zone: str, network_zone: str) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(open_books(Path(folder), zone)) as storage:
        book(storage, spent, zone)
        net = assert_advertiser_is_told_the_ledger(storage, zone)
        earned = assert_publishers_are_told_the_ledger(storage, network_zone)
        life = storage.proofs.standing(ADVERTISER)
        assert net == life.spent
        posted = dict(rows_of(storage, "SELECT account, SUM(amount_micros) FROM postings GROUP BY 1"))
        assert earned == {key: posted.get(f"publisher:{key}", 0) for key in earned}
        assert sum(earned.values()) + posted.get("network", 0) == net


def assert_advertiser_is_told_the_ledger(storage: Storage, zone: str) -> int:
    """What all the months come to."""
    books, advertiser = advertisers_books(storage), make_advertiser(timezone=zone)
    told: Told = {}
    by_line: Told = {}
    net = 0
    for month in MONTHS:
        statement = books.statement(advertiser, *month)
        for part in statement.campaigns:
            tell(told, month, part.sums.campaign_key, part.sums.sums)
        assert statement.total == total(part.sums.sums for part in statement.campaigns)
        net += statement.total.net
        lines = [line for piece in books.pieces(advertiser, *month) for line in piece]
        by_line |= tell_lines(month, lines, "amount")
        assert lines == sorted(lines, key=lambda one: (one.line.campaign_key, one.line.entry))
        assert paged(lambda after, m=month: books.page(advertiser, *m, after, 3), (-1, 0)) == lines
    assert told == by_line == expected(storage, zone, "campaign_key", "amount_micros")
    return net


def assert_publishers_are_told_the_ledger(storage: Storage, zone: str) -> dict[int, int]:
    """What all the months come to, by publisher."""
    books = publishers_books(storage, zone)
    told: Told = {}
    by_line: Told = {}
    earned = dict.fromkeys((PUBLISHER, OTHER_PUBLISHER), 0)
    for key in earned:
        publisher, carried = make_publisher(key=key), 0
        for month in MONTHS:
            statement = books.statement(publisher, *month)
            for part in statement.slots:
                tell(told, month, part.slot_key, part.earned)
            lines = [line for piece in books.pieces(publisher, *month) for line in piece]
            by_line |= tell_lines(month, lines, "share")
            first = (0, False, -1, "")
            assert paged(lambda after, p=publisher, m=month: books.page(p, *m, after, 3), first) == lines
            net = sum(one.earned.net for one in statement.totals)
            earned[key] += net
            assert sum(one.carried for one in statement.totals) == carried
            assert sum(one.payable for one in statement.totals) == max(0, carried + net)
            carried = min(0, carried + net)
    assert told == by_line == expected(storage, zone, "slot_key", "publisher_micros")
    return earned


def paged(page: object, after: object) -> list[NamedLine]:
    """All pages, one behind the other."""
    lines: list[NamedLine] = []
    while after is not None:
        more, after = page(after)  # type: ignore[operator]
        assert more or after is None
        lines += more
        assert len(lines) < 1_000, "a page led back"
    return lines


@pytest.fixture
def books(tmp_path: Path) -> object:
    storage = open_books(tmp_path, "Europe/Paris")
    yield storage
    storage.close()


def clicked(
    at_ms: int, amount: int = 1_000, given_back: tuple[tuple[int, int], ...] = (), **fields: int
) -> Spent:
    row = {"campaign_key": CAMPAIGN, "slot_key": SLOT, "share": amount * 7 // 10} | fields
    return Spent(at_ms=at_ms, amount=amount, given_back=given_back, **row)  # type: ignore[arg-type]


def test_a_closed_months_statement_never_changes_and_what_comes_later_is_a_credit_note(
    books: Storage,
) -> None:
    late = (40 * DAY_MS, 300)
    book(books, [clicked(MID_NOVEMBER_MS, given_back=((1, 200), late))], "Europe/Paris")
    advertiser = make_advertiser(timezone="Europe/Paris")
    november = advertisers_books(books).statement(advertiser, *NOVEMBER)
    (part,) = november.campaigns
    assert (part.sums.sums.charges.micros, part.sums.sums.refunds.micros) == (1_000, 200)
    assert part.sums.sums.credit_notes.count == 0
    (december,) = advertisers_books(books).statement(advertiser, 2026, 12).campaigns
    assert (december.sums.sums.credit_notes.micros, december.sums.sums.net) == (300, -300)
    (line,) = [one for piece in advertisers_books(books).pieces(advertiser, 2026, 12) for one in piece]
    assert (line.kind, line.line.refund_id, line.line.reason) == ("credit_note", "r-1", "returned")


def test_a_month_is_closed_from_its_last_instant_on(books: Storage) -> None:
    end_ms = month_of(*NOVEMBER, "Europe/Paris").end_ms
    advertiser = make_advertiser(timezone="Europe/Paris")
    assert not advertisers_books(books, end_ms - 1).statement(advertiser, *NOVEMBER).is_closed
    assert advertisers_books(books, end_ms).statement(advertiser, *NOVEMBER).is_closed


def test_a_month_without_anything_is_empty_for_both_sides(books: Storage) -> None:
    statement = advertisers_books(books).statement(make_advertiser(timezone="Europe/Paris"), 2090, 1)
    assert (statement.campaigns, statement.total, statement.balance) == ([], Sums(), None)
    payout = publishers_books(books).statement(make_publisher(), 2001, 1)
    assert (payout.slots, payout.totals, payout.is_closed) == ([], [], True)


def test_deposits_and_what_is_left_of_them_are_told_as_of_the_months_end(books: Storage) -> None:
    prepaid = make_advertiser(timezone="Europe/Paris", prepaid=True, version=2)
    for key, at_ms, amount in ((1, MID_NOVEMBER_MS, 5_000), (2, DECEMBER_MS + DAY_MS, 700)):
        write = Deposit(key, ADVERTISER, "EUR", Micros(amount), f"wire-{key}", at_ms)
        assert books.writer.commit(write).result is Result.SAVED
    assert save(books, prepaid).result is Result.SAVED
    book(books, [clicked(MID_NOVEMBER_MS, given_back=((40 * DAY_MS, 300),))], "Europe/Paris")
    november = advertisers_books(books).statement(prepaid, *NOVEMBER)
    assert ([one.reference for one in november.deposits], november.balance) == (["wire-1"], 4_000)
    december = advertisers_books(books).statement(prepaid, 2026, 12)
    assert ([one.reference for one in december.deposits], december.balance) == (["wire-2"], 5_000)
    assert advertisers_books(books).statement(prepaid, 2026, 10).balance == 0


def test_a_negative_month_is_made_good_by_the_next_before_anything_is_paid(books: Storage) -> None:
    spent = [
        clicked(MID_NOVEMBER_MS, 1_000, ((31 * DAY_MS, 1_000),)),
        clicked(MID_NOVEMBER_MS + 62 * DAY_MS, 1_500),
    ]
    book(books, spent, "Europe/Paris")
    totals = [publishers_books(books).statement(make_publisher(), *month).totals[0] for month in MONTHS[3:6]]
    assert [(one.earned.net, one.carried, one.payable) for one in totals] == [
        (700, 0, 700), (-700, 0, 0), (1_050, -700, 350),
    ]  # fmt: skip
    (later,) = publishers_books(books).statement(make_publisher(), 2026, 12).totals
    assert later.earned.credit_notes.micros == 700


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_lines_of_one_instant_come_once_each_however_they_are_paged(books: Storage, size: int) -> None:
    at_once = ((0, 100), (0, 200))
    book(books, [clicked(MID_NOVEMBER_MS, given_back=at_once) for _ in range(3)], "Europe/Paris")
    payouts, first = publishers_books(books), (0, False, -1, "")
    lines = paged(lambda after: payouts.page(make_publisher(), *NOVEMBER, after, size), first)
    assert [line.line.place for line in lines] == sorted({line.line.place for line in lines})
    assert len(lines) == 9


def test_lines_tell_names_places_and_hours_on_the_statements_clocks(books: Storage) -> None:
    book(books, [clicked(MID_NOVEMBER_MS, slot_key=OTHER_SLOT, campaign_key=CPM_CAMPAIGN)], "Europe/Paris")
    advertiser = make_advertiser(timezone="Europe/Paris")
    ((line,),) = advertisers_books(books).pieces(advertiser, *NOVEMBER)
    assert (line.campaign, line.domain, line.slot) == ("Mille", "blog.example", "Side")
    assert line.hour == "2026-11-16T01:00+01:00"
    assert line.origin.impression_ms == MID_NOVEMBER_MS
    ((line,),) = publishers_books(books, "Asia/Kolkata").pieces(
        make_publisher(key=OTHER_PUBLISHER), *NOVEMBER
    )
    assert (line.advertiser, line.hour) == ("Shop", "2026-11-16T05:00+05:30")


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    first_ms = month_of(*NOVEMBER, "America/New_York").start_ms + 90 * 60_000
    with tempfile.TemporaryDirectory() as folder:
        storage = open_books(Path(folder), "America/New_York")
        book(storage, [clicked(first_ms), clicked(first_ms + 3_600_000)], "America/New_York")
        advertiser = make_advertiser(timezone="America/New_York")
        (lines,) = advertisers_books(storage).pieces(advertiser, *NOVEMBER)
        storage.close()
    assert [line.hour for line in lines] == ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00"]


def test_the_clock_of_these_tests_stands_in_the_middle_of_their_months() -> None:
    assert month_of(*MONTHS[0], "UTC").end_ms < NOW_MS < month_of(*MONTHS[-1], "UTC").start_ms
