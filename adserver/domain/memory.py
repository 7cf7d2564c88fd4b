"""What one worker holds in memory: its picture of the campaigns, and counts on their way to storage."""

from collections.abc import Mapping, Sequence

import msgspec

from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, Calendar, DaySpan
from adserver.domain.caller import Caller
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.consent_hold import answer_of
from adserver.domain.eligibility import Balance
from adserver.domain.in_flight import Unconfirmed
from adserver.domain.live_view import LiveView
from adserver.domain.money import ZERO, Micros
from adserver.domain.pixel_sample import Repeats, Samples
from adserver.domain.rooms import room_of
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
    live: LiveView

    def balances(
        self, campaigns: Sequence[Campaign], under_way: Mapping[int, Micros], now_ms: int
    ) -> list[Balance]:
        """What each campaign and its advertiser may still spend, as far as this worker has heard.

        `under_way` holds, of both, what ads of a moment ago will probably cost; no entry is nothing.
        """
        keys = {campaign.advertiser_key for campaign in campaigns}
        purses = {key: self._purse(self.snapshot.advertisers[key], now_ms) for key in keys}
        return [
            self._balance(campaign, purses[campaign.advertiser_key], under_way, now_ms)
            for campaign in campaigns
        ]

    def can_all_pay(
        self, advertiser_key: int, dearest: Micros, under_way: Mapping[int, Micros], now_ms: int
    ) -> bool:
        """Whether each of an advertiser's campaigns could pay the dearest of their ads.

        What is under way of all of them is no less than what is of any.
        """
        day = self.calendar.span(now_ms, self.snapshot.advertisers[advertiser_key].timezone).day
        micros = dearest + under_way.get(advertiser_key, ZERO)
        return self.snapshot.rooms.holds(
            advertiser_key, day, micros, lambda: self._least_room(advertiser_key, now_ms)
        )

    def _least_room(self, advertiser_key: int, now_ms: int) -> float:
        balances = self.balances(self.snapshot.live_campaigns(advertiser_key), {}, now_ms)
        return min(
            (
                room_of(bucket)
                for balance in balances
                for bucket in (balance.total, balance.day, balance.advertiser_total, balance.advertiser_day)
            ),
            default=0,
        )

    def _balance(
        self, campaign: Campaign, purse: "_Purse", under_way: Mapping[int, Micros], now_ms: int
    ) -> Balance:
        span, get = purse.span, self.snapshot.buckets.get
        return Balance(
            get(BucketId(campaign.key, WHOLE_LIFE)) or Bucket(campaign.total_budget_micros),
            get(BucketId(campaign.key, span.day)) or Bucket(campaign.daily_budget_micros),
            purse.total,
            purse.day,
            under_way.get(campaign.key, ZERO),
            now_ms - span.start_ms,
            span.end_ms - span.start_ms,
            self.snapshot.traffic.get(campaign.key),
            under_way.get(campaign.advertiser_key, ZERO),
        )

    def _purse(self, advertiser: Advertiser, now_ms: int) -> "_Purse":
        span, get = self.calendar.span(now_ms, advertiser.timezone), self.snapshot.buckets.get
        return _Purse(
            span,
            get(BucketId(advertiser.key, WHOLE_LIFE)) or Bucket(advertiser.total_budget_micros),
            get(BucketId(advertiser.key, span.day)) or Bucket(advertiser.daily_budget_micros),
        )

    def has_budget(self, campaign: Campaign, now_ms: int) -> bool:
        """Whether anything caps what the campaign or its advertiser may spend."""
        if campaign.total_budget_micros is not None or campaign.daily_budget_micros is not None:
            return True
        (balance,) = self.balances([campaign], {}, now_ms)
        buckets = (balance.total, balance.day, balance.advertiser_total, balance.advertiser_day)
        return any(bucket.cap is not None for bucket in buckets)

    def count_answer(self, owner_key: int, caller: Caller, basis: Basis, now_ms: int) -> None:
        """Count what an account's page says its visitor answered, as far as one network may say."""
        answer = answer_of(caller, basis)
        if answer is not None and self.watch.hears(caller, owner_key, now_ms):
            self.tally.add(owner_key, answer)


class _Purse(msgspec.Struct, frozen=True):
    """What all campaigns of an advertiser share: its day, and what it may spend in all and on that day."""

    span: DaySpan
    total: Bucket
    day: Bucket


def new_memory(limits: Limits = Limits()) -> Memory:  # noqa: B008  it is frozen
    return Memory(
        Snapshot(), Calendar(), Unconfirmed(), Tally(), Watch(limits), Samples(), Repeats(), LiveView()
    )
