"""How many clicks trying costs: a campaign's creatives of unknown rates, chosen by the server's own throws."""

from collections import Counter
from random import Random
from statistics import fmean, stdev

from adserver.domain.auction import favourite
from adserver.domain.contender import Setting, contender_of
from adserver.domain.pricing import PricingModel
from adserver.domain.ranking import THROWS
from adserver.domain.rates import NETWORK_UNKNOWN, Rates, informed
from tests.domain.makers import make_campaign, make_creative
from tests.eval.figures import Figure, Options

CREATIVES, BEST = 10, 0.008
IMPRESSIONS, REFRESHED_EVERY, SEEDS = 200_000, 500, 20
LEAST_SHARE = 0.93
CAMPAIGN = 1


def run(options: Options) -> list[Figure]:
    """Expected clicks as a share of always showing the best creative."""
    shares = [share_of_best(seed) for seed in range(SEEDS)]
    mean, error = fmean(shares), 1.96 * stdev(shares) / SEEDS**0.5
    name = "exploration"
    return [
        Figure(name, "share of always-best, mean of 20 seeds", mean, mean - error, mean + error, LEAST_SHARE),
        Figure(name, "share of always-best, worst of 20 seeds", min(shares)),
    ]


def share_of_best(seed: int) -> float:
    """One campaign: nine creatives of 0.4 to 0.6 %, one of 0.8 %; figures are as old as the last refresh."""
    dice = Random(seed)
    rates = [*(dice.uniform(0.004, 0.006) for _ in range(CREATIVES - 1)), BEST]
    dice.shuffle(rates)
    seen, clicks, expected = [0] * CREATIVES, [0] * CREATIVES, 0.0
    for _ in range(IMPRESSIONS // REFRESHED_EVERY):
        shown = shown_of(seen, clicks)
        throws = Counter(int(dice.random() * len(shown)) for _ in range(REFRESHED_EVERY))
        for throw, times in throws.items():
            creative = shown[throw]
            seen[creative] += times
            expected += times * rates[creative]
            clicks[creative] += sum(dice.random() < rates[creative] for _ in range(times))
    return expected / (IMPRESSIONS * BEST)


def shown_of(seen: list[int], clicks: list[int]) -> list[int]:
    """Which creative is shown in each of the throws, as the decision chooses it."""
    figures = {key: Rates(*both) for key, both in enumerate(zip(seen, clicks, strict=True), 100)}
    figures[CAMPAIGN] = Rates(sum(seen), sum(clicks))
    creatives = [make_creative(key=100 + number, campaign_key=CAMPAIGN) for number in range(CREATIVES)]
    keys = [creative.key for creative in creatives]
    believed = informed(NETWORK_UNKNOWN, figures, {CAMPAIGN: keys}, [CAMPAIGN])
    campaign = make_campaign(key=CAMPAIGN, pricing_model=PricingModel.CPC)
    contender = contender_of(campaign, creatives, believed[CAMPAIGN], setting=Setting(of_creatives=believed))
    return [favourite(contender, creatives, throw).key - 100 for throw in range(THROWS)]
