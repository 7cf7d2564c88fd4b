"""What has been kept for as long as it may be leaves on its day; money, its proof and random ids stay."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from adserver.domain.offer import HandCode
from adserver.domain.pricing import AdEvent
from adserver.domain.retention import Retention
from adserver.domain.suppression import ListVisitors
from adserver.flows import purge
from adserver.flows.purge import Purge
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage, own_storage
from adserver.storage.tables import metadata
from adserver.writes import (
    AddCounts,
    Aged,
    Deposit,
    ForgetVisitor,
    PurgeAged,
    Receipt,
    RecordAd,
    RecordDecision,
    RefundCharge,
    Result,
    SealDay,
    SettleNotice,
    StoreEvent,
)
from pixel.events import EventName
from tests.contract.stores import (
    CLICK_PRICE,
    balances,
    credit_by_pixel,
    credit_by_server,
    make_accounts,
    make_arrival,
    make_ghost,
    make_order_event,
    make_record,
    make_sample,
    open_copy,
    roll_up_funnel,
    rows_of,
    save,
    save_new,
)
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    SLOT,
    TODAY,
    make_advertiser,
    make_campaign,
    make_event,
)

KEPT = Retention()
VISITOR = 4_242_424_242_424
MINUTE_MS = 60_000
MONEY = ("charges", "refunds", "budgets", "postings", "deposits", "chain_notes", "daily_heads")
LONGEST_DAYS = {
    "events": 180,
    "profiles": 180,
    "ad_events": 35,
    "decisions": 35,
    "decision_samples": 35,
    "conversions": 180,
    "offer_codes": 35,
    "suppressed": 180,
    "ghosts": 35,
    "experiment_visitors": 35,
    "experiment_orders": 35,
    "journeys": 9,
}
TIME_OF = {
    "offer_codes": "handed_ms",
    "profiles": "seen_ms",
    "conversions": "arrived_at_ms",
    "experiment_visitors": "entered_ms",
    "journeys": "day_ms",
}
POOL, LIST = 93, 94
_keys = count(50_000)


def purge_at(storage: Storage, now_ms: int, retention: Retention = KEPT) -> int:
    return Purge(storage.writer, lambda: now_ms, retention).run()


def tell(storage: Storage, name: EventName, at_ms: int = NOW_MS, visitor_key: int = VISITOR) -> None:
    event = make_event(name, "boots")
    write = StoreEvent(next(_keys), ADVERTISER, visitor_key, False, event, at_ms)
    assert storage.writer.commit(write).result is Result.ACCEPTED


def number_of(storage: Storage, table: str, where: str = "1") -> int:
    return int(str(rows_of(storage, f"SELECT COUNT(*) FROM {table} WHERE {where}")[0][0]))


def live(storage: Storage, at_ms: int, visitor_key: int = VISITOR) -> None:
    """A visitor's day: looks, sees and clicks an ad, orders, begins a form; in every table that names one."""
    key = next(_keys)
    for name in (EventName.VIEW_ITEM, EventName.PURCHASE, EventName.FORM_START):
        tell(storage, name, at_ms, visitor_key)
    storage.writer.commit(
        RecordDecision(key, at_ms, SLOT, CAMPAIGN, 700, visitor_key, (9,), key, "the token")
    )
    storage.writer.commit(make_ghost(next(_keys), visitor_key=visitor_key, at_ms=at_ms))
    storage.writer.commit(make_sample(key, visitor_key, at_ms))
    records = [
        make_record(key, event, visitor_key=visitor_key, at_ms=at_ms)
        for event in (AdEvent.IMPRESSION, AdEvent.CLICK)
    ]
    storage.writer.commit(RecordAd(tuple(records)))
    handed = HandCode(POOL, ADVERTISER, key, "abc", visitor_key, at_ms, None, 10, None, (f"CODE-{key}",))
    assert storage.writer.commit(handed).result is Result.HANDED
    event = make_event(EventName.PURCHASE, "boots", click_id="abc")
    order = make_order_event(key, next(_keys), visitor_key=visitor_key, event=event, at_ms=at_ms)
    storage.writer.commit(order)
    storage.writer.commit(credit_by_pixel(key, reserve=True))
    roll_up_funnel(storage, at_ms + MINUTE_MS)
    storage.writer.commit(ListVisitors(LIST, ADVERTISER, key, (visitor_key,), at_ms))


def trade(storage: Storage) -> None:
    """Money of every kind."""
    storage.writer.commit(Deposit(900, ADVERTISER, "EUR", CLICK_PRICE, "bank", NOW_MS))
    storage.writer.commit(RecordAd((make_record(3),)))
    storage.writer.commit(RefundCharge(3 << 2 | AdEvent.CLICK, "full", None, "returned", NOW_MS))
    storage.writer.commit(credit_by_server(100, arrival=make_arrival(100, visitor_key=VISITOR)))
    storage.writer.commit(SealDay(ADVERTISER, TODAY, NOW_MS))


# ---- each on its day ----


def test_a_code_handed_to_nobody_known_leaves_its_click_too(storage: Storage) -> None:
    handed = HandCode(POOL, ADVERTISER, 77, "abc", 0, NOW_MS, None, 10, None, ("CODE-77",))
    assert storage.writer.commit(handed).result is Result.HANDED
    purge = PurgeAged(Aged.OFFER_CODES, NOW_MS, 100)
    assert [storage.writer.commit(purge).figure for _ in range(2)] == [1, 0]
    assert rows_of(storage, "SELECT code, click_id, click_impression_id FROM offer_codes") == [
        ("CODE-77", None, None)
    ]


@pytest.mark.parametrize(
    ("name", "kept_days"),
    [
        (EventName.VIEW_ITEM, 30),
        (EventName.ADD_TO_CART, 30),
        (EventName.PURCHASE, 180),
        (EventName.FORM_START, 14),
        (EventName.GENERATE_LEAD, 180),
    ],
)
def test_an_event_leaves_on_its_day(storage: Storage, name: EventName, kept_days: int) -> None:
    tell(storage, name)
    purge_at(storage, NOW_MS + kept_days * DAY_MS - 1)
    assert number_of(storage, "events") == 1
    purge_at(storage, NOW_MS + kept_days * DAY_MS)
    assert number_of(storage, "events") == 0


def test_a_profile_loses_what_is_old_and_goes_when_unseen_for_the_longest_time(storage: Storage) -> None:
    live(storage, NOW_MS)
    days_left = {}
    for days in (13, 14, 30, 35, 179, 180):
        purge_at(storage, NOW_MS + days * DAY_MS)
        profile = storage.profiles.profile(VISITOR)
        shop = profile.shop(ADVERTISER) if profile else None
        days_left[days] = profile and shop and (
            bool(shop.form_started_ms), len(shop.purchases), len(profile.touches)
        )  # fmt: skip
    assert days_left == {
        13: (True, 1, 2),
        14: (False, 1, 2),
        30: (False, 1, 2),
        35: (False, 1, 0),
        179: (False, 1, 0),
        180: None,
    }


def test_what_is_folded_later_does_not_keep_what_was_done_at_another_shop(storage: Storage) -> None:
    tell(storage, EventName.VIEW_ITEM)
    other = StoreEvent(
        next(_keys), 99, VISITOR, False, make_event(EventName.VIEW_ITEM, "hat"), NOW_MS + 31 * DAY_MS
    )
    storage.writer.commit(other)
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None
    assert [shop.advertiser_key for shop in profile.shops] == [99]


@pytest.mark.parametrize(("table", "also"), [("ad_events", ()), ("decisions", ("token", "image_key"))])
def test_the_visitor_leaves_an_ad_after_35_days_and_the_ad_stays(
    storage: Storage, table: str, also: tuple[str, ...]
) -> None:
    live(storage, NOW_MS)
    before = number_of(storage, table)
    purge_at(storage, NOW_MS + 35 * DAY_MS - 1)
    assert number_of(storage, table, f"visitor_key = {VISITOR}") == before
    purge_at(storage, NOW_MS + 35 * DAY_MS)
    assert number_of(storage, table, "visitor_key = 0") == before
    assert all(number_of(storage, table, f"{column} IS NOT NULL") == 0 for column in also)


def test_the_key_of_a_picture_leaves_after_35_days_where_it_names_no_visitor_too(storage: Storage) -> None:
    storage.writer.commit(RecordDecision(1, NOW_MS, SLOT, CAMPAIGN, 700, 0, (), 5, "the token"))
    storage.writer.commit(RecordDecision(2, NOW_MS, SLOT, CAMPAIGN, 700, 0, ()))
    purge_at(storage, NOW_MS + 35 * DAY_MS - 1)
    assert number_of(storage, "decisions", "image_key = 5 AND token IS NOT NULL") == 1
    assert purge_at(storage, NOW_MS + 35 * DAY_MS) == 1
    assert number_of(storage, "decisions", "image_key IS NULL AND token IS NULL") == 2
    assert purge_at(storage, NOW_MS + 35 * DAY_MS) == 0


def test_the_visitor_leaves_an_order_after_180_days_and_the_order_stays_known(storage: Storage) -> None:
    live(storage, NOW_MS)
    purge_at(storage, NOW_MS + 180 * DAY_MS)
    assert number_of(storage, "conversions", "visitor_key = 0 AND click_id IS NULL") == 1
    assert number_of(storage, "conversions") == 1


def test_notices_leave_once_they_are_settled(storage: Storage) -> None:
    save(storage, make_advertiser(version=2, webhook_url="https://shop.example/hook"))
    save(storage, make_campaign(version=2, total_budget_micros=CLICK_PRICE))
    storage.writer.commit(RecordAd((make_record(1),)))
    made = number_of(storage, "notices")
    assert made > 0
    purge_at(storage, NOW_MS + 35 * DAY_MS)
    assert number_of(storage, "notices") == made
    for notice in storage.notices.recent(ADVERTISER, 9):
        storage.writer.commit(SettleNotice(notice.key, 1, None, "delivered"))
    purge_at(storage, NOW_MS + 35 * DAY_MS - 1)
    assert number_of(storage, "notices") == made
    purge_at(storage, NOW_MS + 35 * DAY_MS)
    assert number_of(storage, "notices") == 0


def test_what_a_cap_refused_and_counts_by_hour_and_day_stay_for_400_days(storage: Storage) -> None:
    save(storage, make_campaign(version=2, total_budget_micros=0))
    storage.writer.commit(RecordAd((make_record(1),)))
    day_ms = NOW_MS - NOW_MS % DAY_MS
    storage.writer.commit(AddCounts(((NOW_MS, "requests", SLOT, 1),)))
    purge_at(storage, day_ms + 400 * DAY_MS - 1)
    assert storage.arrivals.total(ADVERTISER, 0, NOW_MS).clicks == 1
    purge_at(storage, day_ms + 400 * DAY_MS)
    assert storage.arrivals.total(ADVERTISER, 0, NOW_MS).clicks == 0
    purge_at(storage, NOW_MS + 400 * DAY_MS - HOUR_MS)
    assert storage.ledger.unbilled_at_cap(CAMPAIGN) == 1
    assert storage.stats.counts(SLOT, 0)["requests"] == 1
    purge_at(storage, NOW_MS + 400 * DAY_MS)
    assert storage.ledger.unbilled_at_cap(CAMPAIGN) == 0
    assert storage.stats.counts(None, 0) == {}


def test_the_proof_of_an_erasure_stays_for_five_years(storage: Storage) -> None:
    storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS))
    purge_at(storage, NOW_MS + 5 * 365 * DAY_MS - 1)
    assert number_of(storage, "erasures") == 1
    purge_at(storage, NOW_MS + 5 * 365 * DAY_MS)
    assert number_of(storage, "erasures") == 0


def test_the_change_log_holds_each_entity_once_and_followers_miss_nothing(storage: Storage) -> None:
    at, _ = storage.changes.everything()
    early = at
    for version in range(2, 9):
        save(storage, make_campaign(version=version))
        newest, told = storage.changes.since(at)
        assert newest > at and told == [make_campaign(version=version)]
        at = newest
    assert storage.changes.since(early) == (at, [make_campaign(version=8)])
    assert number_of(storage, "change_log") == len(make_accounts())


# ---- all of it ----


def test_no_visitor_is_held_longer_than_promised_and_no_money_changes(storage: Storage) -> None:
    """Every table that can name a visitor, over a year of days, purged each day."""
    trade(storage)
    assert set(LONGEST_DAYS) == {table.name for table in metadata.sorted_tables if "visitor_key" in table.c}
    for day in range(0, 60, 12):
        live(storage, NOW_MS + day * DAY_MS, VISITOR + day)
    money = {table: sorted(map(repr, rows_of(storage, f"SELECT * FROM {table}"))) for table in MONEY}
    assert all(money.values())
    spent = balances(storage)
    for day in range(0, 360, 9):
        now_ms = NOW_MS + day * DAY_MS
        purge_at(storage, now_ms)
        for table, longest in LONGEST_DAYS.items():
            named = f"visitor_key != 0 AND {TIME_OF.get(table, 'at_ms')} <= {now_ms - longest * DAY_MS}"
            assert number_of(storage, table, named) == 0, (table, day)
    assert {table: number_of(storage, table, "visitor_key != 0") for table in LONGEST_DAYS} == dict.fromkeys(
        LONGEST_DAYS, 0
    )
    assert number_of(storage, "ad_events") and number_of(storage, "conversions")
    assert {table: sorted(map(repr, rows_of(storage, f"SELECT * FROM {table}"))) for table in MONEY} == money
    assert balances(storage) == spent
    assert not [finding.violations for finding in audit(storage.path) if finding.violation_count]


def test_bytes_of_a_visitor_leave_the_file_with_the_rows(tmp_path: Path) -> None:
    storage = open_copy("sqlite", tmp_path)
    save_new(storage, *make_accounts())
    url = "https://shop.example/a-page-of-theirs"
    event = make_event(EventName.VIEW_ITEM, "boots", url=url)
    storage.writer.commit(StoreEvent(next(_keys), ADVERTISER, VISITOR, False, event, NOW_MS))
    purge_at(storage, NOW_MS + 180 * DAY_MS)
    storage.close()
    held = [file.read_bytes() for file in tmp_path.glob("adserver.db*")]
    assert not any(form in data for data in held for form in (url.encode(), VISITOR.to_bytes(8, "big")))


# ---- in pieces ----


def test_a_purge_goes_in_pieces_and_a_halted_one_is_finished_by_the_next(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(25):
        tell(storage, EventName.VIEW_ITEM, visitor_key=VISITOR + n)
    later_ms = NOW_MS + 40 * DAY_MS
    first = storage.writer.commit(PurgeAged(Aged.EVENTS, later_ms, 7))
    assert (first.result, first.figure, number_of(storage, "events")) == (Result.SAVED, 7, 18)
    monkeypatch.setattr(purge, "PURGED_AT_ONCE", 4)
    told = number_of(storage, "audit_log")  # of the accounts
    assert (
        purge_at(storage, later_ms) == 18 + 25 + told
    )  # the other events, and what each profile knew of them
    assert purge_at(storage, later_ms) == 0
    assert number_of(storage, "events") == 0


def test_two_purges_at_once_do_no_harm(storage: Storage) -> None:
    for n in range(10):
        tell(storage, EventName.VIEW_ITEM, visitor_key=VISITOR + n)
    piece = PurgeAged(Aged.PROFILES, NOW_MS + 200 * DAY_MS, 6)
    done = [outcome.figure for outcome in storage.writer.commit_many([piece] * 4)]
    assert sum(done) == 10 and max(done) == 6
    assert number_of(storage, "profiles") == 0


def test_the_newest_is_untouched_by_a_purge_of_the_old(storage: Storage) -> None:
    tell(storage, EventName.VIEW_ITEM)
    tell(storage, EventName.VIEW_ITEM, NOW_MS + 20 * DAY_MS)
    purge_at(storage, NOW_MS + 30 * DAY_MS)
    assert rows_of(storage, "SELECT at_ms FROM events") == [(NOW_MS + 20 * DAY_MS,)]
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None and len(profile.shops[0].interests) == 1


def test_each_piece_is_found_by_an_index_however_much_is_kept(storage: Storage) -> None:
    from adserver.storage.purge import _DUE_PROFILES, _PURGE

    for statement in (*_PURGE.values(), _DUE_PROFILES):
        plan = rows_of(storage, f"EXPLAIN QUERY PLAN {statement}", before_ms=1, most=1)
        steps = [str(row[3]) for row in plan]
        assert not [step for step in steps if step.startswith("SCAN") and "USING" not in step], steps
        assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.fixture
def brief(tmp_path: Path) -> Iterator[Storage]:
    """An operator who keeps views for a day, and all else for two."""
    open_copy("sqlite", tmp_path).close()
    times = Retention(DAY_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS)
    storage = own_storage(tmp_path / "adserver.db", times)
    save_new(storage, *make_accounts())
    yield storage
    storage.close()


def test_an_operator_may_keep_less(brief: Storage) -> None:
    live(brief, NOW_MS)
    short = Retention(DAY_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS)
    purge_at(brief, NOW_MS + DAY_MS, short)
    names = [msgspec.msgpack.decode(body)[0] for (body,) in rows_of(brief, "SELECT body FROM events")]  # type: ignore[arg-type]
    assert EventName.VIEW_ITEM not in names and EventName.PURCHASE in names
    purge_at(brief, NOW_MS + 2 * DAY_MS, short)
    assert brief.profiles.profile(VISITOR) is None
    assert {table: number_of(brief, table, "visitor_key != 0") for table in LONGEST_DAYS} == dict.fromkeys(
        LONGEST_DAYS, 0
    )


def test_receipts_are_not_the_purges_business(storage: Storage) -> None:
    storage.writer.commit(Receipt("owner", "key", "digest", 200, b"", NOW_MS))
    purge_at(storage, NOW_MS + 500 * DAY_MS)
    assert number_of(storage, "receipts") == 1
