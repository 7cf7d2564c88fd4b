"""What traffic of machines and frauds looks like from here: too much of one visitor, or of one network."""

from collections import OrderedDict
from collections.abc import Hashable
from enum import StrEnum

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.pricing import AdEvent
from adserver.domain.token import AdToken

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MOST_VISITORS = 50_000  # that one worker keeps count of; those longest unseen are forgotten
MOST_NETWORKS = 20_000
ANSWERS_A_DAY = 24  # about consent, of a network: headers are easily forged, and a hold takes many of them


class Suspicion(StrEnum):
    """Why an ad's event is recorded, and costs nothing."""

    OTHER_VISITOR = "other_visitor"  # another browser's ad
    VISITOR_CLICKS = "visitor_clicks"
    VISITOR_RATE = "visitor_rate"
    NETWORK_RATE = "network_rate"
    NAMELESS_CLICKS = "nameless_clicks"  # of one network, on a campaign's ads that name no visitor
    NAMELESS_VIEWS = "nameless_views"
    STRANGERS = "strangers"  # one of very many visitors of one network that nobody has seen before


# Every reason for which an ad's event is counted apart; see flows/bill.py.
NOT_BILLED = ("test", "robot", "prefetch", "too_soon", "elsewhere", *Suspicion)


class Limits(msgspec.Struct, frozen=True):
    """The operator's limits, of each worker; 0 for none."""

    visitor_clicks: int = 5  # on one campaign's ads in an hour
    visitor_events: int = 300  # in a minute
    network_clicks: int = 60  # in a minute
    network_events: int = 6_000  # in a minute
    network_strangers: int = 2_000  # in an hour
    nameless_clicks: int = 20  # from one network on one campaign's ads that name nobody, in an hour
    nameless_views: int = 2_000  # the same of impressions, and as many views


class Rate:
    """How often each key came of late: within `window_ms`, which slides. A limit of 0 is none.

    The window before counts for as much of it as the sliding one still covers. What is past the limit is
    not counted, so that a crowd behind one address passes at the limit, not never.
    """

    def __init__(self, most: int, window_ms: int, most_keys: int) -> None:
        self._most = most
        self._window_ms = window_ms
        self._most_keys = most_keys
        self._counts: OrderedDict[Hashable, tuple[int, int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def knows(self, key: Hashable) -> bool:
        """Whether the key came before, as far as anybody remembers."""
        return key in self._counts

    def passes(self, key: Hashable, now_ms: int, n: int = 1) -> bool:
        """Count `n` more of a key, if that many are within the limit."""
        window = now_ms // self._window_ms
        counted, before = self._of_window(key, window)
        still_covered = 1 - now_ms % self._window_ms / self._window_ms
        passes = not self._most or counted + n + before * still_covered <= self._most
        self._counts[key] = (window, counted + n if passes else counted, before)
        self._counts.move_to_end(key)
        if len(self._counts) > self._most_keys:
            self._counts.popitem(last=False)
        return passes

    def _of_window(self, key: Hashable, window: int) -> tuple[int, int]:
        """How many of the key in this window, and in the one before it."""
        known = self._counts.get(key)
        if known is None or known[0] < window - 1:
            return 0, 0
        return (0, known[1]) if known[0] == window - 1 else (known[1], known[2])


class Watch:
    """One worker's counts of visitors and networks; they are lost with it, and bounded."""

    def __init__(self, limits: Limits) -> None:
        self._visitor_clicks = Rate(limits.visitor_clicks, HOUR_MS, MOST_VISITORS)
        self._visitor_events = Rate(limits.visitor_events, MINUTE_MS, MOST_VISITORS)
        self._network_clicks = Rate(limits.network_clicks, MINUTE_MS, MOST_NETWORKS)
        self._network_events = Rate(limits.network_events, MINUTE_MS, MOST_NETWORKS)
        self._strangers = Rate(limits.network_strangers, HOUR_MS, MOST_NETWORKS)
        self._nameless_clicks = Rate(limits.nameless_clicks, HOUR_MS, MOST_NETWORKS)
        self._nameless_views = Rate(limits.nameless_views, HOUR_MS, MOST_NETWORKS)
        self._pixel_visitors = Rate(limits.visitor_events, MINUTE_MS, MOST_VISITORS)
        self._pixel_networks = Rate(limits.network_events, MINUTE_MS, MOST_NETWORKS)
        self._slot_visitors = Rate(limits.visitor_events, MINUTE_MS, MOST_VISITORS)
        self._slot_networks = Rate(limits.network_events, MINUTE_MS, MOST_NETWORKS)
        self._answers = Rate(ANSWERS_A_DAY, DAY_MS, MOST_NETWORKS)

    def takes(self, caller: Caller, events: int, now_ms: int) -> bool:
        """Whether so many events of a shop's page are no flood."""
        return _passes(self._pixel_visitors, self._pixel_networks, caller, now_ms, events)

    def shows(self, caller: Caller, now_ms: int) -> bool:
        """Whether one more ad is no flood: each that is decided on is a row that stays."""
        return _passes(self._slot_visitors, self._slot_networks, caller, now_ms)

    def hears(self, caller: Caller, owner_key: int, now_ms: int) -> bool:
        """Whether what a visitor answered about consent on an account's page counts, yes and no alike."""
        return caller.network is None or self._answers.passes((caller.network, owner_key), now_ms)

    def suspicion(self, event: AdEvent, token: AdToken, caller: Caller, now_ms: int) -> Suspicion | None:
        """Why what happened to an ad is not to be paid; counted, so ask once for each event."""
        if token.visitor_key and caller.visitor_key and token.visitor_key != caller.visitor_key:
            return Suspicion.OTHER_VISITOR
        if caller.network is None:
            return None
        suspected = None
        visitor_key = token.visitor_key or caller.visitor_key
        if visitor_key:
            suspected = self._of_visitor(event, visitor_key, token.campaign_key, caller.network, now_ms)
        if suspected is None and not token.visitor_key:
            suspected = self._of_nobody(event, token.campaign_key, caller.network, now_ms)
        return suspected or self._of_network(event, caller.network, now_ms)

    def _of_visitor(
        self, event: AdEvent, visitor_key: int, campaign_key: int, network: int, now_ms: int
    ) -> Suspicion | None:
        is_stranger = not self._visitor_events.knows(visitor_key)
        if is_stranger and not self._strangers.passes(network, now_ms):
            return Suspicion.STRANGERS
        if not self._visitor_events.passes(visitor_key, now_ms):
            return Suspicion.VISITOR_RATE
        on_campaign = (visitor_key, campaign_key)
        if event is AdEvent.CLICK and not self._visitor_clicks.passes(on_campaign, now_ms):
            return Suspicion.VISITOR_CLICKS
        return None

    def _of_nobody(self, event: AdEvent, campaign_key: int, network: int, now_ms: int) -> Suspicion | None:
        """An ad that names nobody can be asked for without end by one browser that keeps no cookie."""
        if event is AdEvent.CLICK:
            passes = self._nameless_clicks.passes((network, campaign_key), now_ms)
            return None if passes else Suspicion.NAMELESS_CLICKS
        passes = self._nameless_views.passes((network, campaign_key, event), now_ms)
        return None if passes else Suspicion.NAMELESS_VIEWS

    def _of_network(self, event: AdEvent, network: int, now_ms: int) -> Suspicion | None:
        if event is AdEvent.CLICK and not self._network_clicks.passes(network, now_ms):
            return Suspicion.NETWORK_RATE
        return None if self._network_events.passes(network, now_ms) else Suspicion.NETWORK_RATE


def _passes(visitors: Rate, networks: Rate, caller: Caller, now_ms: int, n: int = 1) -> bool:
    """Whether neither the visitor nor the network is past its limit; an address of ours has none."""
    if caller.network is None:
        return True
    if caller.visitor_key and not visitors.passes(caller.visitor_key, now_ms, n):
        return False
    return networks.passes(caller.network, now_ms, n)
