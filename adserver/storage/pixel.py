"""What pages have told of late: counters by the hour, and a bounded sample of the items they named."""

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.identity import key_of
from adserver.domain.pixel_sample import Sample
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import counts, pixel_samples
from adserver.writes import KeepSamples, Outcome, Result
from pixel.events import EventName

PLACES = 200  # for ids of one advertiser's event: a newer one takes the place of an older

_row = upsert(pixel_samples)
_KEEP = prepared(
    _row.on_conflict_do_update(
        index_elements=["advertiser_key", "event", "place"],
        set_={name: _row.excluded[name] for name in ("item_id", "price_micros", "currency", "at_ms")},
    )
)
_HOURS = prepared(
    select(counts.c.name, counts.c.hour_ms, counts.c.n).where(
        counts.c.owner_key == bindparam("owner_key"), counts.c.hour_ms >= bindparam("since_ms")
    )
)
_SAMPLES = prepared(
    select(
        pixel_samples.c.event,
        pixel_samples.c.item_id,
        pixel_samples.c.price_micros,
        pixel_samples.c.currency,
        pixel_samples.c.at_ms,
    )
    .where(
        pixel_samples.c.advertiser_key == bindparam("advertiser_key"),
        pixel_samples.c.at_ms >= bindparam("since_ms"),
    )
    .order_by(pixel_samples.c.at_ms.desc(), pixel_samples.c.event, pixel_samples.c.place)
)


def keep_samples(batch: Batch, write: KeepSamples) -> Outcome:
    """Each id has its place, whichever worker saw it: so there are never more than places."""
    rows = [
        {
            "advertiser_key": sample.advertiser_key,
            "event": sample.event.value,
            "place": key_of(b"sample", sample.item_id.encode()) % PLACES,
            "item_id": sample.item_id,
            "price_micros": sample.price_micros,
            "currency": sample.currency,
            "at_ms": sample.at_ms,
        }
        for sample in write.samples
    ]
    batch.connection.executemany(_KEEP, rows)
    return Outcome(Result.SAVED)


class SqlitePixel:
    """A pixel as its doctor reads it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def hours(self, advertiser_key: int, since_ms: int) -> list[tuple[str, int, int]]:
        """(name, hour's start, how many) of all of an advertiser's counters."""
        parameters = {"owner_key": advertiser_key, "since_ms": since_ms}
        return [
            (str(name), int(hour_ms), int(n)) for name, hour_ms, n in self._reader.rows(_HOURS, parameters)
        ]

    def samples(self, advertiser_key: int, since_ms: int) -> list[Sample]:
        """Items that were named since, the newest first."""
        rows = self._reader.rows(_SAMPLES, {"advertiser_key": advertiser_key, "since_ms": since_ms})
        return [Sample(advertiser_key, EventName(event), *rest) for event, *rest in rows]
