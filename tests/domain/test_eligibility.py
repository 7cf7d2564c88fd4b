"""A campaign that may not answer says why, by the first reason that holds."""

import pytest

from adserver.domain.campaign import Campaign, FrequencyCap, Pacing, Period, Status
from adserver.domain.contender import contender_of
from adserver.domain.eligibility import Refusal, money_refusal, refusal, sight_refusal
from adserver.domain.money import Micros
from adserver.domain.peace import Sights
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.domain.snapshot import Rates
from adserver.domain.traffic import FLAT, Traffic
from adserver.domain.visitor import Profile, fold_touch
from tests.domain.makers import (
    CAMPAIGN,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    make_balance,
    make_bucket,
    make_campaign,
    make_creative,
    make_profile,
    make_touch,
)

PRICE = Micros(250_000)
BUCKETS = ("total", "day", "advertiser_total", "advertiser_day")


def verdict(campaign: Campaign, profile: Profile | None = None, **options: object) -> Refusal | None:
    """The first reason against a campaign, its money's last; a test visitor's ads cost nothing."""
    creatives = options.get("creatives", [make_creative()])
    no = refusal(campaign, creatives, bool(options.get("image")), NOW_MS)  # type: ignore[arg-type]
    if no is not None or options.get("test"):
        return no
    contender = contender_of(campaign, creatives, Rates())  # type: ignore[arg-type]
    no = sight_refusal(contender, Sights(profile or make_profile(), NOW_MS))
    balance = options.get("balance", make_balance())
    return no or money_refusal(campaign, balance, 0.5)  # type: ignore[arg-type]


def test_a_campaign_with_nothing_against_it_is_eligible() -> None:
    assert verdict(make_campaign()) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": Status.PAUSED}, Refusal.PAUSED),
        ({"status": Status.DRAFT}, Refusal.NOT_ACTIVE),
        ({"status": Status.ENDED}, Refusal.NOT_ACTIVE),
        ({"starts_at_ms": NOW_MS + 1}, Refusal.NOT_STARTED),
        ({"starts_at_ms": NOW_MS}, None),
        ({"ends_at_ms": NOW_MS}, Refusal.OVER),
        ({"ends_at_ms": NOW_MS + 1}, None),
        ({"status": Status.PAUSED, "ends_at_ms": NOW_MS}, Refusal.PAUSED),
    ],
)
def test_a_campaign_runs_only_in_its_time(fields: dict[str, object], expected: Refusal | None) -> None:
    assert verdict(make_campaign(**fields)) is expected
    assert verdict(make_campaign(**fields), test=True) is expected


def test_a_campaign_without_creatives_is_refused() -> None:
    assert verdict(make_campaign(), creatives=[]) is Refusal.NO_CREATIVE


def test_what_is_paid_by_the_view_is_not_for_pictures() -> None:
    campaign = make_campaign(pricing_model=PricingModel.VCPM)
    assert verdict(campaign, image=True) is Refusal.NO_PICTURE_MEASURE
    assert verdict(campaign) is None
    assert verdict(make_campaign(pricing_model=PricingModel.CPM), image=True) is None


@pytest.mark.parametrize("name", BUCKETS)
def test_each_balance_must_hold_one_more_price(name: str) -> None:
    short = make_balance(**{name: make_bucket(PRICE * 3, PRICE, PRICE + 1)})
    enough = make_balance(**{name: make_bucket(PRICE * 3, PRICE, PRICE)})
    assert verdict(make_campaign(), balance=short) is Refusal.BUDGET_EXHAUSTED
    assert verdict(make_campaign(), balance=enough) is None


@pytest.mark.parametrize("name", BUCKETS)
def test_money_under_way_is_as_good_as_spent(name: str) -> None:
    bucket = {name: make_bucket(PRICE * 2)}
    full = make_balance(in_flight=Micros(PRICE + 1), **bucket)
    assert verdict(make_campaign(), balance=full) is Refusal.BUDGET_EXHAUSTED
    assert verdict(make_campaign(), balance=make_balance(in_flight=PRICE, **bucket)) is None


EXPECTED = Traffic(FLAT, 1_000.0, 1_000.0)  # a day's traffic would cost a million if all were answered


@pytest.mark.parametrize(
    ("spent", "expected"),
    [(0, None), (499_000, None), (900_000, Refusal.PACED)],
)
def test_an_even_campaign_ahead_of_its_day_waits(spent: int, expected: Refusal | None) -> None:
    balance = make_balance(day=make_bucket(1_000_000, spent), traffic=EXPECTED)
    even = make_campaign(pacing=Pacing.EVEN, rate_micros=Micros(1_000))
    assert verdict(even, balance=balance) is expected
    assert verdict(make_campaign(rate_micros=Micros(1_000)), balance=balance) is None


def test_before_any_traffic_was_seen_an_even_campaign_may_have_one_ad() -> None:
    even = make_campaign(pacing=Pacing.EVEN)
    assert verdict(even, balance=make_balance(day=make_bucket(10 * PRICE))) is None
    assert verdict(even, balance=make_balance(day=make_bucket(10 * PRICE, PRICE))) is Refusal.PACED
    assert verdict(even, balance=make_balance(day=make_bucket(1_000 * PRICE, 9 * PRICE))) is None
    assert verdict(even, balance=make_balance(day=make_bucket(1_000 * PRICE, 10 * PRICE))) is Refusal.PACED


def test_an_even_campaign_without_a_daily_budget_has_no_plan_to_keep() -> None:
    balance = make_balance(day=make_bucket(None, 99 * PRICE), day_elapsed_ms=0)
    assert verdict(make_campaign(pacing=Pacing.EVEN), balance=balance) is None


@pytest.mark.parametrize(
    ("per", "length_ms"), [(Period.HOUR, HOUR_MS), (Period.DAY, DAY_MS), (Period.WEEK, 7 * DAY_MS)]
)
def test_an_ad_is_shown_so_often_in_a_period_and_no_more(per: Period, length_ms: int) -> None:
    campaign = make_campaign(frequency_cap=FrequencyCap(2, per))
    profile = make_profile()
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS - length_ms))
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS - length_ms + 1))
    assert verdict(campaign, profile) is None
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS))
    assert verdict(campaign, profile) is Refusal.FREQUENCY_CAP


def test_a_frequency_cap_counts_neither_clicks_nor_other_campaigns() -> None:
    profile = make_profile()
    fold_touch(profile, make_touch(AdEvent.CLICK, at_ms=NOW_MS))
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, campaign_key=CAMPAIGN + 1, at_ms=NOW_MS))
    assert verdict(make_campaign(frequency_cap=FrequencyCap(1, Period.DAY)), profile) is None


def test_a_test_visitor_is_shown_what_money_and_caps_would_refuse() -> None:
    profile = make_profile()
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS))
    campaign = make_campaign(frequency_cap=FrequencyCap(1, Period.DAY))
    broke = make_balance(total=make_bucket(0))
    assert verdict(campaign, profile, balance=broke) is Refusal.FREQUENCY_CAP
    assert verdict(make_campaign(), profile, balance=broke) is Refusal.BUDGET_EXHAUSTED
    assert verdict(campaign, profile, balance=broke, test=True) is None
