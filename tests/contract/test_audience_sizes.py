"""Sizes stand until they are counted again; a day at slots is noted for whoever is known, and costs no second write."""

from itertools import count

import pytest

from adserver.domain.audience_reach import Panel
from adserver.domain.audience_size import AudienceSize
from adserver.domain.census import GroupCount
from adserver.domain.visitor import fold_slot
from adserver.storage.embedded import Storage
from adserver.writes import ForgetVisitor, Result, SaveAudienceSizes, SeenAtSlot, StoreEvent
from pixel.events import EventName
from tests.contract.stores import rows_of
from tests.domain.makers import ADVERTISER, CARTERS, DAY_MS, NOW_MS, VIEWERS, make_event

VISITOR = 4_242_424_242_424
_keys = count(1)


def see(storage: Storage, visitor_key: int = VISITOR, *, first: bool = False) -> None:
    event = make_event(EventName.VIEW_ITEM, "boots")
    storage.writer.commit(StoreEvent(next(_keys), ADVERTISER, visitor_key, first, event, NOW_MS))


def slot_day(storage: Storage, visitor_key: int = VISITOR) -> int | None:
    profile = storage.profiles.profile(visitor_key)
    return None if profile is None else profile.slot_day


def save(
    storage: Storage, *groups: GroupCount, advertiser_key: int = ADVERTISER, at_ms: int = NOW_MS
) -> None:
    write = SaveAudienceSizes(advertiser_key, Panel(9, 4, at_ms, (1, 2, 3)), groups)
    assert storage.writer.commit(write).result is Result.SAVED


# ---- sizes ----


def test_what_was_counted_is_read_by_group_and_by_audience(storage: Storage) -> None:
    save(storage, GroupCount(11, VIEWERS, 70, 30), GroupCount(12, 0, 90, 40))
    sizes = {11: AudienceSize(70, NOW_MS, 30), 12: AudienceSize(90, NOW_MS, 40)}
    assert storage.audience_sizes.of_groups([11, 12, 13]) == sizes
    assert storage.changes.audience_sizes() == {11: sizes[11]}
    assert storage.audience_sizes.panel(ADVERTISER) == Panel(9, 4, NOW_MS, (1, 2, 3))
    assert storage.audience_sizes.panel(ADVERTISER + 1) is None


def test_a_new_count_takes_the_place_of_the_old_one_and_of_no_other_advertisers(storage: Storage) -> None:
    save(storage, GroupCount(11, VIEWERS, 70, 30), GroupCount(12, CARTERS, 90, 40))
    save(storage, GroupCount(31, 77, 5, 5), advertiser_key=ADVERTISER + 1)
    save(storage, GroupCount(21, VIEWERS, 71, 31), at_ms=NOW_MS + 1)
    assert set(storage.audience_sizes.of_groups([11, 12, 21, 31])) == {21, 31}
    assert storage.changes.audience_sizes()[21] == AudienceSize(71, NOW_MS + 1, 31)
    assert 12 not in storage.changes.audience_sizes()


# ---- profiles, place by place ----


def test_profiles_are_walked_through_in_stretches_each_once(storage: Storage) -> None:
    for visitor_key in range(50, 57):
        see(storage, visitor_key)
    row, walked = 0, []
    while found := storage.audience_sizes.profiles_after(row, 3):
        walked += found
        row = found[-1][0]
    assert [place for place, _ in walked] == sorted({place for place, _ in walked})
    assert [profile for _, profile in walked] == [storage.profiles.profile(key) for key in range(50, 57)]
    places = [walked[1][0], walked[4][0]]
    assert storage.audience_sizes.profiles_at(places) == [walked[1][1], walked[4][1]]
    storage.writer.commit(ForgetVisitor(51, 77, NOW_MS))
    assert storage.audience_sizes.profiles_at(places) == [walked[4][1]]


# ---- a day at slots ----


def test_a_day_at_slots_is_noted_with_whom_we_know(storage: Storage) -> None:
    see(storage)
    assert slot_day(storage) == 0
    for _ in range(2):
        assert storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS)).result is Result.ACCEPTED
    assert slot_day(storage) == NOW_MS // DAY_MS
    storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS + DAY_MS))
    assert slot_day(storage) == NOW_MS // DAY_MS + 1


def test_the_cookie_that_came_back_at_a_slot_makes_the_profile_of_its_first_events(storage: Storage) -> None:
    see(storage, first=True)
    assert rows_of(storage, "SELECT 1 FROM profiles") == []
    storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS))
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None and profile.shop(ADVERTISER) is not None
    assert rows_of(storage, "SELECT 1 FROM profiles") == [(1,)]


def test_nobody_comes_to_be_known_by_being_at_a_slot(storage: Storage) -> None:
    storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS))
    assert slot_day(storage) is None
    see(storage)
    storage.writer.commit_all(  # type: ignore[union-attr]
        [ForgetVisitor(VISITOR, 77, NOW_MS), SeenAtSlot(VISITOR, NOW_MS)], False
    )
    assert slot_day(storage) is None
    assert rows_of(storage, "SELECT 1 FROM profiles") == []


def test_a_day_that_is_known_costs_no_row(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    see(storage)
    storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS))
    kept: list[object] = []
    monkeypatch.setattr("adserver.storage.batch.Batch.keep_profile", lambda _, *given: kept.append(given))
    storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS + 1))
    assert kept == []


def test_the_export_says_when_one_was_last_at_a_slot(storage: Storage) -> None:
    see(storage)
    storage.writer.commit(SeenAtSlot(VISITOR, NOW_MS))
    (row,) = storage.profiles.export(VISITOR)["profiles"]
    assert row["body"]["slot_day"] == NOW_MS // DAY_MS  # type: ignore[index]


def test_a_stored_profile_of_before_reads_as_never_at_a_slot(storage: Storage) -> None:
    see(storage)
    profile = storage.profiles.profile(VISITOR)
    assert profile is not None
    fold_slot(profile, 0)
    assert profile.slot_day == 0
