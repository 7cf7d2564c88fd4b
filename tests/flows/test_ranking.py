"""From what was shown and clicked to who is shown next; a house ad costs nobody anything."""

import pytest

from adserver.domain.campaign import Tier
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.rates import Rates
from adserver.writes import AddCounts, Result
from tests.contract.stores import save_new
from tests.domain.makers import CAMPAIGN, CREATIVE, SLOT, make_campaign, make_creative
from tests.flows.street import PRICE, Street, sale_terms

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
OTHER = CREATIVE + 1


@pytest.mark.parametrize("clicks", [0, 99])
def test_what_is_charged_is_the_rate_whatever_was_thrown(street: Street, clicks: int) -> None:
    street.open()
    counted = tuple((0, name, CAMPAIGN, n) for name, n in (("impressions", 5_000), ("clicks", clicks)))
    street.storage.writer.commit(AddCounts(counted))
    street.refresh.load_rates()
    token = street.token()
    street.now_ms += 2_000  # nobody clicks sooner
    assert street.click(token)[1] is Result.TAKEN
    assert street.spent() == (PRICE, 0)


def test_the_record_of_an_ad_tells_how_likely_it_was(street: Street) -> None:
    street.open()
    save_new(street.storage, make_creative(key=OTHER))
    street.see(street.token())  # which is written after the ad's own record
    ((creative_key, told),) = street.rows("SELECT creative_key, propensity FROM decisions")
    assert creative_key in (CREATIVE, OTHER)
    assert isinstance(told, float) and 0.2 < told < 0.8


def test_figures_of_the_last_month_are_learnt_by_campaign_and_creative(street: Street) -> None:
    street.open()
    now_ms = 100 * DAY_MS + HOUR_MS // 2
    ages = {"before": 31 * DAY_MS, "settled": 5 * DAY_MS, "yesterday": DAY_MS, "fresh": 0}
    rows = [
        (now_ms - HOUR_MS // 2 - age, name, owner, n)
        for age in ages.values()
        for owner, times in ((CAMPAIGN, 2), (CREATIVE, 1))
        for name, n in (
            ("impressions", 1_000 * times),
            ("viewable_impressions", 600 * times),
            ("clicks", 10 * times),
            ("conversions", times),
        )
    ]
    street.storage.writer.commit(AddCounts(tuple(rows)))
    for _ in range(2):  # what is settled is not counted again
        street.refresh.load_rates(now_ms)
        rates = street.memory.snapshot.rates
        known = rates[CREATIVE]
        assert (known.impressions, known.clicks, known.conversions, known.views) == (3_000, 30, 3, 1_800)
        assert 10 < known.ripe < 28  # of a few days ago most orders have come, of now hardly any
        assert rates[CAMPAIGN].ripe == pytest.approx(2 * known.ripe)
    street.refresh.load_rates(now_ms + 31 * DAY_MS)
    assert CREATIVE not in street.memory.snapshot.rates


def test_newer_figures_are_added_to_those_that_are_settled(street: Street) -> None:
    street.open()
    now_ms = 100 * DAY_MS
    for seen in (1, 2, 3):
        street.storage.writer.commit(AddCounts(((now_ms, "impressions", CAMPAIGN, 100),)))
        street.refresh.load_rates(now_ms + seen)
        assert street.memory.snapshot.rates[CAMPAIGN].impressions == 100 * seen
    street.refresh.load_rates(now_ms + 3 * HOUR_MS)
    assert street.memory.snapshot.rates[CAMPAIGN] == Rates(300, ripe_clicks=0.0)


def test_figures_that_stay_as_they_are_change_nothing_within_the_hour(street: Street) -> None:
    street.open()
    now_ms = 100 * DAY_MS
    snapshot = street.memory.snapshot
    numbers = []
    for step, more in ((0, 100), (1, 0), (2, 100), (3, 0)):
        if more:
            street.storage.writer.commit(AddCounts(((now_ms, "impressions", CAMPAIGN, more),)))
        street.refresh.load_rates(now_ms + step)
        numbers.append(snapshot.change_of(snapshot.advertiser_of(CAMPAIGN)))
    assert numbers[0] == numbers[1] < numbers[2] == numbers[3]
    network = snapshot.network
    street.refresh.load_rates(now_ms + HOUR_MS)
    assert snapshot.network is not network


def test_how_long_an_order_took_is_learnt_of_its_click(street: Street) -> None:
    street.open(**sale_terms())
    token = street.token()
    street.now_ms += 2_000
    click_id = street.click_id(token)
    street.now_ms += 30 * HOUR_MS
    street.order(click_id=click_id, occurred_at_ms=street.now_ms)
    assert street.counted()["ordered_within_48h"] == 1


def test_a_house_ad_fills_the_slot_and_is_neither_billed_nor_weighed(street: Street) -> None:
    street.open_shop(total_budget_micros=Micros(1))  # no ad that costs could be paid
    house = make_campaign(tier=Tier.HOUSE, rate_micros=Micros(0), pricing_model=PricingModel.CPC)
    save_new(street.storage, house, make_creative())
    street.look()
    token = street.token()
    assert street.see(token) is Result.NOT_BILLABLE
    assert street.click(token)[1] is Result.NOT_BILLABLE
    assert street.spent() == (0, 0)
    assert street.counted(SLOT)["house_fills"] == 1
    assert street.rows("SELECT * FROM charges") == street.rows("SELECT * FROM refused_charges") == []
    street.assert_audit_is_clean()
