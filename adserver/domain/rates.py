"""How often ads are seen, clicked and followed by orders: shrunken figures, backed off level by level."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

LEAST_SPREAD, MOST_SPREAD = 20.0, 400.0  # trials: a belief stronger than the latter would end exploration
SIBLINGS = 10.0  # how many of them the usual spread weighs as much as


class Belief(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Beta distribution of a rate: its mean, and as many trials as the knowledge weighs."""

    mean: float
    trials: float

    def after(self, hits: float, trials: float) -> "Belief":
        """What is believed once `trials` were seen, of which `hits` were successes."""
        known = self.trials + trials
        return Belief((hits + self.mean * self.trials) / known, known)

    def of_one(self, spread: float) -> "Belief":
        """What is believed of one of many that differ as if each had `spread` trials: variances add up."""
        return Belief(self.mean, 1.0 / (1.0 / spread + 1.0 / self.trials))


class Prior(NamedTuple):
    """What is believed before figures of its own: of views and clicks per impression, of orders per click."""

    click: Belief
    order: Belief
    view: Belief


PRIOR = Prior(Belief(0.005, 200.0), Belief(0.02, 50.0), Belief(0.7, 20.0))


class Rates(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What ads of a campaign or creative led to so far, and what was believed before.

    `ripe_clicks` counts each click by the share of its orders that will have come by now; all where None.
    """

    impressions: int = 0
    clicks: int = 0
    conversions: int = 0
    views: int = 0
    ripe_clicks: float | None = None
    prior: Prior = PRIOR

    @property
    def click(self) -> Belief:
        return self.prior.click.after(self.clicks, self.impressions)

    @property
    def order(self) -> Belief:
        return self.prior.order.after(self.conversions, self.ripe)

    @property
    def view(self) -> Belief:
        return self.prior.view.after(self.views, self.impressions)

    @property
    def ripe(self) -> float:
        return float(self.clicks) if self.ripe_clicks is None else self.ripe_clicks

    def believing(self, prior: Prior) -> "Rates":
        return Rates(self.impressions, self.clicks, self.conversions, self.views, self.ripe_clicks, prior)


NO_FIGURES = Rates()


class Trials(NamedTuple):
    """Successes and trials of each of the three rates."""

    click: tuple[float, float] = (0.0, 0.0)
    order: tuple[float, float] = (0.0, 0.0)
    view: tuple[float, float] = (0.0, 0.0)


class Spread(NamedTuple):
    """How much siblings differ, in trials: the more, the more alike they are."""

    click: float
    order: float
    view: float


class Network(msgspec.Struct, frozen=True, gc=False):
    """What is learnt of everybody's ads: what to believe of an unheard-of advertiser, and of its campaigns.

    A campaign of an unheard-of advertiser is believed to be as PRIOR says where nothing was learnt.
    """

    advertiser: Prior = Prior(Belief(0.005, 400.0), Belief(0.02, 100.0), Belief(0.7, 40.0))
    campaign: Spread = Spread(400.0, 100.0, 40.0)
    creative: Spread = Spread(200.0, 50.0, 40.0)


NETWORK_UNKNOWN = Network()


def trials_of(rates: Rates) -> Trials:
    return Trials(
        (rates.clicks, rates.impressions), (rates.conversions, rates.ripe), (rates.views, rates.impressions)
    )


def total(all_trials: Iterable[Trials]) -> Trials:
    """Their sums."""
    sums = [0.0] * 6
    for one in all_trials:
        for place, number in enumerate((*one.click, *one.order, *one.view)):
            sums[place] += number
    return Trials((sums[0], sums[1]), (sums[2], sums[3]), (sums[4], sums[5]))


def spread_of(siblings: Iterable[tuple[float, float]], usual: float) -> float:
    """How much siblings' rates differ, by moments, each given as its successes and trials.

    The variance that they show, less what chance alone makes of so few trials; `usual` is believed as if
    SIBLINGS more had shown it: many decide, a few do not.
    """
    seen = [(hits, trials) for hits, trials in siblings if trials > 0]
    trials = sum(one for _, one in seen)
    hits = sum(min(one, of) for one, of in seen)
    mean = hits / trials if trials else 0.0
    count, chance = len(seen), mean * (1.0 - mean)
    if trials <= count or not chance > 0.0:  # too small a rate to be told from none, too
        return usual
    squares = sum(of * (min(one, of) / of - mean) ** 2 for one, of in seen) / trials
    shown = max(0.0, (squares - chance * count / trials) / (1.0 - count / trials))
    variance_by_chance = (count * (shown / chance) + SIBLINGS / (usual + 1.0)) / (count + SIBLINGS)
    return min(MOST_SPREAD, max(LEAST_SPREAD, 1.0 / variance_by_chance - 1.0))


def learn(advertisers: Mapping[int, Sequence[Trials]]) -> Network:
    """What the network's figures say; `advertisers` holds the figures of each one's campaigns."""
    owners = [total(campaigns) for campaigns in advertisers.values()]
    campaigns = [one for group in advertisers.values() for one in group]
    everything, usual = total(owners), NETWORK_UNKNOWN
    beliefs, spreads = [], []
    for place in range(3):
        known = usual.advertiser[place]
        spreads.append(spread_of([one[place] for one in campaigns], usual.campaign[place]))
        spread = spread_of([one[place] for one in owners], known.trials)
        beliefs.append(Belief(known.after(*everything[place]).mean, spread))
    return Network(Prior(*beliefs), Spread(*spreads))


def informed(
    network: Network,
    figures: Mapping[int, Rates],
    creatives_of: Mapping[int, Sequence[int]],
    campaign_keys: Collection[int],
) -> dict[int, Rates]:
    """The rates of some of an advertiser's campaigns and of their creatives, with what all of them teach.

    A campaign's only creative is the campaign, and an only campaign teaches itself nothing: that would count
    its figures twice.
    """
    known = [trials_of(figures[key]) for key in campaign_keys if key in figures]
    spread = Spread(*(spread_of([one[at] for one in known], network.campaign[at]) for at in range(3)))
    prior = _prior(network.advertiser, total(known) if len(campaign_keys) > 1 else Trials(), spread)
    found: dict[int, Rates] = {}
    for key, creative_keys in creatives_of.items():
        rates = found[key] = figures.get(key, NO_FIGURES).believing(prior)
        if len(creative_keys) == 1:
            found[creative_keys[0]] = rates
        elif creative_keys:
            taught = _prior(prior, trials_of(rates), network.creative)
            found |= {one: figures.get(one, NO_FIGURES).believing(taught) for one in creative_keys}
    return found


def _prior(parent: Prior, siblings: Trials, spread: Spread) -> Prior:
    """What is believed of one child, from what is believed of its parent and what all siblings led to."""
    return Prior(
        parent.click.after(*siblings.click).of_one(spread.click),
        parent.order.after(*siblings.order).of_one(spread.order),
        parent.view.after(*siblings.view).of_one(spread.view),
    )
