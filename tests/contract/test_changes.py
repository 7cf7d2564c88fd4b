"""The ports of changes, statistics, leases and media: nothing missed, nothing lost, nothing guessed."""

from hashlib import sha256

import msgspec
import pytest

from adserver.domain.budget import BucketId
from adserver.domain.campaign import Campaign
from adserver.domain.catalogue import CatalogueChanged
from adserver.domain.delays import NAMES
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.storage import batch, changes
from adserver.storage.embedded import Storage
from adserver.writes import (
    AddCounts,
    Outcome,
    RecordAd,
    RecordDecision,
    RemoveProductsNotIn,
    Result,
    SaveEntity,
    SaveProducts,
    SetPicture,
    TakeLease,
    Together,
)
from creatives.pictures import Thumbnail
from tests.contract.stores import (
    CLICK_PRICE,
    credit_by_server,
    make_accounts,
    make_arrival,
    make_record,
    rows_of,
    save,
)
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    HOUR_MS,
    NOW_MS,
    SLOT,
    TODAY,
    make_advertiser,
    make_audience,
    make_campaign,
    make_product,
    make_slot,
)


def test_everything_is_told_once_and_then_only_what_changed(storage: Storage) -> None:
    sequence, told = storage.changes.everything()
    assert sorted(map(repr, told)) == sorted(map(repr, make_accounts()))
    assert storage.changes.since(sequence) == (sequence, [])
    changed = make_campaign(version=2, name="Winter")
    save(storage, changed)
    save(storage, make_slot(name="Other"))
    save(storage, make_audience(), is_new=True)
    newest, told = storage.changes.since(sequence)
    assert newest > sequence
    assert sorted(map(repr, told)) == sorted(map(repr, [changed, make_slot(name="Other"), make_audience()]))
    assert storage.changes.since(newest) == (newest, [])


def test_many_are_read_in_pieces_and_share_what_is_alike(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "READ_AT_ONCE", 2)
    new = [make_campaign(key=CAMPAIGN + 10 + number) for number in range(5)]
    new.append(make_campaign(key=CAMPAIGN + 20, rate_micros=Micros(1)))
    for campaign in new:
        save(storage, campaign, is_new=True)
    told = [one for one in storage.changes.everything()[1] if isinstance(one, Campaign)]
    assert told[-len(new) :] == new
    assert len({id(campaign.terms) for campaign in told[-len(new) :]}) == 2


def test_of_an_entity_changed_twice_the_newest_state_is_told(storage: Storage) -> None:
    sequence, _ = storage.changes.everything()
    for version in (2, 3):
        save(storage, make_campaign(version=version))
    assert storage.changes.since(sequence)[1] == [make_campaign(version=3)]


def test_a_follower_of_balances_misses_nothing(storage: Storage) -> None:
    """Not even where a first charge is refused, and the balance it looked at moves right after."""
    followed, at = {}, 0
    save(storage, make_campaign(version=2, daily_budget_micros=0))
    for version, cap in ((3, CLICK_PRICE), (4, None)):
        storage.writer.commit(RecordAd((make_record(version),)))
        at, moved = storage.changes.buckets_since(at)
        followed.update(moved)
        save(storage, make_campaign(version=version, daily_budget_micros=cap))
        at, moved = storage.changes.buckets_since(at)
        followed.update(moved)
        storage.writer.commit(RecordAd((make_record(version),)))
        at, moved = storage.changes.buckets_since(at)
        followed.update(moved)
        ids = [BucketId(owner, day) for owner in (CAMPAIGN, ADVERTISER) for day in (0, TODAY)]
        assert [followed[id_] for id_ in ids] == storage.ledger.buckets(ids)


def test_a_follower_who_has_not_looked_for_long_hears_of_every_balance(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "KEPT_MOVES", 3)
    monkeypatch.setattr(changes, "KEPT_MOVES", 3)
    at, _ = storage.changes.buckets_since(0)
    storage.writer.commit(RecordAd((make_record(1),)))
    for impression in range(2, 8):
        other_day = make_record(impression, day=TODAY + impression)
        storage.writer.commit(RecordAd((other_day,)))
    assert rows_of(storage, "SELECT COUNT(*) FROM balance_moves") == [(3,)]
    newest, moved = storage.changes.buckets_since(at)
    assert newest == storage.writer.sequence
    days = (0, TODAY, *(TODAY + impression for impression in range(2, 8)))
    ids = [BucketId(owner, day) for owner in (CAMPAIGN, ADVERTISER) for day in days]
    assert [dict(moved)[id_] for id_ in ids] == storage.ledger.buckets(ids)
    assert storage.changes.buckets_since(newest) == (newest, [])
    late = {id_ for id_, _ in storage.changes.buckets_since(at, TODAY + 5)[1]}
    assert late & set(ids) == {id_ for id_ in ids if id_.day == 0 or id_.day >= TODAY + 5}


@pytest.mark.parametrize("behind", range(1, 6))
def test_what_is_committed_while_a_follower_looks_takes_no_balance_from_it(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    """It asks for the newest first: by then, the oldest of what it has not heard of may be let go."""
    monkeypatch.setattr(batch, "KEPT_MOVES", 4)
    monkeypatch.setattr(changes, "KEPT_MOVES", 4)
    at, _ = storage.changes.buckets_since(0)
    days = [TODAY + number for number in range(behind)]
    for number, day in enumerate(days):
        storage.writer.commit(RecordAd((make_record(number, day=day),)))
    reader, row = storage.reader, storage.reader.row

    def slow(sql: str) -> object:
        asked = row(sql)
        for impression in (98, 99):
            storage.writer.commit(RecordAd((make_record(impression),)))
        return asked

    monkeypatch.setattr(reader, "row", slow)
    heard = {id_.day for id_, _ in storage.changes.buckets_since(at)[1]}
    assert heard >= {0, *days}


def test_the_sequence_that_is_told_is_on_disk_so_that_none_is_told_twice_after_a_restart(
    storage: Storage,
) -> None:
    """A worker that has heard of a change takes the next one for news by its number alone."""
    click, stale = RecordAd((make_record(1),)), SaveEntity(make_campaign(version=9), False)
    change = SaveEntity(make_campaign(version=2), False)
    undone = Together((SaveEntity(make_slot(name="Other"), False), stale))
    for writes in ([change], [click, stale], [undone, AddCounts(())], [AddCounts(()), undone, click]):
        storage.writer.commit_all(writes, False)  # type: ignore[union-attr]
        assert rows_of(storage, changes._NEWEST) == [(storage.writer.sequence,)]


def test_a_refused_change_is_not_told(storage: Storage) -> None:
    sequence, _ = storage.changes.everything()
    assert save(storage, make_campaign(version=7)).result is Result.CONFLICT
    assert storage.changes.since(sequence)[1] == []


def test_a_changed_catalogue_is_told_of_its_advertiser_beside_the_account(storage: Storage) -> None:
    """By whatever changed it: both would stand in one row of the log."""
    advertiser, boots = make_advertiser(), make_product("boots", image_link="https://shop.example/boots.jpg")
    changed = msgspec.structs.replace(advertiser, version=2, name="Renamed")
    save(storage, changed)
    first, _ = storage.changes.everything()
    for write in (
        SaveProducts(ADVERTISER, (boots,), feed_key=3, import_key=1),
        SetPicture(ADVERTISER, boots.key, "https://shop.example/boots.jpg", "ab"),
        RemoveProductsNotIn(3, 2),
    ):
        sequence = storage.writer.sequence
        storage.writer.commit(write)
        assert storage.writer.sequence > sequence
        assert storage.changes.since(sequence)[1] == [CatalogueChanged(ADVERTISER)]
    told = storage.changes.since(first - 1)[1]
    assert changed in told and CatalogueChanged(ADVERTISER) in told
    sequence = storage.writer.sequence
    storage.writer.commit(RemoveProductsNotIn(3, 2))  # nothing was left to take out
    assert storage.changes.since(sequence)[1] == []


# ---- statistics ----


def test_counts_add_up_by_owner_name_and_hour(storage: Storage) -> None:
    rows = ((0, "seen", 1, 2), (HOUR_MS, "seen", 1, 3), (HOUR_MS, "seen", 2, 10), (HOUR_MS, "other", 1, 1))
    for _ in range(2):
        assert storage.writer.commit(AddCounts(rows)).result is Result.SAVED
    assert storage.stats.counts(1, 0) == {"seen": 10, "other": 2}
    assert storage.stats.counts(1, 1) == {"seen": 6, "other": 2}
    every = storage.stats.counts(None, 0)
    of_writer = {name: every.pop(name) for name in list(every) if name.startswith("commit_")}
    assert every == {"seen": 30, "other": 2}
    assert of_writer["commit_writes"] >= 1
    assert storage.stats.counts(3, 0) == {}


def test_named_counters_of_one_owner_are_summed_over_the_hours_of_a_period(storage: Storage) -> None:
    told = ((0, "seen", 1, 4), (1, "seen", 1, 6), (2, "seen", 1, 9), (1, "other", 1, 2), (1, "seen", 2, 7))
    storage.writer.commit(AddCounts(tuple((hour * HOUR_MS, *rest) for hour, *rest in told)))
    named = storage.stats.named
    assert named(1, ["seen", "unseen"], 0, 2 * HOUR_MS) == {"seen": 10}
    assert named(1, ["seen", "other"], 1, 2 * HOUR_MS + 1) == {"seen": 15, "other": 2}
    assert named(1, [], 0, 3 * HOUR_MS) == named(3, ["seen"], 0, 3 * HOUR_MS) == {}


def test_what_ads_led_to_is_summed_by_campaign_slot_and_creative(storage: Storage) -> None:
    for n in range(3):
        storage.writer.commit(RecordAd((make_record(n, AdEvent.IMPRESSION),)))
    storage.writer.commit(RecordAd((make_record(1),)))
    suspect = msgspec.structs.replace(make_record(2), not_billed="suspect", amount_micros=Micros(0))
    storage.writer.commit(RecordAd((suspect,)))
    sums = storage.stats.sums(("impressions", "clicks"), 0, 2**63 - 1)
    owners = (CAMPAIGN, SLOT, make_record(1).creative_key)
    assert sorted(sums) == sorted(
        (owner, name, n) for owner in owners for name, n in (("impressions", 3), ("clicks", 1))
    )


def test_sums_and_steps_are_of_the_hours_that_began_within_their_period(storage: Storage) -> None:
    told = ((0, "clicks", 1, 4), (1, "clicks", 1, 6), (2, "clicks", 1, 9), (3, "clicks", 1, 1))
    told += ((1, "clicks", 2, 7), (1, "other", 2, 3))
    storage.writer.commit(AddCounts(tuple((hour * HOUR_MS, *rest) for hour, *rest in told)))
    stats, hour = storage.stats, HOUR_MS
    sums = [(1, "clicks", 15), (2, "clicks", 7), (2, "other", 3)]
    assert sorted(stats.sums(("clicks", "other"), hour, 3 * hour)) == sums
    assert stats.sums((), 0, 9 * hour) == stats.sums(("clicks",), 4 * hour, 9 * hour) == []
    steps = [(1, 0, 10), (1, 2 * hour, 9), (2, 0, 7)]
    assert sorted(stats.steps("clicks", 0, 3 * hour, 2 * hour)) == steps
    assert stats.steps("clicks", hour, hour, hour) == []


def test_what_an_event_is_worth_is_counted_in_its_hour(storage: Storage) -> None:
    storage.writer.commit(RecordAd((make_record(1),)))
    hour = NOW_MS - NOW_MS % HOUR_MS
    assert storage.stats.counts(CAMPAIGN, hour)["spend_micros"] == CLICK_PRICE
    assert storage.stats.counts(CAMPAIGN, hour + 1) == {}


# ---- leases ----


def take(storage: Storage, holder: str, now_ms: int) -> Outcome:
    return storage.writer.commit(TakeLease("job", holder, now_ms, now_ms + 100))


def test_a_lease_is_held_by_one_until_it_ends(storage: Storage) -> None:
    told = [take(storage, holder, now).result for holder, now in
            (("a", 0), ("b", 50), ("a", 50), ("b", 149), ("b", 150), ("a", 151))]  # fmt: skip
    saved, conflict = Result.SAVED, Result.CONFLICT
    assert told == [saved, conflict, saved, conflict, saved, conflict]


def test_a_lease_of_a_clock_that_has_gone_back_holds_nobody_up(storage: Storage) -> None:
    told = [take(storage, holder, now).result for holder, now in
            (("ahead", 86_400), ("a", 0), ("b", 50), ("ahead", 60))]  # fmt: skip
    saved, conflict = Result.SAVED, Result.CONFLICT
    assert told == [saved, saved, conflict, conflict]


def test_a_lease_taken_by_a_clock_that_is_a_little_ahead_is_held(storage: Storage) -> None:
    assert [take(storage, holder, now).result for holder, now in (("a", 90), ("b", 0))] == [
        Result.SAVED,
        Result.CONFLICT,
    ]


def test_leases_of_different_jobs_do_not_meet(storage: Storage) -> None:
    assert take(storage, "a", 0).result is Result.SAVED
    assert storage.writer.commit(TakeLease("other", "b", 0, 100)).result is Result.SAVED


# ---- pictures ----


def make_thumbnail(data: bytes = b"a picture") -> Thumbnail:
    name = sha256(data).hexdigest()[:32]
    return Thumbnail(data, width=9, height=9, hash=name, webp=b"webp", half=b"half", half_webp=b"half webp")


def test_each_rendition_of_a_picture_is_read_by_its_name(storage: Storage) -> None:
    thumbnail = make_thumbnail()
    for _ in range(2):
        storage.media.put(thumbnail)
    assert storage.media.get(f"{thumbnail.hash}.jpg") == b"a picture"
    assert storage.media.get(f"{thumbnail.hash}-half.webp") == b"half webp"
    assert storage.media.get(f"{make_thumbnail(b'other').hash}.jpg") is None
    left = {path.name for path in (storage.path.parent / "media").rglob("*") if path.is_file()}
    assert left == {f"{thumbnail.hash}{end}" for end in (".jpg", ".webp", "-half.jpg", "-half.webp")}


def test_renditions_are_added_to_a_picture_that_is_kept_without_them(storage: Storage) -> None:
    thumbnail = make_thumbnail()
    storage.media.put(thumbnail)
    (storage.path.parent / "media" / thumbnail.hash[:2] / f"{thumbnail.hash}.webp").unlink()
    assert storage.media.get(f"{thumbnail.hash}.webp") is None
    storage.media.put(thumbnail)
    assert storage.media.get(f"{thumbnail.hash}.webp") == b"webp"


def test_no_picture_is_kept_under_a_name_that_is_none(storage: Storage) -> None:
    thumbnail = msgspec.structs.replace(make_thumbnail(), hash="../../keys")
    before = set(storage.path.parent.rglob("*"))
    with pytest.raises(ValueError, match="no picture's name"):
        storage.media.put(thumbnail)
    assert set(storage.path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../keys.json",
        "ab/../../keys.json",
        "/etc/passwd",
        "a" * 32,
        "a" * 31 + ".jpg",
        "A" * 32 + ".jpg",
        "a" * 32 + ".jpg\n",
        "a" * 32 + ".html",
        "a" * 32 + "-half",
        "a" * 32 + "-quarter.jpg",
        "a" * 32 + "-half-half.jpg",
        "a" * 32 + ".jpg/..",
        "\0" + "a" * 31 + ".jpg",
    ],
)
def test_a_name_that_is_no_pictures_reads_nothing(storage: Storage, name: str) -> None:
    assert storage.media.get(name) is None


def test_how_long_orders_took_after_their_click_is_counted_once(storage: Storage) -> None:
    hour = 3_600_000
    for key, delay_ms in ((100, hour), (101, 30 * hour), (102, None)):
        for _ in range(2):
            storage.writer.commit(credit_by_server(key, arrival=make_arrival(key), delay_ms=delay_ms))
    found = {name: n for owner, name, n in storage.stats.sums(NAMES, 0, 2**63 - 1) if owner == ADVERTISER}
    assert found == {"ordered_within_1h": 1, "ordered_within_48h": 1}


def test_how_likely_an_ad_was_chosen_is_kept_with_the_decision(storage: Storage) -> None:
    storage.writer.commit(RecordDecision(1, 5, SLOT, CAMPAIGN, 700, 0, (), propensity=0.25))
    assert rows_of(storage, "SELECT propensity FROM decisions") == [(0.25,)]
