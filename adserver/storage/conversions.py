"""Orders and leads: credited, reserved or refused by name, each exactly once."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, func, insert, literal_column, null, select, update

from adserver.domain.attribution import (
    CANCELLED,
    LEAD_WINDOW_MS,
    MOST_UNVERIFIED_ORDERS,
    charge_of_conversion,
)
from adserver.domain.delays import name_of
from adserver.domain.money import ZERO, Micros
from adserver.storage import ledger, returns
from adserver.storage.batch import Batch
from adserver.storage.comparing import Counted
from adserver.storage.erasure import of_visitor
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import conversions
from adserver.writes import AdRecord, Conversion, CreditConversion, Outcome, Result

NEW, SUPERSEDED = "new", "superseded"
TOO_MANY_ORDERS = "too_many_orders"

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
        product_keys=null(),
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
_SINCE = (
    conversions.c.advertiser_key == bindparam("advertiser_key"),
    conversions.c.event == bindparam("event"),
    conversions.c.arrived_at_ms > bindparam("since_ms"),
    conversions.c.campaign_key > literal_column("0"),  # a range of the index, however many were not credited
)
_LEAD_OF_VISITOR = prepared(
    select(conversions.c.conversion_key)
    .where(
        conversions.c.visitor_key == bindparam("visitor_key"),
        conversions.c.visitor_key != literal_column("0"),
        *_SINCE,
    )
    .limit(literal_column("1"))
)
_LEAD_OF_AD = prepared(
    select(conversions.c.conversion_key)
    .where(
        conversions.c.touch_impression_id == bindparam("touch"),
        conversions.c.touch_impression_id != literal_column("0"),
        *_SINCE,
    )
    .limit(literal_column("1"))
)
encode_keys = msgspec.msgpack.Encoder().encode
_decode_keys = msgspec.msgpack.Decoder(tuple[int, ...]).decode
_COLUMNS = tuple(column.name for column in conversions.c)


def credit_conversion(batch: Batch, write: CreditConversion) -> Outcome:
    """Settle an order or lead: billed, reserved, refused or credited to nobody; once for ever.

    A server's conversion supersedes what a browser said of the same order while that is not billed.
    """
    rows = told_of(batch, write.conversion_key)
    browser, server = rows.get(False), rows.get(True)
    if write.arrival is not None:
        if server is not None:
            return _reported_again(batch, write, write.arrival, server)
        if browser is not None and browser["state"] == Result.TAKEN:
            return Outcome(Result.DUPLICATE)
        if browser is not None:
            _release(batch, browser)
        told = _arrival_row(write.arrival)
        batch.connection.execute(_INSERT_CONVERSION, told)
        batch.comparing.ordered(_counted(write, write.arrival))
    elif browser is None or browser["state"] != NEW:
        return Outcome(Result.REPEATED)
    elif server is not None:
        return _settle(batch, write, Result.DUPLICATE, "superseded")
    else:
        told = browser
    write = _as_it_stands(batch, write, told)
    if write.record is not None:
        batch.comparing.credited(write.conversion_key, write.record.campaign_key)
    return _settle(batch, write, *_credited(batch, write))


def _counted(write: CreditConversion, arrival: Conversion) -> Counted:
    """Whose it is by cookie alone: a click is known only of who saw ads, and arms must be told alike."""
    return Counted(
        arrival.conversion_key,
        write.visitor_key,
        arrival.advertiser_key,
        arrival.event,
        arrival.occurred_at_ms,
        arrival.value_micros,
        arrival.currency,
    )


def _as_it_stands(batch: Batch, write: CreditConversion, told: dict[str, Any]) -> CreditConversion:
    """What may have changed since it was attributed: other leads of the visitor, and returns."""
    record = write.record
    if record is None:
        return write
    if not told["has_reference"] and _is_repeated_lead(batch, write, told):
        return msgspec.structs.replace(write, record=None, touch_impression_id=0, reason="repeated_lead")
    left = returns.after_returns(batch, record, told)
    reason = write.reason if left.amount_micros or not record.amount_micros else CANCELLED
    return msgspec.structs.replace(write, record=left, reason=reason)


def _is_repeated_lead(batch: Batch, write: CreditConversion, told: dict[str, Any]) -> bool:
    """A lead without an id counts once for its visitor, or, where nobody knows them, once for its ad."""
    lead = {
        "advertiser_key": told["advertiser_key"],
        "event": told["event"],
        "since_ms": told["arrived_at_ms"] - LEAD_WINDOW_MS,
    }
    if told["visitor_key"]:
        statement, of = _LEAD_OF_VISITOR, {"visitor_key": told["visitor_key"]}
    else:
        statement, of = _LEAD_OF_AD, {"touch": write.touch_impression_id}
    return batch.connection.execute(statement, lead | of).fetchone() is not None


def _reported_again(
    batch: Batch, write: CreditConversion, arrival: Conversion, stored: dict[str, Any]
) -> Outcome:
    """A duplicate; but what a cap refused may be retried, and a batch sent again is answered the same."""
    state, record = Result(stored["state"]), write.record
    if batch.resent and stored["arrived_at_ms"] == arrival.arrived_at_ms:
        return _answer(write, state)
    if state is Result.TAKEN and record is not None:  # perhaps by this very retry
        repeat = ledger.repeat(batch, "charges", record, Result.TAKEN)
        return _answer(write, Result.TAKEN if repeat == Outcome(Result.TAKEN) else Result.DUPLICATE)
    if state is Result.CAP_REACHED and record is not None and _is_retry(record, stored):
        write = _as_it_stands(batch, write, stored)
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
            return Result.NOT_BILLABLE, TOO_MANY_ORDERS
        if batch.move(record, ZERO, record.amount_micros):
            return Result.PENDING, ""
        ledger.refuse(batch, record)
        return Result.CAP_REACHED, ""
    result = ledger.bill(batch, record).result
    return (Result.DUPLICATE if result is Result.REPEATED else result), ""


def _unverified_orders(batch: Batch, impression_id: int) -> int:
    """How many orders of browsers this ad was credited with, settled since, past the cap, or not."""
    row = batch.connection.execute(_OF_TOUCH, {"touch": impression_id}).fetchone()
    return int(row[0])


def _answer(write: CreditConversion, result: Result) -> Outcome:
    kept = result in (Result.TAKEN, Result.PENDING)
    return Outcome(result, charge_of_conversion(write.conversion_key) if kept else 0)


def _settle(
    batch: Batch, write: CreditConversion, result: Result, reason: str, *, counted: bool = False
) -> Outcome:
    record = write.record
    priced = record is not None and result in (Result.TAKEN, Result.PENDING, Result.CAP_REACHED)
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
            "amount_micros": record.amount_micros if record and priced else 0,
        },
    )
    if record is not None and result is not Result.DUPLICATE and not counted:
        ledger.count(batch, record)
        if write.delay_ms is not None and not record.not_billed:
            batch.count(record.advertiser_key, name_of(write.delay_ms), record.at_ms)
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


def told_of(batch: Batch, conversion_key: int) -> dict[bool, dict[str, Any]]:
    """What was told of an order or lead: by a browser (False), by the merchant's server (True)."""
    rows = batch.connection.execute(_CONVERSION, {"conversion_key": conversion_key}).fetchall()
    named = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return {bool(row["by_server"]): row for row in named}


def _arrival_row(arrival: Conversion) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(arrival),
        "product_keys": encode_keys(arrival.product_keys),
        "state": NEW,
        "reason": "",
        "campaign_key": 0,
        "touch_impression_id": 0,
        "record": None,
        "day": 0,
        "amount_micros": 0,
    }


# ---- reading ----

_NEW_CONVERSIONS = prepared(
    select(*(conversions.c[name] for name in Conversion.__struct_fields__))
    .where(conversions.c.state == literal_column(f"'{NEW}'"))
    .order_by(conversions.c.arrived_at_ms)
    .limit(bindparam("most"))
)


_NEW_OF_VISITOR = prepared(
    select(*(conversions.c[name] for name in Conversion.__struct_fields__)).where(
        *of_visitor(conversions), conversions.c.state == literal_column(f"'{NEW}'")
    )
)
_BROWSER = prepared(
    select(conversions.c.visitor_key).where(
        conversions.c.conversion_key == bindparam("conversion_key"),
        conversions.c.by_server == literal_column("0"),
        conversions.c.reason != literal_column(f"'{TOO_MANY_ORDERS}'"),
    )
)


class SqliteConversions:
    """Orders and leads as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def new(self, limit: int) -> list[Conversion]:
        """Orders and leads that wait for attribution, oldest first."""
        rows = self._reader.rows(_NEW_CONVERSIONS, {"most": limit})
        return [_conversion(row) for row in rows]

    def new_of(self, visitor_key: int) -> list[Conversion]:
        """Those of one visitor that wait for attribution."""
        rows = self._reader.rows(_NEW_OF_VISITOR, {"visitor": visitor_key})
        return [_conversion(row) for row in rows]

    def visitor_of(self, conversion_key: int) -> int:
        """The browser that told the same order; 0 where none did, or one that told too many."""
        row = self._reader.row(_BROWSER, {"conversion_key": conversion_key})
        return int(row[0]) if row else 0


def _conversion(row: tuple[Any, ...]) -> Conversion:
    *fields, product_keys = row  # in the order of the columns asked for
    return msgspec.convert([*fields, _decode_keys(product_keys)], Conversion, strict=False)
