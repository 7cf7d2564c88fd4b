"""A replay of a day's samples tells what happened, and what would have, had the campaign been another."""

from functools import cache

import pytest

from adserver.domain.campaign import Campaign, FrequencyCap, Pacing, Period, Status
from adserver.domain.decision_sample import MOST_BYTES, ONE_IN, is_sampled
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.replay import Estimate, Figure, replay
from tests.domain.makers import DAY_MS, NOW_MS
from tests.domain.replayed_day import Day, usual

BUDGET = Micros(6_000_000)
AS_IT_WAS = usual()


@cache
def day(campaign: Campaign = AS_IT_WAS, luck: int = 1) -> Day:
    return Day(campaign, luck=luck)


def replayed(changed: Campaign, recorded: Day | None = None) -> Estimate:
    then = recorded or day()
    return replay(then.recorded, then.scene(changed))


def holds(figure: Figure, true: float) -> bool:
    return figure.low <= true <= figure.high


def assert_tells(estimate: Estimate, truth: Day) -> None:
    """Each figure's interval holds what came of the day, and is no wider than it is of use."""
    assert holds(estimate.deliveries, truth.deliveries), (estimate.deliveries, truth.deliveries)
    assert holds(estimate.clicks, truth.clicks), (estimate.clicks, truth.clicks)
    assert holds(estimate.spend_micros, truth.spent), (estimate.spend_micros, truth.spent)
    assert holds(estimate.reach, len(truth.reached)), (estimate.reach, len(truth.reached))
    assert estimate.deliveries.high - estimate.deliveries.low < estimate.deliveries.expected


def test_a_day_replayed_unchanged_tells_what_really_happened() -> None:
    assert_tells(replayed(AS_IT_WAS), day())


@pytest.mark.parametrize(
    "change",
    [
        {"rate_micros": Micros(120_000)},
        {"rate_micros": Micros(30_000)},
        {"frequency_cap": FrequencyCap(1, Period.DAY)},
        {"daily_budget_micros": Micros(3_000_000)},
        {"pricing_model": PricingModel.CPM, "rate_micros": Micros(2_000_000)},
    ],
    ids=["twice the rate", "half the rate", "once a day", "a budget that ends early", "paid by the view"],
)
def test_a_changed_campaign_is_foretold_as_a_second_run_has_it(change: dict[str, object]) -> None:
    """The second run has the same requests, and other luck with its clicks."""
    changed = usual(**change)
    assert_tells(replayed(changed), day(changed, luck=2))


def test_twice_the_rate_delivers_more_and_costs_more() -> None:
    before, after = replayed(AS_IT_WAS), replayed(usual(rate_micros=Micros(120_000)))
    assert after.deliveries.expected > 1.2 * before.deliveries.expected
    assert after.spend_micros.expected > 2 * before.spend_micros.expected
    assert after.reach.expected >= before.reach.expected


def test_a_cap_delivers_less_to_as_many() -> None:
    before, after = replayed(AS_IT_WAS), replayed(usual(frequency_cap=FrequencyCap(1, Period.DAY)))
    assert after.deliveries.expected < 0.6 * before.deliveries.expected
    assert after.reach.expected == pytest.approx(before.reach.expected)
    assert after.deliveries.expected == pytest.approx(after.reach.expected)
    assert after.refused["frequency_cap"] > 0


def test_half_a_budget_spends_half_and_is_never_exceeded() -> None:
    whole, half = usual(daily_budget_micros=BUDGET), usual(daily_budget_micros=Micros(BUDGET // 2))
    recorded = day(whole)
    before, after = replayed(whole, recorded), replayed(half, recorded)
    assert after.spend_micros.expected == pytest.approx(before.spend_micros.expected / 2, rel=0.3)
    assert after.refused["budget_exhausted"] > before.refused.get("budget_exhausted", 0)


def test_an_even_campaign_spreads_the_same_money() -> None:
    asap = replayed(usual(daily_budget_micros=BUDGET))
    even = replayed(usual(daily_budget_micros=BUDGET, pacing=Pacing.EVEN))
    assert even.refused["paced"] > 0
    assert even.spend_micros.expected == pytest.approx(asap.spend_micros.expected, rel=0.3)


def test_a_paused_campaign_does_nothing_and_says_why() -> None:
    after = replayed(usual(status=Status.PAUSED))
    assert (after.deliveries, after.spend_micros) == (Figure(0, 0, 0), Figure(0, 0, 0))
    assert list(after.refused) == ["paused"]


def test_a_day_without_samples_foretells_nothing() -> None:
    nothing = replay([], day().scene(AS_IT_WAS))
    assert (nothing.requests, nothing.deliveries) == (0, Figure(0, 0, 0))


def test_a_sample_fits_into_four_hundred_bytes_and_one_visitor_in_twenty_is_sampled() -> None:
    assert max(day().sizes) <= MOST_BYTES
    keys = [key * 7_919 for key in range(1, 20_001)]
    sampled = [key for key in keys if is_sampled(key, NOW_MS, 0.5)]
    assert len(sampled) == pytest.approx(len(keys) / ONE_IN, rel=0.05)
    tomorrow = {key for key in keys if is_sampled(key, NOW_MS + DAY_MS, 0.5)}
    assert not tomorrow & set(sampled)
    unknown = sum(is_sampled(0, NOW_MS, throw / 100_003) for throw in range(100_003))
    assert unknown == pytest.approx(100_003 / ONE_IN, rel=0.1)
