"""What one worker notes of pixel events for the doctor: a little of each, and who says everything twice."""

from collections import OrderedDict

import msgspec

from pixel.events import Event, EventName

MOST_SAMPLES = 100  # items noted between two reports
MOST_ITEMS = 10  # of one event
TWICE_MS = 3_000
MOST_REMEMBERED = 20_000  # events; the oldest are forgotten


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One item as a page named it, before any rule changed its id; never whose page view it was."""

    advertiser_key: int
    event: EventName
    item_id: str
    price_micros: int | None
    currency: str | None
    at_ms: int


class Samples:
    """The first event with items of each advertiser and name, until `take`."""

    def __init__(self) -> None:
        self._noted: set[tuple[int, EventName]] = set()
        self._samples: list[Sample] = []

    def offer(self, advertiser_key: int, event: Event, at_ms: int) -> None:
        noted = (advertiser_key, event.name)
        if not event.items or noted in self._noted or len(self._samples) >= MOST_SAMPLES:
            return
        self._noted.add(noted)
        for item in event.items[:MOST_ITEMS]:
            self._samples.append(Sample(*noted, item.item_id, item.price_micros, event.currency, at_ms))

    def take(self) -> tuple[Sample, ...]:
        """What was noted since the last call."""
        samples, self._samples, self._noted = tuple(self._samples), [], set()
        return samples


class Repeats:
    """What browsers have said in the last seconds; the same again under another event id is a double."""

    def __init__(self) -> None:
        self._said: OrderedDict[int, tuple[int, str | None]] = OrderedDict()

    def is_double(self, visitor_key: int, advertiser_key: int, event: Event, now_ms: int) -> bool:
        """Whether the visitor said the same just before; remembered, so ask once for each event.

        The same event id again is the same event, sent twice: that is no fault of the page.
        """
        key = hash((visitor_key, advertiser_key, event.name, event.items, event.order_id, event.url))
        before = self._said.pop(key, None)
        self._said[key] = (now_ms, event.event_id)
        if len(self._said) > MOST_REMEMBERED:
            self._said.popitem(last=False)
        if before is None or now_ms - before[0] > TWICE_MS:
            return False
        return event.event_id is None or event.event_id != before[1]
