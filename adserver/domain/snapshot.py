"""Everything a worker knows of live campaigns and slots, indexed for the decision."""

from collections.abc import Iterable
from typing import Any

import msgspec

from adserver.domain.audience import Audience
from adserver.domain.audience_size import AudienceSize
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId
from adserver.domain.campaign import PERIOD_MS, Advertiser, Campaign, Creative, Pacing, Period, Status
from adserver.domain.catalogue import CatalogueChanged, Product
from adserver.domain.experiment import Experiment
from adserver.domain.membership import Memberships
from adserver.domain.offer import OfferPool, Pools
from adserver.domain.pricing import Terms
from adserver.domain.product_set import Members, ProductSet
from adserver.domain.rates import NETWORK_UNKNOWN, Network, Rates, informed
from adserver.domain.rooms import Rooms
from adserver.domain.shelf import Shelf
from adserver.domain.shop_learning import Learnt
from adserver.domain.sightings import Ad
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.suppression import SuppressionList
from adserver.domain.tally import NETWORK
from adserver.domain.traffic import Traffic

Entity = (
    Advertiser
    | Audience
    | Campaign
    | CatalogueChanged
    | Creative
    | Experiment
    | OfferPool
    | ProductSet
    | Publisher
    | Site
    | Slot
    | SuppressionList
)


class Snapshot:
    """One worker's picture of the accounts; `put` keeps it up with the change log, entity by entity."""

    def __init__(self) -> None:
        self.advertisers: dict[int, Advertiser] = {}
        self.advertiser_keys: dict[str, int] = {}  # by public id
        self.audiences: dict[int, Audience] = {}
        self.memberships = Memberships(self.audiences)
        self.campaigns: dict[int, Campaign] = {}
        self.creatives: dict[int, Creative] = {}
        self.publishers: dict[int, Publisher] = {}
        self.sites: dict[int, Site] = {}
        self.slots: dict[int, Slot] = {}
        self.buckets: dict[BucketId, Bucket] = {}
        self.audience_sizes: dict[int, AudienceSize] = {}  # by audience
        self.rates: dict[int, Rates] = {}  # figures of campaigns and creatives
        self.network: Network = NETWORK_UNKNOWN
        self.traffic: dict[int, Traffic] = {}  # of campaigns whose day is paced
        self._experiments: dict[int, dict[int, Experiment]] = {}  # by campaign, then its own key
        self.old_terms: dict[tuple[int, int], Terms] = {}
        self._contextual: dict[int, Campaign] = {}  # those of the live that may be shown for the page
        self._paced: dict[int, Campaign] = {}  # those of the live that spread a daily budget over its day
        self._owned: dict[int, set[int]] = {}  # all campaigns there ever were, by advertiser
        self._live: dict[int, dict[int, Campaign]] = {}  # by advertiser, then campaign
        self._suppressions: dict[int, dict[int, SuppressionList]] = {}  # by advertiser, then list
        self._creatives_of: dict[int, tuple[Creative, ...]] = {}  # by campaign
        self._changes: dict[int, int] = {}
        self.rooms = Rooms()
        self.shelf = Shelf[Product]()
        self.learnt = Shelf[Learnt]()
        self.members = Members()
        self.pools = Pools()
        self._by_kind: dict[type, dict[int, Any]] = {
            Publisher: self.publishers, Site: self.sites, Slot: self.slots,
        }  # fmt: skip

    def put(self, entity: Entity) -> None:
        """Take the newest state of an entity."""
        match entity:
            case Advertiser():
                moved = self.timezone_of(entity.key) != entity.timezone
                self.advertisers[entity.key] = entity
                if moved:  # its campaigns' hours are others now
                    self._note_changes(entity.key, NETWORK)
                self.advertiser_keys[entity.public_id] = entity.key
                self.rooms.forget(entity.key)
                self.shelf.forget(entity.key)  # what is struck through is said of its country
                self._note_changes(entity.key, NETWORK)  # its campaigns owe visitors what it says
            case Campaign():
                self._put_campaign(entity)
            case CatalogueChanged():
                self.shelf.forget(entity.advertiser_key)
                self.learnt.forget(entity.advertiser_key)
            case Creative():
                self._put_creative(entity)
            case SuppressionList():
                self._suppressions.setdefault(entity.advertiser_key, {})[entity.key] = entity
                self._note_changes(entity.advertiser_key, NETWORK)
            case OfferPool():
                for creative in self.pools.put(entity):
                    self._put_creative(creative)
            case _:
                self._put_alone(entity)

    def _put_alone(self, entity: Audience | ProductSet | Experiment | Publisher | Site | Slot) -> None:
        """What nothing else here is made of, or makes itself anew."""
        match entity:
            case ProductSet():
                self.members.put(entity)
            case Experiment():
                self._put_experiment(entity)
            case Audience():
                if self.audiences.get(entity.key) != entity:
                    self.audience_sizes.pop(entity.key, None)  # so many it held before
                self.audiences[entity.key] = entity
            case _:
                self._by_kind[type(entity)][entity.key] = entity

    def put_buckets(self, buckets: Iterable[tuple[BucketId, Bucket]]) -> None:
        """Take balances as the ledger last told them."""
        for bucket_id, bucket in buckets:
            self.buckets[bucket_id] = bucket
            campaign = self.campaigns.get(bucket_id.owner_key)
            self.rooms.lower(bucket_id.owner_key if campaign is None else campaign.advertiser_key, bucket)

    def drop_days_before(self, day: int) -> None:
        """Keep no balances of the days before; another thread may be taking new ones meanwhile."""
        for bucket_id in list(self.buckets):
            if WHOLE_LIFE < bucket_id.day < day:
                self.buckets.pop(bucket_id, None)

    def change_of(self, owner_key: int) -> int:
        """Another number whenever a campaign, a creative or figures of an advertiser have changed, or for
        NETWORK a contextual campaign of any, or anybody's figures."""
        return self._changes.get(owner_key, 0)

    def live_campaigns(self, advertiser_key: int) -> list[Campaign]:
        """The advertiser's campaigns that are neither draft nor ended; paused ones can say so.

        A copy, as all lists here: another thread may `put` meanwhile.
        """
        return list(self._live.get(advertiser_key, {}).values())

    def suppressions_of(self, campaign: Campaign) -> frozenset[int]:
        """The lists of those who are never shown the campaign."""
        lists = list(self._suppressions.get(campaign.advertiser_key, {}).values())
        return frozenset([one.key for one in lists if one.holds_for(campaign.key)])

    @property
    def has_contextual(self) -> bool:
        return bool(self._contextual)

    def contextual_campaigns(self) -> list[Campaign]:
        """Live campaigns of any advertiser that may be shown for the page alone."""
        return list(self._contextual.values())

    def paced_campaigns(self) -> list[Campaign]:
        """Live campaigns that spread a daily budget over its day."""
        return list(self._paced.values())

    def creatives_of(self, campaign_key: int) -> list[Creative]:
        return list(self._creatives_of.get(campaign_key, ()))

    def experiments_of(self, campaign_key: int) -> list[Experiment]:
        """Those that are under way or yet to come, and those that have ended."""
        return list(self._experiments.get(campaign_key, {}).values())

    def ad_of(self, key: int) -> Ad:
        """Whose ad a creative is; of a campaign's own key, which of it was shown is not known."""
        creative = self.creatives.get(key)
        campaign = self.campaigns.get(key if creative is None else creative.campaign_key)
        if campaign is None:
            return Ad(key)
        return Ad(campaign.key, 0 if creative is None else key, campaign.advertiser_key)

    def counted_for_ms(self, key: int) -> int:
        """For how long an ad that was shown counts: the longest period of the caps it counts for."""
        ad = self.ad_of(key)
        known = (
            self.creatives.get(ad.creative_key),
            self.campaigns.get(ad.campaign_key),
            self.advertisers.get(ad.advertiser_key),
        )
        caps = [one.frequency_cap for one in known if one is not None and one.frequency_cap is not None]
        return max([PERIOD_MS[Period.DAY], *(PERIOD_MS[cap.per] for cap in caps)])

    def timezone_of(self, advertiser_key: int) -> str:
        """In which an advertiser's days and hours are counted."""
        advertiser = self.advertisers.get(advertiser_key)
        return "UTC" if advertiser is None else advertiser.timezone

    def advertiser_of(self, owner_key: int) -> int:
        """Whose a campaign or creative is; 0 where that is not known."""
        creative = self.creatives.get(owner_key)
        campaign = self.campaigns.get(owner_key if creative is None else creative.campaign_key)
        return 0 if campaign is None else campaign.advertiser_key

    def believed(self, advertiser_key: int) -> dict[int, Rates]:
        """The figures of an advertiser's live campaigns and creatives, with what they teach each other."""
        live = list(self._live.get(advertiser_key, ()))
        creatives_of = {key: [one.key for one in self._creatives_of.get(key, ())] for key in live}
        taught = list(self._owned.get(advertiser_key, ()))  # a campaign that has ended teaches too
        return informed(self.network, self.rates, creatives_of, taught)

    def believed_of(self, campaign: Campaign) -> Rates:
        """The same of one campaign, which may be a draft, or not be saved at all."""
        taught = {*self._owned.get(campaign.advertiser_key, ()), campaign.key}
        return informed(self.network, self.rates, {campaign.key: ()}, taught)[campaign.key]

    def put_rates(self, rates: dict[int, Rates], network: Network, changed: Iterable[int]) -> None:
        """All figures, of which those of `changed` differ from before; `network` is another where all may.

        That comes last: whoever sees the new one sees the figures it was learnt of.
        """
        self.rates = rates
        owners = {self.advertiser_of(key) for key in changed}
        if owners:
            self._note_changes(*owners | {NETWORK})
        self.network = network

    def terms(self, campaign_key: int, version: int) -> Terms | None:
        """The terms of a campaign's version, if this worker has seen it."""
        campaign = self.campaigns.get(campaign_key)
        if campaign is not None and campaign.version == version:
            return campaign.terms
        return self.old_terms.get((campaign_key, version))

    def _put_campaign(self, campaign: Campaign) -> None:
        known = self.campaigns.get(campaign.key)
        if known is not None and known.version != campaign.version:
            self.old_terms[known.key, known.version] = known.terms
        self.campaigns[campaign.key] = campaign
        self._owned.setdefault(campaign.advertiser_key, set()).add(campaign.key)
        is_live = campaign.status in (Status.ACTIVE, Status.PAUSED)
        is_paced = campaign.pacing is Pacing.EVEN and campaign.daily_budget_micros is not None
        live = self._live.setdefault(campaign.advertiser_key, {})
        for index, belongs in (
            (live, True), (self._contextual, campaign.contextual), (self._paced, is_paced),
        ):  # fmt: skip
            if is_live and belongs:
                index[campaign.key] = campaign
            else:
                index.pop(campaign.key, None)
        self.rooms.forget(campaign.advertiser_key)
        self._note_change(campaign, is_contextual=campaign.contextual or bool(known and known.contextual))

    def _put_experiment(self, experiment: Experiment) -> None:
        known = self._experiments.get(experiment.campaign_key, {})
        self._experiments[experiment.campaign_key] = known | {experiment.key: experiment}
        campaign = self.campaigns.get(experiment.campaign_key)
        if campaign is not None:
            self._note_change(campaign, is_contextual=campaign.contextual)

    def _put_creative(self, made: Creative) -> None:
        if made.reviews:  # many words that no decision asks for
            made = msgspec.structs.replace(made, reviews=())
        creative = self.pools.shown(made)
        self.creatives[creative.key] = creative
        known = self._creatives_of.get(creative.campaign_key, ())
        self._creatives_of[creative.campaign_key] = _with(known, creative)
        campaign = self.campaigns.get(creative.campaign_key)
        if campaign is not None:
            self._note_change(campaign, is_contextual=campaign.contextual)

    def _note_change(self, campaign: Campaign, *, is_contextual: bool) -> None:
        """Last of all: whoever sees the new number sees what has changed."""
        self._note_changes(*(campaign.advertiser_key, NETWORK)[: 1 + is_contextual])

    def _note_changes(self, *owner_keys: int) -> None:
        for owner_key in owner_keys:
            self._changes[owner_key] = self._changes.get(owner_key, 0) + 1


def _with(known: tuple[Creative, ...], changed: Creative) -> tuple[Creative, ...]:
    """A creative in the place of its former state, or behind the others."""
    if all(creative.key != changed.key for creative in known):
        return (*known, changed)
    return tuple(changed if creative.key == changed.key else creative for creative in known)
