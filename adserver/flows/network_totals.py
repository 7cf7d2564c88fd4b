"""The operator's first look: the network's days in figures, and what waits for somebody's hand."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from adserver.domain.approval import Reviewed
from adserver.domain.budget import day_span
from adserver.domain.campaign import Approval, Campaign, Status
from adserver.domain.delivery import Delivery
from adserver.domain.job_run import JobRun
from adserver.domain.network_totals import COUNTED, Attention, Booked, Period, Totals, added
from adserver.domain.pixel_doctor import feed_trouble
from adserver.domain.visitor import DAY_MS
from adserver.ports import Clock, Stores
from pixel.events import EventName

PAGE = 500
MOST_WAITING = 1_000  # that are counted; nobody waits for the rest to be
WEEK_DAYS = 7
STEP_BYTES = 1_000_000_000  # nobody is helped by a figure that changes while it is read
KEPT_DAYS = 30  # of days that are over: their sums never change
SETTLED_MS = 10 * 60_000  # after which nothing is booked into a day any more
OUT_OF_BUDGET = frozenset({Delivery.EXHAUSTED, Delivery.EXHAUSTED_TODAY})
EVENTS = tuple(f"event_{name}" for name in EventName)

Counted = dict[str, dict[int, int]]  # by name and the hour's start
Deliveries = Callable[[Sequence[Campaign]], Sequence[Delivery]]
Item = TypeVar("Item")


class LookAtNetwork:
    def __init__(self, stores: Stores, clock: Clock, timezone: str, deliveries: Deliveries) -> None:
        self._stores = stores
        self._clock = clock
        self._timezone = timezone
        self._deliveries = deliveries
        self._booked: dict[int, list[Booked]] = {}

    def totals(self) -> Totals:
        now_ms = self._clock()
        days = [day_span(now_ms, self._timezone)]
        for _ in range(WEEK_DAYS - 1):
            days.append(day_span(days[-1].start_ms - 1, self._timezone))
        booked = [self._taken(day.start_ms, day.end_ms, now_ms) for day in days]
        counts = self._counted(days[-1].start_ms)
        periods = [
            _period(name, days[last].start_ms, days[first].end_ms, counts, added(booked[first : last + 1]))
            for name, first, last in (("today", 0, 0), ("yesterday", 1, 1), ("seven_days", 0, WEEK_DAYS - 1))
        ]
        return Totals(self._timezone, periods, self._attention(now_ms))

    def jobs(self) -> list[JobRun]:
        return self._stores.vitals.job_runs()

    def _taken(self, start_ms: int, end_ms: int, now_ms: int) -> list[Booked]:
        """Of a day; one that is over is asked for once."""
        if start_ms not in self._booked:
            booked = self._stores.takings.booked(start_ms, end_ms)
            if end_ms + SETTLED_MS > now_ms:
                return booked
            while len(self._booked) >= KEPT_DAYS:
                self._booked.pop(next(iter(self._booked)), None)
            self._booked[start_ms] = booked
        return self._booked[start_ms]

    def _counted(self, since_ms: int) -> Counted:
        """By the hour. Everything is counted for its slot once, and for others besides."""
        slots = [one.key for one in _all(lambda after: self._stores.inventory.slots(None, after, PAGE))]
        return {what: self._stores.stats.hourly_sum(slots, what, since_ms) for what in COUNTED}

    # ---- what waits ----

    def _attention(self, now_ms: int) -> Attention:
        stores = self._stores
        campaigns = list(_all(lambda after: stores.campaigns.campaigns(None, after, PAGE)))
        live = [one for one in campaigns if one.status is Status.ACTIVE]
        deliveries = self._deliveries(live)
        feeds = _all(lambda after: stores.feeds.feeds(None, after, PAGE))
        holds = _all(lambda after: stores.holds.holds(None, after, PAGE))
        waiting = stores.campaigns.reviewed(Reviewed(Approval.PENDING), -1, MOST_WAITING)
        return Attention(
            creatives_waiting=len(waiting),
            feeds_failing=sum(feed_trouble(feed, now_ms) is not None for feed in feeds),
            pixels_silent=self._silent({one.advertiser_key for one in live}, now_ms),
            campaigns_out_of_budget=sum(one in OUT_OF_BUDGET for one in deliveries),
            campaigns_of_empty_accounts=sum(one is Delivery.NO_DEPOSIT for one in deliveries),
            jobs_failing=sum(job.fails or job.is_late(now_ms) for job in self.jobs()),
            holds_open=sum(one.is_open for one in holds),
            disk_free_bytes=stores.vitals.sizes()["free"] // STEP_BYTES * STEP_BYTES,
        )

    def _silent(self, advertisers: set[int], now_ms: int) -> int:
        """Advertisers who pay for ads, and whose pages told nothing for a day."""
        told = self._stores.stats.hourly(sorted(advertisers), EVENTS, now_ms - DAY_MS)
        return len(advertisers - {owner for owner, _, n in told if n})


def _period(name: str, start_ms: int, end_ms: int, counts: Counted, money: list[Booked]) -> Period:
    """Of the hours that begin within it."""
    sums = {
        what: sum(n for hour_ms, n in hours.items() if start_ms <= hour_ms < end_ms)
        for what, hours in counts.items()
    }
    return Period(name, start_ms, end_ms, sums, money)


def _all(page_after: Callable[[int], Sequence[Item]]) -> Iterator[Item]:
    after = -1
    while page := page_after(after):
        yield from page
        after = page[-1].key  # type: ignore[attr-defined]
