"""What a campaign may be expected to show and spend: from known figures only, in honest bounds."""

import msgspec
import pytest

from adserver.domain.audience_reach import GroupSize, Share, exactly
from adserver.domain.campaign import Campaign, FrequencyCap, Period
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.outlook import Outlook, Past, Tries, Unknown, outlook, tries_of
from adserver.domain.pricing import PricingModel, Terms
from adserver.domain.rates import NO_FIGURES
from adserver.domain.targeting import Condition, Targeting

SIZE = GroupSize(exactly(500), exactly(100), 1)
PAST = Past(2_000.0, 200, [Tries(300, 1_000)])
TERMS = Terms(pricing_model=PricingModel.CPM, currency="EUR", rate_micros=Micros(2_000_000))


def make_campaign(**fields: object) -> Campaign:
    campaign = Campaign(key=1, advertiser_key=2, name="Autumn", terms=TERMS)
    return msgspec.structs.replace(campaign, **fields)


def expected(campaign: Campaign, size: GroupSize = SIZE, past: Past = PAST) -> Outlook:
    told = outlook(campaign, size, past, NO_FIGURES)
    assert isinstance(told, Outlook)
    return told


def test_a_day_is_reach_times_requests_times_share_times_price() -> None:
    told = expected(make_campaign())
    assert (told.requests.likely, told.ads.likely) == (1_000, pytest.approx(300))
    assert told.spend_micros.likely == pytest.approx(600_000)
    assert told.spend_micros.least < 600_000 < told.spend_micros.most
    assert not told.is_capped


@pytest.mark.parametrize(
    ("size", "past", "unknown"),
    [
        (None, PAST, Unknown.NOT_COUNTED),
        (GroupSize(exactly(500), exactly(0), 1), PAST, Unknown.TOO_FEW_PEOPLE),
        (GroupSize(exactly(500), exactly(9), 1), PAST, Unknown.TOO_FEW_PEOPLE),
        (SIZE, Past(0.0, 200, ()), Unknown.NEVER_ASKED),
        (SIZE, Past(2_000.0, 0, [Tries(300, 1_000)]), Unknown.NEVER_ASKED),
        (SIZE, Past(2_000.0, 200, [Tries(30, 99)]), Unknown.TOO_FEW_TRIES),
    ],
)
def test_where_a_part_is_not_known_nothing_is_made_up(
    size: GroupSize | None, past: Past, unknown: Unknown
) -> None:
    assert outlook(make_campaign(), size, past, NO_FIGURES) is unknown


def test_the_share_lies_between_the_worst_and_the_best_campaign() -> None:
    past = Past(2_000.0, 200, [Tries(10, 1_000), Tries(900, 1_000), Tries(1, 2)])
    told = expected(make_campaign(), past=past)
    assert told.ads.likely == pytest.approx(1_000 * 910 / 2_000)
    assert told.ads.least < 10
    assert told.ads.most > 900


def test_budgets_caps_and_targeting_limit_it() -> None:
    capped = expected(make_campaign(daily_budget_micros=Micros(100_000)))
    assert (capped.spend_micros.likely, capped.spend_micros.most, capped.is_capped) == (
        100_000,
        100_000,
        True,
    )
    once_a_week = make_campaign(frequency_cap=FrequencyCap(1, Period.WEEK))
    assert expected(once_a_week).ads.most == 100
    targeted = make_campaign(targeting=Targeting(countries=Condition(("FR",))))
    assert expected(targeted).spend_micros.least == 0


def test_an_estimated_audience_widens_it() -> None:
    vague = GroupSize(Share(500, 400, 600), Share(100, 50, 150), 1)
    told, sharp = expected(make_campaign(), vague), expected(make_campaign())
    assert told.spend_micros.likely == sharp.spend_micros.likely
    assert (
        told.spend_micros.least < sharp.spend_micros.least < sharp.spend_micros.most < told.spend_micros.most
    )


@pytest.mark.parametrize("model", PricingModel)
def test_what_is_paid_for_is_weighed_with_how_often_it_comes(model: PricingModel) -> None:
    terms = msgspec.structs.replace(TERMS, pricing_model=model)
    told = expected(make_campaign(terms=terms))
    stake = 2_000.0 if model in (PricingModel.CPM, PricingModel.VCPM) else 2_000_000.0
    chance = {"cpm": 1.0, "vcpm": 0.7, "cpc": 0.005, "cpa": 0.0001}[model]
    assert told.spend_micros.likely == pytest.approx(300 * stake * chance)


def test_what_a_campaign_did_to_itself_tells_nothing_of_another() -> None:
    counted = {
        Refusal.PAUSED: 5, Refusal.NOT_IN_AUDIENCE: 7, Refusal.BUDGET_EXHAUSTED: 9, Refusal.OUTRANKED: 20,
    }  # fmt: skip
    assert tries_of(counted, 10) == Tries(10, 30)
