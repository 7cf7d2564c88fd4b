"""Each pricing model bills its own event at its own price, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.money import LARGEST, ZERO, Micros
from adserver.domain.pricing import (
    BILLED_EVENT,
    AdEvent,
    AudienceNotInTerms,
    AudienceRate,
    PricingModel,
    Terms,
    cheapest_price,
    price_after_returns,
    price_of,
    smallest_price,
)
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


# ---- returns ----

conversions = any_terms().filter(lambda terms: BILLED_EVENT[terms.pricing_model] is CONVERSION)


@given(conversions, amounts, st.lists(amounts, max_size=5))
def test_what_returns_take_off_and_what_is_left_come_to_the_price(
    terms: Terms, basket: Micros, returns: list[Micros]
) -> None:
    """In whatever parts the goods come back: the falls sum up exactly, none is negative."""
    before = price_after_returns(terms, basket, ZERO)
    assert before == (price_of(CONVERSION, terms, basket) if basket else ZERO)
    returned, falls = ZERO, []
    for part in returns:
        after = price_after_returns(terms, basket, Micros(returned + part))
        falls.append(price_after_returns(terms, basket, returned) - after)
        returned = Micros(returned + part)
    assert min(falls, default=0) >= 0
    assert sum(falls) + price_after_returns(terms, basket, returned) == before
    assert returned < basket or price_after_returns(terms, basket, returned) == ZERO


@pytest.mark.parametrize(
    ("basket", "returned", "fixed", "share"),
    [
        (100, 0, 40, 10),
        (100, 1, 40, 9),
        (100, 99, 40, 0),
        (100, 100, 0, 0),
        (100, 101, 0, 0),
        (100, None, 0, 0),
        (None, 5, 40, 0),  # nobody knows what of it is left
        (None, None, 0, 0),
    ],
)
def test_a_fixed_price_is_owed_until_everything_is_back(
    basket: int | None, returned: int | None, fixed: int, share: int
) -> None:
    for terms, left in (
        (make_terms(pricing_model=CPA, rate_micros=Micros(40)), fixed),
        (make_terms(pricing_model=CPA, basket_bps=1_000, max_charge_micros=Micros(99)), share),
    ):
        assert price_after_returns(terms, basket, returned) == left  # type: ignore[arg-type]


# ---- audiences ----

NAMED = (AudienceRate(1, Micros(9_000_000)), AudienceRate(2), AudienceRate(3, Micros(1_000)))


@pytest.mark.parametrize(("key", "rate"), [(0, 2_500_000), (1, 9_000_000), (2, 2_500_000), (3, 1_000)])
@pytest.mark.parametrize("model", PricingModel)
def test_an_audience_is_charged_at_its_own_rate(model: PricingModel, key: int, rate: int) -> None:
    terms = make_terms(pricing_model=model, rate_micros=Micros(2_500_000), audience_rates=NAMED)
    price = rate // 1000 if model in (CPM, VCPM) else rate
    for event in AdEvent:
        due = price if event is BILLED_EVENT[model] else 0
        assert price_of(event, terms, audience_key=key) == due
    assert smallest_price(terms, key) == price


def test_an_audience_may_be_named_without_a_rate_where_the_basket_is_shared() -> None:
    terms = make_terms(pricing_model=CPA, basket_bps=500, audience_rates=(AudienceRate(2),),
                       max_charge_micros=Micros(9_000_000))  # fmt: skip
    assert price_of(CONVERSION, terms, Micros(20_000_000), 2) == 1_000_000
    assert smallest_price(terms, 2) == cheapest_price(terms) == 1


@pytest.mark.parametrize("bps", [0, 500])
def test_there_is_no_price_for_an_audience_that_the_terms_do_not_name(bps: int) -> None:
    terms = make_terms(pricing_model=CPA, basket_bps=bps, max_charge_micros=Micros(9), audience_rates=())
    with pytest.raises(AudienceNotInTerms, match="4"):
        price_of(CONVERSION, terms, Micros(100), 4)


def test_the_cheapest_ad_is_the_cheapest_audiences() -> None:
    """The campaign's own rate is nobody's, where every audience has one of its own."""
    assert cheapest_price(make_terms(audience_rates=NAMED)) == 1_000
    assert cheapest_price(make_terms(audience_rates=NAMED[:2])) == 250_000
    assert cheapest_price(make_terms(audience_rates=NAMED[:1])) == 9_000_000
    assert cheapest_price(make_terms()) == 250_000


def test_each_model_bills_a_different_event() -> None:
    assert set(BILLED_EVENT) == set(PricingModel)
    assert set(BILLED_EVENT.values()) == set(AdEvent)
