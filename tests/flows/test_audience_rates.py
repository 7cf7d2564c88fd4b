"""One campaign, two visitors, two rates: each is served, charged and credited at the rate of their audience."""

import msgspec
import pytest

from adserver.domain.audience import Rule
from adserver.domain.campaign import AudienceCreatives
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, AudienceRate, PricingModel
from adserver.flows.serve import SlotRequest
from adserver.writes import Result
from pixel.events import EventName
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    CAMPAIGN,
    CARTERS,
    CREATIVE,
    DAY_MS,
    SLOT,
    VIEWERS,
    make_advertiser,
    make_audience,
    make_creative,
)
from tests.flows.street import READER, SHOPPER, VISITOR, Street

CPM, VCPM, CPC, CPA = PricingModel
LOW, HIGH = Micros(100_000), Micros(900_000)
RATES = (AudienceRate(VIEWERS, LOW), AudienceRate(CARTERS, HIGH))
SWAPPED = (AudienceRate(VIEWERS, HIGH), AudienceRate(CARTERS, LOW))
OTHER = VISITOR + 1
VIEWER = READER
CARTER = msgspec.structs.replace(READER, visitor_key=OTHER)


def open_rated(street: Street, **campaign: object) -> Street:
    """A shop whose campaign pays little for who looked, and much for who left a cart; one visitor of each."""
    save_new(
        street.storage,
        make_audience(EventName.VIEW_ITEM, key=VIEWERS),
        make_audience(EventName.ADD_TO_CART, key=CARTERS),
    )
    street.open(**{"audience_rates": RATES} | campaign)
    carter = msgspec.structs.replace(SHOPPER, visitor_key=OTHER)
    for event in ("view_item", "add_to_cart"):
        assert street.hit(carter, e=event).rejection is None
    return street


def charges(street: Street) -> list[tuple[object, ...]]:
    return street.rows("SELECT audience_key, amount_micros FROM charges ORDER BY 2, 1")


def refusals(street: Street, caller: object = VIEWER) -> dict[int, Refusal]:
    answer = street.serve.explain(SlotRequest(SLOT), caller)  # type: ignore[arg-type]
    assert isinstance(answer, Decision | NoAd)
    return answer.refusals


def live_through(street: Street, text: str, caller: object) -> None:
    """The ad is shown, seen and clicked."""
    for event in (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION):
        street.see(text, caller, event)  # type: ignore[arg-type]
    street.now_ms += 1_000
    street.click(text, caller)  # type: ignore[arg-type]


@pytest.mark.parametrize(("model", "share"), [(CPM, 1_000), (VCPM, 1_000), (CPC, 1), (CPA, 1)])
def test_two_visitors_of_a_campaign_are_charged_their_own_rates(
    street: Street, model: PricingModel, share: int
) -> None:
    open_rated(street, pricing_model=model)
    for place, caller in enumerate((VIEWER, CARTER)):
        text = street.token(caller)
        assert street.read(text).audience_key == (VIEWERS, CARTERS)[place]
        live_through(street, text, caller)
        street.order(f"R-{place}", click_id=street.click_id(text))
    assert charges(street) == [(VIEWERS, LOW // share), (CARTERS, HIGH // share)]
    assert street.spent() == ((LOW + HIGH) // share, 0)
    street.assert_audit_is_clean()


def test_an_order_is_charged_at_the_rate_of_the_ad_that_its_cookie_clicked(street: Street) -> None:
    open_rated(street, pricing_model=CPA)
    save(street.storage, make_advertiser(version=2, trust_pixel_conversions=True))
    for caller in (VIEWER, CARTER):
        live_through(street, street.token(caller), caller)
        shopper = msgspec.structs.replace(SHOPPER, visitor_key=caller.visitor_key)
        told = {
            "e": "purchase",
            "transaction_id": f"R-{caller.visitor_key}",
            "value": "80",
            "currency": "EUR",
        }
        assert street.hit(shopper, **told).rejection is None
    assert street.convert.credit_new() == 2
    assert charges(street) == [(VIEWERS, LOW), (CARTERS, HIGH)]


def test_an_unverified_order_reserves_at_the_rate_of_its_audience(street: Street) -> None:
    open_rated(street, pricing_model=CPA)
    live_through(street, street.token(CARTER), CARTER)
    shopper = msgspec.structs.replace(SHOPPER, visitor_key=OTHER)
    street.hit(shopper, e="purchase", transaction_id="R-1", value="80", currency="EUR")
    street.convert.credit_new()
    assert street.spent() == (0, HIGH)


def test_an_edit_of_rates_does_not_rewrite_what_was_served(street: Street) -> None:
    open_rated(street)
    texts = {caller: street.token(caller) for caller in (VIEWER, CARTER)}
    street.change(audience_rates=SWAPPED)
    street.now_ms += 1_000
    assert [street.click(text, caller)[1] for caller, text in texts.items()] == [Result.TAKEN] * 2
    assert charges(street) == [(VIEWERS, LOW), (CARTERS, HIGH)]
    late = street.token(VIEWER)
    street.now_ms += 1_000
    street.click(late)
    assert charges(street) == [(VIEWERS, LOW), (VIEWERS, HIGH), (CARTERS, HIGH)]


def test_a_click_of_before_an_edit_is_credited_at_the_rate_of_then(street: Street) -> None:
    open_rated(street, pricing_model=CPA)
    text = street.token(CARTER)
    street.now_ms += 1_000
    click_id = street.click_id(text)
    street.change(pricing_model=CPA, audience_rates=())
    assert street.order(click_id=click_id).outcome.result is Result.TAKEN
    assert charges(street) == [(CARTERS, HIGH)]


def test_what_a_visitor_does_after_an_ad_does_not_change_its_price(street: Street) -> None:
    open_rated(street)
    text = street.token(VIEWER)
    street.hit(e="add_to_cart")
    street.now_ms += 1_000
    street.click(text)
    assert charges(street) == [(VIEWERS, LOW)]
    assert street.read(street.token(VIEWER)).audience_key == CARTERS


def test_who_is_in_no_audience_is_not_served(street: Street) -> None:
    open_rated(street, audience_rates=RATES[1:])
    assert not street.visit(VIEWER).filled
    assert refusals(street) == {CAMPAIGN: Refusal.NOT_IN_AUDIENCE}
    assert street.counted(CAMPAIGN)["refused_not_in_audience"] == 1
    assert street.visit(CARTER).filled


def test_a_member_is_out_when_the_window_closes(street: Street) -> None:
    open_rated(street)
    street.now_ms += 30 * DAY_MS - 10_000
    street.look()
    street.now_ms += 30 * DAY_MS - 1
    assert refusals(street) == {}
    street.now_ms += 1
    assert refusals(street) == {CAMPAIGN: Refusal.NOT_IN_AUDIENCE}


def test_a_changed_audience_is_asked_from_its_next_request_on(street: Street) -> None:
    open_rated(street)
    assert refusals(street) == {}
    strict = make_audience(EventName.VIEW_ITEM, exclusions=(Rule(EventName.PAGE_VIEW, 1),), version=2)
    assert save(street.storage, strict).result is Result.SAVED
    assert refusals(street) == {}
    street.hit(e="page_view", id=None)
    assert refusals(street) == {CAMPAIGN: Refusal.NOT_IN_AUDIENCE}


def test_a_new_audience_reaches_a_worker_before_the_campaign_that_names_it(street: Street) -> None:
    street.open()
    save_new(street.storage, make_audience())
    street.change(audience_rates=RATES[:1])
    assert refusals(street) == {}


def test_each_audience_is_shown_its_own_creative(street: Street) -> None:
    open_rated(street, audience_creatives=(AudienceCreatives(CARTERS, (CREATIVE + 1,)),))
    save_new(street.storage, make_creative(key=CREATIVE + 1))
    assert {street.read(street.token(CARTER)).creative_key for _ in range(9)} == {CREATIVE + 1}
    assert {street.read(street.token(VIEWER)).creative_key for _ in range(9)} == {CREATIVE, CREATIVE + 1}


def test_a_budget_that_holds_the_cheap_audience_only_serves_that_one(street: Street) -> None:
    open_rated(street, total_budget_micros=Micros(HIGH - 1))
    assert refusals(street, CARTER) == {CAMPAIGN: Refusal.BUDGET_EXHAUSTED}
    assert refusals(street, VIEWER) == {}


def test_what_is_under_way_is_weighed_at_the_rate_it_was_served_at(street: Street) -> None:
    """The budget holds two of the dear ads but for a micro: with one of them unanswered, no other is served."""
    open_rated(street, pricing_model=CPM, total_budget_micros=Micros(2 * HIGH // 1_000 - 1))
    assert street.visit(CARTER).filled
    assert refusals(street, CARTER) == {CAMPAIGN: Refusal.BUDGET_EXHAUSTED}
    assert refusals(street, VIEWER) == {}


def test_a_test_visitor_is_served_as_a_member_and_charged_nothing(street: Street) -> None:
    open_rated(street)
    tester = msgspec.structs.replace(CARTER, test=True)
    live_through(street, street.token(tester), tester)
    assert charges(street) == []
