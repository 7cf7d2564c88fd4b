"""An advertiser's ledger by month: sums per campaign and billed event, deposits, lines."""

import heapq
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from adserver.domain.money import MICROS_PER_UNIT, ZERO, Micros
from adserver.domain.payment import Payment
from adserver.domain.pricing import AdEvent
from adserver.domain.statement import CampaignSums, Line, Month, Sums, Tally
from adserver.storage.sqlite import Reader, Row, prepared
from adserver.storage.tables import advertisers, campaigns, charges, deposits, refunds, refused_charges

CHARGED, REFUNDED, CREDITED = range(3)  # the kinds of booking that sums are kept of

start: BindParameter[int] = bindparam("start_ms")
end: BindParameter[int] = bindparam("end_ms")
_advertiser: BindParameter[int] = bindparam("advertiser_key")
_its_campaigns = select(campaigns.c.key).where(campaigns.c.advertiser_key == _advertiser)
_charged = select(
    charges.c.campaign_key.label("campaign_key"),
    charges.c.charge_id.op("&")(literal_column("3")).label("event"),
    literal_column(str(CHARGED)).label("kind"),
    charges.c.amount_micros.label("amount"),
).where(charges.c.campaign_key.in_(_its_campaigns), charges.c.at_ms >= start, charges.c.at_ms < end)
_is_credit = refunds.c.charged_ms < start
_given_back = select(
    refunds.c.campaign_key,
    refunds.c.charge_id.op("&")(literal_column("3")),
    literal_column(str(REFUNDED)) + _is_credit,
    refunds.c.amount_micros,
).where(refunds.c.campaign_key.in_(_its_campaigns), refunds.c.at_ms >= start, refunds.c.at_ms < end)
_booked = union_all(_charged, _given_back).subquery()
_SUMS = prepared(
    select(
        _booked.c.campaign_key, _booked.c.event, _booked.c.kind, func.count(), func.sum(_booked.c.amount)
    ).group_by(_booked.c.campaign_key, _booked.c.event, _booked.c.kind)
)
_unit: ColumnElement[int] = literal_column(str(MICROS_PER_UNIT))
# In two parts: prices that nobody paid may come to more than 64 bits hold.
unbilled_sums = (
    func.sum(refused_charges.c.amount_micros.op("/")(_unit)),
    func.sum(refused_charges.c.amount_micros.op("%")(_unit)),
)
_UNBILLED = prepared(
    select(
        refused_charges.c.campaign_key,
        func.count(),
        *unbilled_sums,
    )
    .where(
        refused_charges.c.campaign_key.in_(_its_campaigns),
        refused_charges.c.first_seen_ms >= start,
        refused_charges.c.first_seen_ms < end,
    )
    .group_by(refused_charges.c.campaign_key)
)
_DEPOSITS = prepared(
    select(*(deposits.c["deposit_key" if name == "key" else name] for name in Payment.__struct_fields__))
    .where(deposits.c.advertiser_key == _advertiser, deposits.c.at_ms >= start, deposits.c.at_ms < end)
    .order_by(deposits.c.entry)
)


def _sum_until(amount: Any, at_ms: Any, *owned: Any) -> Any:
    """The sum of all that was booked before the end."""
    summed: Select[Any] = select(func.coalesce(func.sum(amount), 0)).where(*owned, at_ms < end)
    return summed.scalar_subquery()


_paid_in = _sum_until(
    deposits.c.amount_micros, deposits.c.at_ms, deposits.c.advertiser_key == advertisers.c.key
)
_owed = _sum_until(charges.c.amount_micros, charges.c.at_ms, charges.c.campaign_key.in_(_its_campaigns))
_owed_no_more = _sum_until(
    refunds.c.amount_micros, refunds.c.at_ms, refunds.c.campaign_key.in_(_its_campaigns)
)
_BALANCE = prepared(select(_paid_in - _owed + _owed_no_more).where(advertisers.c.key == _advertiser))

charge_columns = (
    charges.c.entry,
    charges.c.charge_id,
    charges.c.campaign_key,
    charges.c.campaign_version,
    charges.c.advertiser_key,
    charges.c.slot_key,
    charges.c.creative_key,
    charges.c.product_key,
    charges.c.audience_key,
    charges.c.at_ms,
    charges.c.at_ms.label("charged_ms"),
    charges.c.day,
    charges.c.currency,
    charges.c.amount_micros,
    charges.c.publisher_micros,
)
refund_columns = (
    refunds.c.entry,
    refunds.c.charge_id,
    refunds.c.campaign_key,
    func.coalesce(charges.c.campaign_version, 0),
    refunds.c.advertiser_key,
    refunds.c.slot_key,
    func.coalesce(charges.c.creative_key, 0),
    func.coalesce(charges.c.product_key, 0),
    func.coalesce(charges.c.audience_key, 0),
    refunds.c.at_ms,
    refunds.c.charged_ms,
    refunds.c.day,
    refunds.c.currency,
    refunds.c.amount_micros,
    refunds.c.publisher_micros,
    refunds.c.refund_id,
    refunds.c.reason,
)
_campaign: BindParameter[int] = bindparam("campaign_key")
_CHARGE_LINES = prepared(
    select(*charge_columns, null(), null())
    .where(
        charges.c.campaign_key == _campaign,
        charges.c.entry > bindparam("after"),
        charges.c.at_ms >= start,
        charges.c.at_ms < end,
    )
    .order_by(charges.c.entry)
    .limit(bindparam("most"))
)
_REFUND_LINES = prepared(
    select(*refund_columns)
    .join_from(refunds, charges, charges.c.charge_id == refunds.c.charge_id, isouter=True)
    .where(
        refunds.c.campaign_key == _campaign,
        refunds.c.entry > bindparam("after"),
        refunds.c.at_ms >= start,
        refunds.c.at_ms < end,
    )
    .order_by(refunds.c.entry)
    .limit(bindparam("most"))
)


def limits_of(month: Month) -> dict[str, int]:
    return {"start_ms": month.start_ms, "end_ms": month.end_ms}


def add_to(sums: Sums, kind: int, count: int, micros: int) -> None:
    """Count what was booked under its kind."""
    tally = (sums.charges, sums.refunds, sums.credit_notes)[kind]
    tally.count += count
    tally.micros = Micros(tally.micros + micros)


def unbilled_tally(count: int, units: int, micros: int) -> Tally:
    """From a row's count and its `unbilled_sums`."""
    return Tally(count, Micros(units * MICROS_PER_UNIT + micros))


def line_of(row: Row) -> Line:
    return Line(*row)


class SqliteStatements:
    """What a month's statement of an advertiser is made of; amounts are what the advertiser pays."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def sums(self, advertiser_key: int, month: Month) -> list[CampaignSums]:
        """What was booked in the month, of one moment, by campaign and billed event."""
        asked = {"advertiser_key": advertiser_key, **limits_of(month)}
        found: dict[tuple[int, int], Sums] = {}
        for campaign_key, event, kind, count, micros in self._reader.rows(_SUMS, asked):
            add_to(found.setdefault((campaign_key, event), Sums()), kind, count, micros)
        return [CampaignSums(key, AdEvent(event), sums) for (key, event), sums in sorted(found.items())]

    def unbilled(self, advertiser_key: int, month: Month) -> dict[int, Tally]:
        """By campaign, what a reached cap left unpaid."""
        asked = {"advertiser_key": advertiser_key, **limits_of(month)}
        rows = self._reader.rows(_UNBILLED, asked)
        return {key: unbilled_tally(*sums) for key, *sums in rows}

    def deposits(self, advertiser_key: int, month: Month) -> list[Payment]:
        asked = {"advertiser_key": advertiser_key, **limits_of(month)}
        return [msgspec.convert(row, Payment) for row in self._reader.rows(_DEPOSITS, asked)]

    def balance(self, advertiser_key: int, month: Month) -> Micros:
        """Deposits less what was charged and not given back, all until the month's end."""
        row = self._reader.row(_BALANCE, {"advertiser_key": advertiser_key, "end_ms": month.end_ms})
        return ZERO if row is None else Micros(row[0])

    def lines(self, campaign_key: int, month: Month, after: int, limit: int) -> list[Line]:
        """The month's charges and refunds of a campaign behind an entry, in the order of its chain."""
        asked = {"campaign_key": campaign_key, "after": after, "most": limit, **limits_of(month)}
        charged = map(line_of, self._reader.rows(_CHARGE_LINES, asked))
        given_back = map(line_of, self._reader.rows(_REFUND_LINES, asked))
        return list(heapq.merge(charged, given_back, key=lambda line: line.entry))[:limit]
