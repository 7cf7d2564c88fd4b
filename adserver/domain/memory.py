"""What one worker holds in memory: its picture of the campaigns, and counts on their way to storage."""

from collections.abc import Mapping

import msgspec

from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, Calendar, DaySpan
from adserver.domain.caller import Caller
from adserver.domain.campaign import Campaign
from adserver.domain.consent_hold import answer_of
from adserver.domain.eligibility import Balance
from adserver.domain.in_flight import Unconfirmed
from adserver.domain.money import Micros
from adserver.domain.pixel_sample import Repeats, Samples
from adserver.domain.snapshot import Snapshot
from adserver.domain.tally import Tally
from adserver.domain.validity import Limits, Watch
from pixel.consent import Basis


class Memory(msgspec.Struct, frozen=True):
    """Shared by a worker's flows; lost with it, and nothing that was acknowledged with it."""

    snapshot: Snapshot
    calendar: Calendar
    unconfirmed: Unconfirmed
    tally: Tally
    watch: Watch
    samples: Samples
    repeats: Repeats

    def balance(self, campaign: Campaign, under_way: Mapping[int, Micros], now_ms: int) -> Balance:
        """What the campaign and its advertiser may still spend, as far as this worker has heard.

        `under_way` holds, of both, what ads of a moment ago will probably cost.
        """
        span = self._day(campaign, now_ms)
        return Balance(
            *self._buckets(campaign, span.day),
            under_way[campaign.key],
            now_ms - span.start_ms,
            span.end_ms - span.start_ms,
            self.snapshot.traffic.get(campaign.key),
            under_way[campaign.advertiser_key],
        )

    def has_budget(self, campaign: Campaign, now_ms: int) -> bool:
        """Whether anything caps what the campaign or its advertiser may spend."""
        if campaign.total_budget_micros is not None or campaign.daily_budget_micros is not None:
            return True
        buckets = self._buckets(campaign, self._day(campaign, now_ms).day)
        return any(bucket.cap is not None for bucket in buckets)

    def count_answer(self, owner_key: int, caller: Caller, basis: Basis, now_ms: int) -> None:
        """Count what an account's page says its visitor answered, as far as one network may say."""
        answer = answer_of(caller, basis)
        if answer is not None and self.watch.hears(caller, owner_key, now_ms):
            self.tally.add(owner_key, answer)

    def _day(self, campaign: Campaign, now_ms: int) -> DaySpan:
        return self.calendar.span(now_ms, self.snapshot.advertisers[campaign.advertiser_key].timezone)

    def _buckets(self, campaign: Campaign, day: int) -> tuple[Bucket, Bucket, Bucket, Bucket]:
        """Total and of the day: the campaign's, then its advertiser's."""
        advertiser = self.snapshot.advertisers[campaign.advertiser_key]

        def bucket(owner_key: int, day: int, cap: Micros | None) -> Bucket:
            return self.snapshot.buckets.get(BucketId(owner_key, day)) or Bucket(cap)

        return (
            bucket(campaign.key, WHOLE_LIFE, campaign.total_budget_micros),
            bucket(campaign.key, day, campaign.daily_budget_micros),
            bucket(advertiser.key, WHOLE_LIFE, advertiser.total_budget_micros),
            bucket(advertiser.key, day, advertiser.daily_budget_micros),
        )


def new_memory(limits: Limits = Limits()) -> Memory:  # noqa: B008  it is frozen
    return Memory(Snapshot(), Calendar(), Unconfirmed(), Tally(), Watch(limits), Samples(), Repeats())
