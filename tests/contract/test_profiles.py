"""The profiles port: what is remembered of a browser, from its first event until it is forgotten."""

import sqlite3
from itertools import count

import msgspec
import pytest

from adserver.domain.burn import Kind, kind_of
from adserver.domain.identity import key_of, product_key
from adserver.domain.offer import HandCode
from adserver.domain.pricing import AdEvent
from adserver.domain.suppression import ListVisitors
from adserver.domain.visitor import Preference, Shown
from adserver.storage.embedded import Storage
from adserver.storage.visitors import RecentIds
from adserver.storage.writer import Applied, Committer
from adserver.writes import (
    ForgetVisitor,
    RecordAd,
    RecordDecision,
    RemoveProductsNotIn,
    Result,
    SaveProducts,
    StoreEvent,
    TellPreference,
)
from pixel.events import EventName
from tests.contract.stores import (
    CLICK_PRICE,
    credit_by_pixel,
    make_ghost,
    make_order_event,
    make_record,
    make_sample,
    roll_up_funnel,
    rows_of,
)
from tests.domain.makers import ADVERTISER, CAMPAIGN, CARTERS, HOUR_MS, NOW_MS, SLOT, make_event, make_product

VISITOR = 4_242_424_242_424
_event_keys = count(1_000)


def see(storage: Storage, item_id: str, *, first: bool = False, **fields: object) -> Result:
    event = make_event(EventName.VIEW_ITEM, item_id, **fields)
    write = StoreEvent(next(_event_keys), ADVERTISER, VISITOR, first, event, NOW_MS)
    return storage.writer.commit(write).result


def interests(storage: Storage, visitor_key: int = VISITOR) -> set[int]:
    profile = storage.profiles.profile(visitor_key)
    shop = profile.shop(ADVERTISER) if profile else None
    return {interest.product_key for interest in shop.interests} if shop else set()


def keys_of(*item_ids: str) -> set[int]:
    return {product_key(ADVERTISER, item_id) for item_id in item_ids}


def profile_count(storage: Storage) -> object:
    return rows_of(storage, "SELECT COUNT(*) FROM profiles")[0][0]


def test_a_browser_never_seen_has_no_profile(storage: Storage) -> None:
    assert storage.profiles.profile(VISITOR) is None


def test_a_profile_is_made_when_the_cookie_comes_back(storage: Storage) -> None:
    see(storage, "boots", first=True)
    assert profile_count(storage) == 0
    see(storage, "hat")
    assert profile_count(storage) == 1
    assert interests(storage) == keys_of("boots", "hat")


def test_the_events_that_came_with_a_cookie_are_read_before_it_is_folded(storage: Storage) -> None:
    see(storage, "boots", first=True)
    see(storage, "hat", first=True)
    assert interests(storage) == keys_of("boots", "hat")


def test_cookie_and_return_within_one_batch_make_one_whole_profile(storage: Storage) -> None:
    writes = [
        StoreEvent(
            next(_event_keys), ADVERTISER, VISITOR, first, make_event(EventName.VIEW_ITEM, item), NOW_MS
        )
        for item, first in (("boots", True), ("hat", False), ("scarf", False))
    ]
    storage.writer.commit_all(writes, False)  # type: ignore[union-attr]
    assert interests(storage) == keys_of("boots", "hat", "scarf")


def test_an_ad_that_is_seen_first_keeps_what_came_with_the_cookie(storage: Storage) -> None:
    see(storage, "boots", first=True)
    storage.writer.commit(RecordAd((make_record(1, AdEvent.IMPRESSION, visitor_key=VISITOR),)))
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None
    assert interests(storage) == keys_of("boots")
    assert profile.times_shown(CAMPAIGN, 0) == 1


def test_an_event_without_consent_for_a_profile_is_only_counted(storage: Storage) -> None:
    event = make_event(EventName.VIEW_ITEM, "boots")
    storage.writer.commit(StoreEvent(next(_event_keys), ADVERTISER, 0, False, event, NOW_MS))
    assert profile_count(storage) == 0
    assert storage.stats.counts(ADVERTISER, 0) == {"event_view_item": 1}


def test_impressions_and_clicks_are_touches_and_views_are_not(storage: Storage) -> None:
    see(storage, "boots")
    events = (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION, AdEvent.CLICK)
    storage.writer.commit(RecordAd(tuple(make_record(1, event, visitor_key=VISITOR) for event in events)))
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None
    assert [touch.event for touch in profile.touches] == [AdEvent.IMPRESSION, AdEvent.CLICK]
    assert not any(touch.suspect for touch in profile.touches)


def test_a_charge_and_its_touch_keep_whose_rate_it_was(storage: Storage) -> None:
    see(storage, "boots")
    storage.writer.commit(RecordAd((make_record(1, visitor_key=VISITOR, audience_key=CARTERS),)))
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None and [touch.audience_key for touch in profile.touches] == [CARTERS]
    assert rows_of(storage, "SELECT audience_key, amount_micros FROM charges") == [(CARTERS, CLICK_PRICE)]


def test_a_repeated_impression_is_counted_once_for_its_visitor(storage: Storage) -> None:
    see(storage, "boots")
    for _ in range(3):
        storage.writer.commit(RecordAd((make_record(1, AdEvent.IMPRESSION, visitor_key=VISITOR),)))
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None and profile.times_shown(CAMPAIGN, 0) == 1


def test_an_event_told_twice_by_its_id_is_stored_once(storage: Storage) -> None:
    assert see(storage, "boots", event_id="e1") is Result.ACCEPTED
    assert see(storage, "hat", event_id="e1") is Result.DUPLICATE
    assert interests(storage) == keys_of("boots")


def test_two_shops_may_use_the_same_event_id(storage: Storage) -> None:
    event = make_event(EventName.VIEW_ITEM, "boots", event_id="e1")
    for advertiser in (ADVERTISER, ADVERTISER + 1):
        write = StoreEvent(next(_event_keys), advertiser, VISITOR, False, event, NOW_MS)
        assert storage.writer.commit(write).result is Result.ACCEPTED


# ---- forgetting ----


def live_through_everything(storage: Storage) -> None:
    """Something of the visitor in every table that can name one."""
    see(storage, "boots", url="https://shop.example/boots", click_id="abc")
    see(storage, "hat")
    storage.writer.commit(RecordDecision(1, NOW_MS, SLOT, CAMPAIGN, 700, VISITOR, (9,), 44, "the token"))
    storage.writer.commit(make_ghost(visitor_key=VISITOR))
    storage.writer.commit(make_sample(1, VISITOR))
    events = (AdEvent.IMPRESSION, AdEvent.CLICK)
    storage.writer.commit(RecordAd(tuple(make_record(1, event, visitor_key=VISITOR) for event in events)))
    storage.writer.commit(HandCode(93, ADVERTISER, 1, "abc", VISITOR, NOW_MS, None, 10, None, ("CODE-1",)))
    event = make_event(EventName.PURCHASE, "boots", click_id="abc")
    storage.writer.commit(make_order_event(100, 5, visitor_key=VISITOR, event=event))
    storage.writer.commit(credit_by_pixel(100, reserve=True))
    roll_up_funnel(storage)
    storage.writer.commit(ListVisitors(94, ADVERTISER, 1, (VISITOR,), NOW_MS))


def tables_with(storage: Storage, column: str) -> list[str]:
    names = [str(row[0]) for row in rows_of(storage, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        name for name in names
        if column in {row[1] for row in rows_of(storage, f"PRAGMA table_info({name})")}
    ]  # fmt: skip


def forget(storage: Storage) -> Result:
    return storage.writer.commit(ForgetVisitor(VISITOR, 77, NOW_MS)).result


def test_a_forgotten_visitor_leaves_no_trace_in_any_table(storage: Storage) -> None:
    live_through_everything(storage)
    tables = tables_with(storage, "visitor_key")
    assert len(tables) >= 5
    for table in tables:
        count_rows = f"SELECT COUNT(*) FROM {table} WHERE visitor_key = {VISITOR}"
        assert rows_of(storage, count_rows)[0][0], f"nothing to forget in {table}"
    assert forget(storage) is Result.SAVED
    assert storage.profiles.profile(VISITOR) is None
    assert all(not rows for rows in storage.profiles.export(VISITOR).values())
    for table in tables:
        assert rows_of(storage, f"SELECT * FROM {table} WHERE visitor_key = {VISITOR}") == []
    for column in ("click_id", "token", "image_key"):
        for table in tables_with(storage, column):
            assert rows_of(storage, f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL") == []


def test_no_byte_of_a_forgotten_visitor_stays_in_the_file(storage: Storage) -> None:
    live_through_everything(storage)
    storage.reader.close()
    assert forget(storage) is Result.SAVED
    files = [path.read_bytes() for path in storage.path.parent.glob("adserver.db*")]
    for said in (b"the token", b"https://shop.example/boots"):
        assert not any(said in held for held in files)


def test_an_ad_decided_before_its_visitor_was_forgotten_is_kept_without_them(storage: Storage) -> None:
    live_through_everything(storage)
    decided = RecordDecision(2, NOW_MS, SLOT, CAMPAIGN, 700, VISITOR, (9,), 45, "a late token")
    storage.writer.commit_all([ForgetVisitor(VISITOR, 77, NOW_MS), decided], False)  # type: ignore[union-attr]
    storage.writer.commit(msgspec.structs.replace(decided, impression_id=3))
    late_rows = "SELECT visitor_key, token FROM decisions WHERE impression_id IN (2, 3)"
    assert [row for row in rows_of(storage, late_rows) if any(row)] == []
    assert rows_of(storage, "SELECT impression_id FROM decisions") == [(1,), (2,), (3,)]


def test_who_could_not_be_forgotten_is_still_known(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of a transaction that failed is left behind, in memory neither."""
    live_through_everything(storage)
    with monkeypatch.context() as full:
        full.setattr(Committer, "_end", refuse_as_full)
        assert forget(storage) is Result.UNRECORDED
    storage.writer.commit(RecordDecision(2, NOW_MS, SLOT, CAMPAIGN, 700, VISITOR, (9,), 45, "a token"))
    kept = rows_of(storage, "SELECT visitor_key, token FROM decisions WHERE impression_id = 2")
    assert kept == [(VISITOR, "a token")]
    assert "the disk refuses writes" in caplog.text


def test_a_sample_decided_before_its_visitor_was_forgotten_is_not_kept(storage: Storage) -> None:
    live_through_everything(storage)
    decided = make_sample(2, VISITOR)
    storage.writer.commit_all([ForgetVisitor(VISITOR, 77, NOW_MS), decided], False)  # type: ignore[union-attr]
    storage.writer.commit(msgspec.structs.replace(decided, sample_key=3))
    assert rows_of(storage, "SELECT sample_key FROM decision_samples") == []


def refuse_as_full(committer: Committer, applied: Applied) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def as_row_number(key: int) -> bytes:
    """As SQLite writes a row's own number of 57 bits or more: seven bits a byte, and eight in the ninth."""
    return bytes([*((key >> shift & 0x7F) | 0x80 for shift in range(57, 7, -7)), key & 0xFF])


def test_of_many_visitors_each_that_is_forgotten_leaves_no_byte_in_the_file(storage: Storage) -> None:
    visitors = [key_of(b"visitor", bytes([number])) | 1 << 62 for number in range(100)]
    for visitor in visitors:
        event = make_event(EventName.VIEW_ITEM, "boots", url=f"https://shop.example/{'long/' * 50}")
        for _ in range(2):
            write = StoreEvent(next(_event_keys), ADVERTISER, visitor, False, event, NOW_MS)
            storage.writer.commit(write)
    storage.reader.close()
    for visitor in visitors[::3]:
        assert storage.writer.commit(ForgetVisitor(visitor, 77, NOW_MS)).result is Result.SAVED
    held = b"".join(path.read_bytes() for path in storage.path.parent.glob("adserver.db*"))
    for form in (as_row_number, lambda key: key.to_bytes(8, "big")):
        assert [visitor for visitor in visitors[::3] if form(visitor) in held] == []


def test_amounts_stay_when_their_visitor_is_forgotten(storage: Storage) -> None:
    live_through_everything(storage)
    money = "SELECT charge_id, amount_micros FROM charges"
    before = rows_of(storage, money)
    forget(storage)
    assert rows_of(storage, money) == before != []
    assert rows_of(storage, "SELECT state FROM conversions") == [("pending",)]


def test_an_export_holds_every_table_that_can_name_the_visitor(storage: Storage) -> None:
    live_through_everything(storage)
    held = storage.profiles.export(VISITOR)
    assert set(held) == set(tables_with(storage, "visitor_key"))
    assert all(held.values())
    assert msgspec.json.encode(held)


# ---- the ids of events ----


def test_an_id_is_known_for_two_days() -> None:
    recent = RecentIds()
    recent.add(1, NOW_MS)
    recent.add(2, NOW_MS + 47 * HOUR_MS)
    assert recent.knows(1) and recent.knows(2) and not recent.knows(3)
    recent.add(3, NOW_MS + 48 * HOUR_MS)
    assert not recent.knows(1) and recent.knows(2)
    assert recent.forgotten_segments == 0


@pytest.mark.parametrize("step_ms", [0, 60_000, HOUR_MS // 2])
def test_ids_kept_in_memory_have_a_maximum(step_ms: int) -> None:
    recent = RecentIds(most=160)
    for n in range(1_000):
        recent.add(n, NOW_MS + n * step_ms)
        assert recent.knows(n)
    assert sum(recent.knows(n) for n in range(1_000)) <= 160
    assert recent.forgotten_segments > 0 or step_ms == HOUR_MS // 2


def test_a_clock_that_goes_back_does_not_lose_ids() -> None:
    recent = RecentIds()
    recent.add(1, NOW_MS)
    recent.add(2, NOW_MS - 3 * HOUR_MS)
    assert recent.knows(1) and recent.knows(2)


def test_what_was_bought_keeps_its_group_and_category_when_it_leaves_the_catalogue(storage: Storage) -> None:
    """Whether the order is folded, was in the cart, came with the cookie, or was told by the button."""
    boots = make_product("boots", item_group_id="g", product_type="Shoes > Boots")
    hat = make_product("hat", item_group_id="g", product_type="Hats")
    storage.writer.commit(SaveProducts(ADVERTISER, (boots, hat), feed_key=1, import_key=1))
    see(storage, "boots")
    storage.writer.commit(TellPreference(VISITOR, ADVERTISER, Preference.BOUGHT, hat.key, NOW_MS))
    do(storage, EventName.ADD_TO_CART, "boots")
    do(storage, EventName.PURCHASE)
    do(storage, EventName.PURCHASE, "socks")
    storage.writer.commit(RemoveProductsNotIn(1, 2))
    known = purchases(storage)
    assert known == {
        boots.key: kind_of(boots),
        hat.key: kind_of(hat),
        product_key(ADVERTISER, "socks"): Kind(),
    }
    assert known[boots.key].group_key == known[hat.key].group_key > 0
    assert known[boots.key].category_key != known[hat.key].category_key


def test_an_order_that_came_with_the_cookie_knows_what_kind_it_was(storage: Storage) -> None:
    boots = make_product("boots", item_group_id="g")
    storage.writer.commit(SaveProducts(ADVERTISER, (boots,)))
    do(storage, EventName.PURCHASE, "boots", first=True)
    assert purchases(storage) == {boots.key: kind_of(boots)}
    see(storage, "hat")
    assert profile_count(storage) == 1 and purchases(storage) == {boots.key: kind_of(boots)}


def do(storage: Storage, name: EventName, *item_ids: str, first: bool = False) -> None:
    event = make_event(name, *item_ids)
    storage.writer.commit(StoreEvent(next(_event_keys), ADVERTISER, VISITOR, first, event, NOW_MS))


def purchases(storage: Storage) -> dict[int, Kind]:
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None
    (shop,) = profile.shops
    return {one.product_key: Kind(one.group_key, one.category_key) for one in shop.purchases}


def test_an_ad_is_counted_with_its_advertiser_and_creative_and_its_click(storage: Storage) -> None:
    see(storage, "boots")
    for event, impression_id in ((AdEvent.IMPRESSION, 1), (AdEvent.IMPRESSION, 2), (AdEvent.CLICK, 2)):
        record = make_record(impression_id, event, visitor_key=VISITOR)
        storage.writer.commit(RecordAd((record,)))
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None
    creative = make_record().creative_key
    assert profile.shown == [Shown(CAMPAIGN, [NOW_MS] * 2, ADVERTISER, [creative] * 2, NOW_MS)]
