"""Campaigns and their creatives: what is ordered, how it looks, and how it stands."""

from collections.abc import Callable, Container, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from adserver.domain import approval
from adserver.domain import campaign as rules
from adserver.domain.budget import Bucket, buckets_of, local_day
from adserver.domain.campaign import Advertiser, Campaign, Creative, Refusal, Tier
from adserver.domain.delivery import Balances, Delivery, delivery
from adserver.domain.money import Micros
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.checks import sound_campaign, sound_creative
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why, until_settled

MEDIA = "/media/"
MOST_CREATIVES = 500  # of a campaign, looked at for one that is approved


class Standing(msgspec.Struct, frozen=True):
    """How a campaign stands: what was spent, what is reserved, and whether it is served."""

    delivery: Delivery
    spend_micros: Micros
    spend_today_micros: Micros
    pending_micros: Micros
    unbilled_at_cap: int


class ManageCampaigns:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def campaign(self, reach: Reach, key: int) -> Campaign | Refused:
        found = self._desk.campaigns.campaign(key)
        return found if found is not None and reach.advertiser(found.advertiser_key) else NOT_FOUND

    def campaigns(
        self, reach: Reach, advertiser_key: int | None, after: int, limit: int
    ) -> list[Campaign] | Refused:
        """The advertiser's campaigns; of all that the caller reaches where none is named."""
        read = self._desk.campaigns.campaigns
        return self._accounts.listed(reach, advertiser_key, lambda owner_key: read(owner_key, after, limit))

    def create(
        self,
        reach: Reach,
        advertiser_key: int,
        draft_for: Callable[[Advertiser], Campaign],
        receipt_of: ReceiptOf[Campaign] | None = None,
    ) -> Campaign | Refused:
        """Order a campaign; the draft is made for its advertiser, whose currency it may take over."""
        advertiser = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(advertiser, Refused):
            return advertiser
        campaign = self.ordered(reach, advertiser, draft_for(advertiser))
        if isinstance(campaign, Refused):
            return campaign
        return self._desk.create(
            campaign, receipt_of, today=local_day(campaign.created_at_ms, advertiser.timezone)
        )

    def ordered(
        self, reach: Reach, advertiser: Advertiser, draft: Campaign, new_audience_keys: Container[int] = ()
    ) -> Campaign | Refused:
        """The campaign as it would be saved, with audiences that are to be saved beside it."""
        ordered = sound_campaign(draft, advertiser)
        if isinstance(ordered, Why):
            return Refused(ordered)
        if ordered.tier is not Tier.STANDARD and not reach.is_operator:
            return Refused(Why.TIER_IS_OPERATORS)
        refusal = rules.check(ordered) or self._unknown_name(ordered, new_audience_keys)
        if refusal is not None:
            return Refused(refusal)
        return replace(
            ordered,
            key=self._desk.mint_key(),
            advertiser_key=advertiser.key,
            version=1,
            created_at_ms=self._desk.clock(),
        )

    def change(self, reach: Reach, key: int, edit: Callable[[Campaign], Campaign]) -> Campaign | Refused:
        return until_settled(lambda: self._change(reach, key, edit))

    def _change(self, reach: Reach, key: int, edit: Callable[[Campaign], Campaign]) -> Campaign | Refused:
        known = self.campaign(reach, key)
        if isinstance(known, Refused):
            return known
        advertiser = self._accounts.advertiser(reach, known.advertiser_key)
        if isinstance(advertiser, Refused):
            return advertiser
        wished = sound_campaign(edit(known), advertiser)
        if isinstance(wished, Why):
            return Refused(wished)
        if wished.tier is not known.tier and not reach.is_operator:
            return Refused(Why.TIER_IS_OPERATORS)
        changed = rules.apply(known, wished)
        if isinstance(changed, Refusal):
            return Refused(changed)
        unknown = self._unknown_name(changed)
        if unknown is not None:
            return Refused(unknown)
        return self._desk.replace(changed, today=local_day(self._desk.clock(), advertiser.timezone))

    def _unknown_name(self, campaign: Campaign, new_audience_keys: Container[int] = ()) -> Refusal | None:
        """What it names and is not there, or is another's, which is the same."""
        named = [one.audience_key for one in campaign.terms.audience_rates]
        audiences = filter(None, map(self._desk.audiences.audience, named))
        shown = {key for one in campaign.audience_creatives for key in one.creative_keys}
        creatives = filter(None, map(self._desk.campaigns.creative, shown))
        return rules.check_named(
            campaign,
            {one.key for one in audiences if one.advertiser_key == campaign.advertiser_key}
            | {key for key in named if key in new_audience_keys},
            {one.key for one in creatives if one.campaign_key == campaign.key},
            self._own_set(campaign),
        )

    def _own_set(self, campaign: Campaign) -> set[int]:
        key = campaign.product_set_key
        found = None if key is None else self._desk.product_sets.product_set(key)
        is_own = found is not None and found.advertiser_key == campaign.advertiser_key
        return {found.key} if found is not None and is_own else set()

    def standings(self, campaigns: Sequence[Campaign], made: Sequence[Creative] = ()) -> list[Standing]:
        """How each of the campaigns stands now, in their order; the balances are read in one go.

        `made` are creatives that are about to be saved.
        """
        now_ms = self._desk.clock()
        owners = {key: self._owner(key) for key in {campaign.advertiser_key for campaign in campaigns}}
        ids = [
            bucket_id
            for campaign in campaigns
            for bucket_id in buckets_of(
                campaign.key,
                campaign.advertiser_key,
                local_day(now_ms, owners[campaign.advertiser_key].timezone),
            )
        ]
        balances = self._desk.ledger.buckets(ids)
        deposited = self._desk.payments.deposited(list(owners))
        return [
            self._standing(
                campaign,
                owners[campaign.advertiser_key],
                deposited,
                balances[at : at + 4],
                [one for one in made if one.campaign_key == campaign.key],
            )
            for campaign, at in zip(campaigns, range(0, len(ids), 4), strict=True)
        ]

    def _owner(self, advertiser_key: int) -> Advertiser:
        owner = self._desk.accounts.advertiser(advertiser_key)
        assert owner is not None, "a campaign belongs to an advertiser"
        return owner

    def _standing(
        self,
        campaign: Campaign,
        owner: Advertiser,
        deposited: Mapping[int, Micros],
        balances: list[Bucket],
        made: list[Creative],
    ) -> Standing:
        total, day, owner_total, owner_day = balances
        creatives = made or self._desk.campaigns.creatives(campaign.key, 0, MOST_CREATIVES)
        now = Balances(
            _under(campaign.total_budget_micros, total),
            _under(campaign.daily_budget_micros, day),
            _under(owner.total_budget_micros, owner_total),
            _under(owner.daily_budget_micros, owner_day),
            _under(deposited[owner.key] if owner.prepaid else None, owner_total),
        )
        return Standing(
            delivery(campaign, now, creatives, self._desk.clock()),
            total.spent,
            day.spent,
            total.pending,
            self._desk.ledger.unbilled_at_cap(campaign.key),
        )

    def creative(self, reach: Reach, key: int) -> Creative | Refused:
        found = self._desk.campaigns.creative(key)
        if found is None or isinstance(self.campaign(reach, found.campaign_key), Refused):
            return NOT_FOUND
        return found

    def creatives(self, reach: Reach, campaign_key: int, after: int, limit: int) -> list[Creative] | Refused:
        owner = self.campaign(reach, campaign_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.campaigns.creatives(campaign_key, after, limit)

    def create_creative(
        self, reach: Reach, draft: Creative, receipt_of: ReceiptOf[Creative] | None = None
    ) -> Creative | Refused:
        campaign = self.campaign(reach, draft.campaign_key)
        drawn = campaign if isinstance(campaign, Refused) else self.drawn(reach, campaign, draft)
        return drawn if isinstance(drawn, Refused) else self._desk.create(drawn, receipt_of)

    def drawn(self, reach: Reach, campaign: Campaign, draft: Creative) -> Creative | Refused:
        """The creative as it would be saved for the campaign."""
        sound = self._sound_creative(campaign, replace(draft, campaign_key=campaign.key))
        if isinstance(sound, Refused):
            return sound
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return approval.made(replace(sound, key=key, version=1, created_at_ms=now_ms), self._by(reach))

    def change_creative(
        self, reach: Reach, key: int, edit: Callable[[Creative], Creative]
    ) -> Creative | Refused:
        return until_settled(lambda: self._change_creative(reach, key, edit))

    def _change_creative(
        self, reach: Reach, key: int, edit: Callable[[Creative], Creative]
    ) -> Creative | Refused:
        known = self.creative(reach, key)
        if isinstance(known, Refused):
            return known
        campaign = self.campaign(reach, known.campaign_key)
        if isinstance(campaign, Refused):
            return campaign
        wished = self._sound_creative(campaign, replace(edit(known), campaign_key=known.campaign_key), known)
        if isinstance(wished, Refused):
            return wished
        fixed = {"key": known.key, "version": known.version + 1, "created_at_ms": known.created_at_ms}
        return self._desk.replace(approval.changed(known, replace(wished, **fixed), self._by(reach)))

    def _by(self, reach: Reach) -> approval.Approving:
        """Whoever approves creatives need not wait for themselves."""
        automatic = reach.is_operator or self._desk.approves_all
        return approval.Approving(self._desk.clock(), reach.api_key, automatic)

    def _sound_creative(
        self, campaign: Campaign, creative: Creative, known: Creative | None = None
    ) -> Creative | Refused:
        if creative.pool_key is not None:
            pool = self._desk.offers.pool(creative.pool_key)
            if pool is None or pool.advertiser_key != campaign.advertiser_key:
                return Refused(Why.UNKNOWN_POOL)
        if not self._are_here(_pictures(creative) - _pictures(known)):
            return Refused(Why.UNKNOWN_PICTURE)
        sound = sound_creative(creative, self._owner(campaign.advertiser_key))
        return Refused(sound) if isinstance(sound, Why) else sound

    def _are_here(self, addresses: set[str]) -> bool:
        """Names are hashes, so whoever knows a picture could have its name approved and send it later."""
        return all(self._desk.media.get(address.removeprefix(MEDIA)) is not None for address in addresses)


def _pictures(creative: Creative | None) -> set[str]:
    """The addresses of the advertiser's own."""
    if creative is None:
        return set()
    named = (creative.brand.logo, creative.message.picture if creative.message else None)
    return {address for address in named if address is not None}


def _under(cap: Micros | None, bucket: Bucket) -> Bucket:
    """The balance under the cap of now; a day in which nothing was charged yet has no row."""
    return Bucket(cap, bucket.spent, bucket.pending)
