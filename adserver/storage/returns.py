"""What was taken back of orders and leads, each return once, and what an order costs after its returns."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, insert, select

from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import Terms, price_after_returns
from adserver.storage.batch import Batch
from adserver.storage.sqlite import prepared
from adserver.storage.tables import campaign_versions, returns
from adserver.writes import AdRecord, CancelConversion, Outcome, Result

_OF_ORDER = prepared(
    select(returns.c.returned_micros, returns.c.currency).where(
        returns.c.conversion_key == bindparam("conversion_key")
    )
)
_ONE = prepared(
    select(
        returns.c.returned_micros, returns.c.currency, returns.c.reason, returns.c.result, returns.c.figure
    ).where(
        returns.c.conversion_key == bindparam("conversion_key"), returns.c.refund_id == bindparam("refund_id")
    )
)
_INSERT = prepared(insert(returns))
_TERMS = prepared(
    select(campaign_versions.c.terms).where(
        campaign_versions.c.campaign_key == bindparam("campaign_key"),
        campaign_versions.c.version == bindparam("version"),
    )
)
_decode_terms = msgspec.json.Decoder(Terms).decode


class Rate(NamedTuple):
    """Whose terms an order is priced by, as records and charges name them."""

    campaign_key: int
    campaign_version: int
    audience_key: int


def rate_of(record: AdRecord) -> Rate:
    return Rate(record.campaign_key, record.campaign_version, record.audience_key)


def answered_before(batch: Batch, write: CancelConversion) -> Outcome | None:
    """What this return was answered when it was told first; REFUND_DIFFERS where it was another then."""
    key = {"conversion_key": write.conversion_key, "refund_id": write.refund_id}
    row = batch.connection.execute(_ONE, key).fetchone()
    if row is None:
        return None
    same = row[:3] == (write.returned_micros, write.currency, write.reason)
    return Outcome(Result(row[3]) if same else Result.REFUND_DIFFERS, row[4])


def note(batch: Batch, write: CancelConversion, outcome: Outcome) -> Outcome:
    """Keep a return and its answer."""
    row = {
        "conversion_key": write.conversion_key,
        "refund_id": write.refund_id,
        "advertiser_key": write.advertiser_key,
        "returned_micros": write.returned_micros,
        "currency": write.currency,
        "reason": write.reason,
        "at_ms": write.at_ms,
        "result": outcome.result,
        "figure": outcome.figure,
    }
    batch.connection.execute(_INSERT, row)
    return outcome


def returned_of(batch: Batch, told: dict[str, Any]) -> Micros | None:
    """The value of what is back of an order, in its own currency; None where all of it is."""
    rows = batch.connection.execute(_OF_ORDER, {"conversion_key": told["conversion_key"]}).fetchall()
    if any(returned is None for returned, _ in rows):
        return None
    return Micros(sum(returned for returned, currency in rows if currency == told["currency"]))


def price_left(batch: Batch, rate: Rate, told: dict[str, Any], returned: Micros | None) -> Micros:
    """What the order costs at this rate when goods of this value are back."""
    version = {"campaign_key": rate.campaign_key, "version": rate.campaign_version}
    (body,) = batch.connection.execute(_TERMS, version).fetchone()
    return price_after_returns(_decode_terms(body), told["value_micros"], returned, rate.audience_key)


def after_returns(batch: Batch, record: AdRecord, told: dict[str, Any]) -> AdRecord:
    """The record as it is to be billed or reserved; its amount is zero where nothing is left to pay."""
    returned = returned_of(batch, told)
    if returned == ZERO or not record.amount_micros:
        return record
    return at_price(record, price_left(batch, rate_of(record), told, returned))


def at_price(record: AdRecord, amount: Micros) -> AdRecord:
    """The record at a lower price; the publisher's share falls in proportion."""
    amount = min(amount, record.amount_micros)
    share = Micros(record.publisher_micros * amount // record.amount_micros)
    return msgspec.structs.replace(record, amount_micros=amount, publisher_micros=share)
