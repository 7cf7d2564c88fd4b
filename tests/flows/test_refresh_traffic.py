"""A worker learns from every worker's counts what paced campaigns may expect of their day."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.campaign import Pacing, Status
from adserver.domain.money import Micros
from adserver.domain.pricing import AudienceRate, PricingModel
from adserver.domain.rates import Rates
from adserver.domain.snapshot import Snapshot
from adserver.domain.traffic import local_days
from adserver.flows.refresh import Refresh, worth_of
from adserver.storage.embedded import Storage, own_storage
from adserver.writes import AddCounts
from tests.domain.makers import (
    CAMPAIGN,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    SLOT,
    make_advertiser,
    make_campaign,
    make_slot,
)

MIDNIGHT_MS = local_days(NOW_MS, "Europe/Paris").today.start_ms
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
EVEN = make_campaign(pacing=Pacing.EVEN, daily_budget_micros=Micros(10_000_000))


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    owned = own_storage(tmp_path / "adserver.db")
    yield owned
    owned.close()


@pytest.fixture
def snapshot() -> Snapshot:
    known = Snapshot()
    for entity in (make_advertiser(), make_slot(), EVEN):
        known.put(entity)
    return known


def refresh_of(storage: Storage, snapshot: Snapshot) -> Refresh:
    return Refresh(snapshot, storage.changes, storage.stats, storage.writer)


def count(storage: Storage, owner_key: int, name: str, by_hour: dict[int, int]) -> None:
    storage.writer.commit(AddCounts(tuple((hour, name, owner_key, n) for hour, n in by_hour.items())))


def test_a_week_of_counts_and_todays_become_a_forecast(storage: Storage, snapshot: Snapshot) -> None:
    week = {MIDNIGHT_MS + hour * HOUR_MS: 100 for hour in range(-7 * 24, 12)}
    for name, n in (("fills", 10), ("refused_outranked", 40), ("refused_paced", 45), ("refused_paused", 7)):
        count(storage, CAMPAIGN, name, dict.fromkeys(week, n))
    count(storage, CAMPAIGN, "refused_budget_exhausted", dict.fromkeys(week, 5))
    count(storage, CAMPAIGN, "spend_micros", dict.fromkeys(week, 50_000))
    refresh_of(storage, snapshot).load_traffic(NOON_MS)
    traffic = snapshot.traffic[CAMPAIGN]
    assert traffic.requests_per_day == pytest.approx(2_400)
    assert 1_000 <= traffic.cost_micros < 1_250  # a click is rare: what was believed still weighs
    assert traffic.begun_share == 0


def test_what_was_counted_since_the_last_look_is_added(storage: Storage, snapshot: Snapshot) -> None:
    refresh = refresh_of(storage, snapshot)
    hours = {MIDNIGHT_MS + hour * HOUR_MS: 100 for hour in range(12)}
    count(storage, CAMPAIGN, "refused_paced", hours)
    refresh.load_traffic(NOON_MS)
    assert snapshot.traffic[CAMPAIGN].requests_per_day == pytest.approx(2_400)
    count(storage, CAMPAIGN, "refused_paced", {NOON_MS: 50})
    refresh.load_traffic(NOON_MS + HOUR_MS // 2)
    assert snapshot.traffic[CAMPAIGN].requests_per_day == pytest.approx(2_400)
    count(storage, CAMPAIGN, "refused_paced", {NOON_MS: 50})
    refresh.load_traffic(NOON_MS + HOUR_MS // 2)
    assert snapshot.traffic[CAMPAIGN].requests_per_day == pytest.approx(2_496)


def test_a_campaign_without_a_past_has_the_networks_shape(storage: Storage, snapshot: Snapshot) -> None:
    evenings = {
        MIDNIGHT_MS - day * DAY_MS + hour * HOUR_MS: 100 if hour < 12 else 300
        for day in range(1, 8)
        for hour in range(24)
    }
    count(storage, SLOT, "requests", evenings)
    count(storage, CAMPAIGN, "refused_paced", {MIDNIGHT_MS + hour * HOUR_MS: 10 for hour in range(12)})
    refresh_of(storage, snapshot).load_traffic(NOON_MS)
    assert snapshot.traffic[CAMPAIGN].profile.over[12] == pytest.approx(0.25, abs=0.02)
    assert snapshot.traffic[CAMPAIGN].requests_per_day == pytest.approx(480, rel=0.1)


def test_only_live_campaigns_with_a_day_to_pace_are_looked_at(storage: Storage, snapshot: Snapshot) -> None:
    for key, fields in enumerate(
        ({"pacing": Pacing.ASAP}, {"daily_budget_micros": None}), start=CAMPAIGN + 1
    ):
        wanted = {"pacing": Pacing.EVEN, "daily_budget_micros": Micros(1)} | fields
        snapshot.put(make_campaign(key=key, **wanted))
        count(storage, key, "refused_paced", {NOON_MS - HOUR_MS: 10})
    refresh = refresh_of(storage, snapshot)
    refresh.load_traffic(NOON_MS)
    assert snapshot.traffic == {}  # the one that is paced has seen nothing yet
    snapshot.put(make_campaign(status=Status.ENDED, pacing=Pacing.EVEN, daily_budget_micros=Micros(1)))
    assert snapshot.paced_campaigns() == []


def test_an_ad_is_expected_to_cost_what_the_audiences_do_on_average() -> None:
    """The campaign's own rate is nobody's, where each audience has its own."""
    rates = tuple(AudienceRate(key, Micros(key * 1_000_000)) for key in (1, 4))
    terms = {"pricing_model": PricingModel.CPM, "rate_micros": Micros(9_000_000)}
    assert worth_of(make_campaign(**terms), Rates()) == (9_000, 1.0)
    assert worth_of(make_campaign(**terms, audience_rates=rates), Rates()) == (2_500, 1.0)
