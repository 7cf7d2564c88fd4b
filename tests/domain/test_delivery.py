"""The one word that says whether a campaign is served."""

import msgspec
import pytest

from adserver.domain.budget import Bucket
from adserver.domain.campaign import Approval, Campaign, Status
from adserver.domain.delivery import Balances, Delivery, delivery
from adserver.domain.money import Micros
from adserver.domain.pricing import AudienceRate, PricingModel, Terms
from tests.domain.makers import make_creative

NOW_MS = 1_795_000_000_000
PRICE = Micros(250_000)
TERMS = Terms(pricing_model=PricingModel.CPC, currency="EUR", rate_micros=PRICE)
FREE = Bucket()


def make_campaign(**fields: object) -> Campaign:
    campaign = Campaign(key=1, advertiser_key=2, name="Autumn", terms=TERMS, status=Status.ACTIVE)
    return msgspec.structs.replace(campaign, **fields)


def make_balances(**buckets: Bucket) -> Balances:
    free = {"total": FREE, "day": FREE, "advertiser_total": FREE, "advertiser_day": FREE, "deposit": FREE}
    return Balances(**free | buckets)


def left(micros: int) -> Bucket:
    """A balance with so much left, part of what is used being reserved."""
    return Bucket(Micros(1_000_000), Micros(1_000_000 - micros - 1), Micros(1))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Delivery.SERVING),
        ({"status": Status.DRAFT}, Delivery.DRAFT),
        ({"status": Status.PAUSED}, Delivery.PAUSED),
        ({"status": Status.ENDED, "ends_at_ms": 1}, Delivery.ENDED),
        ({"ends_at_ms": NOW_MS}, Delivery.OVER),
        ({"ends_at_ms": NOW_MS + 1}, Delivery.SERVING),
        ({"starts_at_ms": NOW_MS + 1}, Delivery.SCHEDULED),
        ({"starts_at_ms": NOW_MS}, Delivery.SERVING),
    ],
)
def test_status_and_schedule_come_first(fields: dict[str, object], expected: Delivery) -> None:
    assert delivery(make_campaign(**fields), make_balances(), [make_creative()], NOW_MS) is expected


def test_a_campaign_without_creatives_shows_nothing() -> None:
    assert delivery(make_campaign(), make_balances(), [], NOW_MS) is Delivery.NO_CREATIVE


def test_a_campaign_without_an_approved_creative_says_what_it_waits_for() -> None:
    pending, rejected = (make_creative(approval=state) for state in (Approval.PENDING, Approval.REJECTED))
    edited = make_creative(approval=Approval.PENDING, approved=make_creative())
    for creatives, expected in (
        ([rejected, pending], Delivery.CREATIVE_PENDING),
        ([rejected], Delivery.CREATIVE_REJECTED),
        ([rejected, edited], Delivery.SERVING),
    ):
        assert delivery(make_campaign(), make_balances(), creatives, NOW_MS) is expected


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("total", Delivery.EXHAUSTED),
        ("advertiser_total", Delivery.EXHAUSTED),
        ("deposit", Delivery.NO_DEPOSIT),
        ("day", Delivery.EXHAUSTED_TODAY),
        ("advertiser_day", Delivery.EXHAUSTED_TODAY),
    ],
)
def test_less_than_one_price_left_is_exhausted(bucket: str, expected: Delivery) -> None:
    short = make_balances(**{bucket: left(PRICE - 1)})
    enough = make_balances(**{bucket: left(PRICE)})
    assert delivery(make_campaign(), short, [make_creative()], NOW_MS) is expected
    assert delivery(make_campaign(), enough, [make_creative()], NOW_MS) is Delivery.SERVING


def test_a_campaign_is_served_while_its_cheapest_audience_can_be_paid() -> None:
    rates = (AudienceRate(1, Micros(2 * PRICE)), AudienceRate(2, Micros(PRICE // 2)))
    campaign = make_campaign(terms=msgspec.structs.replace(TERMS, audience_rates=rates))
    for remaining, expected in ((PRICE // 2, Delivery.SERVING), (PRICE // 2 - 1, Delivery.EXHAUSTED)):
        assert delivery(campaign, make_balances(total=left(remaining)), [make_creative()], NOW_MS) is expected
