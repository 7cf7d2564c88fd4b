"""The ledger: ad events, charges, refusals and conversions, each exactly once."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, bindparam, delete, func, insert, literal_column, null, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.attribution import MOST_UNVERIFIED_ORDERS
from adserver.domain.budget import Bucket, BucketId
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import Touch, fold_touch
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import (
    ad_events,
    budgets,
    charges,
    conversions,
    decisions,
    refused_charges,
)
from adserver.storage.visitors import known_profile
from adserver.writes import AdRecord, Conversion, CreditConversion, Outcome, RecordAd, RecordDecision, Result
from pixel.events import EventName

NEW, SUPERSEDED = "new", "superseded"

_CHARGE_ID: BindParameter[int] = bindparam("charge_id")
_AD_EVENT = prepared(select(ad_events.c.at_ms).where(ad_events.c.charge_id == _CHARGE_ID))
_CHARGE = prepared(select(charges.c.at_ms).where(charges.c.charge_id == _CHARGE_ID))
_REDEEM = prepared(
    update(ad_events)
    .where(ad_events.c.charge_id == bindparam("of_id"), ad_events.c.not_billed != literal_column("''"))
    .values(not_billed=literal_column("''"))
)
_KNOWN = {"ad_events": _AD_EVENT, "charges": _CHARGE}
_REFUSED_DAY = prepared(select(refused_charges.c.day).where(refused_charges.c.charge_id == _CHARGE_ID))
_DROP_REFUSED = prepared(delete(refused_charges).where(refused_charges.c.charge_id == _CHARGE_ID))
_REFUSE = prepared(upsert(refused_charges).on_conflict_do_nothing())
_INSERT_DECISION = prepared(upsert(decisions).on_conflict_do_nothing())
_CONVERSION = prepared(
    select(conversions)
    .where(conversions.c.conversion_key == bindparam("conversion_key"))
    .order_by(conversions.c.by_server)
)
_INSERT_CONVERSION = prepared(insert(conversions))
_SETTLE = prepared(
    update(conversions)
    .where(
        conversions.c.conversion_key == bindparam("of_key"), conversions.c.by_server == bindparam("server")
    )
    .values(
        click_id=null(),  # it names a visitor, and has done its work
        state=bindparam("state"),
        reason=bindparam("reason"),
        campaign_key=bindparam("campaign_key"),
        touch_impression_id=bindparam("touch_impression_id"),
        record=bindparam("record"),
        day=bindparam("day"),
        amount_micros=bindparam("amount_micros"),
    )
)
_OF_TOUCH = prepared(
    select(func.count()).where(
        conversions.c.touch_impression_id == bindparam("touch"),
        conversions.c.touch_impression_id != literal_column("0"),
        conversions.c.by_server == literal_column("0"),
        conversions.c.amount_micros > literal_column("0"),
    )
)
_COLUMNS = tuple(column.name for column in conversions.c)
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
    outcome = Outcome(Result.REPEATED)
    for record in write.records:
        outcome = _record(batch, record)
    return outcome


def _record(batch: Batch, record: AdRecord) -> Outcome:
    repeat = _repeat(batch, "ad_events", record, Result.NOT_BILLABLE)
    redeemed = repeat is not None and not record.not_billed and _redeem(batch, record)
    if repeat is None:
        record = _fold(batch, record)
        event_id = charge_id(record)
        batch.add_row("ad_events", _ad_event_row(event_id, record), event_id)
    if repeat is None or redeemed:
        _count(batch, record)
    if not record.amount_micros:
        return Outcome(Result.NOT_BILLABLE) if repeat is None or redeemed else repeat
    return _bill(batch, record)


def _redeem(batch: Batch, record: AdRecord) -> bool:
    """A valid event after a suspect one of the same kind is the first that counts."""
    redeemed = batch.connection.execute(_REDEEM, {"of_id": charge_id(record)}).rowcount == 1
    if redeemed:
        _fold(batch, record)
    return redeemed


def _bill(batch: Batch, record: AdRecord) -> Outcome:
    """Take the charge, or refuse it by name; a refusal may be retried, for the day it was first seen."""
    event_id = charge_id(record)
    repeat = _repeat(batch, "charges", record, Result.TAKEN)
    if repeat is not None:
        return repeat
    refused = batch.connection.execute(_REFUSED_DAY, {"charge_id": event_id}).fetchone()
    if refused is not None:
        record = msgspec.structs.replace(record, day=refused[0])
    if batch.charge(record):
        batch.add_row("charges", charge_row(event_id, record), event_id)
        batch.count(record.campaign_key, "spend_micros", record.at_ms, record.amount_micros)
        if refused is not None:
            batch.connection.execute(_DROP_REFUSED, {"charge_id": event_id})
        return Outcome(Result.TAKEN)
    if refused is None:
        _refuse(batch, record)
    return Outcome(Result.CAP_REACHED)


def _refuse(batch: Batch, record: AdRecord) -> None:
    """Keep what the cap left unpaid: it is shown to advertiser and publisher, and may be retried."""
    batch.connection.execute(_REFUSE, _refused_row(charge_id(record), record))
    batch.count(record.campaign_key, "unbilled_at_cap", record.at_ms)


def _repeat(batch: Batch, table: str, record: AdRecord, first: Result) -> Outcome | None:
    """What a known event is answered: a repeat, or in a batch sent again what its first sending was."""
    event_id = charge_id(record)
    if batch.has_row(table, event_id):
        return Outcome(Result.REPEATED)
    known = batch.connection.execute(_KNOWN[table], {"charge_id": event_id}).fetchone()
    if known is None:
        return None
    return Outcome(first if batch.resent and known[0] == record.at_ms else Result.REPEATED)


def _count(batch: Batch, record: AdRecord) -> None:
    """Count what is to be paid, and apart from it, by reason, what is not."""
    name = _COUNTED[record.event]
    if record.not_billed:
        name = f"{name}_{record.not_billed}"
    for owner_key in (record.campaign_key, record.slot_key):
        batch.count(owner_key, name, record.at_ms)


def _fold(batch: Batch, record: AdRecord) -> AdRecord:
    """Remember the touch with its visitor; of one who was forgotten meanwhile, the record keeps no key."""
    if not record.visitor_key:
        return record
    profile = known_profile(batch, record.visitor_key, record.at_ms)
    if profile is None:
        return msgspec.structs.replace(record, visitor_key=0)
    if record.event in (AdEvent.IMPRESSION, AdEvent.CLICK):
        fold_touch(profile, touch_of(record))
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
    }


def charge_row(event_id: int, record: AdRecord) -> dict[str, Any]:
    """The record as a charge."""
    return {
        "charge_id": event_id,
        "campaign_key": record.campaign_key,
        "campaign_version": record.campaign_version,
        "advertiser_key": record.advertiser_key,
        "publisher_key": record.publisher_key,
        "slot_key": record.slot_key,
        "creative_key": record.creative_key,
        "product_key": record.product_key,
        "at_ms": record.at_ms,
        "day": record.day,
        "currency": record.currency,
        "amount_micros": record.amount_micros,
        "publisher_micros": record.publisher_micros,
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
    }
    batch.connection.execute(_INSERT_DECISION, row)
    return Outcome(Result.ACCEPTED)


# ---- conversions ----


def credit_conversion(batch: Batch, write: CreditConversion) -> Outcome:
    """Settle an order or lead: billed, reserved, refused or credited to nobody; once for ever.

    A server's conversion supersedes what a browser said of the same order while that is not billed.
    """
    rows = _conversions(batch, write.conversion_key)
    browser, server = rows.get(False), rows.get(True)
    if write.arrival is not None:
        if server is not None:
            return _reported_again(batch, write, write.arrival, server)
        if browser is not None and browser["state"] == Result.TAKEN:
            return Outcome(Result.DUPLICATE)
        if browser is not None:
            _release(batch, browser)
        batch.connection.execute(_INSERT_CONVERSION, _arrival_row(write.arrival))
    elif browser is None or browser["state"] != NEW:
        return Outcome(Result.REPEATED)
    elif server is not None:
        return _settle(batch, write, Result.DUPLICATE, "superseded")
    return _settle(batch, write, *_credited(batch, write))


def _reported_again(
    batch: Batch, write: CreditConversion, arrival: Conversion, stored: dict[str, Any]
) -> Outcome:
    """A duplicate; but what a cap refused may be retried, and a batch sent again is answered the same."""
    state, record = Result(stored["state"]), write.record
    if batch.resent and stored["arrived_at_ms"] == arrival.arrived_at_ms:
        return _answer(write, state)
    if state is Result.TAKEN and record is not None:  # perhaps by this very retry
        repeat = _repeat(batch, "charges", record, Result.TAKEN)
        return _answer(write, Result.TAKEN if repeat == Outcome(Result.TAKEN) else Result.DUPLICATE)
    if state is Result.CAP_REACHED and record is not None and _is_retry(record, stored):
        return _settle(batch, write, *_credited(batch, write), counted=True)
    return Outcome(Result.DUPLICATE)


def _is_retry(record: AdRecord, stored: dict[str, Any]) -> bool:
    return record.amount_micros > 0 and record.campaign_key == stored["campaign_key"]


def _credited(batch: Batch, write: CreditConversion) -> tuple[Result, str]:
    record = write.record
    if record is None:
        return Result.UNATTRIBUTED, write.reason
    if not record.amount_micros:
        return Result.NOT_BILLABLE, write.reason
    if write.reserve:
        if _unverified_orders(batch, write.touch_impression_id) >= MOST_UNVERIFIED_ORDERS:
            return Result.NOT_BILLABLE, "too_many_orders"
        if batch.move(record, ZERO, record.amount_micros):
            return Result.PENDING, ""
        _refuse(batch, record)
        return Result.CAP_REACHED, ""
    result = _bill(batch, record).result
    return (Result.DUPLICATE if result is Result.REPEATED else result), ""


def _unverified_orders(batch: Batch, impression_id: int) -> int:
    """How many orders of browsers this ad was credited with, settled since or not."""
    row = batch.connection.execute(_OF_TOUCH, {"touch": impression_id}).fetchone()
    return int(row[0])


def _answer(write: CreditConversion, result: Result) -> Outcome:
    kept = result in (Result.TAKEN, Result.PENDING)
    return Outcome(result, write.conversion_key << 2 | AdEvent.CONVERSION if kept else 0)


def _settle(
    batch: Batch, write: CreditConversion, result: Result, reason: str, *, counted: bool = False
) -> Outcome:
    record = write.record
    kept = record is not None and result in (Result.TAKEN, Result.PENDING)
    batch.connection.execute(
        _SETTLE,
        {
            "of_key": write.conversion_key,
            "server": write.by_server,
            "state": result,
            "reason": reason,
            "campaign_key": record.campaign_key if record else 0,
            "touch_impression_id": write.touch_impression_id,
            "record": msgspec.msgpack.encode(record) if result is Result.PENDING else None,
            "day": record.day if record else 0,
            "amount_micros": record.amount_micros if record and kept else 0,
        },
    )
    if record is not None and result is not Result.DUPLICATE and not counted:
        _count(batch, record)
    return _answer(write, result)


def _release(batch: Batch, browser: dict[str, Any]) -> None:
    """Undo what a browser's unverified order reserved, now that the merchant's server speaks."""
    if browser["state"] == Result.PENDING:
        record = msgspec.msgpack.decode(browser["record"], type=AdRecord)
        batch.move(record, ZERO, Micros(-record.amount_micros))
    batch.connection.execute(
        _SETTLE,
        {
            "of_key": browser["conversion_key"],
            "server": False,
            "state": SUPERSEDED,
            "reason": "a server reported the same order",
            "campaign_key": 0,
            "touch_impression_id": 0,
            "record": None,
            "day": 0,
            "amount_micros": 0,
        },
    )


def _conversions(batch: Batch, conversion_key: int) -> dict[bool, dict[str, Any]]:
    rows = batch.connection.execute(_CONVERSION, {"conversion_key": conversion_key}).fetchall()
    named = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return {bool(row["by_server"]): row for row in named}


def _arrival_row(arrival: Conversion) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(arrival),
        "state": NEW,
        "reason": "",
        "campaign_key": 0,
        "touch_impression_id": 0,
        "record": None,
        "day": 0,
        "amount_micros": 0,
    }


# ---- reading ----

_BUCKET = prepared(
    select(budgets.c.cap, budgets.c.spent, budgets.c.pending).where(
        budgets.c.owner_key == bindparam("owner_key"), budgets.c.day == bindparam("day")
    )
)
_UNBILLED = prepared(select(func.count()).where(refused_charges.c.campaign_key == bindparam("campaign_key")))
_NEW_CONVERSIONS = prepared(
    select(*(conversions.c[name] for name in Conversion.__struct_fields__))
    .where(conversions.c.state == literal_column(f"'{NEW}'"))
    .order_by(conversions.c.arrived_at_ms)
    .limit(bindparam("most"))
)
_LEAD_CREDITED = prepared(
    select(conversions.c.conversion_key)
    .where(
        conversions.c.visitor_key == bindparam("visitor_key"),
        conversions.c.advertiser_key == bindparam("advertiser_key"),
        conversions.c.event == bindparam("event"),
        conversions.c.arrived_at_ms >= bindparam("since_ms"),
        conversions.c.campaign_key != literal_column("0"),
    )
    .limit(literal_column("1"))
)
_IMAGE_TOKEN = prepared(
    select(decisions.c.token).where(decisions.c.image_key == bindparam("image_key"))
    .order_by(decisions.c.at_ms.desc()).limit(literal_column("1"))
)  # fmt: skip


class SqliteLedger:
    """Balances and conversions as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def buckets(self, ids: Sequence[BucketId]) -> list[Bucket]:
        """Each balance, empty and uncapped where nothing was charged yet."""
        rows = [self._reader.row(_BUCKET, {"owner_key": i.owner_key, "day": i.day}) for i in ids]
        return [Bucket() if row is None else Bucket(*row) for row in rows]

    def unbilled_at_cap(self, campaign_key: int) -> int:
        row = self._reader.row(_UNBILLED, {"campaign_key": campaign_key})
        return int(row[0]) if row else 0

    def new_conversions(self, limit: int) -> list[Conversion]:
        """Orders and leads that wait for attribution, oldest first."""
        rows = self._reader.rows(_NEW_CONVERSIONS, {"most": limit})
        return [msgspec.convert(row, Conversion, strict=False) for row in rows]

    def lead_credited(self, advertiser_key: int, event: EventName, visitor_key: int, since_ms: int) -> bool:
        """Whether the visitor's lead at this advertiser was credited to a campaign since then."""
        parameters = {"visitor_key": visitor_key, "advertiser_key": advertiser_key,
                      "event": event, "since_ms": since_ms}  # fmt: skip
        return bool(visitor_key) and self._reader.row(_LEAD_CREDITED, parameters) is not None

    def image_token(self, image_key: int) -> str | None:
        row = self._reader.row(_IMAGE_TOKEN, {"image_key": image_key})
        return None if row is None else row[0]
