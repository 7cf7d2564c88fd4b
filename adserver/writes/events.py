"""What may be written of what pages tell us."""

import msgspec

from adserver.domain.live_view import LiveEvent
from adserver.domain.pixel_sample import Sample
from pixel.consent_proof import ConsentProof
from pixel.events import Event, EventName


class StoreEvent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A pixel event: kept, folded into its visitor's profile, and an order or lead made of it.

    `first` says that the visitor's cookie was minted by this very request: a profile is made only when
    it comes back. `visitor_key` 0: consent for no more than a count. `conversion_key` is 0 where the event
    is no order, lead, sign-up or form; `trusted` when the merchant trusts its pixel for billing. `proof` is
    what the yes to a profile stands on.
    """

    event_key: int  # minted on arrival, so that a batch sent twice is stored once
    advertiser_key: int
    visitor_key: int
    first: bool
    event: Event
    at_ms: int
    conversion_key: int = 0
    has_reference: bool = True
    trusted: bool = False
    proof: ConsentProof | None = None


class RecordArrival(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What followed a click: that its page was there, or anything later, which may say that somebody stayed.

    `clicked_ms` is when the click was, and `loading_ms` how long its page took, as the browser tells it.
    """

    impression_id: int
    advertiser_key: int
    event: EventName
    clicked_ms: int
    at_ms: int
    loading_ms: int | None = None


class AddCounts(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Add to hourly counters: (hour start in ms, name, owner key, how many)."""

    counts: tuple[tuple[int, str, int, int], ...]


class KeepSamples(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Keep what a worker noted of items that pages named."""

    samples: tuple[Sample, ...]


class WatchLive(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Somebody looks at what comes in at a shop, until then."""

    advertiser_key: int
    until_ms: int


class KeepLive(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Keep for a while what a worker saw come in at shops that somebody looks at."""

    events: tuple[LiveEvent, ...]
