"""Counts of what ads led to become the figures that their rates are learnt from."""

from collections.abc import Callable, Iterable, Mapping

from adserver.domain.delays import NAMES, Delays
from adserver.domain.rates import NO_FIGURES, Network, Rates, learn, trials_of

CLICKS = "clicks"
COUNTED = ("impressions", CLICKS, "conversions", "viewable_impressions")
Sum = tuple[int, str, int]  # owner, name, how many
Clicked = tuple[int, int, int]  # owner, when on average, how many

DelaysOf = Callable[[int], Delays]  # of a campaign or creative


def rates_of(
    sums: Iterable[Sum], clicked: Iterable[Clicked], delays_of: DelaysOf, now_ms: int
) -> dict[int, Rates]:
    """By campaign and creative. A click counts by the share of its orders that has come by now."""
    counted: dict[int, dict[str, int]] = {}
    for owner_key, name, n in sums:
        counted.setdefault(owner_key, {})[name] = n
    ripe = dict.fromkeys(counted, 0.0)
    for owner_key, at_ms, n in clicked:
        ripe[owner_key] = ripe.get(owner_key, 0.0) + n * delays_of(owner_key).share_by(now_ms - at_ms)
    found = {}
    for owner_key, by_name in counted.items():
        impressions, clicks, conversions, views = [by_name.get(name, 0) for name in COUNTED]
        found[owner_key] = Rates(impressions, clicks, conversions, views, ripe[owner_key])
    return found


def added(settled: Mapping[int, Rates], fresh: Mapping[int, Rates]) -> dict[int, Rates]:
    """The figures of two periods together."""
    together = dict(settled)
    for key, rates in fresh.items():
        known = together.get(key)
        together[key] = rates if known is None else _sum(known, rates)
    return together


def _sum(one: Rates, other: Rates) -> Rates:
    return Rates(
        one.impressions + other.impressions,
        one.clicks + other.clicks,
        one.conversions + other.conversions,
        one.views + other.views,
        one.ripe + other.ripe,
    )


def delays_by_owner(sums: Iterable[Sum]) -> dict[int, Delays]:
    """Of each advertiser that had orders after clicks."""
    counted: dict[int, dict[str, int]] = {}
    for owner_key, name, n in sums:
        if name in NAMES:
            counted.setdefault(owner_key, {})[name] = n
    return {owner_key: Delays(by_name) for owner_key, by_name in counted.items()}


def network_of(figures: Mapping[int, Rates], advertisers: Mapping[int, int]) -> Network:
    """What all campaigns' figures teach; `advertisers` names each campaign's."""
    groups: dict[int, list[Rates]] = {}
    for campaign_key, advertiser_key in advertisers.items():
        rates = figures.get(campaign_key, NO_FIGURES)
        if rates is not NO_FIGURES:
            groups.setdefault(advertiser_key, []).append(rates)
    return learn({key: [trials_of(one) for one in group] for key, group in groups.items()})
