"""An order or lead is taken back: declined while it waits, refunded once billed, noted before it comes."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, literal_column, select, update

from adserver.domain.attribution import charge_of_conversion
from adserver.domain.money import ZERO, Micros
from adserver.storage import conversions, returns
from adserver.storage.batch import Batch
from adserver.storage.refunds import refund_charge
from adserver.storage.sqlite import prepared
from adserver.storage.tables import charges
from adserver.storage.tables import conversions as table
from adserver.writes import AdRecord, CancelConversion, Outcome, RefundCharge, Result

# What is kept of a charge that a price is made of; see returns.price_left.
_CHARGED = prepared(
    select(charges.c.campaign_key, charges.c.campaign_version, charges.c.audience_key).where(
        charges.c.charge_id == bindparam("charge_id")
    )
)
_RESERVE_LESS = prepared(
    update(table)
    .where(table.c.conversion_key == bindparam("of_key"), table.c.by_server == literal_column("0"))
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        amount_micros=bindparam("amount_micros"),
        record=bindparam("record"),
    )
)
_NOT_NOTED = (Result.OVER_REFUNDED, Result.REFUND_TOO_LATE, Result.REFUND_DIFFERS)
_decode_record = msgspec.msgpack.Decoder(AdRecord).decode


def cancel_conversion(batch: Batch, write: CancelConversion) -> Outcome:
    """Give back what an order costs no more; told before, answered as before; a refusal changes nothing."""
    known = returns.answered_before(batch, write)
    if known is not None:
        return known
    told_of = conversions.told_of(batch, write.conversion_key).values()
    rows = [told for told in told_of if told["advertiser_key"] == write.advertiser_key]
    if any(_is_other_currency(write, row) for row in rows):
        return Outcome(Result.OTHER_CURRENCY)
    outcome = Outcome(Result.NOT_CHARGED)
    for told in rows:
        if told["state"] == Result.TAKEN:
            outcome = _refund(batch, write, told)
        elif told["state"] == Result.PENDING:
            outcome = _reserve_less(batch, write, told)
    if outcome.result in _NOT_NOTED:
        return outcome
    batch.comparing.taken_back(write.conversion_key, write.returned_micros)
    return returns.note(batch, write, outcome)


def _is_other_currency(write: CancelConversion, told: dict[str, Any]) -> bool:
    return write.returned_micros is not None and told["currency"] not in (None, write.currency)


def _returned_with(batch: Batch, write: CancelConversion, told: dict[str, Any]) -> Micros | None:
    """What is back of the order with this return; None where all of it is."""
    before = returns.returned_of(batch, told)
    if before is None or write.returned_micros is None:
        return None
    return Micros(before + write.returned_micros)


def _refund(batch: Batch, write: CancelConversion, told: dict[str, Any]) -> Outcome:
    """By as much as the price falls; of an order that is back as a whole, whatever is left of its charge."""
    charge_id = charge_of_conversion(told["conversion_key"])
    returned = _returned_with(batch, write, told)
    fall = None if returned is None else _fall(batch, charge_id, told, returned)
    if fall == ZERO:
        return Outcome(Result.NOT_BILLABLE)
    refund = RefundCharge(
        charge_id, write.refund_id, fall, write.reason, write.at_ms, write.advertiser_key, write.since_ms
    )
    outcome = refund_charge(batch, refund)
    nothing_left = fall is None and outcome == Outcome(Result.OVER_REFUNDED, 0)
    return Outcome(Result.REPEATED) if nothing_left else outcome


def _fall(batch: Batch, charge_id: int, told: dict[str, Any], returned: Micros) -> Micros | None:
    """How far the price falls with this return; None where nothing of it stays."""
    rate = returns.Rate(*batch.connection.execute(_CHARGED, {"charge_id": charge_id}).fetchone())
    after = returns.price_left(batch, rate, told, returned)
    before = returns.price_left(batch, rate, told, returns.returned_of(batch, told))
    return Micros(before - after) if after else None


def _reserve_less(batch: Batch, write: CancelConversion, told: dict[str, Any]) -> Outcome:
    """What is back need not be reserved; an order of which nothing is left to pay is declined."""
    record = _decode_record(told["record"])
    returned = _returned_with(batch, write, told)
    left = returns.at_price(record, returns.price_left(batch, returns.rate_of(record), told, returned))
    if left == record:
        return Outcome(Result.NOT_BILLABLE)
    batch.move(record, ZERO, Micros(left.amount_micros - record.amount_micros))
    state = Result.PENDING if left.amount_micros else Result.DECLINED
    settled = {
        "of_key": write.conversion_key,
        "state": state,
        "reason": "" if left.amount_micros else write.reason,
        "amount_micros": left.amount_micros,
        "record": msgspec.msgpack.encode(left) if left.amount_micros else None,
    }
    batch.connection.execute(_RESERVE_LESS, settled)
    return Outcome(state, left.amount_micros)
