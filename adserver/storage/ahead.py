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
    folded: set[int] = set()  # visitors
    compared: set[int] = set()
    records: list[AdRecord] = []
    for write in writes:
        match write:
            case StoreEvent(first=False) | SeenAtSlot():
                folded.add(write.visitor_key)
            case RecordAd():
                records += write.records
            case EnterExperiments() | RecordDecision() | RecordGhost():
                if write.entries:
                    compared.add(write.visitor_key)
                if isinstance(write, RecordGhost):
                    folded.add(write.visitor_key)
    of_ads = {record.visitor_key for record in records}
    batch.comparing.read((compared | of_ads) - {0})
    batch.read_profiles((folded | of_ads) - {0})
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
