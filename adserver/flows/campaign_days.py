"""What campaigns did today, and when one was last shown."""

from collections.abc import Sequence

import msgspec

from adserver.domain.budget import day_span
from adserver.domain.refused import SHOWN
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stats

LOOKED_BACK_MS = 31 * DAY_MS
_NAMES = ("impressions", "viewable_impressions", "clicks", "conversions")


class CampaignDay(msgspec.Struct, frozen=True):
    """Counted by the hours that began on the advertiser's day."""

    since_ms: int
    impressions: int = 0
    viewable_impressions: int = 0
    clicks: int = 0
    conversions: int = 0


class CampaignDays:
    def __init__(self, stats: Stats, clock: Clock) -> None:
        self._stats = stats
        self._clock = clock

    def today(self, campaign_keys: Sequence[int], timezone: str) -> list[CampaignDay]:
        """Of each, in their order."""
        now_ms = self._clock()
        since_ms = day_span(now_ms, timezone).start_ms
        return [
            CampaignDay(since_ms, **self._stats.named(key, _NAMES, since_ms, now_ms + 1))
            for key in campaign_keys
        ]

    def last_shown_ms(self, campaign_key: int) -> int | None:
        """When the last hour began in which it was shown; None where that is a month ago, or never was."""
        now_ms = self._clock()
        hours = self._stats.by_hour(campaign_key, (SHOWN,), now_ms - LOOKED_BACK_MS, now_ms + 1)
        return max((hour_ms for hour_ms, _, n in hours if n > 0), default=None)
