"""The port of suppression lists: who is on which, from the commit on and until they are forgotten."""

from adserver.domain.doings import Reaction
from adserver.domain.pricing import AdEvent
from adserver.domain.suppression import ListVisitors, SuppressionList, UnlistOthers
from adserver.storage.embedded import Storage
from adserver.writes import ForgetVisitor, RecordAd, Result, StoreEvent, Withdraw
from pixel.events import EventName
from tests.contract.stores import make_record, rows_of, save
from tests.domain.makers import ADVERTISER, CAMPAIGN, NOW_MS, make_event

ANN, BEN, STAFF, COMPLAINTS = 4_242, 4_343, 94, 95


def put(storage: Storage, list_key: int, *visitors: int, upload: int = 1) -> None:
    write = ListVisitors(list_key, ADVERTISER, upload, visitors, NOW_MS + upload)
    assert storage.writer.commit(write).result is Result.SAVED


def test_a_list_is_saved_told_and_read_by_its_owner(storage: Storage) -> None:
    made = SuppressionList(key=STAFF, advertiser_key=ADVERTISER, name="Staff", campaign_keys=(CAMPAIGN,))
    at, _ = storage.changes.everything()
    save(storage, made, is_new=True)
    assert storage.changes.since(at)[1] == [made]
    assert storage.suppressions.suppression_list(STAFF) == made
    assert storage.suppressions.suppression_lists(ADVERTISER, -1, 9) == [made]
    assert storage.suppressions.suppression_lists(ADVERTISER + 1, -1, 9) == []


def test_a_visitor_may_be_on_several_lists_and_is_counted_once_on_each(storage: Storage) -> None:
    put(storage, STAFF, ANN, BEN)
    put(storage, STAFF, ANN, upload=2)
    put(storage, COMPLAINTS, ANN)
    lists_of = storage.suppressions.lists_of
    assert (lists_of(ANN), lists_of(BEN), lists_of(1)) == ({STAFF, COMPLAINTS}, {STAFF}, frozenset())
    assert storage.suppressions.sizes([STAFF, COMPLAINTS, 96]) == {STAFF: 2, COMPLAINTS: 1}


def test_those_whom_a_newer_file_leaves_out_are_taken_off_piece_by_piece(storage: Storage) -> None:
    put(storage, STAFF, *range(100, 110))
    put(storage, COMPLAINTS, *range(100, 110))
    put(storage, STAFF, 103, 107, upload=2)
    removed = [storage.writer.commit(UnlistOthers(STAFF, 2, 3)).figure for _ in range(4)]
    assert removed == [3, 3, 2, 0]
    assert storage.suppressions.sizes([STAFF, COMPLAINTS]) == {STAFF: 2, COMPLAINTS: 10}
    assert storage.suppressions.lists_of(103) == {STAFF, COMPLAINTS}


def test_whoever_is_forgotten_leaves_every_list_and_is_put_on_none(storage: Storage) -> None:
    put(storage, STAFF, ANN, BEN)
    put(storage, COMPLAINTS, ANN)
    storage.writer.commit(ForgetVisitor(ANN, 77, NOW_MS))
    assert storage.suppressions.lists_of(ANN) == frozenset()
    put(storage, STAFF, ANN, BEN, upload=2)  # a file that was under way
    assert storage.suppressions.lists_of(ANN) == frozenset()
    assert storage.suppressions.lists_of(BEN) == {STAFF}


def test_a_withdrawal_takes_the_shops_lists_and_no_others(storage: Storage) -> None:
    put(storage, STAFF, ANN)
    storage.writer.commit(ListVisitors(COMPLAINTS, ADVERTISER + 1, 1, (ANN,), NOW_MS))
    storage.writer.commit(Withdraw(ANN, ADVERTISER, NOW_MS))
    assert storage.suppressions.lists_of(ANN) == {COMPLAINTS}
    assert rows_of(storage, "SELECT advertiser_key FROM suppressed") == [(ADVERTISER + 1,)]


def test_ads_that_are_seen_and_clicked_are_noted_with_the_shop_that_is_known(storage: Storage) -> None:
    event = make_event(EventName.VIEW_ITEM, "boots")
    storage.writer.commit(StoreEvent(1_000, ADVERTISER, ANN, False, event, NOW_MS))
    events = (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION, AdEvent.CLICK)
    storage.writer.commit(RecordAd(tuple(make_record(1, one, visitor_key=ANN) for one in events)))
    profile = storage.profiles.profile(ANN)
    assert profile is not None
    (shop,) = profile.shops
    counts = {kind: len(doings.each()) for kind, doings in shop.doings.items()}
    assert counts == {"view_item": 1, Reaction.AD_SEEN: 1, Reaction.AD_CLICKED: 1}
    told = storage.profiles.export(ANN)["profiles"][0]["body"]
    assert told["shops"][0]["doings"]["ad_seen"][0]["at_ms"] == profile.touches[0].at_ms  # type: ignore[index]
