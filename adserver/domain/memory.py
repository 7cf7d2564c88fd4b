"""What one worker holds in memory: its picture of the campaigns, and counts on their way to storage."""

import msgspec

from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, Calendar
from adserver.domain.campaign import Campaign
from adserver.domain.eligibility import Balance
from adserver.domain.money import Micros
from adserver.domain.pacing import InFlight
from adserver.domain.snapshot import Snapshot
from adserver.domain.tally import Tally


class Memory(msgspec.Struct, frozen=True):
    """Shared by a worker's flows; lost with it, and nothing that was acknowledged with it."""

    snapshot: Snapshot
    calendar: Calendar
    in_flight: InFlight
    tally: Tally

    def balance(self, campaign: Campaign, now_ms: int) -> Balance:
        """What the campaign and its advertiser may still spend, as far as this worker has heard."""
        advertiser = self.snapshot.advertisers[campaign.advertiser_key]
        span = self.calendar.span(now_ms, advertiser.timezone)

        def bucket(owner_key: int, day: int, cap: Micros | None) -> Bucket:
            return self.snapshot.buckets.get(BucketId(owner_key, day)) or Bucket(cap)

        return Balance(
            bucket(campaign.key, WHOLE_LIFE, campaign.total_budget_micros),
            bucket(campaign.key, span.day, campaign.daily_budget_micros),
            bucket(advertiser.key, WHOLE_LIFE, advertiser.total_budget_micros),
            bucket(advertiser.key, span.day, advertiser.daily_budget_micros),
            self.in_flight.expected(campaign.key, now_ms),
            now_ms - span.start_ms,
            span.end_ms - span.start_ms,
            self.snapshot.traffic.get(campaign.key),
        )


def new_memory() -> Memory:
    return Memory(Snapshot(), Calendar(), InFlight(), Tally())
