"""A pixel's samples are bounded, newest first, the advertiser's own, and let go in time."""

import msgspec
import pytest

from adserver.domain.pixel_sample import Sample
from adserver.storage.embedded import Storage, join_storage
from adserver.storage.pixel import PLACES
from adserver.writes import AddCounts, Aged, KeepSamples, PurgeAged, Result
from pixel.events import EventName
from tests.contract.stores import rows_of
from tests.domain.makers import ADVERTISER, HOUR_MS, NOW_MS

SAMPLE = Sample(ADVERTISER, EventName.VIEW_ITEM, "boots", 89_900_000, "EUR", NOW_MS)


def sample(**fields: object) -> Sample:
    return msgspec.structs.replace(SAMPLE, **fields)


def keep(storage: Storage, *samples: Sample) -> None:
    assert storage.writer.commit(KeepSamples(samples)).result is Result.SAVED


def test_samples_come_back_newest_first_and_nobody_elses(storage: Storage) -> None:
    older = sample(item_id="scarf", at_ms=NOW_MS - 5, price_micros=None, currency=None)
    keep(storage, older, SAMPLE, sample(advertiser_key=ADVERTISER + 1))
    assert storage.pixel.samples(ADVERTISER, 0) == [SAMPLE, older]
    assert storage.pixel.samples(ADVERTISER, NOW_MS) == [SAMPLE]


def test_samples_travel_from_another_process(storage: Storage) -> None:
    joined = join_storage(storage.path)
    try:
        keep(joined, SAMPLE)
        assert joined.pixel.samples(ADVERTISER, 0) == [SAMPLE]
    finally:
        joined.close()


def test_an_id_that_comes_again_takes_its_own_place(storage: Storage) -> None:
    again = sample(at_ms=NOW_MS + 1, price_micros=1)
    keep(storage, SAMPLE, again)
    keep(storage, again)  # a batch that is sent twice
    assert storage.pixel.samples(ADVERTISER, 0) == [again]


def test_there_are_never_more_samples_than_places(storage: Storage) -> None:
    for piece in range(4):
        ids = range(piece * 500, piece * 500 + 500)
        keep(storage, *(sample(item_id=str(one), at_ms=NOW_MS + piece) for one in ids))
    kept = storage.pixel.samples(ADVERTISER, 0)
    assert len(kept) == len({one.item_id for one in kept}) == PLACES
    assert sum(one.at_ms == NOW_MS + 3 for one in kept) > PLACES // 2
    keep(storage, sample(event=EventName.PURCHASE))
    assert len(storage.pixel.samples(ADVERTISER, 0)) == PLACES + 1


def test_hours_are_all_counters_of_one_owner(storage: Storage) -> None:
    hour_ms = NOW_MS - NOW_MS % HOUR_MS
    rows = ((hour_ms, "event_login", ADVERTISER, 2), (hour_ms - HOUR_MS, "event_login", ADVERTISER, 3))
    storage.writer.commit(AddCounts((*rows, (hour_ms, "requests", ADVERTISER + 1, 9))))
    assert sorted(storage.pixel.hours(ADVERTISER, 0)) == [
        ("event_login", hour_ms - HOUR_MS, 3),
        ("event_login", hour_ms, 2),
    ]
    assert storage.pixel.hours(ADVERTISER, hour_ms) == [("event_login", hour_ms, 2)]


@pytest.mark.parametrize(("before_ms", "left"), [(NOW_MS - 1, 2), (NOW_MS, 1)])
def test_old_samples_are_let_go(storage: Storage, before_ms: int, left: int) -> None:
    keep(storage, SAMPLE, sample(item_id="scarf", at_ms=NOW_MS + 1))
    storage.writer.commit(PurgeAged(Aged.PIXEL_SAMPLES, before_ms, 100))
    assert len(rows_of(storage, "SELECT * FROM pixel_samples")) == left
