"""Figures are shrunken towards what is alike, the more the fewer they are; clicks of today are not held against."""

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adserver.domain.ad_figures import COUNTED, added, delays_by_owner, network_of, rates_of
from adserver.domain.delays import HOUR_MS, NAMES, USUAL, Delays, name_of
from adserver.domain.rates import (
    LEAST_SPREAD,
    MOST_SPREAD,
    NETWORK_UNKNOWN,
    NO_FIGURES,
    PRIOR,
    Belief,
    Rates,
    informed,
    learn,
    spread_of,
    trials_of,
)

DAY_MS = 24 * HOUR_MS
counts = st.integers(min_value=0, max_value=100_000)


@given(st.floats(0.001, 0.9), st.floats(1, 1_000), counts, counts)
def test_a_belief_lies_between_what_was_believed_and_what_was_seen(
    mean: float, weight: float, hits: int, misses: int
) -> None:
    after = Belief(mean, weight).after(hits, hits + misses)
    seen = hits / (hits + misses) if hits + misses else mean
    assert min(mean, seen) - 1e-12 <= after.mean <= max(mean, seen) + 1e-12
    assert after.trials == pytest.approx(weight + hits + misses)


def test_nothing_is_learnt_of_nothing() -> None:
    found = informed(NETWORK_UNKNOWN, {}, {1: [11], 2: [21, 22]}, [1, 2])
    for key in (1, 11, 2):
        for belief, first in zip(found[key].prior, PRIOR, strict=True):
            assert belief.mean == pytest.approx(first.mean)
            assert belief.trials == pytest.approx(first.trials)
    assert found[21] == found[22] and found[21].click.trials < PRIOR.click.trials  # creatives differ more


def test_a_campaign_starts_from_its_advertisers_others_and_an_advertiser_from_the_network() -> None:
    good, bad = Rates(100_000, 2_000), Rates(100_000, 100)
    newcomer = {
        seen: informed(NETWORK_UNKNOWN, {1: seen}, {1: [11], 2: [21]}, [1, 2])[2] for seen in (good, bad)
    }
    assert newcomer[good].click.mean > PRIOR.click.mean > newcomer[bad].click.mean
    network = learn({1: [trials_of(good)] * 20, 2: [trials_of(good)] * 20})
    stranger = informed(network, {}, {9: [91]}, [9])[9]
    assert stranger.click.mean == pytest.approx(0.02, rel=0.05)


def test_an_only_campaign_does_not_count_its_figures_twice() -> None:
    found = informed(NETWORK_UNKNOWN, {1: Rates(1_000, 50)}, {1: [11]}, [1])
    assert found[1].prior.click.mean == pytest.approx(PRIOR.click.mean)
    assert found[11] == found[1]


def test_a_new_creative_starts_from_its_campaign_even_where_creatives_were_not_counted_yet() -> None:
    figures = {1: Rates(50_000, 1_500, 300, 25_000), 11: Rates(10_000, 100)}
    found = informed(NETWORK_UNKNOWN, figures, {1: [11, 12]}, [1])
    assert found[12].click.mean == pytest.approx(0.03, rel=0.05)
    assert found[11].click.mean < found[12].click.mean
    assert found[12].order.mean > PRIOR.order.mean


def test_a_campaign_that_has_ended_still_teaches() -> None:
    figures = {1: Rates(100_000, 3_000)}
    found = informed(NETWORK_UNKNOWN, figures, {2: [21]}, [1, 2])
    assert set(found) == {2, 21} and found[2].click.mean > 0.02


# ---- how much siblings differ ----


def thrown(strength: float, arms: int, trials: int) -> list[tuple[float, float]]:
    dice = Random(4)
    rates = [dice.betavariate(0.005 * strength, 0.995 * strength) for _ in range(arms)]
    return [(float(sum(dice.random() < rate for _ in range(trials))), float(trials)) for rate in rates]


def test_the_spread_of_many_siblings_is_found_by_moments() -> None:
    assert spread_of(thrown(100.0, 300, 1_000), 400.0) == pytest.approx(100.0, rel=0.35)
    assert spread_of(thrown(4_000.0, 300, 500), 100.0) > 300.0


@pytest.mark.parametrize("few", [[], [(0.0, 100.0)], [(5.0, 5.0)], [(0.0, 0.0), (1.0, 1.0)]])
def test_of_a_few_that_say_nothing_the_usual_is_believed(few: list[tuple[float, float]]) -> None:
    assert spread_of(few, 123.0) == 123.0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10_000)), max_size=20), st.floats(20, 400))
@example([(5e-324, 2.0)], 400.0)
@example([(5e-324, 10_000.0), (0.0, 10_000.0)], 20.0)
@example([(1e-310, 2.0), (1e-310, 3.0)], 20.0)
def test_a_spread_is_always_within_its_bounds(siblings: list[tuple[float, float]], usual: float) -> None:
    assert LEAST_SPREAD <= spread_of(siblings, usual) <= MOST_SPREAD


# ---- delays ----


def test_the_share_of_orders_that_have_come_grows_with_a_clicks_age_to_all_of_them() -> None:
    ages = [hours * HOUR_MS for hours in (0, 1, 2, 3, 24, 100, 400, 720, 10_000)]
    shares = [USUAL.share_by(age) for age in ages]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-2:] == [1.0, 1.0]


def test_an_advertisers_own_orders_tell_how_long_they_take() -> None:
    slow = Delays({name_of(100 * HOUR_MS): 1_000})
    quick = Delays({name_of(HOUR_MS // 2): 1_000})
    assert slow.share_by(24 * HOUR_MS) < 0.01
    assert quick.share_by(HOUR_MS) > 0.98
    assert slow.share_by(132 * HOUR_MS) == pytest.approx(
        0.5, abs=0.01
    )  # half of the way through its interval


@pytest.mark.parametrize(
    ("delay_ms", "name"),
    [(0, NAMES[0]), (HOUR_MS, NAMES[0]), (HOUR_MS + 1, NAMES[1]), (10**12, NAMES[-1])],
)
def test_each_delay_has_a_name_to_be_counted_under(delay_ms: int, name: str) -> None:
    assert name_of(delay_ms) == name


def test_clicks_of_today_do_not_depress_the_rate_of_orders() -> None:
    """A campaign of a week whose clicks doubled today: its orders have yet to come."""
    now_ms = 40 * DAY_MS
    counted = [(1, "clicks", 2_000), (1, "conversions", 50)]
    clicked = [(1, now_ms - 7 * DAY_MS, 1_000), (1, now_ms, 1_000)]
    rates = rates_of(counted, clicked, lambda owner: USUAL, now_ms)[1]
    assert rates.ripe == pytest.approx(1_000 * USUAL.share_by(7 * DAY_MS))
    assert rates.order.mean > 1.7 * Rates(0, 2_000, 50).order.mean


def test_figures_of_two_periods_add_up_to_those_of_both() -> None:
    now_ms, names = 10 * DAY_MS, COUNTED
    early = [(owner, name, 3 + owner) for owner in (1, 2) for name in names]
    late = [(owner, name, 5 + owner) for owner in (2, 3) for name in names]
    clicks = [(1, 0, 4), (2, 0, 5)], [(2, 9 * DAY_MS, 7), (3, 9 * DAY_MS, 8)]
    both: dict[tuple[int, str], int] = {}
    for owner, name, n in early + late:
        both[owner, name] = both.get((owner, name), 0) + n

    def read(sums: list[tuple[int, str, int]], clicked: list[tuple[int, int, int]]) -> dict[int, Rates]:
        return rates_of(sums, clicked, lambda owner: USUAL, now_ms)

    whole = read([(*key, n) for key, n in both.items()], clicks[0] + clicks[1])
    assert added(read(early, clicks[0]), read(late, clicks[1])) == whole
    assert set(whole) == {1, 2, 3}


def test_only_what_is_counted_of_delays_makes_them() -> None:
    found = delays_by_owner([(1, NAMES[0], 9), (2, "clicks", 9)])
    assert set(found) == {1} and found[1].share_by(HOUR_MS) > USUAL.share_by(HOUR_MS)


def test_the_network_is_learnt_of_campaigns_with_figures() -> None:
    figures = {key: Rates(10_000, 300, 30, 5_000) for key in range(1, 41)}
    network = network_of(figures, {key: key % 4 for key in range(1, 60)})
    assert network.advertiser.click.mean == pytest.approx(0.03, rel=0.02)
    assert network.advertiser.view.mean == pytest.approx(0.5, rel=0.02)
    assert network_of({}, {1: 1}).advertiser.click.mean == NO_FIGURES.click.mean
