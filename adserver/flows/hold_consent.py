"""Holds the assertions of accounts whose pages never say no: a job that is safe to run twice."""

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from adserver.domain.budget import local_day
from adserver.domain.campaign import Advertiser
from adserver.domain.consent_hold import NO, WATCHED_MS, YES, ConsentHold, nobody_was_asked
from adserver.domain.slot import Site
from adserver.ports import Accounts, Clock, Inventory, Stats, Writer
from adserver.writes import Result, SaveEntity

PAGE = 200


class HoldConsent:
    """Looks at every advertiser and site of which the operator has said nothing yet."""

    def __init__(
        self, accounts: Accounts, inventory: Inventory, stats: Stats, writer: Writer, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._inventory = inventory
        self._stats = stats
        self._writer = writer
        self._clock = clock

    def run(self) -> int:
        """How many were held. Whoever is changed by somebody else just now is looked at again next time."""
        advertisers = _pages(lambda after: self._accounts.advertisers(after, PAGE))
        sites = _pages(lambda after: self._inventory.sites(None, after, PAGE))
        return sum(
            self._hold(one)
            for pages in (advertisers, sites)
            for page in pages
            for one in self._suspects(page)
        )

    def _suspects(self, page: Sequence[Advertiser | Site]) -> list[Advertiser | Site]:
        watched = [one for one in page if one.consent_hold is ConsentHold.NONE]
        keys = [one.key for one in watched]
        yes, no = self._answers(keys, YES), self._answers(keys, NO)
        return [one for one in watched if nobody_was_asked(yes[one.key], no[one.key])]

    def _answers(self, keys: Sequence[int], name: str) -> dict[int, int]:
        sums = dict.fromkeys(keys, 0)
        for key, _, n in self._stats.hourly(keys, (name,), self._clock() - WATCHED_MS):
            sums[key] += n
        return sums

    def _hold(self, one: Advertiser | Site) -> bool:
        now_ms = self._clock()
        held = replace(one, consent_hold=ConsentHold.HELD, consent_held_at_ms=now_ms)
        today = 0
        if isinstance(held, Advertiser):
            held, today = replace(held, version=held.version + 1), local_day(now_ms, held.timezone)
        outcome = self._writer.commit(SaveEntity(held, is_new=False, today=today, at_ms=now_ms))
        return outcome.result is Result.SAVED


def _pages(
    page_after: Callable[[int], Sequence[Advertiser] | Sequence[Site]],
) -> Iterator[Sequence[Advertiser | Site]]:
    after = -1
    while page := page_after(after):
        yield page
        after = page[-1].key
