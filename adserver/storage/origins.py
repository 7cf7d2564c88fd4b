"""What charges came from: the ad's impression, view and click, and the order or lead of a conversion."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from adserver.domain.pricing import AdEvent
from adserver.domain.statement import Order, Origin
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import ad_events, conversions
from adserver.writes import Result

_given = func.json_each(bindparam("keys")).table_valued("value")
_AD_EVENTS = prepared(
    select(ad_events.c.charge_id, ad_events.c.at_ms).where(ad_events.c.charge_id.in_(select(_given.c.value)))
)
_ORDERS = prepared(
    select(
        conversions.c.conversion_key,
        conversions.c.event,
        conversions.c.by_server,
        conversions.c.trusted,
        conversions.c.occurred_at_ms,
        conversions.c.reason,
        conversions.c.touch_impression_id,
    ).where(
        conversions.c.conversion_key.in_(select(_given.c.value)),
        conversions.c.state == bindparam("taken"),
    )
)
_SEEN = (AdEvent.IMPRESSION, AdEvent.VIEWABLE_IMPRESSION, AdEvent.CLICK)


class SqliteOrigins:
    """How each charge came about, as far as it is kept."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def origins(self, charge_ids: Sequence[int]) -> dict[int, Origin]:
        """By charge. An ad event's own impression; a conversion's is the one that it was credited to."""
        orders = self._orders({charge >> 2 for charge in charge_ids if charge & 3 == AdEvent.CONVERSION})
        impressions = {charge: self._impression(charge, orders) for charge in charge_ids}
        seen = self._seen(set(impressions.values()))
        return {
            charge: Origin(
                seen.get(impression << 2 | AdEvent.IMPRESSION),
                seen.get(impression << 2 | AdEvent.VIEWABLE_IMPRESSION),
                seen.get(impression << 2 | AdEvent.CLICK),
                orders.get(charge >> 2) if charge & 3 == AdEvent.CONVERSION else None,
            )
            for charge, impression in impressions.items()
        }

    def _impression(self, charge: int, orders: dict[int, Order]) -> int:
        if charge & 3 != AdEvent.CONVERSION:
            return charge >> 2
        order = orders.get(charge >> 2)
        return order.touch_impression_id if order else 0

    def _orders(self, keys: Iterable[int]) -> dict[int, Order]:
        rows = self._reader.rows(_ORDERS, {"keys": _json(keys), "taken": Result.TAKEN})
        return {
            key: Order(event, bool(by_server), bool(trusted), occurred_ms, reason, touch)
            for key, event, by_server, trusted, occurred_ms, reason, touch in rows
        }

    def _seen(self, impression_ids: Iterable[int]) -> dict[int, int]:
        keys = (key << 2 | event for key in impression_ids if key for event in _SEEN)
        rows: list[Any] = self._reader.rows(_AD_EVENTS, {"keys": _json(keys)})
        return dict(rows)


def _json(keys: Iterable[int]) -> str:
    return msgspec.json.encode(list(keys)).decode()
