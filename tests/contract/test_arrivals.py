"""A landing counts once for its click, on the click's day, whatever is told again; sums hold nobody."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.arrival import STAY_MS, Arrived, Grouping, total
from adserver.domain.pricing import AdEvent
from adserver.storage.embedded import Storage, own_storage
from adserver.writes import Aged, PurgeAged, RecordAd, RecordArrival, Result, Write
from pixel.events import EventName
from tests.contract.stores import make_accounts, make_record, open_copy, rows_of, save_new
from tests.domain.makers import ADVERTISER, CAMPAIGN, CREATIVE, DAY_MS, NOW_MS, SLOT

TODAY_MS = NOW_MS - NOW_MS % DAY_MS
LANDED_MS = NOW_MS + 2_500
BOOTS, SCARF = 901, 902


def clicked(impression_id: int = 1, **fields: object) -> RecordAd:
    return RecordAd((make_record(impression_id, AdEvent.CLICK, **{"product_key": BOOTS} | fields),))


def landed(impression_id: int = 1, **fields: object) -> RecordArrival:
    write = RecordArrival(impression_id, ADVERTISER, EventName.LANDED, NOW_MS, LANDED_MS, 800)
    return msgspec.structs.replace(write, **fields)


def engaged(impression_id: int = 1, **fields: object) -> RecordArrival:
    told = {"event": EventName.ENGAGED, "at_ms": LANDED_MS + STAY_MS, "loading_ms": None}
    return landed(impression_id, **told | fields)


def commit(storage: Storage, *writes: Write) -> None:
    for write in writes:
        assert storage.writer.commit(write).result is not Result.UNRECORDED


def sums(storage: Storage, by: Grouping = Grouping.CAMPAIGN) -> list[Arrived]:
    return [group.arrived for group in storage.arrivals.groups(ADVERTISER, 0, 2 * NOW_MS, by, 100)]


def whole(storage: Storage) -> tuple[int, int, int, int]:
    """Clicks, suspect clicks, landed, engaged."""
    figures = storage.arrivals.total(ADVERTISER, 0, 2 * NOW_MS).figures
    return figures[0], figures[1], figures[2], figures[3]


def named(storage: Storage) -> dict[str, int]:
    counts = storage.stats.counts(ADVERTISER, 0)
    return {name: n for name, n in counts.items() if name.startswith("landing_")}


def test_a_click_that_lands_and_stays_is_counted_in_each_figure(storage: Storage) -> None:
    assert storage.arrivals.total(ADVERTISER, 0, 2 * NOW_MS) == Arrived()
    commit(storage, clicked(), landed(), engaged())
    arrived = storage.arrivals.total(ADVERTISER, 0, 2 * NOW_MS)
    assert whole(storage) == (1, 0, 1, 1)
    assert (arrived.seconds_to_land(0.5), arrived.seconds_to_load(0.5)) == (2.5, 0.75)
    assert named(storage) == {}


def test_what_is_told_again_counts_once_also_after_a_restart(tmp_path: Path) -> None:
    storage = open_copy("sqlite", tmp_path)
    save_new(storage, *make_accounts())
    commit(storage, clicked(), landed(), landed(at_ms=LANDED_MS + DAY_MS), engaged(), engaged())
    storage.close()
    storage = own_storage(tmp_path / "adserver.db")
    commit(storage, clicked(), landed(), engaged())
    assert whole(storage) == (1, 0, 1, 1)
    assert named(storage) == {"landing_repeated": 2}
    storage.close()


@pytest.mark.parametrize("resent", [False, True])
def test_a_batch_may_hold_the_click_with_its_landing_and_may_be_sent_twice(
    storage: Storage, resent: bool
) -> None:
    batch = [clicked(), landed(), landed(), engaged(), clicked(2), engaged(2), landed(2)]
    storage.writer.commit_all(batch, False)
    storage.writer.commit_all(batch, resent)
    assert whole(storage) == (2, 0, 2, 2)


def test_landings_count_on_the_day_of_their_click(storage: Storage) -> None:
    late_ms = TODAY_MS + DAY_MS - 1
    commit(storage, clicked(at_ms=late_ms), landed(clicked_ms=late_ms, at_ms=late_ms + 5_000))
    (group,) = storage.arrivals.groups(ADVERTISER, 0, 2 * NOW_MS, Grouping.DAY, 9)
    assert (group.place.day_ms, group.arrived.clicks, group.arrived.landed) == (TODAY_MS, 1, 1)
    assert storage.arrivals.total(ADVERTISER, TODAY_MS, TODAY_MS + DAY_MS).landed == 1
    assert storage.arrivals.total(ADVERTISER, TODAY_MS + DAY_MS, 2 * NOW_MS) == Arrived()


def test_suspect_clicks_are_counted_apart_and_do_not_land(storage: Storage) -> None:
    commit(storage, clicked(not_billed="robot", amount_micros=0), landed(), engaged())
    assert whole(storage) == (0, 1, 0, 0)
    assert named(storage) == {"landing_suspect": 1}
    commit(storage, clicked(), landed())  # the same ad is clicked by a person
    assert whole(storage) == (1, 1, 1, 0)


def test_a_persons_click_after_a_suspect_one_counts_within_one_batch_too(storage: Storage) -> None:
    suspect = clicked(not_billed="robot", amount_micros=0)
    outcomes = storage.writer.commit_all([suspect, clicked(), clicked(), landed()], False)
    assert [outcome.result for outcome in outcomes] == ["not_billable", "taken", "repeated", "accepted"]
    assert whole(storage) == (1, 1, 1, 0)
    assert rows_of(storage, "SELECT not_billed FROM ad_events") == [("",)]


def pages(storage: Storage) -> list[tuple[int, int, int, int, int]]:
    """By day and product: clicks, suspect clicks, landed."""
    return sorted(
        rows_of(storage, "SELECT day_ms, product_key, clicks, clicks_suspect, landed FROM arrivals")
    )


@pytest.mark.parametrize("in_one_batch", [False, True])
def test_who_lands_after_a_suspect_click_on_another_card_is_counted_where_they_clicked(
    storage: Storage, in_one_batch: bool
) -> None:
    later_ms = NOW_MS + DAY_MS
    person = clicked(product_key=SCARF, at_ms=later_ms)
    writes = [
        clicked(not_billed="robot", amount_micros=0),
        person,
        clicked(product_key=BOOTS, at_ms=later_ms + 1),  # and turns back, for the other card
        landed(clicked_ms=later_ms, at_ms=later_ms + 2_500),
        engaged(at_ms=later_ms + STAY_MS + 2_500),
    ]
    if in_one_batch:
        storage.writer.commit_all(writes, False)
    else:
        commit(storage, *writes)
    assert pages(storage) == [(TODAY_MS, BOOTS, 0, 1, 0), (TODAY_MS + DAY_MS, SCARF, 1, 0, 1)]
    [again] = storage.writer.commit_all([person], True)
    assert again.result is Result.TAKEN
    assert whole(storage) == (1, 1, 1, 1)


def test_a_click_on_another_card_of_the_same_ad_is_a_repeat_and_lands_where_the_first_was(
    storage: Storage,
) -> None:
    commit(storage, clicked(), clicked(product_key=SCARF), landed())
    assert pages(storage) == [(TODAY_MS, BOOTS, 1, 0, 1)]


def test_a_landing_without_a_click_on_record_counts_by_name_alone(storage: Storage) -> None:
    commit(storage, landed(9), engaged(9))
    assert whole(storage) == (0, 0, 0, 0)
    assert named(storage) == {"landing_no_click": 1}


def test_nobody_stays_who_did_not_land(storage: Storage) -> None:
    commit(storage, clicked(), engaged())
    assert whole(storage) == (1, 0, 0, 0)


@pytest.mark.parametrize(("after_ms", "stayed"), [(STAY_MS - 1, 0), (STAY_MS, 1)])
def test_what_is_done_ten_seconds_after_landing_says_that_nobody_bounced(
    storage: Storage, after_ms: int, stayed: int
) -> None:
    later = landed(event=EventName.VIEW_ITEM, at_ms=LANDED_MS + after_ms)
    commit(storage, clicked(), landed(), later, later)
    assert whole(storage) == (1, 0, 1, stayed)


def test_sums_are_grouped_as_asked_the_largest_first(storage: Storage) -> None:
    commit(storage, clicked(1), clicked(2), clicked(3, product_key=SCARF, slot_key=SLOT + 1), landed(3))
    commit(
        storage,
        clicked(4, product_key=0, at_ms=NOW_MS + DAY_MS),
        clicked(5, advertiser_key=ADVERTISER + 1, amount_micros=0),
    )

    def groups(by: Grouping) -> list[tuple[object, ...]]:
        found = storage.arrivals.groups(ADVERTISER, 0, 2 * NOW_MS, by, 9)
        return [
            (*msgspec.structs.astuple(one.place)[1:], one.arrived.clicks, one.arrived.landed) for one in found
        ]

    assert groups(Grouping.CAMPAIGN) == [(0, CAMPAIGN, 0, 0, 0, 4, 1)]
    assert groups(Grouping.PAGE) == [
        (0, CAMPAIGN, 0, BOOTS, 0, 2, 0), (0, CAMPAIGN, 0, 0, CREATIVE, 1, 0), (0, CAMPAIGN, 0, SCARF, 0, 1, 1),
    ]  # fmt: skip
    assert groups(Grouping.SITE) == [(0, 0, SLOT, 0, 0, 3, 0), (0, 0, SLOT + 1, 0, 0, 1, 1)]
    assert groups(Grouping.DAY) == [(TODAY_MS, 0, 0, 0, 0, 3, 1), (TODAY_MS + DAY_MS, 0, 0, 0, 0, 1, 0)]
    assert len(storage.arrivals.groups(ADVERTISER, 0, 2 * NOW_MS, Grouping.PAGE, 1)) == 1
    for by in Grouping:
        assert total(sums(storage, by)) == storage.arrivals.total(ADVERTISER, 0, 2 * NOW_MS)


told = st.tuples(st.sampled_from(["click", "suspect", "landed", "engaged", "later"]), st.integers(1, 3))


@given(st.lists(told, max_size=30), st.integers(0, 30))
@settings(max_examples=25, deadline=None)
def test_whatever_is_told_in_whatever_order_engaged_never_exceed_landed_nor_they_the_clicks(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]], cut: int
) -> None:
    makes = {
        "click": clicked,
        "suspect": lambda ad: clicked(ad, not_billed="robot", amount_micros=0),
        "landed": landed,
        "engaged": engaged,
        "later": lambda ad: landed(ad, event=EventName.VIEW_ITEM, at_ms=LANDED_MS + STAY_MS),
    }
    storage = open_copy("sqlite", tmp_path_factory.mktemp("story"))
    save_new(storage, *make_accounts())
    writes: list[Write] = [makes[word](ad) for word, ad in story]  # type: ignore[operator]
    storage.writer.commit_all(writes[:cut], False)
    storage.writer.commit_all(writes[cut:], False)
    clicks, _, came, stayed = whole(storage)
    ads = {ad for word, ad in story if word == "click"}
    storage.close()
    assert 0 <= stayed <= came <= clicks == len(ads)


def test_no_visitor_is_in_the_sums_and_they_leave_after_their_time(storage: Storage) -> None:
    commit(storage, clicked(visitor_key=4_242), landed())
    (row,) = rows_of(storage, "SELECT * FROM arrivals")
    assert 4_242 not in row
    storage.writer.commit(PurgeAged(Aged.ARRIVALS, TODAY_MS - 1, 100))
    assert whole(storage) == (1, 0, 1, 0)
    storage.writer.commit(PurgeAged(Aged.ARRIVALS, TODAY_MS, 100))
    assert whole(storage) == (0, 0, 0, 0)
