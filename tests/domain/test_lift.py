"""What is said of a comparison: in one sentence, with its return, and whether a holdout is worth its sales."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.comparison import between, compare, sizes_of
from adserver.domain.experiment import HELD_OUT, SHOWN, UNTRIED, Metric
from adserver.domain.experiment_result import result_of
from adserver.domain.intervals import Interval, smallest_seen
from adserver.domain.lift import lift_of, propose
from adserver.domain.participant import FIGURES, Participant, Sums, change
from tests.domain.makers import NOW_MS, make_advertiser, make_experiment

HOLDING = make_advertiser(holdout_bps=500, holdout_draw=1, holdout_since_ms=NOW_MS)
counts = st.integers(0, 50)
participants = st.builds(
    Participant, impressions=counts, clicks=counts, purchases=counts, leads=counts,
    revenue_micros=st.integers(0, 10**10), credited_micros=counts, spend_micros=counts,
)  # fmt: skip


def made(visitors: int, orders: int, spend: int = 0, credited: int = 0, basket: int = 50) -> Sums:
    """Each order by another visitor, of the same value."""
    return Sums(
        entered=visitors, purchases=orders, purchase_squares=orders, spend_micros=spend * 1_000_000,
        revenue_micros=orders * basket * 1_000_000, revenue_squares=float(orders * basket**2),
        credited_micros=credited * 1_000_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.02, 0.14, "between 2 % less and 14 % more"),
        (0.03, 0.14, "between 3 % and 14 % more"),
        (-0.30, -0.05, "between 5 % and 30 % less"),
        (-0.001, 0.001, "between 0 % more and 0 % more"),
        (-0.25, 0.001, "between 25 % less and 0 % more"),
        (0.0, 3.5, "between 0 % and 350 % more"),
    ],
)
def test_an_interval_is_said_in_whole_percent(low: float, high: float, words: str) -> None:
    assert between(Interval(low, high)) == words


@pytest.mark.parametrize(
    ("orders", "base_orders", "verdict"),
    [(2_000, 1_000, "B wins."), (1_000, 2_000, "B loses."), (1_000, 1_000, "not decided.")],
)
def test_a_sentence_says_what_is_known(orders: int, base_orders: int, verdict: str) -> None:
    told = compare(Metric.PURCHASES, "B", made(100_000, orders), "A", made(100_000, base_orders))
    assert told.said.startswith("B sells between ") and verdict in told.said
    assert told.any_day is not None and told.relative == pytest.approx(orders / base_orders - 1)
    assert told.rate == orders / 100_000


def test_with_too_few_orders_nothing_is_told_but_how_many_visitors_it_takes() -> None:
    told = compare(Metric.PURCHASES, "B", made(1_000, 20), "A", made(1_000, 9))
    assert (told.fixed, told.any_day, told.relative) == (None, None, None)
    assert told.more_visitors and told.more_visitors > 50_000
    assert told.said.startswith("Too few yet: B and A need at least 10 purchases each. It needs ")
    none = compare(Metric.PURCHASES, "B", made(1_000, 0), "A", made(1_000, 0))
    assert none.more_visitors is None and "is known once" in none.said


def test_of_fewer_than_ten_visitors_no_rate_is_told() -> None:
    told = compare(Metric.PURCHASES, "B", made(9, 9), "A", made(10, 10))
    assert (told.rate, told.base_rate) == (None, 1.0)


def test_arms_of_the_wrong_size_are_not_believed_and_the_likely_causes_named() -> None:
    verdict = result_of(make_experiment(), {0: made(5_000, 500), 1: made(4_500, 900)})
    assert not verdict.sizes.are_sound
    assert "do not believe the result. Likely causes: " in verdict.said
    lift = lift_of(HOLDING, {SHOWN: made(95_000, 2_000, 10), HELD_OUT: made(4_000, 50)}, {})
    assert lift.said == lift.sizes.said if lift.sizes else False
    assert lift.returned is None
    assert sizes_of((95_000, 5_000), (9_500, 500)).are_sound


def test_each_arm_is_compared_with_the_first_by_every_metric_and_one_speaks() -> None:
    verdict = result_of(make_experiment(metric=Metric.PURCHASES), {0: made(9_000, 300), 1: made(9_000, 600)})
    assert [[one.metric for one in told] for told in verdict.comparisons] == [list(Metric)]
    assert verdict.said.startswith("Red sells between ") and verdict.said.count("Red") == 2
    assert verdict.visitors == 18_000
    nobody = result_of(make_experiment(), {})
    assert nobody.visitors == 0 and nobody.sizes.are_sound


def test_only_what_ads_have_caused_is_their_return() -> None:
    """A quarter more orders: a fifth of what is sold to those who see ads would not have been bought."""
    shown, held_out = made(95_000, 2_375, spend=5_000, credited=60_000), made(5_000, 100)
    lift = lift_of(HOLDING, {SHOWN: shown, HELD_OUT: held_out}, {})
    assert lift.returned is not None
    assert lift.returned.credited == 12.0
    assert lift.returned.incremental == pytest.approx(0.2 * 2_375 * 50 / 5_000)
    wide, narrow = lift.returned.any_day, lift.returned.fixed
    assert wide is not None and narrow is not None
    assert wide.low < narrow.low < lift.returned.incremental < narrow.high < wide.high
    assert lift.said.startswith("Showing the ads sells between ")


def test_without_spend_there_is_no_return_and_leads_speak_where_nothing_is_sold() -> None:
    shown = Sums(entered=95_000, leads=2_000, lead_squares=2_000)
    lift = lift_of(HOLDING, {SHOWN: shown, HELD_OUT: Sums(entered=5_000, leads=100, lead_squares=100)}, {})
    assert lift.returned is None
    assert lift.said.startswith("Showing the ads brings between ")
    assert [one.metric for one in lift.comparisons] == [Metric.PURCHASES, Metric.REVENUE, Metric.LEADS]


# ---- the proposal ----


def test_a_holdout_is_proposed_where_a_lift_of_a_fifth_shows_in_three_months() -> None:
    enough = propose({UNTRIED: made(90_000, 1_800)})
    assert (enough.holdout_bps, enough.visitors_a_month) == (500, 90_000)
    assert enough.smallest_lift is not None and enough.smallest_lift < 0.20
    assert "`holdout_bps` to 500" in enough.said
    few = propose({UNTRIED: made(8_000, 160)})
    assert few.holdout_bps == 0 and few.smallest_lift is not None and few.smallest_lift > 0.20
    assert few.visitors_needed_a_month and 80_000 < few.visitors_needed_a_month < 82_000
    assert "there were 8,000. Leave it off." in few.said
    nobody = propose({})
    assert (nobody.holdout_bps, nobody.smallest_lift) == (0, None)
    assert "ask again" in nobody.said


def test_as_many_visitors_as_are_said_to_be_needed_get_the_proposal() -> None:
    few = propose({UNTRIED: made(10_000, 200)})
    needed = few.visitors_needed_a_month or 0
    assert propose({UNTRIED: made(needed + 50, round((needed + 50) / 50))}).holdout_bps == 500
    assert propose({UNTRIED: made(needed - 500, round((needed - 500) / 50))}).holdout_bps == 0


def test_the_more_orders_the_smaller_the_lift_that_shows() -> None:
    seen = [smallest_seen(variance) for variance in (0.1, 0.01, 0.001)]
    assert seen == sorted(seen, reverse=True)


# ---- sums ----


@given(st.lists(participants, min_size=2, max_size=5))
def test_changes_add_up_to_what_the_last_of_them_is(states: list[Participant]) -> None:
    """However a visitor came to have done it."""
    sums = Sums()
    for before, after in zip([None, *states], states, strict=False):
        sums.add(change(before, after))
    whole = change(None, states[-1])
    for name in FIGURES:
        assert getattr(sums, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-3)


@given(st.lists(participants, min_size=2, max_size=20))
def test_the_squares_are_those_of_each_visitor(states: list[Participant]) -> None:
    sums = Sums()
    for one in states:
        sums.add(change(None, one))
    assert sums.entered == len(states)
    assert sums.purchase_squares == sum(one.purchases**2 for one in states)
    assert sums.click_squares == sum(one.clicks**2 for one in states)
    assert sums.impression_clicks == sum(one.impressions * one.clicks for one in states)
    assert sums.revenue_squares == pytest.approx(sum((one.revenue_micros / 10**6) ** 2 for one in states))
