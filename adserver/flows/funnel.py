"""The funnel: a job takes events in, each once, and a report tells what became of a period's visitors."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec

from adserver.domain.experiment import is_held_out
from adserver.domain.funnel import FORM, SHOP, Group, Told, keys_of, roll, was_exposed
from adserver.domain.funnel_report import ExitRow, StepRow, exits_of, rows_of
from adserver.domain.identity import first_key_at, minted_ms
from adserver.domain.pricing import Terms
from adserver.domain.retention import COUNT_RETENTION_MS
from adserver.domain.visitor import DAY_MS, Touch
from adserver.parties import Parties
from adserver.ports import Clock, Stores
from adserver.writes import Result, RollFunnel

SETTLED_MS = 30_000  # a write that waited for longer was refused: no event comes before these any more
STRETCH = 50  # events at a time: a few milliseconds of the writer's
MOST_STRETCHES = 80  # of one run: the lease is asked for again between
USUAL_DAYS = 30
MOST_DAYS = COUNT_RETENTION_MS // DAY_MS
MOST_EXITS = 500


class RollUpFunnel:
    """A job: events by their keys, as far as all before them are known. Any number may run, at any time."""

    def __init__(self, stores: Stores, parties: Parties, clock: Clock) -> None:
        self._funnels = stores.funnels
        self._profiles = stores.profiles
        self._accounts = stores.accounts
        self._writer = stores.writer
        self._parties = parties
        self._clock = clock

    def run(self) -> int:
        """Take in what came since the last time; how many events that were."""
        done = 0
        for _ in range(MOST_STRETCHES):
            taken = self._take_in()
            done += taken
            if taken < STRETCH:
                break
        return done

    def _take_in(self) -> int:
        """The next stretch; none where another was quicker, or nothing can be written now."""
        now_ms, after = self._clock(), self._funnels.cursor()
        told = self._funnels.told(after, first_key_at(now_ms - SETTLED_MS), STRETCH)
        if not told:
            return 0
        rolled = roll(told, self._funnels.journeys(keys_of(told)), self._groups_of(told))
        figures = tuple((cell, n[0], n[1]) for cell, n in rolled.tally.figures.items() if any(n))
        exits = tuple((left, n) for left, n in rolled.tally.exits.items() if n)
        until = told[-1].event_key
        write = RollFunnel(after, until, now_ms, tuple(rolled.journeys.items()), figures, exits)
        return len(told) if self._writer.commit(write).result is Result.SAVED else 0

    def _groups_of(self, told: list[Told]) -> Callable[[Told], Group]:
        """Whether an advertiser's ads had reached a visitor when they did something; each is read once."""
        profiles = {key: self._profiles.profile(key) for key in {one.visitor_key for one in told} - {0}}
        advertisers = {key: self._accounts.advertiser(key) for key in {one.advertiser_key for one in told}}

        def group_at(one: Told) -> Group:
            profile, advertiser = profiles[one.visitor_key], advertisers[one.advertiser_key]
            touches = profile.touches if profile is not None else ()
            if was_exposed(touches, partial(self._terms, one.advertiser_key), one.at_ms):
                return Group.EXPOSED
            if advertiser is not None and is_held_out(one.visitor_key, advertiser):
                return Group.HELD_OUT
            return Group.OTHERS

        return group_at

    def _terms(self, advertiser_key: int, touch: Touch) -> Terms | None:
        """Of an ad of the advertiser's, as it was shown."""
        terms = self._parties.terms(touch.campaign_key, touch.campaign_version)
        if terms is None or self._parties.advertiser_of(touch.campaign_key).key != advertiser_key:
            return None
        return terms


class FunnelReport(msgspec.Struct, frozen=True):
    """Days are UTC's; a visitor counts once on each. What came before `counted_until_ms` is in it."""

    first: date
    last: date
    counted_until_ms: int
    shop: list[StepRow]
    form: list[StepRow]
    exits: list[ExitRow]


class FunnelReports:
    """Reads only."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._funnels = stores.funnels
        self._clock = clock

    def report(self, advertiser_key: int, first: date | None, last: date | None) -> FunnelReport | None:
        """Both days may be left out; None where they are in no order, or further apart than is kept."""
        last = last or datetime.fromtimestamp(self._clock() / 1000, UTC).date()
        first = first or last - timedelta(days=USUAL_DAYS - 1)
        if not first <= last < first + timedelta(days=MOST_DAYS):
            return None
        within = (advertiser_key, _start_ms(first), _start_ms(last) + DAY_MS)
        sums = self._funnels.figures(*within)
        pages = [(left.step, left.page, n) for left, n in self._funnels.exits(*within, MOST_EXITS)]
        return FunnelReport(
            first,
            last,
            self._counted_until_ms(),
            rows_of(SHOP, sums),
            rows_of(FORM, sums),
            exits_of(sums, pages),
        )

    def _counted_until_ms(self) -> int:
        """When the first event came that is yet to be taken in; so shortly ago that none is settled, then."""
        settled_ms = self._clock() - SETTLED_MS
        waiting = self._funnels.told(self._funnels.cursor(), first_key_at(settled_ms), 1)
        return minted_ms(waiting[0].event_key) if waiting else settled_ms


def _start_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
