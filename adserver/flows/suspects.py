"""What was suspect of each campaign, slot and publisher, by day."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from adserver.domain.suspects import DAY_MS, DAYS, NAMES, Suspect, day_of, judged
from adserver.ports import Campaigns, Clock, Inventory, Stats

PAGE = 500
Counted = dict[int, dict[int, Counter[str]]]  # by owner and day


class Suspects(msgspec.Struct, frozen=True):
    """The oddest first; those of whom nothing is suspect or odd are left out."""

    since_ms: int
    campaigns: list[Suspect]
    slots: list[Suspect]
    publishers: list[Suspect]


class FindSuspects:
    def __init__(self, stats: Stats, campaigns: Campaigns, inventory: Inventory, clock: Clock) -> None:
        self._stats = stats
        self._campaigns = campaigns
        self._inventory = inventory
        self._clock = clock

    def report(self) -> Suspects:
        """Of the last four weeks, today with them."""
        now_ms = self._clock()
        today_ms = now_ms - now_ms % DAY_MS
        since_ms = today_ms - (DAYS - 1) * DAY_MS
        counted: Counted = defaultdict(lambda: defaultdict(Counter))
        publishers, running = dict(self._publishers()), list(self._campaign_keys())
        rows = self._stats.parts([*running, *publishers], NAMES, since_ms, now_ms + 1, DAY_MS)
        for owner_key, name, start_ms, n in rows:
            counted[owner_key][start_ms][name] += n
        of_publishers: Counted = defaultdict(lambda: defaultdict(Counter))
        for slot_key in counted.keys() & publishers.keys():
            for start_ms, names in counted[slot_key].items():
                of_publishers[publishers[slot_key]][start_ms].update(names)
        campaigns = {key: counted[key] for key in running if key in counted}
        slots = {key: counted[key] for key in publishers if key in counted}
        found = (_suspects(one, since_ms, today_ms) for one in (campaigns, slots, of_publishers))
        return Suspects(since_ms, *found)

    def _campaign_keys(self) -> Iterator[int]:
        after = -1
        while page := self._campaigns.campaigns(None, after, PAGE):
            yield from (one.key for one in page)
            after = page[-1].key

    def _publishers(self) -> Iterator[tuple[int, int]]:
        """Each slot's publisher."""
        sites: dict[int, int] = {}
        after = -1
        while found := self._inventory.sites(None, after, PAGE):
            sites.update((one.key, one.publisher_key) for one in found)
            after = found[-1].key
        after = -1
        while page := self._inventory.slots(None, after, PAGE):
            yield from ((one.key, sites[one.site_key]) for one in page if one.site_key in sites)
            after = page[-1].key


def _suspects(
    counted: Mapping[int, Mapping[int, Mapping[str, int]]], since_ms: int, today_ms: int
) -> list[Suspect]:
    starts = range(since_ms, today_ms + 1, DAY_MS)
    found = [
        judged(
            key, [day_of(start_ms, days.get(start_ms, {})) for start_ms in starts if start_ms >= min(days)]
        )
        for key, days in counted.items()
    ]
    odd = [one for one in found if one.suspect or one.is_odd]
    return sorted(odd, key=lambda one: (not one.is_odd, -one.suspect, one.owner_key))
