"""What a shop's pages tell at this moment, for whoever looks on: some of it, for minutes, and of nobody."""

from collections.abc import Collection, Sequence
from itertools import chain

import msgspec

from pixel.consent import Consent
from pixel.events import Event, Rejection

WATCHED_MS = 5 * 60_000  # from the last look on
SHOWN_MS = 15 * 60_000
MOST_SEEN = 50  # of one shop, between two reports of a worker
MOST_ITEMS = 5  # of one event


class LiveEvent(msgspec.Struct, frozen=True, array_like=True):
    """One event as it came in; `reason` is why it was not kept.

    There is nothing of the visitor in it. Where nothing may be kept of what was done, only its name is told:
    no products, no value. `site` is the host of a page that is none of the shop's.
    """

    advertiser_key: int
    at_ms: int
    name: str | None = None
    item_ids: tuple[str, ...] = ()
    items: int = 0  # how many it named
    value_micros: int | None = None
    currency: str | None = None
    basis: str | None = None  # of consent
    reason: str | None = None
    flaws: tuple[str, ...] = ()
    site: str | None = None
    by_server: bool = False
    again: bool = False  # it was told before, and counts once


def kept(
    advertiser_key: int, event: Event, consent: Consent, at_ms: int, *, by_server: bool = False
) -> LiveEvent:
    """An event that was stored."""
    return LiveEvent(
        advertiser_key,
        at_ms,
        event.name,
        tuple(item.item_id for item in event.items[:MOST_ITEMS]),
        len(event.items),
        event.value_micros,
        event.currency,
        consent.basis,
        flaws=event.flaws,
        by_server=by_server,
    )


class LiveView:
    """What one worker has seen of the shops that somebody looks at; the others cost one look into a set."""

    def __init__(self) -> None:
        self._watched: frozenset[int] = frozenset()
        self._seen: dict[int, list[LiveEvent]] = {}  # by shop: a busy one takes no other one's place

    def watch(self, advertiser_keys: Collection[int]) -> None:
        """These, and no others from now on."""
        self._watched = frozenset(advertiser_keys)

    def is_watched(self, advertiser_key: int) -> bool:
        return advertiser_key in self._watched

    def refuse(
        self,
        advertiser_key: int,
        reason: Rejection,
        at_ms: int,
        events: Sequence[Event] = (),
        consent: Consent | None = None,
        site: str | None = None,
        *,
        by_server: bool = False,
    ) -> None:
        """Note what was not stored: no more than what each was called, or once that there was something."""
        if not self.is_watched(advertiser_key):
            return
        basis = None if consent is None else consent.basis
        names: list[str | None] = [event.name for event in events]
        for name in names or [None]:
            told = LiveEvent(advertiser_key, at_ms, name, basis=basis, reason=reason)
            self.note(msgspec.structs.replace(told, site=site, by_server=by_server))

    def note(self, event: LiveEvent) -> None:
        seen = self._seen.setdefault(event.advertiser_key, [])
        if len(seen) < MOST_SEEN:
            seen.append(event)

    def take(self) -> tuple[LiveEvent, ...]:
        """What was seen since the last call."""
        seen, self._seen = self._seen, {}
        return tuple(chain.from_iterable(list(seen.values())))
