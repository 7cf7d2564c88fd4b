"""A worker's picture is fresh before each decision, whoever changed what."""

import threading
import time

from adserver.domain.budget import WHOLE_LIFE, BucketId
from adserver.domain.campaign import Status
from adserver.domain.memory import new_memory
from adserver.domain.money import Micros
from adserver.flows.refresh import DAY_MS, Refresh
from adserver.storage.embedded import join_storage
from adserver.writes import AddCounts, Result
from tests.contract.stores import save, save_new
from tests.domain.makers import CAMPAIGN, SLOT, TODAY, make_campaign, make_creative, make_slot
from tests.flows.street import PRICE, Street


def test_a_worker_that_starts_late_knows_everything(street: Street) -> None:
    street.open(daily_budget_micros=PRICE)
    street.click(street.signed())
    memory = new_memory()
    stores = street.storage
    Refresh(memory.snapshot, stores.changes, stores.stats, stores.writer).load()
    street.refresh.poll()
    assert memory.snapshot.campaigns == street.memory.snapshot.campaigns
    assert memory.snapshot.buckets == street.memory.snapshot.buckets
    assert memory.snapshot.buckets[BucketId(CAMPAIGN, TODAY)].spent == PRICE
    assert memory.snapshot.slots == {SLOT: make_slot()}


def test_a_pause_is_known_to_the_very_next_decision(street: Street) -> None:
    street.open()
    assert street.visit().filled
    assert street.change(status=Status.PAUSED).result is Result.SAVED
    assert not street.visit().filled


def test_a_raised_cap_serves_at_once(street: Street) -> None:
    street.open(total_budget_micros=Micros(0))
    assert not street.visit().filled
    street.change(total_budget_micros=PRICE)
    assert street.visit().filled


def test_a_new_creative_and_slot_are_served_without_a_restart(street: Street) -> None:
    street.open_shop()
    street.look()
    save_new(street.storage, make_campaign())
    assert not street.visit().filled
    save_new(street.storage, make_creative())
    assert street.visit().filled


def test_a_worker_that_heard_nothing_asks_the_change_log(street: Street) -> None:
    street.open()
    joined = join_storage(street.storage.path)
    memory = new_memory()
    beside = Refresh(memory.snapshot, joined.changes, joined.stats, joined.writer)
    beside.load()
    street.change(status=Status.PAUSED)
    beside.if_stale()  # nothing was written through this worker
    assert memory.snapshot.campaigns[CAMPAIGN].status is Status.ACTIVE
    beside.poll()
    assert memory.snapshot.campaigns[CAMPAIGN].status is Status.PAUSED
    joined.close()


def test_a_worker_hears_of_changes_with_its_own_answers(street: Street) -> None:
    street.open()
    joined = join_storage(street.storage.path)
    memory = new_memory()
    beside = Refresh(memory.snapshot, joined.changes, joined.stats, joined.writer)
    beside.load()
    street.change(status=Status.PAUSED)
    joined.writer.commit(AddCounts(((0, "seen", 1, 1),)))
    beside.if_stale()
    assert memory.snapshot.campaigns[CAMPAIGN].status is Status.PAUSED
    joined.close()


def test_balances_follow_each_charge(street: Street) -> None:
    street.open(total_budget_micros=Micros(3 * PRICE))
    for impression in (1, 2):
        street.click(street.signed(impression_id=impression))
        street.refresh.if_stale()
        bucket = street.memory.snapshot.buckets[BucketId(CAMPAIGN, 0)]
        assert (bucket.spent, bucket.remaining) == (impression * PRICE, (3 - impression) * PRICE)


def test_balances_of_days_that_are_over_everywhere_are_let_go(street: Street) -> None:
    street.open()
    street.click(street.signed(impression_id=1))
    street.refresh.if_stale()
    days = {id_.day for id_ in street.memory.snapshot.buckets}
    assert len(days) == 2
    street.refresh.load_rates(street.now_ms + 2 * DAY_MS)
    assert {id_.day for id_ in street.memory.snapshot.buckets} == days
    street.refresh.load_rates(street.now_ms + 5 * DAY_MS)
    assert {id_.day for id_ in street.memory.snapshot.buckets} == {WHOLE_LIFE}


def test_a_clock_that_was_set_ahead_and_back_leaves_the_balances_of_today(street: Street) -> None:
    street.open(daily_budget_micros=PRICE)
    street.click(street.signed(impression_id=1))
    street.refresh.if_stale()
    balances = dict(street.memory.snapshot.buckets)
    for now_ms in (street.now_ms + 10 * DAY_MS, street.now_ms):
        street.refresh.load_rates(now_ms)
    street.refresh.poll()
    assert street.memory.snapshot.buckets == balances
    street.look()
    assert not street.visit().filled


def test_terms_of_a_version_that_was_replaced_stay_known(street: Street) -> None:
    street.open()
    street.refresh.poll()
    save(street.storage, make_campaign(version=2, rate_micros=Micros(9)))
    street.refresh.poll()
    assert street.memory.snapshot.terms(CAMPAIGN, 1) == make_campaign().terms


def test_looks_of_several_threads_come_one_after_the_other(street: Street) -> None:
    stores, inside, most = street.storage, [0], [0]

    class Slow:
        def since(self, sequence: int) -> tuple[int, list[object]]:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1
            return sequence, []

        def buckets_since(self, sequence: int, since_day: int) -> tuple[int, list[object]]:
            return sequence, []

    refresh = Refresh(new_memory().snapshot, Slow(), stores.stats, stores.writer)  # type: ignore[arg-type]
    threads = [threading.Thread(target=refresh.poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
