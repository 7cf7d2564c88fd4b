"""What the writes of a batch will ask of the file, asked for all of them at once before they are applied."""

from collections.abc import Sequence

from adserver.domain.budget import BucketId, buckets_of
from adserver.storage.batch import Batch
from adserver.storage.ledger import charge_id
from adserver.writes import (
    AdRecord,
    EnterExperiments,
    RecordAd,
    RecordDecision,
    RecordGhost,
    SeenAtSlot,
    StoreEvent,
    Write,
)


def read_ahead(batch: Batch, writes: Sequence[Write]) -> None:
    """Events and ads, of which there are many; whatever else is asked is read when it is asked."""
    visitor_keys = {
        write.visitor_key for write in writes if isinstance(write, StoreEvent) and not write.first
    }
    visitor_keys.update([write.visitor_key for write in writes if isinstance(write, SeenAtSlot)])
    records = [record for write in writes if isinstance(write, RecordAd) for record in write.records]
    compared = {
        write.visitor_key
        for write in writes
        if isinstance(write, EnterExperiments | RecordDecision | RecordGhost) and write.entries
    }
    compared.update([record.visitor_key for record in records])
    batch.comparing.read(compared - {0})
    visitor_keys.update([record.visitor_key for record in records])
    visitor_keys.update([write.visitor_key for write in writes if isinstance(write, RecordGhost)])
    batch.read_profiles(visitor_keys - {0})
    if records:
        batch.read_recorded({charge_id(record) for record in records})
        batch.read_balances(_touched_by(records))


def _touched_by(records: Sequence[AdRecord]) -> set[BucketId]:
    return {
        bucket_id
        for record in records
        if record.amount_micros
        for bucket_id in buckets_of(record.campaign_key, record.advertiser_key, record.day)
    }
