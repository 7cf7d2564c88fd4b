"""What one ad event costs the advertiser under each pricing model."""

from enum import IntEnum, StrEnum

import msgspec

from adserver.domain.money import ZERO, Micros, basis_points_of
from pixel.events import EventName


class AdEvent(IntEnum):
    """What may happen to a delivered ad; the value is the last two bits of a charge's id."""

    IMPRESSION = 0  # began to render, or the image's bytes were sent
    VIEWABLE_IMPRESSION = 1  # MRC: half the pixels for one second
    CLICK = 2
    CONVERSION = 3


class PricingModel(StrEnum):
    CPM = "cpm"  # per thousand impressions that began to render
    VCPM = "vcpm"  # per thousand viewable impressions
    CPC = "cpc"  # per first valid click of an impression
    CPA = "cpa"  # per conversion credited to the campaign


BILLED_EVENT = {
    PricingModel.CPM: AdEvent.IMPRESSION,
    PricingModel.VCPM: AdEvent.VIEWABLE_IMPRESSION,
    PricingModel.CPC: AdEvent.CLICK,
    PricingModel.CPA: AdEvent.CONVERSION,
}

CONVERSION_EVENTS = frozenset(
    {EventName.PURCHASE, EventName.GENERATE_LEAD, EventName.SIGN_UP, EventName.FORM_SUBMIT}
)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign version promises to pay, and for what; copied onto the version, never edited."""

    pricing_model: PricingModel
    currency: str
    rate_micros: Micros
    basket_bps: int = 0
    max_charge_micros: Micros | None = None
    conversion_event: EventName = EventName.PURCHASE
    click_window_days: int = 30
    view_window_days: int = 1
    bill_post_view: bool = False


def price_of(event: AdEvent, terms: Terms, basket: Micros = ZERO) -> Micros:
    """Whole micros owed for `event` under `terms`; zero where the model bills another event.

    A CPM is accepted only in multiples of 1,000 micros, so one impression's price is exact.
    `basket` is the order's value without tax and shipping, in the campaign's currency.
    """
    if BILLED_EVENT[terms.pricing_model] is not event:
        return ZERO
    if terms.pricing_model in (PricingModel.CPM, PricingModel.VCPM):
        return Micros(terms.rate_micros // 1000)
    if terms.basket_bps:
        share = basis_points_of(basket, terms.basket_bps)
        return share if terms.max_charge_micros is None else min(share, terms.max_charge_micros)
    return terms.rate_micros


def smallest_price(terms: Terms) -> Micros:
    """The least that the billed event can cost: what must remain in a budget for one more ad."""
    if terms.basket_bps:
        return Micros(1)
    return price_of(BILLED_EVENT[terms.pricing_model], terms)
