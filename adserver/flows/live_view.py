"""Somebody looks on as a shop's events come in: each look has them kept for some minutes more."""

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Product
from adserver.domain.identity import product_key
from adserver.domain.live_view import SHOWN_MS, WATCHED_MS, LiveEvent
from adserver.ports import Catalogue, Clock, LiveViews, Writer
from adserver.writes import Result, WatchLive

RENEWED_MS = WATCHED_MS - 60_000  # looks within a minute write once


class Seen(msgspec.Struct, frozen=True):
    """An event, its number, and the catalogue's products among those it names."""

    number: int
    event: LiveEvent
    products: dict[str, Product]


class Looked(msgspec.Struct, frozen=True):
    """The newest first. It ends at `watched_until_ms` unless somebody looks again; 0: it cannot begin."""

    watched_until_ms: int
    seen: list[Seen]


class WatchLiveEvents:
    """Reads what workers have noted; see `LiveView` for what they note."""

    def __init__(self, writer: Writer, live_views: LiveViews, catalogue: Catalogue, clock: Clock) -> None:
        self._writer = writer
        self._live_views = live_views
        self._catalogue = catalogue
        self._clock = clock

    def look(self, advertiser: Advertiser, after: int, limit: int) -> Looked:
        """What came after the event of that number, and have what comes next kept."""
        now_ms = self._clock()
        until_ms = self._live_views.until_ms(advertiser.key)
        if until_ms < now_ms + RENEWED_MS:
            outcome = self._writer.commit(WatchLive(advertiser.key, now_ms + WATCHED_MS))
            until_ms = now_ms + WATCHED_MS if outcome.result is Result.SAVED else 0
        numbered = self._live_views.events(advertiser.key, after, now_ms - SHOWN_MS, limit)
        keys = {item: product_key(advertiser.key, item) for _, event in numbered for item in event.item_ids}
        products = self._catalogue.products(keys.values())
        found = {item: products[key] for item, key in keys.items() if key in products}
        return Looked(
            until_ms,
            [
                Seen(number, event, {item: found[item] for item in event.item_ids if item in found})
                for number, event in numbered
            ],
        )
