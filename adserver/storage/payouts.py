"""A publisher's ledger by month: sums per slot and currency, nets of earlier months, lines."""

import heapq
from typing import Any

from sqlalchemy import BindParameter, Text, bindparam, cast, func, literal_column, null, select, union_all

from adserver.domain.money import Micros
from adserver.domain.statement import FIRST_PLACE, Line, Month, SlotSums, Sums, Unbilled
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.statements import (
    CHARGED,
    REFUNDED,
    add_to,
    charge_columns,
    end,
    limits_of,
    line_of,
    refund_columns,
    start,
    unbilled_sums,
    unbilled_tally,
)
from adserver.storage.tables import campaigns, charges, refunds, refused_charges, sites, slots

Place = tuple[int, bool, int, str]

_publisher: BindParameter[int] = bindparam("publisher_key")
_charged = select(
    charges.c.slot_key.label("slot_key"),
    charges.c.currency.label("currency"),
    literal_column(str(CHARGED)).label("kind"),
    charges.c.amount_micros.label("amount"),
    charges.c.publisher_micros.label("share"),
).where(charges.c.publisher_key == _publisher, charges.c.at_ms >= start, charges.c.at_ms < end)
_given_back = select(
    refunds.c.slot_key,
    refunds.c.currency,
    literal_column(str(REFUNDED)) + (refunds.c.charged_ms < start),
    refunds.c.amount_micros,
    refunds.c.publisher_micros,
).where(refunds.c.publisher_key == _publisher, refunds.c.at_ms >= start, refunds.c.at_ms < end)
_booked = union_all(_charged, _given_back).subquery()
_SUMS = prepared(
    select(
        _booked.c.slot_key,
        _booked.c.currency,
        _booked.c.kind,
        func.count(),
        func.sum(_booked.c.share),
        func.sum(_booked.c.amount),
    ).group_by(_booked.c.slot_key, _booked.c.currency, _booked.c.kind)
)
_charged_from: BindParameter[int] = bindparam("charged_from_ms")
_charged_until: BindParameter[int] = bindparam("charged_until_ms")
_GIVEN_BACK = prepared(
    select(refunds.c.slot_key, refunds.c.currency, func.sum(refunds.c.publisher_micros))
    .where(
        refunds.c.publisher_key == _publisher,
        refunds.c.at_ms >= start,
        refunds.c.at_ms < end,
        refunds.c.charged_ms >= _charged_from,
        refunds.c.charged_ms < _charged_until,
    )
    .group_by(refunds.c.slot_key, refunds.c.currency)
)
_its_slots = (
    select(slots.c.key)
    .join_from(slots, sites, sites.c.key == slots.c.site_key)
    .where(sites.c.publisher_key == _publisher)
)
_currency = func.json_extract(cast(campaigns.c.body, Text), literal_column("'$.terms.currency'"))
_UNBILLED = prepared(
    select(
        refused_charges.c.slot_key,
        _currency,
        func.count(),
        *unbilled_sums,
    )
    .join_from(refused_charges, campaigns, campaigns.c.key == refused_charges.c.campaign_key)
    .where(
        refused_charges.c.slot_key.in_(_its_slots),
        refused_charges.c.first_seen_ms >= start,
        refused_charges.c.first_seen_ms < end,
    )
    .group_by(refused_charges.c.slot_key, _currency)
    .order_by(refused_charges.c.slot_key, _currency)
)
_FIRST_REFUND = prepared(select(func.min(refunds.c.at_ms)).where(refunds.c.publisher_key == _publisher))
_at: BindParameter[int] = bindparam("at_ms")
_id: BindParameter[int] = bindparam("charge_id")
_refund_id: BindParameter[str] = bindparam("refund_id")
_CHARGE_LINES = prepared(
    select(*charge_columns, null(), null())
    .where(
        charges.c.publisher_key == _publisher,
        charges.c.at_ms >= _at,
        charges.c.at_ms < end,
        (charges.c.at_ms > _at) | (charges.c.charge_id > _id),
    )
    .order_by(charges.c.at_ms, charges.c.charge_id)
    .limit(bindparam("most"))
)
_REFUND_LINES = prepared(
    select(*refund_columns)
    .join_from(refunds, charges, charges.c.charge_id == refunds.c.charge_id, isouter=True)
    .where(
        refunds.c.publisher_key == _publisher,
        refunds.c.at_ms >= _at,
        refunds.c.at_ms < end,
        (refunds.c.at_ms > _at)
        | (refunds.c.charge_id > _id)
        | ((refunds.c.charge_id == _id) & (refunds.c.refund_id > _refund_id)),
    )
    .order_by(refunds.c.at_ms, refunds.c.charge_id, refunds.c.refund_id)
    .limit(bindparam("most"))
)
LARGEST = 2**63 - 1


class SqlitePayouts:
    """What a month's statement of a publisher is made of."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def sums(self, publisher_key: int, month: Month) -> list[SlotSums]:
        """What was booked in the month, of one moment, by slot and currency."""
        asked = {"publisher_key": publisher_key, **limits_of(month)}
        found: dict[tuple[int, str], SlotSums] = {}
        for slot_key, currency, kind, count, share, amount in self._reader.rows(_SUMS, asked):
            both = found.setdefault((slot_key, currency), SlotSums(slot_key, currency, Sums(), Sums()))
            add_to(both.earned, kind, count, share)
            add_to(both.charged, kind, count, amount)
        return [both for _, both in sorted(found.items())]

    def given_back(self, publisher_key: int, earned: Month, month: Month) -> list[tuple[int, str, Micros]]:
        """By slot and currency, what of the earnings of one time was given back in another."""
        asked = {"publisher_key": publisher_key, **limits_of(month)}
        asked |= {"charged_from_ms": earned.start_ms, "charged_until_ms": earned.end_ms}
        return [
            (slot, currency, Micros(sum_)) for slot, currency, sum_ in self._reader.rows(_GIVEN_BACK, asked)
        ]

    def unbilled(self, publisher_key: int, month: Month) -> list[Unbilled]:
        """What reached caps left unpaid, by slot and currency: prices, of which a share would be theirs."""
        asked = {"publisher_key": publisher_key, **limits_of(month)}
        return [
            Unbilled(slot_key, currency, unbilled_tally(*sums))
            for slot_key, currency, *sums in self._reader.rows(_UNBILLED, asked)
        ]

    def first_refund_ms(self, publisher_key: int) -> int | None:
        """When something was first given back: no month before it can be negative."""
        row = self._reader.row(_FIRST_REFUND, {"publisher_key": publisher_key})
        return None if row is None else row[0]

    def lines(self, publisher_key: int, month: Month, after: Place, limit: int) -> list[Line]:
        """The month's charges and refunds behind a place, by time."""
        at_ms, is_refund, charge_id, refund_id = max(after, (month.start_ms, *FIRST_PLACE[1:]))
        asked: dict[str, Any] = {"publisher_key": publisher_key, "end_ms": month.end_ms, "most": limit}
        asked["at_ms"] = at_ms
        charged = self._reader.rows(_CHARGE_LINES, asked | {"charge_id": LARGEST if is_refund else charge_id})
        behind = (charge_id, refund_id) if is_refund else (-1, "")
        last_refund = {"charge_id": behind[0], "refund_id": behind[1]}
        given_back = self._reader.rows(_REFUND_LINES, asked | last_refund)
        lines = heapq.merge(map(line_of, charged), map(line_of, given_back), key=lambda line: line.place)
        return list(lines)[:limit]
