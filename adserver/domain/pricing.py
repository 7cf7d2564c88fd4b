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

PER_THOUSAND = (PricingModel.CPM, PricingModel.VCPM)

CONVERSION_EVENTS = frozenset(
    {EventName.PURCHASE, EventName.GENERATE_LEAD, EventName.SIGN_UP, EventName.FORM_SUBMIT}
)


class AudienceRate(msgspec.Struct, frozen=True, gc=False):
    """What a campaign pays for the members of an audience; `rate_micros` None: the campaign's own rate."""

    audience_key: int
    rate_micros: Micros | None = None


CONTEXTUAL = 2**63 - 1  # stands for an audience where an ad is shown for its page; no key is minted so large


class AudienceNotInTerms(LookupError):
    """An event is to be priced for an audience that its terms do not name."""


class ProductMatch(StrEnum):
    """Which orders a campaign pays for: of anything, or only of the advertised product."""

    ANY = "any"
    SAME_ITEM = "same_item"
    SAME_GROUP = "same_group"  # it, or another of its item group


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a campaign version promises to pay, and for what; copied onto the version, never edited.

    With `audience_rates`, members of those audiences are served; of the rest only who sees it for the page.
    """

    pricing_model: PricingModel
    currency: str
    rate_micros: Micros
    basket_bps: int = 0
    max_charge_micros: Micros | None = None
    conversion_event: EventName = EventName.PURCHASE
    click_window_days: int = 30
    view_window_days: int = 1
    bill_post_view: bool = False
    product_match: ProductMatch = ProductMatch.ANY
    audience_rates: tuple[AudienceRate, ...] = ()


def rate_of(terms: Terms, audience_key: int = 0) -> Micros:
    """The rate for an audience's members, the campaign's own for 0 or CONTEXTUAL; else AudienceNotInTerms."""
    if audience_key in (0, CONTEXTUAL):
        return terms.rate_micros
    for named in terms.audience_rates:
        if named.audience_key == audience_key:
            return rate_named(terms, named)
    raise AudienceNotInTerms(audience_key)


def rate_named(terms: Terms, named: AudienceRate) -> Micros:
    """What one of the terms' audiences costs."""
    return terms.rate_micros if named.rate_micros is None else named.rate_micros


def price_of(event: AdEvent, terms: Terms, basket: Micros = ZERO, audience_key: int = 0) -> Micros:
    """Whole micros owed for `event` under `terms`; zero where the model bills another event.

    A CPM is accepted only in multiples of 1,000 micros, so one impression's price is exact.
    `basket` is the order's value without tax and shipping, in the campaign's currency. `audience_key` is
    whose rate it is; AudienceNotInTerms where a billed event names one that the terms do not.
    """
    if BILLED_EVENT[terms.pricing_model] is not event:
        return ZERO
    rate = rate_of(terms, audience_key)
    if terms.pricing_model in PER_THOUSAND:
        return Micros(rate // 1000)
    if terms.basket_bps:
        share = basis_points_of(basket, terms.basket_bps)
        return share if terms.max_charge_micros is None else min(share, terms.max_charge_micros)
    return rate


def price_after_returns(
    terms: Terms, basket: Micros | None, returned: Micros | None, audience_key: int = 0
) -> Micros:
    """What a conversion still costs when goods of this value went back; None: all of them.

    A fixed price is owed until the whole order is gone.
    """
    if returned is None or (basket is not None and returned >= basket):
        return ZERO
    kept = ZERO if basket is None else Micros(basket - returned)
    return price_of(AdEvent.CONVERSION, terms, kept, audience_key)


def smallest_price(terms: Terms, audience_key: int = 0) -> Micros:
    """The least that the billed event can cost for an audience: what a budget must hold for one more ad."""
    if terms.basket_bps:
        return Micros(1)
    rate = rate_of(terms, audience_key)
    return Micros(rate // 1000) if terms.pricing_model in PER_THOUSAND else rate


def cheapest_price(terms: Terms, *, contextual: bool = False) -> Micros:
    """The least that an ad can cost for anyone: with less than this left, nobody is served."""
    keys = [named.audience_key for named in terms.audience_rates]
    if contextual or not keys:
        keys.append(CONTEXTUAL)
    return min(smallest_price(terms, key) for key in keys)
