"""What an ad is expected to earn: rates weighed with how often ads are clicked and clicks lead to orders."""

from adserver.domain.campaign import Campaign
from adserver.domain.pricing import PER_THOUSAND, AdEvent, PricingModel, rate_of
from adserver.domain.snapshot import Rates

# Beliefs before a campaign has figures of its own, each worth so many trials.
EXPECTED_CTR, CTR_TRIALS = 0.005, 200.0
EXPECTED_CVR, CVR_TRIALS = 0.02, 50.0


def ecpm_micros(campaign: Campaign, rates: Rates, audience_key: int = 0) -> float:
    """Expected revenue of a thousand impressions, from the audience's rate and shrunken figures.

    CPM: the rate. CPC: 1000 x pCTR x rate. CPA: 1000 x pCTR x pCVR x rate, with the rate cap standing
    for a basket's share. pCTR and pCVR are Beta posterior means.
    """
    terms, rate = campaign.terms, rate_of(campaign.terms, audience_key)
    if terms.pricing_model in PER_THOUSAND:
        return float(rate)
    if terms.basket_bps and terms.max_charge_micros:
        rate = terms.max_charge_micros
    if terms.pricing_model is PricingModel.CPC:
        return 1000 * click_rate(rates) * rate
    return 1000 * click_rate(rates) * conversion_rate(rates) * rate


def click_rate(rates: Rates) -> float:
    return (rates.clicks + EXPECTED_CTR * CTR_TRIALS) / (rates.impressions + CTR_TRIALS)


def conversion_rate(rates: Rates) -> float:
    return (rates.conversions + EXPECTED_CVR * CVR_TRIALS) / (rates.clicks + CVR_TRIALS)


def chance_of(event: AdEvent, rates: Rates) -> float:
    """How likely one served ad leads to `event`: what its price is weighed with while it is under way."""
    if event is AdEvent.CLICK:
        return click_rate(rates)
    if event is AdEvent.CONVERSION:
        return click_rate(rates) * conversion_rate(rates)
    return 1.0
