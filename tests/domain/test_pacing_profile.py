"""What a campaign's day will bring is learnt from its hours: their shape, their level and their cost."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adserver.domain.budget import day_span
from adserver.domain.campaign import Pacing, Status
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.traffic import (
    DAYS,
    FLAT,
    HOUR_MS,
    PARTS,
    Counted,
    LocalDays,
    PastDays,
    Traffic,
    forecast,
    learn,
    local_days,
    profile_of,
    remaining_share,
)
from adserver.flows.refresh import COUNTERS
from tests.domain.deciding import decide
from tests.domain.makers import (
    DAY_MS,
    NOW_MS,
    make_balance,
    make_bucket,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_product,
    make_profile,
    make_request,
)

UTC_DAYS = local_days(NOW_MS, "UTC")
TODAY_MS = UTC_DAYS.today.start_ms
NOON_MS = TODAY_MS + 12 * HOUR_MS
WORTH = (2_000.0, 1.0)
UNKNOWN = PastDays(FLAT, 0.0)
CATALOGUE = make_catalogue(make_product("boots"))
ZONES = ["UTC", "Europe/Paris", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]

weights = st.lists(st.floats(min_value=0, max_value=1e6), min_size=PARTS, max_size=PARTS)
dice = st.floats(min_value=0, max_value=1, exclude_max=True)


def week(count_of_hour: list[int], days: int = DAYS) -> dict[int, int]:
    """The same counts on each of the days before today, in UTC."""
    return {
        TODAY_MS - day * DAY_MS + hour * HOUR_MS: n
        for day in range(1, days + 1)
        for hour, n in enumerate(count_of_hour)
    }


def shares(profile_over: tuple[float, ...]) -> list[float]:
    return [after - before for before, after in pairwise(profile_over)]


def forecast_at(
    now_ms: int, eligible: dict[int, int], past: PastDays = UNKNOWN, started_ms: int = 0
) -> Traffic:
    found = forecast(Counted(eligible, {}, {}), UTC_DAYS, past, now_ms, started_ms, WORTH)
    assert found is not None
    return found


# ---- the shape of a day ----


@given(weights, st.sampled_from([23, 24, 24.5, 25]), st.data())
def test_what_is_to_come_falls_from_all_to_nothing(
    heights: list[float], hours: float, data: st.DataObject
) -> None:
    assume(sum(heights) > 1e-3)
    profile, length_ms = profile_of(heights), int(hours * HOUR_MS)
    early = data.draw(st.integers(min_value=0, max_value=length_ms))
    late = data.draw(st.integers(min_value=early, max_value=length_ms))
    assert remaining_share(profile, 0, length_ms) == 1
    assert remaining_share(profile, length_ms, length_ms) == 0
    assert remaining_share(profile, late, length_ms) <= remaining_share(profile, early, length_ms) + 1e-9


def test_a_flat_day_is_as_far_as_its_clock() -> None:
    assert remaining_share(FLAT, 6 * HOUR_MS, DAY_MS) == pytest.approx(0.75)
    assert remaining_share(FLAT, 23 * HOUR_MS // 2, 23 * HOUR_MS) == pytest.approx(0.5)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at_ms", [NOW_MS, 1_774_760_400_000, 1_792_918_800_000])  # clocks change in Paris
def test_every_whole_hour_of_the_last_week_belongs_to_parts_of_its_days(zone: str, at_ms: int) -> None:
    days = local_days(at_ms, zone)
    first = day_span(days.today.start_ms - 6 * DAY_MS, zone).start_ms
    hours = range(first - first % HOUR_MS + HOUR_MS, days.today.end_ms - HOUR_MS, HOUR_MS)
    assert all(hour in days.parts for hour in hours)
    for one, other in days.parts.values():
        assert 0 <= one < PARTS and (other - one) % PARTS in (0, 1, 2)


def test_half_an_hour_of_india_belongs_to_each_of_two_parts() -> None:
    days = local_days(NOW_MS, "Asia/Kolkata")
    assert days.parts[days.today.start_ms + HOUR_MS // 2] == (0, 1)
    assert days.parts[days.today.start_ms - HOUR_MS // 2] == (23, 0)


# ---- past days ----


def test_without_a_past_what_was_believed_stands() -> None:
    believed = profile_of([1.0] * 12 + [3.0] * 12)
    assert learn({}, UTC_DAYS, believed) == PastDays(believed, 0.0)
    assert learn({TODAY_MS: 50}, UTC_DAYS, believed) == PastDays(believed, 0.0)


def test_a_week_teaches_the_shape_and_the_level() -> None:
    past = learn(week([100] * 12 + [300] * 12), UTC_DAYS, FLAT)
    assert past.requests_per_day == pytest.approx(4_800)
    assert shares(past.profile.over)[0] == pytest.approx(100 / 4_800, rel=0.1)
    assert shares(past.profile.over)[23] == pytest.approx(300 / 4_800, rel=0.1)


def test_hours_before_a_campaigns_first_are_no_evidence() -> None:
    begun_at_noon = {
        hour: n for hour, n in week([100] * 24, days=1).items() if hour >= TODAY_MS - DAY_MS // 2
    }
    past = learn(begun_at_noon, UTC_DAYS, FLAT)
    assert past.requests_per_day == pytest.approx(2_400)
    assert shares(past.profile.over) == pytest.approx([1 / 24] * 24)


def test_a_burst_of_one_day_is_not_expected_again() -> None:
    counts = week([100] * 24)
    counts[TODAY_MS - 2 * DAY_MS + 9 * HOUR_MS] = 5_000
    past = learn(counts, UTC_DAYS, FLAT)
    assert past.requests_per_day == pytest.approx(2_400, rel=0.01)
    assert shares(past.profile.over)[9] < 1.2 / 24


def test_a_few_requests_do_not_make_a_shape() -> None:
    one_in_the_evening = [0] * 20 + [1] + [0] * 3
    assert shares(learn(week(one_in_the_evening), UTC_DAYS, FLAT).profile.over)[20] < 0.2


@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=PARTS, max_size=PARTS), weights)
def test_no_hour_is_ever_thought_impossible(counts: list[int], believed: list[float]) -> None:
    profile = learn(week(counts), UTC_DAYS, profile_of([1.0 + weight for weight in believed])).profile
    assert all(share > 0 for share in shares(profile.over))
    assert profile.over[0] == 0 and profile.over[-1] == 1


# ---- today ----


def test_nothing_seen_and_nothing_remembered_is_no_forecast() -> None:
    assert forecast(Counted({}, {}, {}), UTC_DAYS, UNKNOWN, NOON_MS, 0, WORTH) is None


def test_a_first_day_goes_on_as_it_began() -> None:
    today = {TODAY_MS + hour * HOUR_MS: 100 for hour in range(12)}
    assert forecast_at(NOON_MS, today).requests_per_day == pytest.approx(2_400)


@pytest.mark.parametrize("minutes", [10, 64, 66, 180])
def test_a_campaign_that_began_at_half_past_nine_is_measured_from_then(minutes: int) -> None:
    begun_ms = TODAY_MS + 9 * HOUR_MS + HOUR_MS // 2
    now_ms = begun_ms + minutes * 60_000
    today: dict[int, int] = {}
    for at_ms in range(begun_ms, now_ms, 60_000):
        today[at_ms - at_ms % HOUR_MS] = today.get(at_ms - at_ms % HOUR_MS, 0) + 10
    assert forecast_at(now_ms, today, started_ms=begun_ms).requests_per_day == pytest.approx(14_400)


def test_a_day_of_another_level_than_usual_is_soon_believed() -> None:
    usual = PastDays(FLAT, 2_400.0)
    today = {TODAY_MS + hour * HOUR_MS: 50 for hour in range(12)}
    assert forecast_at(TODAY_MS, {}, usual).requests_per_day == pytest.approx(2_400)
    assert forecast_at(NOON_MS, today, usual).requests_per_day == pytest.approx(1_400)


def test_a_burst_is_not_taken_for_the_rest_of_the_day() -> None:
    today = {TODAY_MS + hour * HOUR_MS: 100 for hour in range(12)} | {TODAY_MS + 5 * HOUR_MS: 10_000}
    assert forecast_at(NOON_MS, today).requests_per_day == pytest.approx(2_600)


def test_a_request_costs_what_those_that_passed_have_cost() -> None:
    counted = Counted({TODAY_MS: 9_000}, {TODAY_MS: 3_000}, {TODAY_MS: 1_500_000})
    found = forecast(counted, UTC_DAYS, UNKNOWN, TODAY_MS + HOUR_MS, 0, WORTH)
    assert found is not None
    assert found.cost_micros == pytest.approx(500, rel=0.02)


def test_few_billed_events_do_not_move_the_cost_much() -> None:
    clicks = (1_250.0, 0.005)  # a click of 250,000 micros, once in two hundred
    counted = Counted({TODAY_MS: 100}, {TODAY_MS: 100}, {TODAY_MS: 250_000})
    found = forecast(counted, UTC_DAYS, UNKNOWN, TODAY_MS + HOUR_MS, 0, clicks)
    assert found is not None
    assert 1_250 <= found.cost_micros < 1_400


@given(
    st.dictionaries(st.integers(-192, 12), st.integers(0, 10**6), max_size=60),
    st.integers(min_value=0, max_value=DAY_MS - 1),
    st.sampled_from(ZONES),
)
def test_any_history_gives_a_sane_forecast(counts: dict[int, int], elapsed_ms: int, zone: str) -> None:
    days: LocalDays = local_days(NOW_MS, zone)
    base = days.today.start_ms - days.today.start_ms % HOUR_MS
    counted = Counted({base + hour * HOUR_MS: n for hour, n in counts.items()}, {}, {})
    past = learn(counted.eligible, days, FLAT)
    found = forecast(counted, days, past, days.today.start_ms + elapsed_ms, 0, WORTH)
    if found is not None:
        assert found.requests_per_day > 0 and found.cost_micros > 0
        assert 0 <= found.begun_share <= 1


# ---- pacing in the decision ----


def paced(chance: float, rate: int, key: int = 1) -> object:
    """A campaign whose pacing lets it try so often."""
    campaign = make_campaign(
        key=key, pacing=Pacing.EVEN, pricing_model=PricingModel.CPM, rate_micros=Micros(rate)
    )
    day = make_bucket(1_000_000, 600_000)
    traffic = Traffic(FLAT, 2.0, 400_000.0 / chance)
    return make_candidate(campaign, balance=make_balance(day=day, traffic=traffic))


def decided(*candidates: object, thrown: float, test: bool = False) -> Decision | NoAd:
    return decide(make_request(test=test), make_profile(), candidates, CATALOGUE, thrown)  # type: ignore[arg-type]


@given(dice, st.floats(min_value=0.05, max_value=1), st.sampled_from([1_000_000, 2_000_000, 3_000_000]))
def test_a_higher_rate_never_loses_what_a_lower_one_wins(thrown: float, chance: float, rate: int) -> None:
    rival = paced(0.5, 2_000_000, key=2)
    low = decided(paced(chance, rate), rival, thrown=thrown)
    high = decided(paced(chance, rate + 1_000_000), rival, thrown=thrown)
    if isinstance(low, Decision) and low.campaign.key == 1:
        assert isinstance(high, Decision) and high.campaign.key == 1


def test_pacing_goes_before_ranking_so_that_the_next_best_answers() -> None:
    answers = [
        decided(paced(0.3, 9_000_000), paced(1.0, 1_000_000, key=2), thrown=i / 1000) for i in range(1000)
    ]
    won = [found for found in answers if isinstance(found, Decision)]
    assert len(won) == 1000
    first = [found for found in won if found.campaign.key == 1]
    assert len(first) == pytest.approx(300, abs=60)
    assert all(f.refusals == {1: Refusal.PACED} for f in won if f.campaign.key == 2)


def test_one_campaigns_pacing_tells_nothing_of_anothers() -> None:
    answers = [
        decided(paced(0.5, 2_000_000), paced(0.5, 1_000_000, key=2), thrown=i / 2000) for i in range(2000)
    ]
    assert sum(isinstance(found, NoAd) for found in answers) == pytest.approx(500, abs=90)


def test_a_test_visitor_is_never_paced() -> None:
    assert all(isinstance(decided(paced(0.05, 1_000), thrown=i / 50, test=True), Decision) for i in range(50))


def test_the_traffic_of_a_campaign_is_all_that_it_could_answer_money_apart() -> None:
    broke = make_candidate(
        make_campaign(key=3, pricing_model=PricingModel.CPM, rate_micros=Micros(1_000)),
        balance=make_balance(day=make_bucket(0)),
    )
    paused = make_candidate(make_campaign(key=4, status=Status.PAUSED))
    found = decided(paced(1.0, 2_000_000), paced(1.0, 1_000_000, key=2), broke, paused, thrown=0.0)
    assert isinstance(found, Decision) and found.campaign.key == 1
    counted = {key: f"refused_{refusal}" for key, refusal in found.refusals.items()} | {1: "fills"}
    assert {key for key, name in counted.items() if name in COUNTERS["eligible"]} == {1, 2, 3}
    assert {key for key, name in counted.items() if name in COUNTERS["passed"]} == {1, 2}
