"""Orders and leads as their advertiser reads them: what became of each, by which ad, and what it cost."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, func, literal_column, select, tuple_

from adserver.domain.attribution import LATEST_MS, Asked, Place, Told
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.pricing import AdEvent
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import ad_events, conversions, refunds
from adserver.writes import Result

_EARLIEST: Place = (-1, -1, False)
_LATEST: Place = (LATEST_MS, LARGEST_KEY, True)
_place = tuple_(conversions.c.arrived_at_ms, conversions.c.conversion_key, conversions.c.by_server)
_after = tuple_(bindparam("after_ms"), bindparam("after_key"), bindparam("after_server"))
_of_advertiser = conversions.c.advertiser_key == bindparam("advertiser_key")
_in_time = (
    conversions.c.arrived_at_ms >= bindparam("from_ms"),
    conversions.c.arrived_at_ms < bindparam("to_ms"),
)
# What a browser said of an order that a server told too is in the server's line.
_once: ColumnElement[bool] = conversions.c.state != literal_column("'superseded'")


def _seen(event: AdEvent) -> Any:
    """When this happened to the ad that it was credited to."""
    charge: ColumnElement[int] = conversions.c.touch_impression_id.op("<<")(literal_column("2")).op("|")(
        literal_column(str(event.value))
    )
    return (
        select(ad_events.c.at_ms)
        .where(ad_events.c.charge_id == charge, conversions.c.touch_impression_id != literal_column("0"))
        .scalar_subquery()
    )


_charge: ColumnElement[int] = conversions.c.conversion_key.op("<<")(literal_column("2")).op("|")(
    literal_column(str(AdEvent.CONVERSION.value))
)
_refunded = (
    select(func.coalesce(func.sum(refunds.c.amount_micros), literal_column("0")))
    .where(refunds.c.charge_id == _charge)
    .scalar_subquery()
)
_told = select(
    conversions.c.conversion_key,
    conversions.c.by_server,
    conversions.c.trusted,
    conversions.c.event,
    conversions.c.state,
    conversions.c.reason,
    conversions.c.campaign_key,
    conversions.c.amount_micros,
    _refunded,
    conversions.c.value_micros,
    conversions.c.currency,
    conversions.c.occurred_at_ms,
    conversions.c.arrived_at_ms,
    _seen(AdEvent.IMPRESSION),
    _seen(AdEvent.CLICK),
).where(_of_advertiser)
_newest_first = (
    _told.where(*_in_time, _place < _after, _once)
    .order_by(
        conversions.c.arrived_at_ms.desc(),
        conversions.c.conversion_key.desc(),
        conversions.c.by_server.desc(),
    )
    .limit(bindparam("most"))
)
ALL = prepared(_newest_first)
OF_STATE = prepared(_newest_first.where(conversions.c.state == bindparam("state")))
# Those that approve themselves first come first; by the index of what is pending, however much is settled,
# since that of arrivals is of what is not superseded, which is not said here.
PENDING = prepared(
    _told.where(
        *_in_time, _place > _after, conversions.c.state == literal_column(f"'{Result.PENDING.value}'")
    )
    .order_by(conversions.c.arrived_at_ms, conversions.c.conversion_key, conversions.c.by_server)
    .limit(bindparam("most"))
)
ONE = prepared(_told.where(conversions.c.conversion_key == bindparam("conversion_key"), _once))


def told(reader: Reader, advertiser_key: int, asked: Asked) -> list[Told]:
    """By arrival, newest first; what is pending oldest first."""
    if asked.key is not None:
        rows = reader.rows(ONE, {"advertiser_key": advertiser_key, "conversion_key": asked.key})
    else:
        pending = asked.state == Result.PENDING
        after = asked.after or (_EARLIEST if pending else _LATEST)
        statement = PENDING if pending else OF_STATE if asked.state else ALL
        parameters = {
            "advertiser_key": advertiser_key,
            "from_ms": asked.from_ms,
            "to_ms": asked.to_ms,
            "after_ms": after[0],
            "after_key": after[1],
            "after_server": after[2],
            "state": asked.state,
            "most": asked.limit,
        }
        rows = reader.rows(statement, parameters)
    return [msgspec.convert(row, Told, strict=False) for row in rows]
