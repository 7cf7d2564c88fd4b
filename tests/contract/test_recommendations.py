"""Visits are told by slice, sessions replace each other, and what is learnt holds as a whole or not at all."""

import msgspec

from adserver.domain.identity import KEY_TIME_SHIFT, product_key
from adserver.domain.sessions import ShopSessions
from adserver.domain.shop_learning import OF_SHOP, Learnt
from adserver.storage.embedded import Storage
from adserver.storage.recommendation_tables import SLICE_SHIFT
from adserver.writes import (
    Aged,
    BeginSlice,
    DropLearnt,
    ForgetVisitor,
    KeepLearnt,
    KeepSessions,
    PurgeAged,
    Result,
    StoreEvent,
    UseLearnt,
    Withdraw,
)
from pixel.events import EventName
from tests.contract.stores import rows_of
from tests.domain.makers import ADVERTISER, NOW_MS, make_event

DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
HERE = NOW_MS << KEY_TIME_SHIFT  # a key of now
SLICE = HERE >> SLICE_SHIFT
BOOTS, HAT = Learnt(b"0123456789"), Learnt(b"", b"9876543210")
SHOP = ShopSessions(b"looks", b"orders")
VISITOR, OTHER_SHOP = 77, ADVERTISER + 1
_encode = msgspec.msgpack.encode


def see(storage: Storage, *keys: int, visitor: int = VISITOR, advertiser: int = ADVERTISER) -> None:
    event = make_event(EventName.VIEW_ITEM, "boots", "hat")
    for key in keys:
        write = StoreEvent(key, advertiser, visitor, False, event, NOW_MS)
        assert storage.writer.commit(write).result is Result.ACCEPTED


def keep(
    storage: Storage, *shops: tuple[int, int, ShopSessions], slice_: int = SLICE, through: int = HERE
) -> None:
    storage.writer.commit(BeginSlice(slice_))
    assert storage.writer.commit(KeepSessions(slice_, through, 0, shops)).result is Result.SAVED


def use(storage: Storage, version: int, parts: dict[int, dict[int, Learnt]], state: int = 1) -> None:
    pieces = tuple((part, _encode(products)) for part, products in parts.items())
    assert storage.writer.commit(KeepLearnt(ADVERTISER, version, pieces)).result is Result.SAVED
    assert storage.writer.commit(UseLearnt(ADVERTISER, version, len(parts), state)).result is Result.SAVED


def test_visits_are_told_in_order_by_page_and_of_nobody_who_may_not_be_remembered(storage: Storage) -> None:
    see(storage, HERE, HERE + 2)
    see(storage, HERE + 1, visitor=0)
    see(storage, HERE + (1 << SLICE_SHIFT))
    first, second = storage.visits.visits(SLICE, -1, 9)
    assert (first.event_key, second.event_key) == (HERE, HERE + 2)
    assert first.product_keys == (product_key(ADVERTISER, "boots"), product_key(ADVERTISER, "hat"))
    assert storage.visits.visits(SLICE, HERE, 9) == [second]
    assert storage.visits.visits(SLICE, -1, 1) == [first]


def test_a_slice_is_uncut_until_its_sessions_are_kept_and_again_with_a_later_visit(storage: Storage) -> None:
    assert storage.visits.uncut(MONTH_MS) == (0, [])
    see(storage, HERE)
    assert storage.visits.uncut(MONTH_MS) == (SLICE, [SLICE])
    keep(storage, (ADVERTISER, NOW_MS, SHOP))
    assert storage.visits.uncut(MONTH_MS) == (SLICE, [])
    see(storage, HERE + 1, visitor=0)
    assert storage.visits.uncut(MONTH_MS) == (SLICE, [])
    see(storage, HERE + 2)
    assert storage.visits.uncut(MONTH_MS) == (SLICE, [SLICE])


def test_slices_older_than_what_is_kept_are_never_uncut(storage: Storage) -> None:
    see(storage, HERE - (40 * DAY_MS << KEY_TIME_SHIFT), HERE)
    oldest, slices = storage.visits.uncut(MONTH_MS)
    assert oldest == HERE - (MONTH_MS << KEY_TIME_SHIFT) >> SLICE_SHIFT
    assert slices[0] == oldest and slices[-1] == SLICE


def test_sessions_of_a_slice_replace_those_before_and_only_changes_are_told(storage: Storage) -> None:
    keep(storage, (ADVERTISER, NOW_MS, SHOP), (OTHER_SHOP, NOW_MS, SHOP))
    assert storage.recommendations.outdated(1) == [(ADVERTISER, 1), (OTHER_SHOP, 1)]
    keep(storage, (ADVERTISER, NOW_MS, SHOP))
    assert storage.recommendations.sessions(ADVERTISER) == [SHOP]
    assert storage.recommendations.sessions(OTHER_SHOP) == []
    assert dict(storage.recommendations.outdated(1)) == {ADVERTISER: 1, OTHER_SHOP: 2}


def test_a_shop_is_outdated_until_it_is_learnt_of_in_its_newest_state(storage: Storage) -> None:
    keep(storage, (ADVERTISER, NOW_MS, SHOP))
    use(storage, NOW_MS, {0: {1: BOOTS}})
    assert storage.recommendations.outdated(NOW_MS + 1) == []
    keep(storage, (ADVERTISER, NOW_MS, ShopSessions(b"more", b"")))
    assert storage.recommendations.outdated(NOW_MS + 1) == [(ADVERTISER, 2)]
    assert storage.recommendations.outdated(NOW_MS) == []


def test_what_is_learnt_is_found_by_product_and_holds_only_when_all_of_it_is_kept(storage: Storage) -> None:
    use(storage, 1, {0: {OF_SHOP: HAT, 4: BOOTS}, 1: {1: HAT}})
    assert storage.recommendations.learnt(ADVERTISER, [1, 4, 6, OF_SHOP]) == {1: HAT, 4: BOOTS, OF_SHOP: HAT}
    storage.writer.commit(KeepLearnt(ADVERTISER, 2, ((0, _encode({4: HAT})),)))
    assert storage.recommendations.learnt(ADVERTISER, [4]) == {4: BOOTS}
    use(storage, 2, {0: {4: HAT}})
    assert storage.recommendations.learnt(ADVERTISER, [1, 4]) == {4: HAT}
    assert storage.recommendations.learnt(OTHER_SHOP, [4]) == {}


def test_workers_hear_of_a_new_version_by_the_change_log(storage: Storage) -> None:
    before, _ = storage.changes.since(0)
    use(storage, 1, {0: {1: BOOTS}})
    _, changed = storage.changes.since(before)
    assert [getattr(one, "advertiser_key", None) for one in changed] == [ADVERTISER]


def test_versions_that_do_not_hold_are_dropped_a_few_parts_at_a_time(storage: Storage) -> None:
    use(storage, 1, {part: {part: BOOTS} for part in range(5)})
    storage.writer.commit(KeepLearnt(ADVERTISER, 2, ((0, _encode({0: HAT})),)))
    use(storage, 3, {0: {0: HAT}})
    dropped = [storage.writer.commit(DropLearnt(ADVERTISER, 4)).figure for _ in range(3)]
    assert dropped == [4, 2, 0]
    assert rows_of(storage, "SELECT version, part FROM recommendation_parts") == [(3, 0)]


def test_who_is_forgotten_leaves_the_sessions_at_once_and_their_shops_are_learnt_of_anew(
    storage: Storage,
) -> None:
    see(storage, HERE)
    see(storage, HERE + 1, visitor=VISITOR + 1, advertiser=OTHER_SHOP)
    keep(storage, (ADVERTISER, NOW_MS, SHOP), (OTHER_SHOP, NOW_MS, SHOP), through=HERE + 1)
    storage.writer.commit(ForgetVisitor(VISITOR, 1, NOW_MS))
    assert storage.recommendations.sessions(ADVERTISER) == []
    assert storage.recommendations.sessions(OTHER_SHOP) == [SHOP]
    assert storage.visits.uncut(MONTH_MS)[1] == [SLICE]
    assert dict(storage.recommendations.outdated(1)) == {ADVERTISER: 2, OTHER_SHOP: 1}


def test_who_is_forgotten_while_a_slice_is_cut_is_not_in_its_sessions(storage: Storage) -> None:
    see(storage, HERE)
    see(storage, HERE + 1, visitor=VISITOR + 1)
    storage.writer.commit(BeginSlice(SLICE))
    storage.writer.commit(ForgetVisitor(VISITOR, 1, NOW_MS))
    kept = storage.writer.commit(KeepSessions(SLICE, HERE, 0, ((ADVERTISER, NOW_MS, SHOP),)))
    assert kept.result is Result.CONFLICT
    assert storage.recommendations.sessions(ADVERTISER) == []
    assert storage.visits.uncut(MONTH_MS)[1] == [SLICE]


def test_a_slice_that_was_begun_and_left_is_cut_by_the_next_run(storage: Storage) -> None:
    see(storage, HERE)
    storage.writer.commit(BeginSlice(SLICE))
    assert storage.visits.uncut(MONTH_MS)[1] == [SLICE]


def test_who_withdraws_from_one_shop_stays_in_the_sessions_of_others(storage: Storage) -> None:
    see(storage, HERE)
    see(storage, HERE + 1, advertiser=OTHER_SHOP)
    keep(storage, (ADVERTISER, NOW_MS, SHOP), (OTHER_SHOP, NOW_MS, SHOP), through=HERE + 1)
    storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS))
    assert storage.recommendations.sessions(ADVERTISER) == []
    assert storage.recommendations.sessions(OTHER_SHOP) == [SHOP]


def test_old_sessions_leave_and_their_shops_are_learnt_of_without_them(storage: Storage) -> None:
    keep(storage, (ADVERTISER, NOW_MS, SHOP))
    keep(storage, (ADVERTISER, NOW_MS + 9, SHOP), slice_=SLICE + 1)
    assert storage.writer.commit(PurgeAged(Aged.SESSIONS, NOW_MS, 5)).figure == 1
    assert len(storage.recommendations.sessions(ADVERTISER)) == 1
    assert storage.recommendations.outdated(1) == [(ADVERTISER, 3)]


def test_what_another_run_has_taken_for_left_overs_is_not_used(storage: Storage) -> None:
    storage.writer.commit(KeepLearnt(ADVERTISER, 2, ((0, _encode({4: HAT})),)))
    use(storage, 3, {0: {4: HAT}})
    storage.writer.commit(DropLearnt(ADVERTISER, 100))
    storage.writer.commit(KeepLearnt(ADVERTISER, 2, ((1, _encode({5: HAT})),)))
    assert storage.writer.commit(UseLearnt(ADVERTISER, 2, 2, 9)).result is Result.CONFLICT
    assert storage.recommendations.learnt(ADVERTISER, [4]) == {4: HAT}
