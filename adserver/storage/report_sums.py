"""Reports' sums as they are asked for: rolled up ones, and what is read as it happened since it is little."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)

from adserver.domain.attribution import CANCELLED
from adserver.domain.report_sums import FIGURES, MOST_CELLS, Cell, Cut, Where
from adserver.storage.count_tables import counts
from adserver.storage.report_tables import report_days, report_parts
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import (
    ad_events,
    campaigns,
    conversions,
    decisions,
    publishers,
    refused_charges,
    returns,
    sites,
    slots,
)
from adserver.writes import Result

_zero: ColumnElement[int] = literal_column("0")
_empty: ColumnElement[str] = literal_column("''")
_campaigns = func.json_each(bindparam("campaign_keys")).table_valued("value", name="of_campaigns")
_spans = func.json_each(bindparam("spans")).table_valued("value", name="of_spans")
_CREDITED = (Result.TAKEN, Result.PENDING, Result.CAP_REACHED, Result.NOT_BILLABLE)
_currency = func.json_extract(cast(campaigns.c.body, Text), literal_column("'$.terms.currency'"))


def _span(place: int) -> Any:
    return func.json_extract(_spans.c.value, literal_column(f"'$[{place}]'"))


def _within(at_ms: Any) -> tuple[ColumnElement[bool], ...]:
    return at_ms >= _span(1), at_ms < _span(2)


def _is_one_of(column: Any, name: str) -> Any:
    values = func.json_each(bindparam(name)).table_valued("value", name=f"those_{name}")
    return column.in_(select(values.c.value))


def _filtered(columns: Any, names: tuple[str, ...]) -> list[Any]:
    return [_is_one_of(columns[name], name) for name in names]


@lru_cache(maxsize=200)
def _of_parts(by: tuple[str, ...], filters: tuple[str, ...]) -> str:
    table = report_parts.c
    groups = [_span(0), table.currency, *(table[name] for name in by)]
    found = select(*groups, *(func.sum(table[name]) for name in FIGURES)).select_from(
        _campaigns.join(_spans, literal_column("1")).join(
            report_parts, (table.campaign_key == _campaigns.c.value) & _all(_within(table.begin_ms))
        )
    )
    return _in_this_order(found.where(*_filtered(table, filters)).group_by(*groups))


@lru_cache(maxsize=200)
def _of_days(by: tuple[str, ...], filters: tuple[str, ...]) -> str:
    table = report_days.c
    groups = [table.day.op("/")(bindparam("divisor")), table.currency, *(table[name] for name in by)]
    is_asked = (
        (table.sheet == bindparam("sheet"))
        & (table.campaign_key == _campaigns.c.value)
        & (table.day >= bindparam("first_day"))
        & (table.day <= bindparam("last_day"))
    )
    found = select(*groups, *(func.sum(table[name]) for name in FIGURES)).select_from(
        _campaigns.join(report_days, is_asked)
    )
    return _in_this_order(found.where(*_filtered(table, filters)).group_by(*groups))


def _all(conditions: Sequence[Any]) -> Any:
    first, *others = conditions
    for other in others:
        first &= other
    return first


def _in_this_order(statement: Select[Any]) -> str:
    """SQLite keeps the order of CROSS JOINs: a seek for each campaign and span, not a scan of all."""
    return prepared(statement).replace(" JOIN ", " CROSS JOIN ").replace("LEFT OUTER CROSS", "LEFT OUTER")


_touch = conversions.c.touch_impression_id
_click = ad_events.alias("clicks")
_view = ad_events.alias("views")
_gone_back = (
    select(func.sum(func.coalesce(returns.c.returned_micros, conversions.c.value_micros)))
    .where(returns.c.conversion_key == conversions.c.conversion_key)
    .scalar_subquery()
)
_kept = func.max(conversions.c.value_micros - func.coalesce(_gone_back, _zero), _zero)
_OF_CONVERSION: dict[str, Any] = {
    "campaign_key": conversions.c.campaign_key,
    "audience_key": func.coalesce(decisions.c.audience_key, _zero),
    **{name: func.coalesce(decisions.c[name], _empty) for name in ("country", "device")},
    **{
        name: func.coalesce(_click.c[name], _view.c[name], _zero)
        for name in ("slot_key", "creative_key", "product_key")
    },
}


@lru_cache(maxsize=200)
def _of_conversions(by: tuple[str, ...], filters: tuple[str, ...]) -> str:
    """As they stand now: one that is declined later is none; value that went back is no value."""
    named = {*by, *filters}
    origin = _campaigns.join(_spans, literal_column("1")).join(
        conversions,
        (conversions.c.campaign_key == _campaigns.c.value) & _all(_within(conversions.c.arrived_at_ms)),
    )
    origin = origin.join(campaigns, campaigns.c.key == conversions.c.campaign_key)
    if named & {"slot_key", "creative_key", "product_key"}:
        twice_shifted = _touch.op("<<")(literal_column("2"))
        origin = origin.outerjoin(_click, _click.c.charge_id == twice_shifted.op("|")(literal_column("2")))
        origin = origin.outerjoin(_view, _view.c.charge_id == twice_shifted)
    if named & {"audience_key", "country", "device"}:
        origin = origin.outerjoin(decisions, decisions.c.impression_id == _touch)
    groups = [_span(0), _currency, *(_OF_CONVERSION[name] for name in by)]
    in_its_currency = conversions.c.currency == _currency
    found = (
        select(*groups, func.count(), func.sum(case((in_its_currency, _kept), else_=_zero)))
        .select_from(origin)
        .where(
            conversions.c.campaign_key != _zero,
            conversions.c.state.in_([literal_column(f"'{state.value}'") for state in _CREDITED]),
            conversions.c.reason != literal_column(f"'{CANCELLED}'"),
            *_filtered(_OF_CONVERSION, filters),
        )
        .group_by(*groups)
    )
    return _in_this_order(found)


@lru_cache(maxsize=200)
def _of_refused(by: tuple[str, ...], filters: tuple[str, ...]) -> str:
    table = refused_charges.c
    groups = [_span(0), _currency, *(table[name] for name in by)]
    origin = _campaigns.join(_spans, literal_column("1")).join(
        refused_charges, (table.campaign_key == _campaigns.c.value) & _all(_within(table.first_seen_ms))
    )
    found = select(*groups, func.count()).select_from(
        origin.join(campaigns, campaigns.c.key == table.campaign_key)
    )
    return _in_this_order(found.where(*_filtered(table, filters)).group_by(*groups))


_OF_VISITOR: dict[str, Any] = {
    **{name: ad_events.c[name] for name in ("campaign_key", "slot_key", "creative_key", "product_key")},
    "advertiser_key": campaigns.c.advertiser_key,
    "currency": _currency,
    "site_key": slots.c.site_key,
    "publisher_key": sites.c.publisher_key,
    "audience_key": func.coalesce(decisions.c.audience_key, _zero),
    **{name: func.coalesce(decisions.c[name], _empty) for name in ("country", "device")},
}


@lru_cache(maxsize=200)
def _of_visitors(by: tuple[str, ...], filters: tuple[str, ...]) -> str:
    """Visitors of each group, each once, and how many impressions they saw."""
    named = {*by, *filters}
    origin: Any = _spans.join(ad_events, _all(_within(ad_events.c.at_ms)))
    if named & {"advertiser_key", "currency"}:
        origin = origin.join(campaigns, campaigns.c.key == ad_events.c.campaign_key)
    if named & {"site_key", "publisher_key"}:
        origin = origin.join(slots, slots.c.key == ad_events.c.slot_key)
        origin = origin.join(sites, sites.c.key == slots.c.site_key)
    if named & {"audience_key", "country", "device"}:
        impression_id = ad_events.c.charge_id.op(">>")(literal_column("2"))
        origin = origin.outerjoin(decisions, decisions.c.impression_id == impression_id)
    groups = [_span(0).label("span"), *(_OF_VISITOR[name].label(f"by_{name}") for name in by)]
    inner = (
        select(*groups, func.count().label("n"))
        .select_from(origin)
        .where(
            ad_events.c.visitor_key != _zero,
            ad_events.c.charge_id.op("&")(literal_column("3")) == _zero,
            ad_events.c.not_billed == _empty,
            _is_one_of(ad_events.c.campaign_key, "campaign_keys"),
            *_filtered(_OF_VISITOR, filters),
        )
        .group_by(*groups, ad_events.c.visitor_key)
        .subquery()
    )
    told = [inner.c[group.name] for group in groups]
    return prepared(select(*told, func.count(), func.sum(inner.c.n)).group_by(*told))


_owners = func.json_each(bindparam("owner_keys")).table_valued("value", name="of_owners")
_names = func.json_each(bindparam("names")).table_valued("value", name="of_names")
_COUNTED = _in_this_order(
    select(_span(0), counts.c.owner_key, counts.c.name, func.sum(counts.c.n))
    .select_from(
        _owners.join(_names, literal_column("1"))
        .join(_spans, literal_column("1"))
        .join(
            counts,
            (counts.c.owner_key == _owners.c.value)
            & (counts.c.name == _names.c.value)
            & _all(_within(counts.c.hour_ms)),
        )
    )
    .group_by(_span(0), counts.c.owner_key, counts.c.name)
)
_SLOTS = prepared(
    select(
        slots.c.key,
        func.json_extract(cast(slots.c.body, Text), literal_column("'$.name'")),
        sites.c.key,
        func.json_extract(cast(sites.c.body, Text), literal_column("'$.name'")),
        publishers.c.key,
        func.json_extract(cast(publishers.c.body, Text), literal_column("'$.name'")),
    )
    .join_from(slots, sites, sites.c.key == slots.c.site_key)
    .join(publishers, publishers.c.key == sites.c.publisher_key)
)


class SqliteReportSums:
    """Sums and counts of the periods that a report tells of; of more than MOST_CELLS, one more than these."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def slots(self) -> dict[int, Where]:
        return {row[0]: Where(row[0], row[1] or "", *row[2:]) for row in self._reader.rows(_SLOTS)}

    def sums(self, cut: Cut) -> list[Cell]:
        """What was rolled up so far."""
        make = _of_parts if cut.sheet is None else _of_days
        return self._cells(make(cut.by, tuple(cut.filters)), cut)

    def conversions(self, cut: Cut) -> list[Cell]:
        """Orders and leads that are credited to ads, and their value in the campaign's currency."""
        return self._cells(_of_conversions(cut.by, tuple(cut.filters)), cut)

    def unbilled(self, cut: Cut) -> list[Cell]:
        """Events that a reached cap left unpaid."""
        return self._cells(_of_refused(cut.by, tuple(cut.filters)), cut)

    def reach(self, cut: Cut) -> list[Cell]:
        """Visitors, and the impressions that they saw; `by` may name accounts and sites here."""
        sql = _of_visitors(cut.by, tuple(cut.filters))
        rows = self._reader.rows(f"{sql} LIMIT {MOST_CELLS + 1}", _asked(cut))
        return [Cell(span, tuple(group), "", (count, n)) for span, *group, count, n in rows]

    def counted(
        self, cut: Cut, names: Sequence[str], owner_keys: Sequence[int]
    ) -> list[tuple[int, int, str, int]]:
        """(span, owner, name, how many) of hours that began within the spans."""
        asked = {"names": _json(names), "owner_keys": _json(owner_keys), "spans": _json(cut.spans)}
        rows = self._reader.rows(_COUNTED, asked)
        return [(span, owner_key, name, int(n)) for span, owner_key, name, n in rows]

    def _cells(self, sql: str, cut: Cut) -> list[Cell]:
        groups = 2 + len(cut.by)
        return [
            Cell(row[0], tuple(row[2:groups]), row[1], tuple(map(int, row[groups:])))
            for row in self._reader.rows(f"{sql} LIMIT {MOST_CELLS + 1}", _asked(cut))
        ]


def _asked(cut: Cut) -> dict[str, object]:
    asked: dict[str, object] = {
        "campaign_keys": _json(cut.campaign_keys),
        "spans": _json(cut.spans),
        "sheet": cut.sheet,
        "divisor": cut.divisor,
        "first_day": cut.first_day,
        "last_day": cut.last_day,
    }
    return asked | {name: _json(values) for name, values in cut.filters.items()}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
