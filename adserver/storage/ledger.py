"""The ledger: ad events, charges and refusals, each exactly once."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.budget import Bucket, BucketId
from adserver.domain.chain import charge_entry
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import Touch, fold_touch
from adserver.storage.arrivals import count_click
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import (
    ad_events,
    budgets,
    decisions,
    refused_charges,
)
from adserver.storage.visitors import known_profile
from adserver.writes import AdRecord, Outcome, RecordAd, RecordDecision, Result

_CHARGE_ID: BindParameter[int] = bindparam("charge_id")
_REDEEM = prepared(
    update(ad_events)
    .where(ad_events.c.charge_id == bindparam("of_id"), ad_events.c.not_billed != literal_column("''"))
    .values(
        not_billed=literal_column("''"),
        product_key=bindparam("of_product"),
        creative_key=bindparam("of_creative"),
        at_ms=bindparam("redeemed_ms"),
    )
)
_REFUSED_DAY = prepared(select(refused_charges.c.day).where(refused_charges.c.charge_id == _CHARGE_ID))
_DROP_REFUSED = prepared(delete(refused_charges).where(refused_charges.c.charge_id == _CHARGE_ID))
_REFUSE = prepared(upsert(refused_charges).on_conflict_do_nothing())
_TAKEN, _CAP_REACHED = Outcome(Result.TAKEN), Outcome(Result.CAP_REACHED)
_REPEATED, _NOT_BILLABLE = Outcome(Result.REPEATED), Outcome(Result.NOT_BILLABLE)
_ACCEPTED = Outcome(Result.ACCEPTED)
_TOUCHES = frozenset({AdEvent.IMPRESSION, AdEvent.CLICK})  # what attribution asks for
_COUNTED = {
    AdEvent.IMPRESSION: "impressions",
    AdEvent.VIEWABLE_IMPRESSION: "viewable_impressions",
    AdEvent.CLICK: "clicks",
    AdEvent.CONVERSION: "conversions",
}


def charge_id(record: AdRecord) -> int:
    """The id of what the event may cost: from the event itself, so that a repeat is the same charge."""
    return record.impression_id << 2 | record.event


def record_ad(batch: Batch, write: RecordAd) -> Outcome:
    """Record ad events once each, and bill what they cost; answers the last one's outcome."""
    outcome = _REPEATED
    for record in write.records:
        outcome = _record(batch, record)
    return outcome


def _record(batch: Batch, record: AdRecord) -> Outcome:
    known = repeat(batch, "ad_events", record, Result.NOT_BILLABLE)
    redeemed = known is not None and not record.not_billed and _redeem(batch, record)
    if known is None:
        record = _fold(batch, record)
        event_id = charge_id(record)
        batch.add_row("ad_events", _ad_event_row(event_id, record), event_id)
    if known is None or redeemed:
        count(batch, record)
        batch.comparing.saw(record)
    if not record.amount_micros:
        return _NOT_BILLABLE if known is None or redeemed else known
    return bill(batch, record)


def _redeem(batch: Batch, record: AdRecord) -> bool:
    """A valid event after a suspect one of the same kind is the first that counts, as if it had come alone.

    What follows a click, such as its landing, is counted at this one's card and day.
    """
    pending = batch.pending_row("ad_events", charge_id(record))
    if pending is None:
        redeemed = batch.connection.execute(_REDEEM, _redeeming(record)).rowcount == 1
    else:
        redeemed = bool(pending["not_billed"])
        if redeemed:
            told = ("not_billed", "product_key", "creative_key", "at_ms")
            pending.update({name: getattr(record, name) for name in told})
    if redeemed:
        _fold(batch, record)
    return redeemed


def _redeeming(record: AdRecord) -> dict[str, int]:
    return {
        "of_id": charge_id(record),
        "of_product": record.product_key,
        "of_creative": record.creative_key,
        "redeemed_ms": record.at_ms,
    }


def bill(batch: Batch, record: AdRecord) -> Outcome:
    """Take the charge, or refuse it by name; a refusal may be retried, for the day it was first seen."""
    event_id = charge_id(record)
    known = repeat(batch, "charges", record, Result.TAKEN)
    if known is not None:
        return known
    refused = batch.recorded_ms("refused_charges", event_id) is not None
    if refused:
        (day,) = batch.connection.execute(_REFUSED_DAY, {"charge_id": event_id}).fetchone()
        record = msgspec.structs.replace(record, day=day)
    if take(batch, record):
        if refused:
            batch.connection.execute(_DROP_REFUSED, {"charge_id": event_id})
        return _TAKEN
    if not refused:
        refuse(batch, record)
    return _CAP_REACHED


def take(batch: Batch, record: AdRecord, reserved: Micros = ZERO) -> bool:
    """Bill a record and put its charge at the end of its campaign's chain; False where it fits no more."""
    if not batch.charge(record, reserved):
        return False
    event_id = charge_id(record)
    entry = batch.append(record.campaign_key, lambda number: _charge_entry(number, event_id, record))
    batch.add_row("charges", _charge_row(event_id, record, entry), event_id)
    batch.count(record.campaign_key, "spend_micros", record.at_ms, record.amount_micros)
    batch.comparing.paid(record, record.amount_micros)
    return True


def _charge_entry(number: int, event_id: int, record: AdRecord) -> bytes:
    return charge_entry(
        number,
        event_id,
        record.campaign_version,
        record.slot_key,
        record.amount_micros,
        record.at_ms,
        record.day,
    )


def refuse(batch: Batch, record: AdRecord) -> None:
    """Keep what the cap left unpaid: it is shown to advertiser and publisher, and may be retried."""
    batch.connection.execute(_REFUSE, _refused_row(charge_id(record), record))
    batch.note_refusal(charge_id(record), record.at_ms)
    for owner_key in (record.campaign_key, record.slot_key):
        batch.count(owner_key, "unbilled_at_cap", record.at_ms)


def repeat(batch: Batch, table: str, record: AdRecord, first: Result) -> Outcome | None:
    """What a known event is answered: a repeat, or in a batch sent again what its first sending was.

    The row of a suspect event that was redeemed tells of the valid one: then the suspect is a repeat.
    """
    event_id = charge_id(record)
    if batch.pending_row(table, event_id) is not None:
        return _REPEATED
    known_ms = batch.recorded_ms(table, event_id)
    if known_ms is None:
        return None
    return Outcome(first) if batch.resent and known_ms == record.at_ms else _REPEATED


def count(batch: Batch, record: AdRecord) -> None:
    """Count what is to be paid, and apart from it, by reason, what is not."""
    name = _COUNTED[record.event]
    if record.not_billed:
        name = f"{name}_{record.not_billed}"
    for owner_key in (record.campaign_key, record.slot_key):
        batch.count(owner_key, name, record.at_ms)
    if not record.not_billed:
        batch.count(record.creative_key, name, record.at_ms)  # the ranking's; nobody is paid by creative
    if record.event is AdEvent.CLICK:
        count_click(batch, record)


def _fold(batch: Batch, record: AdRecord) -> AdRecord:
    """Remember the touch with its visitor; of one who was forgotten meanwhile, the record keeps no key."""
    if not record.visitor_key:
        return record
    profile = known_profile(batch, record.visitor_key, record.at_ms)
    if profile is None:
        return msgspec.structs.replace(record, visitor_key=0)
    if record.event in _TOUCHES:
        fold_touch(profile, touch_of(record), record.advertiser_key)
        batch.keep_profile(record.visitor_key, profile, record.at_ms)
    return record


def touch_of(record: AdRecord) -> Touch:
    """The record as attribution sees it; what was not billed for a reason is suspect."""
    return Touch(
        record.event,
        record.impression_id,
        record.campaign_key,
        record.campaign_version,
        record.slot_key,
        record.creative_key,
        record.product_key,
        record.at_ms,
        bool(record.not_billed),
        record.audience_key,
    )


def _ad_event_row(event_id: int, record: AdRecord) -> dict[str, Any]:
    return {
        "charge_id": event_id,
        "campaign_key": record.campaign_key,
        "campaign_version": record.campaign_version,
        "slot_key": record.slot_key,
        "creative_key": record.creative_key,
        "product_key": record.product_key,
        "visitor_key": record.visitor_key,
        "at_ms": record.at_ms,
        "not_billed": record.not_billed,
        "landed_ms": None,
        "engaged": False,
    }


def _charge_row(event_id: int, record: AdRecord, entry: int) -> dict[str, Any]:
    return {
        "charge_id": event_id,
        "campaign_key": record.campaign_key,
        "campaign_version": record.campaign_version,
        "advertiser_key": record.advertiser_key,
        "publisher_key": record.publisher_key,
        "slot_key": record.slot_key,
        "creative_key": record.creative_key,
        "product_key": record.product_key,
        "audience_key": record.audience_key,
        "at_ms": record.at_ms,
        "day": record.day,
        "currency": record.currency,
        "amount_micros": record.amount_micros,
        "publisher_micros": record.publisher_micros,
        "entry": entry,
    }


def _refused_row(event_id: int, record: AdRecord) -> dict[str, Any]:
    return {
        "charge_id": event_id,
        "campaign_key": record.campaign_key,
        "slot_key": record.slot_key,
        "reason": Result.CAP_REACHED,
        "first_seen_ms": record.at_ms,
        "day": record.day,
        "amount_micros": record.amount_micros,
    }


def record_decision(batch: Batch, write: RecordDecision) -> Outcome:
    """Keep what was served; a repeat is harmless."""
    row = {
        "impression_id": write.impression_id,
        "at_ms": write.at_ms,
        "slot_key": write.slot_key,
        "campaign_key": write.campaign_key,
        "creative_key": write.creative_key,
        "visitor_key": write.visitor_key,
        "product_keys": msgspec.msgpack.encode(write.product_keys),
        "image_key": write.image_key or None,
        "token": write.token or None,
        "propensity": write.propensity,
        "audience_key": write.audience_key,
        "country": write.country,
        "device": write.device,
        "test": write.test,
    }
    batch.add_row("decisions", row)
    batch.comparing.enter(write.visitor_key, write.advertiser_key, write.currency, write.at_ms, write.entries)
    return _ACCEPTED


# ---- reading ----

_BUCKET = prepared(
    select(budgets.c.cap, budgets.c.spent, budgets.c.pending).where(
        budgets.c.owner_key == bindparam("owner_key"), budgets.c.day == bindparam("day")
    )
)
_UNBILLED = prepared(select(func.count()).where(refused_charges.c.campaign_key == bindparam("campaign_key")))
_IMAGE_TOKEN = prepared(
    select(decisions.c.token).where(decisions.c.image_key == bindparam("image_key"))
    .order_by(decisions.c.at_ms.desc()).limit(literal_column("1"))
)  # fmt: skip


class SqliteLedger:
    """Balances as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def buckets(self, ids: Sequence[BucketId]) -> list[Bucket]:
        """Each balance, empty and uncapped where nothing was charged yet."""
        rows = [self._reader.row(_BUCKET, {"owner_key": i.owner_key, "day": i.day}) for i in ids]
        return [Bucket() if row is None else Bucket(*row) for row in rows]

    def unbilled_at_cap(self, campaign_key: int) -> int:
        row = self._reader.row(_UNBILLED, {"campaign_key": campaign_key})
        return int(row[0]) if row else 0

    def image_token(self, image_key: int) -> str | None:
        row = self._reader.row(_IMAGE_TOKEN, {"image_key": image_key})
        return None if row is None else row[0]
