"""What is told of the server: counters that are summed up at intervals, however many ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.memory import new_memory
from adserver.flows.measure import KEPT_SECONDS, Measure
from adserver.storage.embedded import own_storage
from adserver.writes import AddCounts
from tests.domain.makers import CAMPAIGN, DAY_MS, NOW_MS

HOUR_MS = 3_600_000


class Scraped:
    """A server's figures by a clock and a stopwatch that stand still."""

    def __init__(self, folder: Path) -> None:
        self.storage = own_storage(folder / "adserver.db")
        self.now_ms = NOW_MS
        self.seconds = 100.0
        memory = new_memory()
        self._measure = Measure(memory, self.storage, lambda: self.now_ms, 1, lambda: self.seconds)

    def happen(self) -> None:
        hour_ms = self.now_ms - self.now_ms % HOUR_MS
        self.storage.writer.commit(AddCounts(((hour_ms, "charge_taken", CAMPAIGN, 1),)))

    def taken(self) -> float:
        [charges] = [one for one in self._measure.families() if one.name == "adserver_charges_total"]
        return sum(sample.value for sample in charges.samples)


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    scraped = Scraped(tmp_path)
    yield scraped
    scraped.storage.close()


def test_the_days_counts_are_summed_up_again_after_some_seconds(scraped: Scraped) -> None:
    scraped.happen()
    assert scraped.taken() == 1
    scraped.happen()
    scraped.seconds += KEPT_SECONDS - 0.1
    assert scraped.taken() == 1
    scraped.seconds += 0.1
    assert scraped.taken() == 2


def test_a_new_day_begins_at_once(scraped: Scraped) -> None:
    scraped.happen()
    assert scraped.taken() == 1
    scraped.now_ms += DAY_MS
    assert scraped.taken() == 0
