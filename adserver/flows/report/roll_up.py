"""Sums for reports: a job adds up what is new of ads, decisions and money, each row once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from msgspec.structs import replace

from adserver.domain.budget import local_day
from adserver.domain.identity import first_key_at
from adserver.domain.report_sums import Fact, Source, Whose, added, days_of
from adserver.domain.retention import REPORT_PART_RETENTION_MS
from adserver.ports import Clock, Stores
from adserver.writes import Result, RollReport

SETTLED_MS = 60_000  # a write that waited for longer was refused: nothing comes before these any more
STRETCH = 200  # rows at a time: ten milliseconds of the writer's, where each is of a place of its own
MOST_STRETCHES = 250  # of one run: the lease is asked for again between

DayOf = Callable[[int, int], int]
Entries = tuple[int, int, int]  # a campaign's of its chain, behind the one and up to the other


class RollUpReports:
    """Any number may run, at any time. Whoever is late by more than is settled is counted by nobody.

    Money is summed up by the chain of its campaign instead, which has no late entries.
    """

    def __init__(self, stores: Stores, clock: Clock, timezone: str) -> None:
        self._sources = stores.report_sources
        self._accounts = stores.accounts
        self._writer = stores.writer
        self._clock = clock
        self._timezone = timezone

    def run(self) -> int:
        """Take in what came since the last time; how many stretches that were."""
        settled_ms = self._clock() - SETTLED_MS  # asked once: else what a stretch took would be the next one
        ends = {Source.ADS: settled_ms, Source.FILLS: first_key_at(settled_ms)}
        done = sum(self._take_in(self._stretches(source, end)) for source, end in ends.items())
        return done + self._take_in(self._stretches_of_money())

    def _take_in(self, stretches: Iterator[RollReport]) -> int:
        """As many as one run may; fewer where another was quicker, or nothing can be written."""
        done = 0
        for write in islice(stretches, MOST_STRETCHES):
            if self._writer.commit(write).result is not Result.SAVED:
                break
            done += 1
        return done

    def _stretches(self, source: Source, end: int) -> Iterator[RollReport]:
        """One after another, each read when those before it are written."""
        while (after := self._sources.cursor(source)) < end:
            until = self._sources.later(source, after, end, STRETCH)
            yield self._write(source, after, until, (), self._sources.facts(source, after, until))

    def _stretches_of_money(self) -> Iterator[RollReport]:
        """Of what waits now: to look through all chains for each of them would take longer than all else."""
        for entries in _in_stretches(self._sources.waiting()):
            yield self._write(Source.MONEY, 0, 0, entries, self._sources.money(entries))

    def _write(
        self,
        source: Source,
        after: int,
        until: int,
        entries: tuple[Entries, ...],
        facts: Sequence[Fact],
    ) -> RollReport:
        campaigns = self._sources.whose({fact.place.campaign_key for fact in facts})
        sums = added(with_currency(facts, campaigns))
        days = days_of(sums, self._own_days(campaigns), self._network_day)
        kept_ms = self._clock() - REPORT_PART_RETENTION_MS  # the others would be purged at once
        parts = tuple(part for part in sums.items() if part[0].begin_ms > kept_ms)
        return RollReport(source, after, until, entries, parts, tuple(days.items()))

    def _own_days(self, campaigns: dict[int, Whose]) -> DayOf:
        zones: dict[int, str] = {}

        def own_day(campaign_key: int, begin_ms: int) -> int:
            owner_key = campaigns[campaign_key].advertiser_key
            if owner_key not in zones:
                advertiser = self._accounts.advertiser(owner_key)
                zones[owner_key] = self._timezone if advertiser is None else advertiser.timezone
            return day_of(begin_ms, zones[owner_key])

        return own_day

    def _network_day(self, begin_ms: int) -> int:
        return day_of(begin_ms, self._timezone)


def _in_stretches(waiting: Iterable[Entries]) -> Iterator[tuple[Entries, ...]]:
    """So many entries each, of few long chains or of many short ones."""
    taken: list[Entries] = []
    left = STRETCH
    for campaign_key, first, last in waiting:
        after = first
        while after < last:
            until = min(last, after + left)
            taken.append((campaign_key, after, until))
            left -= until - after
            after = until
            if not left:
                yield tuple(taken)
                taken, left = [], STRETCH
    if taken:
        yield tuple(taken)


@lru_cache(maxsize=10_000)
def day_of(begin_ms: int, timezone: str) -> int:
    """Facts of one run share few quarters of an hour."""
    return local_day(begin_ms, timezone)


def with_currency(facts: Sequence[Fact], campaigns: Mapping[int, Whose]) -> list[Fact]:
    """Each in the currency of its campaign; of what no campaign is known to have, nothing is told."""
    return [
        Fact(replace(fact.place, currency=known.currency), fact.sums)
        for fact in facts
        if (known := campaigns.get(fact.place.campaign_key)) is not None
    ]
