"""What a campaign, saved or not, may be expected to show and spend in a day."""

from adserver.domain.audience_reach import GroupSize
from adserver.domain.campaign import Campaign
from adserver.domain.outlook import Outlook, Past, Unknown, outlook, tries_of
from adserver.domain.refused import COUNTED, Refused, refused_of
from adserver.domain.snapshot import Snapshot
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stores

LOOKED_BACK_MS = 7 * DAY_MS  # as long as somebody counts as reachable
MOST_ASKED = 20  # campaigns of the shop: those that run for longest know most


class Outlooks:
    """Reads only."""

    def __init__(self, snapshot: Snapshot, stores: Stores, clock: Clock) -> None:
        self._snapshot = snapshot
        self._stats = stores.stats
        self._sizes = stores.audience_sizes
        self._clock = clock

    def of(self, campaign: Campaign, size: GroupSize | None) -> Outlook | Unknown:
        """`size` is that of all its audiences together."""
        past = self._past(campaign.advertiser_key)
        return outlook(campaign, size, past, self._snapshot.believed_of(campaign))

    def _past(self, advertiser_key: int) -> Past:
        """Each of the shop's campaigns is asked for every request of a visitor whom the shop knows."""
        now_ms = self._clock()
        live = [one for one in self._snapshot.live_campaigns(advertiser_key) if not one.contextual]
        oldest = sorted(live, key=lambda one: one.created_at_ms)[:MOST_ASKED]
        seen = [self._refused(one.key, now_ms) for one in oldest]
        panel = self._sizes.panel(advertiser_key)
        return Past(
            max((_a_day(one, now_ms) for one in seen), default=0.0),
            0 if panel is None else panel.reachable,
            [tries_of(dict(one.reasons), one.shown) for one in seen],
        )

    def _refused(self, campaign_key: int, now_ms: int) -> Refused:
        return refused_of(self._stats.by_hour(campaign_key, COUNTED, now_ms - LOOKED_BACK_MS, now_ms))


def _a_day(refused: Refused, now_ms: int) -> float:
    """Over the days since the first request; a first day that is not over stands for a whole one."""
    if not refused.hours:
        return 0.0
    return refused.requests * DAY_MS / max(DAY_MS, now_ms - refused.hours[0].hour_ms)
