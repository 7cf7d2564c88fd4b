""" "Why is my ad not showing": what was counted of a campaign's refusals, hour by hour."""

import msgspec

from adserver.domain.refused import COUNTED, Refused, refused_of, summary
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stats

HOUR_MS = 3_600_000
LONGEST_MS = 31 * DAY_MS


class RefusalReport(msgspec.Struct, frozen=True):
    """The hours that began within [since, until)."""

    since_ms: int
    until_ms: int
    refused: Refused
    says: str


class CountRefusals:
    def __init__(self, stats: Stats, clock: Clock) -> None:
        self._stats = stats
        self._clock = clock

    def report(self, campaign_key: int, since_ms: int | None, until_ms: int | None) -> RefusalReport | None:
        """By default the last day up to now; None where the period is none, or too long."""
        now_ms = self._clock()
        until = now_ms if until_ms is None else until_ms
        since = until - DAY_MS if since_ms is None else since_ms
        if not 0 < until - since <= LONGEST_MS:
            return None
        first = since - since % HOUR_MS
        rows = self._stats.by_hour(campaign_key, COUNTED, first, until)
        refused = refused_of(rows)
        return RefusalReport(first, until, refused, summary(refused, _span(since, until, now_ms)))


def _span(since_ms: int, until_ms: int, now_ms: int) -> str:
    hours = -(-(until_ms - since_ms) // HOUR_MS)
    return f"the last {hours} hours" if until_ms == now_ms else f"these {hours} hours"
