"""A campaign made ready to be judged: all of it that neither the visitor nor the moment changes."""

from collections.abc import Sequence

import msgspec

from adserver.domain.campaign import Campaign, Creative, Pacing, Status, creatives_for
from adserver.domain.money import Micros
from adserver.domain.pricing import CONTEXTUAL, PricingModel, smallest_price
from adserver.domain.snapshot import NO_FIGURES, Rates, Snapshot
from adserver.domain.tally import NETWORK
from adserver.domain.worth import ecpm_micros

MESSAGE = "message"  # the template that shows the advertiser's own words, for services
MOST_KEPT = 100_000  # contenders, of a quarter of a kilobyte each
FOREVER_MS = 2**63


class Bid(msgspec.Struct, frozen=True):
    """What a campaign offers for an audience's members, and what they may see: `cards` need products."""

    audience_key: int
    ecpm_micros: float
    price: Micros  # the least that one ad may cost
    creatives: tuple[Creative, ...]
    cards: tuple[Creative, ...]
    messages: tuple[Creative, ...]


class Contender(msgspec.Struct, frozen=True):
    """A campaign with its creatives and figures, and what follows of them.

    Before `from_ms` and from `until_ms` on, the campaign itself stands against every request: it is always
    so where the two are the same. `page_bid` is for whoever sees it for the page alone.
    """

    campaign: Campaign
    creatives: tuple[Creative, ...]
    rates: Rates
    from_ms: int
    until_ms: int
    needs_script: bool
    is_paced: bool
    own_bid: Bid
    page_bid: Bid | None
    audience_bids: dict[int, Bid] | None  # of the audiences that its terms name

    def bid(self, audience_key: int) -> Bid:
        return self.audience_bids[audience_key] if self.audience_bids else self.own_bid


def contender_of(campaign: Campaign, creatives: Sequence[Creative], rates: Rates) -> Contender:
    """The campaign made ready; `decide` judges it as if it were reckoned anew each time."""
    runs = campaign.status is Status.ACTIVE and bool(creatives)
    audiences = [named.audience_key for named in campaign.terms.audience_rates]
    messages = [creative for creative in creatives if creative.template == MESSAGE]
    return Contender(
        campaign,
        tuple(creatives),
        rates,
        (campaign.starts_at_ms or 0) if runs else 0,
        0 if not runs else FOREVER_MS if campaign.ends_at_ms is None else campaign.ends_at_ms,
        campaign.terms.pricing_model is PricingModel.VCPM,
        campaign.pacing is Pacing.EVEN,
        _bid(campaign, 0, creatives_for(campaign, 0, list(creatives)), rates),
        _bid(campaign, CONTEXTUAL, messages, rates) if campaign.contextual else None,
        {key: _bid(campaign, key, creatives_for(campaign, key, list(creatives)), rates) for key in audiences}
        or None,
    )


def _bid(campaign: Campaign, audience_key: int, creatives: list[Creative], rates: Rates) -> Bid:
    seen = tuple(creatives)
    cards = tuple(creative for creative in creatives if creative.template != MESSAGE)
    messages = tuple(creative for creative in creatives if creative.template == MESSAGE)
    return Bid(
        audience_key,
        ecpm_micros(campaign, rates, audience_key),
        smallest_price(campaign.terms, audience_key),
        seen,
        seen if cards == seen else cards,
        seen if messages == seen else messages,
    )


class _LineUp(msgspec.Struct, frozen=True):
    """The contenders of one owner, and the state of the snapshot that they were made of."""

    change: int
    rates: dict[int, Rates]
    contenders: list[Contender]


class Contenders:
    """The snapshot's live campaigns, each made ready when first asked for and when it has changed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._line_ups: dict[int, _LineUp] = {}
        self._kept = 0

    def of_shop(self, advertiser_key: int) -> list[Contender]:
        """Those of an advertiser; the list is not the caller's to change."""
        return self._of(advertiser_key)

    def contextual(self) -> list[Contender]:
        """Those of any advertiser that may be shown for the page alone."""
        return self._of(NETWORK)

    def _of(self, owner_key: int) -> list[Contender]:
        """As the snapshot is now. What it is compared by was read first: a change meanwhile is not lost."""
        change, rates = self._snapshot.change_of(owner_key), self._snapshot.rates
        known = self._line_ups.get(owner_key)
        if known is not None and known.change == change and known.rates is rates:
            return known.contenders
        return self._keep(owner_key, _LineUp(change, rates, self._made(owner_key, rates)))

    def _made(self, owner_key: int, rates: dict[int, Rates]) -> list[Contender]:
        snapshot = self._snapshot
        if owner_key == NETWORK:
            campaigns = snapshot.contextual_campaigns()
        else:
            campaigns = snapshot.live_campaigns(owner_key)
        return [
            contender_of(campaign, snapshot.creatives_of(campaign.key), rates.get(campaign.key, NO_FIGURES))
            for campaign in campaigns
        ]

    def _keep(self, owner_key: int, line_up: _LineUp) -> list[Contender]:
        """The newest; those kept longest leave where there are too many."""
        before = self._line_ups.pop(owner_key, None)
        self._kept += len(line_up.contenders) - (len(before.contenders) if before else 0)
        self._line_ups[owner_key] = line_up
        while self._kept > MOST_KEPT and len(self._line_ups) > 1:
            oldest = next(iter(self._line_ups))
            self._kept -= len(self._line_ups.pop(oldest).contenders)
        return line_up.contenders
