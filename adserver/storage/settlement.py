"""Pending conversions: what a browser reported and reserved, until the advertiser has spoken or time has."""

import msgspec
from sqlalchemy import bindparam, literal_column, select, update

from adserver.domain.attribution import Asked, PendingConversion, Told
from adserver.domain.money import ZERO, Micros
from adserver.storage.batch import Batch
from adserver.storage.ledger import charge_id, take
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import conversions
from adserver.storage.told import told
from adserver.writes import AdRecord, Outcome, Result, SettleConversion

_by_browser = conversions.c.by_server == literal_column("0")
_is_pending = conversions.c.state == literal_column(f"'{Result.PENDING.value}'")
_RESERVED = prepared(
    select(conversions.c.state, conversions.c.record).where(
        conversions.c.conversion_key == bindparam("conversion_key"), _by_browser
    )
)
_SETTLE = prepared(
    update(conversions)
    .where(conversions.c.conversion_key == bindparam("of_key"), _by_browser)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        record=literal_column("NULL"),
    )
)
_columns = (
    conversions.c.conversion_key,
    conversions.c.advertiser_key,
    conversions.c.campaign_key,
    conversions.c.event,
    conversions.c.amount_micros,
    conversions.c.value_micros,
    conversions.c.currency,
    conversions.c.arrived_at_ms,
    conversions.c.visitor_key,
)
_ONE = prepared(
    select(*_columns).where(conversions.c.conversion_key == bindparam("conversion_key"), _by_browser)
)
_PAGE = prepared(
    select(*_columns)
    .where(
        conversions.c.advertiser_key == bindparam("advertiser_key"),
        conversions.c.conversion_key > bindparam("after"),
        conversions.c.arrived_at_ms <= bindparam("until_ms"),
        _by_browser,
        _is_pending,
    )
    .order_by(conversions.c.conversion_key)
    .limit(bindparam("most"))
)
_decode_record = msgspec.msgpack.Decoder(AdRecord).decode


def settle_conversion(batch: Batch, write: SettleConversion) -> Outcome:
    """Bill what was reserved, or set it free; REPEATED where that is done already, otherwise CONFLICT."""
    wanted = Result.TAKEN if write.approve else Result.DECLINED
    row = batch.connection.execute(_RESERVED, {"conversion_key": write.conversion_key}).fetchone()
    if row is None or row[0] != Result.PENDING:
        return Outcome(Result.REPEATED if row is not None and row[0] == wanted else Result.CONFLICT)
    record = _decode_record(row[1])
    if write.approve:
        _bill(batch, record, write.at_ms)
    else:
        batch.move(record, ZERO, Micros(-record.amount_micros))
        batch.comparing.taken_back(write.conversion_key, None)
    settled = {"of_key": write.conversion_key, "state": wanted, "reason": write.reason}
    batch.connection.execute(_SETTLE, settled)
    return Outcome(wanted, charge_id(record) if write.approve else 0)


def _bill(batch: Batch, record: AdRecord, at_ms: int) -> None:
    """The reserve becomes the charge, in the day it was reserved for: no cap can stand in between."""
    take(batch, msgspec.structs.replace(record, at_ms=at_ms), reserved=record.amount_micros)


class SqlitePending:
    """Conversions that wait for the advertiser's word."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def told(self, advertiser_key: int, asked: Asked) -> list[Told]:
        return told(self._reader, advertiser_key, asked)

    def reported(self, conversion_key: int) -> PendingConversion | None:
        """What a browser reported, settled meanwhile or not."""
        row = self._reader.row(_ONE, {"conversion_key": conversion_key})
        return None if row is None else msgspec.convert(row, PendingConversion, strict=False)

    def conversions(
        self, advertiser_key: int, until_ms: int, after: int, limit: int
    ) -> list[PendingConversion]:
        """Those that arrived until then, in the order of their keys."""
        asked = {"advertiser_key": advertiser_key, "until_ms": until_ms, "after": after, "most": limit}
        rows = self._reader.rows(_PAGE, asked)
        return [msgspec.convert(row, PendingConversion, strict=False) for row in rows]
