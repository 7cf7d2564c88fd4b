"""What an ad is expected to earn: its rate, weighed with how often ads are seen, clicked and bought by."""

from adserver.domain.campaign import Campaign
from adserver.domain.pricing import PER_THOUSAND, AdEvent, PricingModel, rate_of
from adserver.domain.ranking import Odds
from adserver.domain.rates import Rates


def ecpm_micros(campaign: Campaign, rates: Rates, audience_key: int = 0) -> float:
    """Expected revenue of a thousand impressions, from the audience's rate and shrunken figures.

    CPM: the rate. vCPM: pView x rate. CPC: 1000 x pCTR x rate. CPA: 1000 x pCTR x pCVR x rate, with the
    rate cap standing for a basket's share. Each p is a Beta posterior's mean.
    """
    stake = stake_micros(campaign, audience_key)
    match campaign.terms.pricing_model:
        case PricingModel.CPM:
            return stake
        case PricingModel.VCPM:
            return rates.view.mean * stake
        case PricingModel.CPC:
            return rates.click.mean * stake
        case PricingModel.CPA:
            return rates.click.mean * rates.order.mean * stake


def stake_micros(campaign: Campaign, audience_key: int = 0) -> float:
    """What a thousand impressions would earn if each led to the billed event."""
    terms, rate = campaign.terms, rate_of(campaign.terms, audience_key)
    if terms.pricing_model in PER_THOUSAND:
        return float(rate)
    if terms.basket_bps and terms.max_charge_micros:
        rate = terms.max_charge_micros
    return 1000.0 * rate


def odds_of(model: PricingModel, seed: int, rates: Rates) -> Odds:
    """By which a campaign's creatives are ranked, and its worth where it pays for what they lead to."""
    return Odds(seed, rates.click, rates.order) if model is PricingModel.CPA else Odds(seed, rates.click)


def chance_of(event: AdEvent, rates: Rates) -> float:
    """How likely one served ad leads to `event`: what its price is weighed with while it is under way."""
    if event is AdEvent.VIEWABLE_IMPRESSION:
        return rates.view.mean
    if event is AdEvent.CLICK:
        return rates.click.mean
    if event is AdEvent.CONVERSION:
        return rates.click.mean * rates.order.mean
    return 1.0
