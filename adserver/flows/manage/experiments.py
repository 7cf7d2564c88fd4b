"""Experiments: advertisers say what is compared, and read what came of it; and of their holdout."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.experiment import Experiment, Flaw, Subject, check, holdout_key, overlap
from adserver.domain.experiment_result import ExperimentResult, result_of
from adserver.domain.lift import Lift, lift_of
from adserver.domain.visitor import DAY_MS
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.campaigns import ManageCampaigns
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, until_settled

MONTH_MS = 30 * DAY_MS
MOST_AT_ONCE = 500


class ManageExperiments:
    def __init__(self, desk: Desk, accounts: ManageAccounts, campaigns: ManageCampaigns) -> None:
        self._desk = desk
        self._accounts = accounts
        self._campaigns = campaigns

    def experiment(self, reach: Reach, key: int) -> Experiment | Refused:
        found = self._desk.experiments.experiment(key)
        return found if found is not None and reach.advertiser(found.advertiser_key) else NOT_FOUND

    def experiments(
        self, reach: Reach, advertiser_key: int | None, after: int, limit: int
    ) -> list[Experiment] | Refused:
        """The advertiser's experiments; of all that the caller reaches where none is named."""
        read = self._desk.experiments.experiments
        return self._accounts.listed(reach, advertiser_key, lambda owner_key: read(owner_key, after, limit))

    def create(
        self, reach: Reach, draft: Experiment, receipt_of: ReceiptOf[Experiment] | None = None
    ) -> Experiment | Refused:
        """Compare arms of a campaign; without a start it begins now."""
        campaign = self._campaigns.campaign(reach, draft.campaign_key)
        if isinstance(campaign, Refused):
            return campaign
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        made = replace(
            draft,
            key=key,
            advertiser_key=campaign.advertiser_key,
            starts_at_ms=draft.starts_at_ms or now_ms,
            version=1,
            created_at_ms=now_ms,
        )
        flaw = check(made) or self._flaw_beside(made, campaign)
        return self._desk.create(made, receipt_of) if flaw is None else Refused(flaw)

    def change(
        self, reach: Reach, key: int, edit: Callable[[Experiment], Experiment]
    ) -> Experiment | Refused:
        """Its name, and when it ends; another comparison is another experiment."""
        return until_settled(lambda: self._change(reach, key, edit))

    def _change(
        self, reach: Reach, key: int, edit: Callable[[Experiment], Experiment]
    ) -> Experiment | Refused:
        known = self.experiment(reach, key)
        if isinstance(known, Refused):
            return known
        wished = edit(known)
        changed = replace(known, name=wished.name, ends_at_ms=wished.ends_at_ms, version=known.version + 1)
        flaw = check(changed) or (Flaw.EXPERIMENT_OVERLAPS if self._overlaps(changed) else None)
        return self._desk.replace(changed) if flaw is None else Refused(flaw)

    def verdict(self, experiment: Experiment) -> ExperimentResult:
        """What it has shown so far."""
        return result_of(experiment, self._desk.experiments.sums(experiment.key))

    def lift(self, reach: Reach, advertiser_key: int) -> tuple[Advertiser, Lift] | Refused:
        """What the advertiser's ads have changed, as its holdout tells; without one, whether one could."""
        advertiser = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(advertiser, Refused):
            return advertiser
        key, since_ms = holdout_key(advertiser), self._desk.clock() - MONTH_MS
        sums = self._desk.experiments.sums
        return advertiser, lift_of(advertiser, sums(key), sums(key, since_ms))

    # ---- what must hold beside the campaign ----

    def _flaw_beside(self, experiment: Experiment, campaign: Campaign) -> Flaw | None:
        if experiment.subject is Subject.AUDIENCES:
            known = {named.audience_key for named in campaign.terms.audience_rates}
            named = {key for arm in experiment.arms for key in arm.audience_keys}
            flaw = None if named <= known else Flaw.UNKNOWN_IN_ARM
        else:
            flaw = self._flaw_of_creatives(experiment)
        return flaw or (Flaw.EXPERIMENT_OVERLAPS if self._overlaps(experiment) else None)

    def _flaw_of_creatives(self, experiment: Experiment) -> Flaw | None:
        arms = [self._creatives(arm.creative_keys, experiment.campaign_key) for arm in experiment.arms]
        if any(creatives is None for creatives in arms):
            return Flaw.UNKNOWN_IN_ARM
        if experiment.subject is Subject.CREATIVES:
            return None
        offers = [frozenset((one.offer, one.pool_key) for one in creatives or ()) for creatives in arms]
        return None if len(set(offers)) == len(offers) else Flaw.OFFERS_ALIKE

    def _creatives(self, keys: tuple[int, ...], campaign_key: int) -> list[Creative] | None:
        found = list(filter(None, map(self._desk.campaigns.creative, keys)))
        own = [creative for creative in found if creative.campaign_key == campaign_key]
        return own if len(own) == len(keys) else None

    def _overlaps(self, experiment: Experiment) -> bool:
        """Whether another of the campaign's would be under way at the same time."""
        after = -1
        while page := self._desk.experiments.experiments(experiment.advertiser_key, after, MOST_AT_ONCE):
            if any(overlap(experiment, other) for other in page):
                return True
            after = page[-1].key
        return False
