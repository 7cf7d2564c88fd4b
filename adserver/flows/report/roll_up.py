"""Sums for reports: a job adds up what is new of ads, decisions and money, each row once."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

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
        return sum(map(self._run, (Source.ADS, Source.FILLS, Source.MONEY)))

    def _run(self, source: Source) -> int:
        done = 0
        while done < MOST_STRETCHES and self._take_in(source):
            done += 1
        return done

    def _take_in(self, source: Source) -> bool:
        """The next stretch; False where there is none, or another was quicker, or nothing can be written."""
        write = self._next_money() if source is Source.MONEY else self._next_of(source)
        return write is not None and self._writer.commit(write).result is Result.SAVED

    def _next_of(self, source: Source) -> RollReport | None:
        settled_ms = self._clock() - SETTLED_MS
        end = settled_ms if source is Source.ADS else first_key_at(settled_ms)
        after = self._sources.cursor(source)
        if after >= end:
            return None
        until = self._sources.later(source, after, end, STRETCH)
        return self._write(source, after, until, (), self._sources.facts(source, after, until))

    def _next_money(self) -> RollReport | None:
        stretches = self._sources.waiting()
        taken: list[tuple[int, int, int]] = []
        left = STRETCH
        for campaign_key, after, until in stretches:
            taken.append((campaign_key, after, min(until, after + left)))
            left -= until - after
            if left <= 0:
                break
        if not taken:
            return None
        return self._write(Source.MONEY, 0, 0, tuple(taken), self._sources.money(taken))

    def _write(
        self,
        source: Source,
        after: int,
        until: int,
        entries: tuple[tuple[int, int, int], ...],
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
