"""Keeps each worker's Snapshot of live campaigns fresh, from the change log."""

import threading
from collections.abc import Sequence
from typing import Protocol

from adserver.domain.ad_figures import CLICKS, COUNTED, added, delays_by_owner, network_of, rates_of
from adserver.domain.audience_reach import group_key
from adserver.domain.budget import local_day
from adserver.domain.campaign import Campaign
from adserver.domain.delays import NAMES, USUAL, Delays
from adserver.domain.eligibility import Refusal
from adserver.domain.pricing import BILLED_EVENT, CONTEXTUAL
from adserver.domain.rates import NETWORK_UNKNOWN, NO_FIGURES, Rates
from adserver.domain.snapshot import Snapshot
from adserver.domain.traffic import (
    DAYS,
    FLAT,
    HOUR_MS,
    PARTS,
    Counted,
    LocalDays,
    PastDays,
    Traffic,
    forecast,
    learn,
    local_days,
)
from adserver.domain.worth import chance_of, ecpm_micros
from adserver.ports import Changes, Stats

DAY_MS = PARTS * HOUR_MS
RATES_MS = 30 * DAY_MS  # what the ranking learns from
FOREVER_MS = 2**63 - 1
HISTORY_MS = (DAYS + 1) * DAY_MS  # a week before today, in any zone
OVER_MS = 3 * DAY_MS
_PASSED = ("fills", f"refused_{Refusal.OUTRANKED}", f"refused_{Refusal.LOWER_TIER}")
COUNTERS = {  # of which the fields of Counted are the sums
    "eligible": (*_PASSED, f"refused_{Refusal.PACED}", f"refused_{Refusal.BUDGET_EXHAUSTED}"),
    "passed": _PASSED,
    "spend_micros": ("spend_micros",),
}


class Hears(Protocol):
    """Whoever hears of changes as they are committed."""

    @property
    def sequence(self) -> int: ...


class HourlyCounts:
    """The last week's counts of paced campaigns; whole hours are read once, the newest again and again."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._of = (0, frozenset[int]())
        self._last_ms = 0
        self.campaigns: dict[int, Counted] = {}
        self.requests: dict[int, int] = {}  # of all slots
        self.learnt: dict[tuple[int, int], PastDays] = {}  # by campaign and its day: the past stands

    def load(self, campaign_keys: Sequence[int], slot_keys: Sequence[int], now_ms: int) -> None:
        """All of it for other campaigns or on another day, else what has changed since the last look."""
        since_ms = self._last_ms - self._last_ms % HOUR_MS - HOUR_MS
        of = (now_ms // DAY_MS, frozenset(campaign_keys))
        if of != self._of:
            since_ms = now_ms - HISTORY_MS
            self.campaigns = {key: Counted({}, {}, {}) for key in campaign_keys}
            self.learnt = {}
            self.requests = self._stats.hourly_sum(slot_keys, "requests", since_ms)
        for field, names in COUNTERS.items():
            for key, hour_ms, n in self._stats.hourly(campaign_keys, names, since_ms):
                getattr(self.campaigns[key], field)[hour_ms] = n
        self._of, self._last_ms = of, now_ms


class AdFigures:
    """What ads led to in the last month: what is over is summed up hourly, the newest again and again."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._settled: dict[int, Rates] = {}
        self._fresh: dict[int, Rates] = {}  # since then
        self._network = NETWORK_UNKNOWN  # as the settled teach
        self._settled_ms: int | None = None  # until then
        self._delays: dict[int, Delays] = {}

    def load(self, snapshot: Snapshot, now_ms: int) -> None:
        """The snapshot's rates, as of now. Most stay as they were, and with them what was made of them."""
        until_ms = now_ms - now_ms % HOUR_MS - HOUR_MS  # what is written late is of the hour before at most
        if until_ms != self._settled_ms:
            self._settle(snapshot, now_ms, until_ms)
        before, fresh = self._fresh, self._read(snapshot, ((until_ms, FOREVER_MS, HOUR_MS),), now_ms)
        changed = [key for key in before | fresh if before.get(key) != fresh.get(key)]
        snapshot.put_rates(added(self._settled, fresh), self._network, changed)
        self._fresh = fresh

    def _settle(self, snapshot: Snapshot, now_ms: int, until_ms: int) -> None:
        """Delays turn on hours while a click is young, and on days then."""
        since_ms = max(0, now_ms - RATES_MS)
        recent_ms = max(since_ms, until_ms - until_ms % DAY_MS - DAY_MS)
        self._delays = delays_by_owner(self._stats.sums(NAMES, since_ms, FOREVER_MS))
        periods = ((since_ms, recent_ms, DAY_MS), (recent_ms, until_ms, HOUR_MS))
        self._settled = self._read(snapshot, periods, now_ms)
        campaigns = list(snapshot.campaigns.values())
        self._network = network_of(self._settled, {one.key: one.advertiser_key for one in campaigns})
        self._settled_ms = until_ms

    def _read(
        self, snapshot: Snapshot, periods: Sequence[tuple[int, int, int]], now_ms: int
    ) -> dict[int, Rates]:
        sums = self._stats.sums(COUNTED, periods[0][0], periods[-1][1])
        clicked = [
            (owner_key, begin_ms + step_ms // 2, n)
            for since_ms, until_ms, step_ms in periods
            for owner_key, begin_ms, n in self._stats.steps(CLICKS, since_ms, until_ms, step_ms)
        ]

        def delays_of(owner_key: int) -> Delays:
            return self._delays.get(snapshot.advertiser_of(owner_key), USUAL)

        return rates_of(sums, clicked, delays_of, now_ms)


class Refresh:
    """Pulls what changed since the last look; cheap when nothing did.

    `if_stale` is asked before each decision: the writer's answers carry the newest sequence, so that a
    worker that just heard of a change never decides without it. `poll` is for workers that heard nothing.
    """

    def __init__(self, snapshot: Snapshot, changes: Changes, stats: Stats, writer: Hears) -> None:
        self._snapshot = snapshot
        self._changes = changes
        self._stats = stats
        self._counts = HourlyCounts(stats)
        self._figures = AdFigures(stats)
        self._writer = writer
        self._entities_at = 0
        self._buckets_at = 0
        self._since_day = 0
        self._seen = -1
        self._polling = threading.Lock()  # the event loop, the API's threads and the jobs all ask

    def load(self, now_ms: int = 0) -> None:
        """The whole picture, when a worker starts."""
        self._leave_old_days(now_ms)
        self._entities_at, entities = self._changes.everything()
        for entity in entities:
            self._snapshot.put(entity)  # type: ignore[arg-type]
        self.poll()
        self.load_rates(now_ms)
        self.load_sizes()

    def if_stale(self, *, missing: bool = False) -> None:
        """Look where there is news. `missing`: someone names what we do not know; another worker may."""
        if missing or self._writer.sequence != self._seen:
            self.poll()

    def poll(self) -> None:
        """Entities and balances changed since the last look."""
        with self._polling:
            seen = self._writer.sequence
            try:
                self._pull()
            finally:
                self._seen = seen  # where it failed too: what is known serves until the next look

    def _pull(self) -> None:
        self._entities_at, entities = self._changes.since(self._entities_at)
        for entity in entities:
            self._snapshot.put(entity)  # type: ignore[arg-type]
        self._buckets_at, buckets = self._changes.buckets_since(self._buckets_at, self._since_day)
        self._snapshot.put_buckets(buckets)

    def _leave_old_days(self, now_ms: int) -> None:
        """Of days that are over everywhere no decision asks what was spent, unless the clock goes back."""
        day = local_day(max(0, now_ms - OVER_MS), "UTC")
        if day == self._since_day:
            return
        with self._polling:
            if day < self._since_day:
                self._buckets_at = 0  # what was dropped is told again
            self._since_day = day
        self._snapshot.drop_days_before(day)

    def load_rates(self, now_ms: int = 0) -> None:
        """Figures of the last month for the ranking, a minute old at most."""
        self._leave_old_days(now_ms)
        self._figures.load(self._snapshot, now_ms)

    def load_sizes(self) -> None:
        """How many belong to each audience; of one that was changed since it was counted, nothing."""
        sizes, audiences = self._changes.audience_sizes(), list(self._snapshot.audiences.values())
        groups = {audience.key: group_key([audience]) for audience in audiences}
        self._snapshot.audience_sizes = {key: sizes[group] for key, group in groups.items() if group in sizes}

    def load_traffic(self, now_ms: int) -> None:
        """What paced campaigns may expect of their day, from all workers' counts of the last week."""
        snapshot, campaigns = self._snapshot, self._snapshot.paced_campaigns()
        self._counts.load([campaign.key for campaign in campaigns], list(snapshot.slots), now_ms)
        zones = {snapshot.advertisers[campaign.advertiser_key].timezone for campaign in campaigns}
        days = {zone: local_days(now_ms, zone) for zone in zones}
        believed: dict[int, Rates] = {}
        for advertiser_key in {campaign.advertiser_key for campaign in campaigns}:
            believed |= snapshot.believed(advertiser_key)
        traffic = {}
        for campaign in campaigns:
            its_days = days[snapshot.advertisers[campaign.advertiser_key].timezone]
            rates = believed.get(campaign.key, NO_FIGURES)
            expected = self._forecast(campaign, rates, its_days, now_ms)
            if expected is not None:
                traffic[campaign.key] = expected
        snapshot.traffic = traffic

    def _forecast(self, campaign: Campaign, rates: Rates, days: LocalDays, now_ms: int) -> Traffic | None:
        """A campaign without a past is taken to see its traffic when the network does."""
        counted, learnt = self._counts.campaigns[campaign.key], self._counts.learnt
        at = (campaign.key, days.today.day)
        if at not in learnt:
            network = learn(self._counts.requests, days, FLAT).profile
            learnt[at] = learn(counted.eligible, days, network)
        started_ms = max(campaign.created_at_ms, campaign.starts_at_ms or 0)
        return forecast(counted, days, learnt[at], now_ms, started_ms, worth_of(campaign, rates))


def worth_of(campaign: Campaign, rates: Rates) -> tuple[float, float]:
    """What one ad served will probably cost in micros, and its chance of being billed.

    Before there are figures, one audience is as likely as another.
    """
    audiences = [named.audience_key for named in campaign.terms.audience_rates]
    if campaign.contextual or not audiences:
        audiences.append(CONTEXTUAL)
    worth = sum(ecpm_micros(campaign, rates, key) for key in audiences) / len(audiences)
    return worth / 1000, chance_of(BILLED_EVENT[campaign.terms.pricing_model], rates)
