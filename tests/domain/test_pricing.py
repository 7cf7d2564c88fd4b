"""Each pricing model bills its own event at its own price, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.money import LARGEST, ZERO, Micros
from adserver.domain.pricing import BILLED_EVENT, AdEvent, PricingModel, Terms, price_of, smallest_price
from tests.domain.makers import make_terms

CPM, VCPM, CPC, CPA = PricingModel
IMPRESSION, VIEW, CLICK, CONVERSION = AdEvent

amounts = st.integers(min_value=0, max_value=LARGEST).map(Micros)
rates = st.integers(min_value=1, max_value=LARGEST // 1000).map(lambda thousands: Micros(thousands * 1000))


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    """Terms that pass a campaign's check."""
    model = draw(st.sampled_from(PricingModel))
    share = draw(st.integers(min_value=0, max_value=10_000)) if model is CPA else 0
    limit = draw(st.integers(min_value=1, max_value=LARGEST)) if share else None
    return make_terms(pricing_model=model, rate_micros=draw(rates), basket_bps=share, max_charge_micros=limit)


@pytest.mark.parametrize(
    ("model", "event", "price"),
    [
        (CPM, IMPRESSION, 2_500),
        (CPM, VIEW, 0),
        (CPM, CLICK, 0),
        (CPM, CONVERSION, 0),
        (VCPM, IMPRESSION, 0),
        (VCPM, VIEW, 2_500),
        (VCPM, CLICK, 0),
        (CPC, IMPRESSION, 0),
        (CPC, CLICK, 2_500_000),
        (CPC, CONVERSION, 0),
        (CPA, CLICK, 0),
        (CPA, CONVERSION, 2_500_000),
    ],
)
def test_a_model_bills_its_own_event_only(model: PricingModel, event: AdEvent, price: int) -> None:
    terms = make_terms(pricing_model=model, rate_micros=Micros(2_500_000))
    assert price_of(event, terms) == price


@pytest.mark.parametrize(
    ("basket", "bps", "limit", "price"),
    [
        (100_000_000, 500, 10_000_000, 5_000_000),
        (100_000_000, 500, 4_000_000, 4_000_000),
        (19, 500, 10_000_000, 0),  # floor(0.95)
        (20, 500, 10_000_000, 1),
        (0, 500, 10_000_000, 0),
        (39_999, 10_000, 39_999, 39_999),
    ],
)
def test_a_share_of_the_basket_is_floored_and_limited(basket: int, bps: int, limit: int, price: int) -> None:
    terms = make_terms(pricing_model=CPA, basket_bps=bps, max_charge_micros=Micros(limit))
    assert price_of(CONVERSION, terms, Micros(basket)) == price


@given(any_terms(), st.sampled_from(AdEvent), amounts)
def test_a_price_is_whole_and_never_negative(terms: Terms, event: AdEvent, basket: Micros) -> None:
    price = price_of(event, terms, basket)
    assert isinstance(price, int)
    assert price >= ZERO
    assert price == ZERO or event is BILLED_EVENT[terms.pricing_model]
    assert terms.max_charge_micros is None or price <= terms.max_charge_micros


@given(rates, st.sampled_from([CPM, VCPM]))
def test_a_thousand_impressions_cost_exactly_the_rate(rate: Micros, model: PricingModel) -> None:
    terms = make_terms(pricing_model=model, rate_micros=rate)
    assert price_of(BILLED_EVENT[model], terms) * 1000 == rate


@given(any_terms(), amounts)
def test_nothing_that_is_billed_costs_less_than_the_smallest_price(terms: Terms, basket: Micros) -> None:
    price = price_of(BILLED_EVENT[terms.pricing_model], terms, basket)
    assert smallest_price(terms) > 0
    assert price == ZERO or price >= smallest_price(terms)


def test_each_model_bills_a_different_event() -> None:
    assert set(BILLED_EVENT) == set(PricingModel)
    assert set(BILLED_EVENT.values()) == set(AdEvent)
