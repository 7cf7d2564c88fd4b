"""A publisher's month by slot: every slot, its own money and counts, however many slots there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adserver.flows.statement import Earnings, publisher
from adserver.flows.statement import earnings as module
from adserver.storage.embedded import Storage
from adserver.writes import AddCounts, RecordAd
from tests.contract.stores import make_accounts, make_record, open_copy, save_new
from tests.domain.makers import (
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    PUBLISHER,
    SITE,
    SLOT,
    make_publisher,
    make_site,
    make_slot,
)
from tests.flows.books import publishers_books

NOVEMBER = (2026, 11)
OTHERS = (SLOT + 1, SLOT + 2, SLOT + 3)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Storage]:
    storage = open_copy("sqlite", tmp_path)
    save_new(storage, *make_accounts(), make_site(key=SITE + 1, publisher_key=PUBLISHER))
    save_new(storage, *(make_slot(key=key, site_key=SITE + key % 2) for key in OTHERS))
    yield storage
    storage.close()


def counting(monkeypatch: pytest.MonkeyPatch, of: object, name: str) -> list[str]:
    """Grows by one with each call."""
    calls: list[str] = []
    method = getattr(of, name)

    def called(*asked: Any) -> Any:
        calls.append(name)
        return method(*asked)

    monkeypatch.setattr(of, name, called)
    return calls


def test_counts_of_all_slots_are_read_at_once_and_all_slots_are_told(
    network: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour_ms = NOW_MS - NOW_MS % HOUR_MS
    counts = [(hour_ms, "requests", key, key - SLOT + 1) for key in (SLOT, *OTHERS)]
    counts += [(hour_ms - DAY_MS, "requests", SLOT, 10), (hour_ms, "clicks_robot", SLOT, 4)]
    counts += [(hour_ms - 40 * DAY_MS, "requests", SLOT, 1_000)]
    network.writer.commit(AddCounts(tuple(counts)))
    network.writer.commit(RecordAd((make_record(1),)))
    read = counting(monkeypatch, network.stats, "parts")
    monkeypatch.setattr(network.stats, "named", None)  # which is of one slot
    monkeypatch.setattr(module, "AT_ONCE", 1)
    books = publishers_books(network)
    told = Earnings(books, network.inventory, network.stats).month(make_publisher(), *NOVEMBER)
    requests = {one.slot_key: one.counts["requests"] for one in told.slots}
    assert requests == {SLOT: 11, **{key: key - SLOT + 1 for key in OTHERS}}
    assert [one.not_billed for one in told.slots if one.slot_key == SLOT] == [{"robot": 4}]
    (earned,) = [one.earned.net for one in told.statement.slots]
    assert [one.nets for one in told.slots if one.nets] == [{"EUR": earned}]
    assert len(read) == 1


def test_a_month_that_is_over_is_added_up_once(network: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    network.writer.commit(RecordAd((make_record(1),)))
    read = counting(monkeypatch, network.payouts, "sums")
    running = publishers_books(network, now_ms=NOW_MS)
    for _ in range(2):
        assert running.statement(make_publisher(), *NOVEMBER).totals[0].earned.charges.count == 1
    assert len(read) == 2
    later = publishers_books(network, now_ms=NOW_MS + 40 * DAY_MS)
    for _ in range(2):
        assert later.statement(make_publisher(), *NOVEMBER).totals[0].earned.charges.count == 1
    assert len(read) == 3
    monkeypatch.setattr(publisher, "KEPT_MONTHS", 1)
    later.statement(make_publisher(), 2026, 10)
    later.statement(make_publisher(), *NOVEMBER)
    assert len(read) == 5
