"""Refunds: charges given back, in whole or in part, to the budgets and from the parties they came from."""

from typing import Any

from sqlalchemy import bindparam, func, insert, select

from adserver.domain.audit_log import Action, Difference
from adserver.domain.chain import refund_entry
from adserver.domain.money import Micros, part_of_share
from adserver.domain.pricing import AdEvent
from adserver.storage.audit_log import tell
from adserver.storage.batch import Batch
from adserver.storage.sqlite import prepared
from adserver.storage.tables import charges, refunds
from adserver.writes import AdRecord, Outcome, RefundCharge, Result

_CHARGE = prepared(select(charges).where(charges.c.charge_id == bindparam("charge_id")))
_COLUMNS = tuple(charges.c.keys())
_REFUND = prepared(
    select(refunds.c.amount_micros, refunds.c.reason, refunds.c.advertiser_key).where(
        refunds.c.charge_id == bindparam("charge_id"), refunds.c.refund_id == bindparam("refund_id")
    )
)
_REFUNDED = prepared(
    select(
        func.coalesce(func.sum(refunds.c.amount_micros), 0),
        func.coalesce(func.sum(refunds.c.publisher_micros), 0),
    ).where(refunds.c.charge_id == bindparam("charge_id"))
)
_INSERT = prepared(insert(refunds))


def refund_charge(batch: Batch, write: RefundCharge) -> Outcome:
    """Give back what was billed, never more; the figure is what was refunded, or what still may be."""
    key = {"charge_id": write.charge_id}
    row = batch.connection.execute(_CHARGE, key).fetchone()
    if row is None:
        return Outcome(Result.NOT_CHARGED)
    charge = dict(zip(_COLUMNS, row, strict=True))
    if write.advertiser_key not in (0, charge["advertiser_key"]):
        return Outcome(Result.NOT_CHARGED)
    refunded, refunded_share = batch.connection.execute(_REFUNDED, key).fetchone()
    left = charge["amount_micros"] - refunded
    known = batch.connection.execute(_REFUND, {**key, "refund_id": write.refund_id}).fetchone()
    if known is not None:
        return _repeated(write, known[0], known[1], left)
    if charge["at_ms"] < write.since_ms:
        return Outcome(Result.REFUND_TOO_LATE)
    amount = left if write.amount_micros is None else write.amount_micros
    if not 0 < amount <= left:
        return Outcome(Result.OVER_REFUNDED, left)
    share = part_of_share(charge["publisher_micros"], charge["amount_micros"], refunded + amount)
    _book(batch, write, charge, Micros(amount), Micros(share - refunded_share))
    return Outcome(Result.REFUNDED, amount)


def _repeated(write: RefundCharge, amount: int, reason: str, left: int) -> Outcome:
    """Who asks for all that is left asks for another refund as long as something is."""
    same_amount = not left if write.amount_micros is None else write.amount_micros == amount
    same = same_amount and write.reason == reason
    return Outcome(Result.REFUNDED, amount) if same else Outcome(Result.REFUND_DIFFERS, amount)


def _book(batch: Batch, write: RefundCharge, charge: dict[str, Any], amount: Micros, share: Micros) -> None:
    """The refund in buckets, postings, chain and row. Both parties give back in proportion, to the micro."""
    record = _record(charge, amount, share)
    batch.give_back(record)
    batch.comparing.paid(record, -amount)
    entry = batch.append(record.campaign_key, lambda number: _entry(number, write, amount, record.day))
    row = {
        "charge_id": write.charge_id,
        "refund_id": write.refund_id,
        "campaign_key": record.campaign_key,
        "advertiser_key": record.advertiser_key,
        "publisher_key": record.publisher_key,
        "slot_key": record.slot_key,
        "at_ms": write.at_ms,
        "charged_ms": record.at_ms,
        "day": record.day,
        "currency": record.currency,
        "amount_micros": amount,
        "publisher_micros": share,
        "reason": write.reason,
        "entry": entry,
    }
    batch.connection.execute(_INSERT, row)
    batch.count(record.campaign_key, "refunded_micros", write.at_ms, amount)
    if write.by.is_somebody:  # shops' own cancellations are told by the ledger alone
        given = Difference("amount_micros", None, str(amount))
        about = ("Charge", write.charge_id, write.reason)
        tell(batch, write.by, write.at_ms, Action.REFUNDED, about, (given,))


def _entry(number: int, write: RefundCharge, amount: Micros, day: int) -> bytes:
    return refund_entry(number, write.charge_id, write.refund_id, amount, write.at_ms, day, write.reason)


def _record(charge: dict[str, Any], amount: Micros, share: Micros) -> AdRecord:
    """The charge as it was recorded, with the amounts of its refund."""
    known = {name: charge[name] for name in AdRecord.__struct_fields__ if name in charge}
    known |= {"amount_micros": amount, "publisher_micros": share}
    event = AdEvent(charge["charge_id"] & 3)
    return AdRecord(event=event, impression_id=charge["charge_id"] >> 2, visitor_key=0, **known)
