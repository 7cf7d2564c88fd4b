"""A campaign with its first creative, and audiences made for it: all of it, or nothing."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from adserver.domain.audience import Audience
from adserver.domain.budget import local_day
from adserver.domain.campaign import Advertiser, Campaign, Creative, Refusal
from adserver.domain.pricing import AudienceRate
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.audiences import ManageAudiences
from adserver.flows.manage.campaigns import ManageCampaigns
from adserver.flows.manage.desk import Desk, Reach, ReceiptOf, Refused
from adserver.writes import Receipt, Result, SaveEntity, Together


class Launch(msgspec.Struct, frozen=True):
    """What is wished for; `audiences` are new, and addressed besides those that the campaign names."""

    advertiser_key: int
    campaign_for: Callable[[Advertiser], Campaign]
    creative: Creative
    audiences: Sequence[Audience] = ()


class Launched(msgspec.Struct, frozen=True):
    campaign: Campaign
    creative: Creative
    audiences: tuple[Audience, ...]


class ManageLaunches:
    def __init__(
        self, desk: Desk, accounts: ManageAccounts, audiences: ManageAudiences, campaigns: ManageCampaigns
    ) -> None:
        self._desk = desk
        self._accounts = accounts
        self._audiences = audiences
        self._campaigns = campaigns

    def launch(
        self, reach: Reach, wish: Launch, receipt_of: ReceiptOf[Launched] | None = None
    ) -> Launched | Refused:
        advertiser = self._accounts.advertiser(reach, wish.advertiser_key)
        if isinstance(advertiser, Refused):
            return advertiser
        made = self._made(reach, advertiser, wish)
        if isinstance(made, Refused):
            return made
        receipt = None if receipt_of is None else receipt_of(made)
        outcome = self._desk.writer.commit(self._writes(made, advertiser, receipt))
        return made if outcome.result is Result.SAVED else Refused(outcome.result, outcome.figure)

    def _made(self, reach: Reach, advertiser: Advertiser, wish: Launch) -> Launched | Refused:
        """All parts as they would be saved, or the first no."""
        audiences: list[Audience] = []
        for draft in wish.audiences:
            if draft.advertiser_key != advertiser.key:
                return Refused(Refusal.UNKNOWN_AUDIENCE)
            sound = self._audiences.sound(reach, draft)
            if isinstance(sound, Refused):
                return sound
            fixed = {"key": self._desk.mint_key(), "version": 1, "created_at_ms": self._desk.clock()}
            audiences.append(replace(sound, **fixed))
        keys = [one.key for one in audiences]
        wished = _addressing(wish.campaign_for(advertiser), keys)
        campaign = self._campaigns.ordered(reach, advertiser, wished, keys)
        if isinstance(campaign, Refused):
            return campaign
        creative = self._campaigns.drawn(reach, campaign, wish.creative)
        return creative if isinstance(creative, Refused) else Launched(campaign, creative, tuple(audiences))

    def _writes(self, made: Launched, advertiser: Advertiser, receipt: Receipt | None) -> Together:
        now_ms = made.campaign.created_at_ms
        today = local_day(now_ms, advertiser.timezone)
        saved = (
            *(SaveEntity(one, is_new=True, today=0, at_ms=now_ms) for one in made.audiences),
            SaveEntity(made.campaign, is_new=True, today=today, at_ms=now_ms),
            SaveEntity(made.creative, is_new=True, today=0, at_ms=now_ms),
        )
        return Together(saved if receipt is None else (*saved, receipt))


def _addressing(draft: Campaign, audience_keys: Sequence[int]) -> Campaign:
    rates = (*draft.terms.audience_rates, *map(AudienceRate, audience_keys))
    return replace(draft, terms=replace(draft.terms, audience_rates=rates))
