"""The queue of creatives that wait, and the operator's word on each."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.approval import Approving, Reviewed, approved, content_hash, rejected
from adserver.domain.campaign import Approval, Creative
from adserver.flows.manage.campaigns import ManageCampaigns
from adserver.flows.manage.desk import Desk, Reach, Refused, Why, until_settled
from adserver.writes import Scope


class ManageReviews:
    def __init__(self, desk: Desk, campaigns: ManageCampaigns) -> None:
        self._desk = desk
        self._campaigns = campaigns

    def creatives(
        self, reach: Reach, approval: Approval, campaign_key: int | None, after: int, limit: int
    ) -> list[Creative] | Refused:
        """All in this standing that the caller reaches: of every advertiser, for the operator."""
        if campaign_key is not None:
            campaign = self._campaigns.campaign(reach, campaign_key)
            if isinstance(campaign, Refused):
                return campaign
        if not reach.is_operator and reach.scope is not Scope.ADVERTISER:
            return []
        asked = Reviewed(approval, None if reach.is_operator else reach.owner_key, campaign_key)
        return self._desk.campaigns.reviewed(asked, after, limit)

    def approve(self, reach: Reach, key: int, seen_hash: str | None) -> Creative | Refused:
        return self._review(reach, key, seen_hash, approved)

    def reject(
        self, reach: Reach, key: int, seen_hash: str | None, reason: str, *, withdraw: bool
    ) -> Creative | Refused:
        return self._review(
            reach, key, seen_hash, lambda known, by: rejected(known, by, reason, withdraw=withdraw)
        )

    def _review(
        self,
        reach: Reach,
        key: int,
        seen_hash: str | None,
        judge: Callable[[Creative, Approving], Creative],
    ) -> Creative | Refused:
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        return until_settled(lambda: self._judge(reach, key, seen_hash, judge))

    def _judge(
        self,
        reach: Reach,
        key: int,
        seen_hash: str | None,
        judge: Callable[[Creative, Approving], Creative],
    ) -> Creative | Refused:
        """What was looked at is what is judged: an edit meanwhile asks for another look."""
        known = self._campaigns.creative(reach, key)
        if isinstance(known, Refused):
            return known
        if seen_hash is not None and seen_hash != content_hash(known):
            return Refused(Why.CONTENT_CHANGED)
        judged = judge(known, Approving(self._desk.clock(), reach.api_key, automatic=False))
        return known if judged == known else self._desk.replace(replace(judged, version=known.version + 1))
