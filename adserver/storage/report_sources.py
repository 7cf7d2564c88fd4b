"""Reports' sums on disk: what raw rows add to them, once, and how far that has come."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.budget import WHOLE_LIFE
from adserver.domain.report_sums import FIGURES, QUARTER_MS, Fact, Place, Source, Whose
from adserver.storage.batch import Batch
from adserver.storage.count_tables import roll_ups
from adserver.storage.report_tables import report_days, report_entries, report_parts
from adserver.storage.sqlite import Reader, as_list, listed, numbered, prepared
from adserver.storage.tables import ad_events, budgets, campaigns, charges, conversions, decisions, refunds
from adserver.writes import Outcome, Result, RollReport

_CURSOR = prepared(select(roll_ups.c.cursor).where(roll_ups.c.name == bindparam("name")))
_cursor_row = upsert(roll_ups)
_MOVE_CURSOR = prepared(
    _cursor_row.on_conflict_do_update(index_elements=["name"], set_={"cursor": _cursor_row.excluded.cursor})
)
_ENTRY = prepared(
    select(report_entries.c.entry).where(report_entries.c.campaign_key == bindparam("campaign_key"))
)
_entry_row = upsert(report_entries)
_MOVE_ENTRY = prepared(
    _entry_row.on_conflict_do_update(
        index_elements=["campaign_key"], set_={"entry": _entry_row.excluded.entry}
    )
)


def _adding(table: Any) -> str:
    row = upsert(table)
    return numbered(
        row.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: table.c[name] + row.excluded[name] for name in FIGURES},
        ),
        table.c.keys(),
    )


_ADD_PARTS, _ADD_DAYS = _adding(report_parts), _adding(report_days)


def roll_report(batch: Batch, write: RollReport) -> Outcome:
    """Add a stretch once: whoever comes second has read what is taken in already."""
    connection = batch.connection
    if _number(connection.execute(_CURSOR, {"name": write.source}).fetchone()) != write.after:
        return Outcome(Result.CONFLICT)
    for campaign_key, after, _ in write.entries:
        if _number(connection.execute(_ENTRY, {"campaign_key": campaign_key}).fetchone()) != after:
            return Outcome(Result.CONFLICT)
    connection.executemany(
        _ADD_PARTS, [(*msgspec.structs.astuple(place), *sums) for place, sums in write.parts]
    )
    connection.executemany(
        _ADD_DAYS, [(*msgspec.structs.astuple(place), *sums) for place, sums in write.days]
    )
    moved = [{"campaign_key": key, "entry": until} for key, _, until in write.entries]
    connection.executemany(_MOVE_ENTRY, moved)
    connection.execute(_MOVE_CURSOR, {"name": write.source, "cursor": write.until})
    return Outcome(Result.SAVED)


def _number(row: Sequence[Any] | None) -> int:
    return 0 if row is None else int(row[0])


# ---- reading ----

_AFTER: BindParameter[int] = bindparam("after")
_UNTIL: BindParameter[int] = bindparam("until")
_zero: ColumnElement[int] = literal_column("0")


def _quarter(at_ms: Any) -> Any:
    return (at_ms - at_ms % literal_column(str(QUARTER_MS))).label("begin_ms")


def _known(impression_id: Any) -> tuple[Any, Any, Any]:
    """Whose rate, where and on what, as its decision has it."""
    of_decision = decisions.c.impression_id == impression_id
    return of_decision, func.coalesce(decisions.c.country, literal_column("''")), func.coalesce(
        decisions.c.device, literal_column("''")
    )  # fmt: skip


def _ads(nobodys: bool) -> Select[Any]:
    """What was to be paid for; each half of the rows has an index by time of its own."""
    kind = ad_events.c.charge_id.op("&")(literal_column("3"))
    of_decision, country, device = _known(ad_events.c.charge_id.op(">>")(literal_column("2")))
    whose = ad_events.c.visitor_key == _zero if nobodys else ad_events.c.visitor_key != _zero
    return (
        select(
            ad_events.c.campaign_key,
            _quarter(ad_events.c.at_ms),
            ad_events.c.slot_key,
            ad_events.c.creative_key,
            ad_events.c.product_key,
            func.coalesce(decisions.c.audience_key, _zero).label("audience_key"),
            country.label("country"),
            device.label("device"),
            _zero,
            *(func.sum(kind == literal_column(str(event))) for event in (0, 1, 2)),
            _zero,
            _zero,
        )
        .join_from(ad_events, decisions, of_decision, isouter=True)
        .where(
            whose,
            ad_events.c.at_ms >= _AFTER,
            ad_events.c.at_ms < _UNTIL,
            ad_events.c.not_billed == literal_column("''"),
        )
        .group_by(*map(literal_column, ("1", "2", "3", "4", "5", "6", "7", "8")))
    )


_ADS = prepared(union_all(_ads(nobodys=False), _ads(nobodys=True)))


def _later_ad(nobodys: bool) -> Select[Any]:
    whose = ad_events.c.visitor_key == _zero if nobodys else ad_events.c.visitor_key != _zero
    return (
        select(ad_events.c.at_ms)
        .where(whose, ad_events.c.at_ms >= _AFTER, ad_events.c.at_ms < _UNTIL)
        .order_by(ad_events.c.at_ms)
        .limit(literal_column("1"))
        .offset(bindparam("most"))
    )


_LATER_ADS = [prepared(_later_ad(nobodys)) for nobodys in (False, True)]
_decided = (
    decisions.c.impression_id >= _AFTER,
    decisions.c.impression_id < _UNTIL,
)
_FILLS = prepared(
    select(
        decisions.c.campaign_key,
        _quarter(decisions.c.at_ms),
        decisions.c.slot_key,
        decisions.c.creative_key,
        _zero,
        decisions.c.audience_key,
        decisions.c.country,
        decisions.c.device,
        func.count(),
        *(_zero for _ in FIGURES[1:]),
    )
    .where(*_decided, decisions.c.test == _zero)
    .group_by(*map(literal_column, ("1", "2", "3", "4", "6", "7", "8")))
)
_LATER_FILL = prepared(
    select(decisions.c.impression_id)
    .where(*_decided)
    .order_by(decisions.c.impression_id)
    .limit(literal_column("1"))
    .offset(bindparam("most"))
)

_stretches = func.json_each(bindparam("stretches")).table_valued("value")


def _step(place: int) -> Any:
    return func.json_extract(_stretches.c.value, literal_column(f"'$[{place}]'"))


def _impression(charge_id: Any) -> Any:
    """Of a conversion's charge, that of the ad it is credited to."""
    touch = (
        select(func.max(conversions.c.touch_impression_id))
        .where(conversions.c.conversion_key == charge_id.op(">>")(literal_column("2")))
        .scalar_subquery()
    )
    is_conversion = charge_id.op("&")(literal_column("3")) == literal_column("3")
    return case((is_conversion, touch), else_=charge_id.op(">>")(literal_column("2")))


def _in_stretch(table: Any) -> tuple[Any, ...]:
    return table.c.campaign_key == _step(0), table.c.entry > _step(1), table.c.entry <= _step(2)


def _money(table: Any, origin: Any, sign: str) -> Select[Any]:
    of_decision, country, device = _known(_impression(table.c.charge_id))
    found = select(
        table.c.campaign_key,
        _quarter(table.c.at_ms),
        table.c.slot_key,
        func.coalesce(charges.c.creative_key, _zero).label("creative_key"),
        func.coalesce(charges.c.product_key, _zero).label("product_key"),
        func.coalesce(charges.c.audience_key, _zero).label("audience_key"),
        country.label("country"),
        device.label("device"),
        *(_zero for _ in FIGURES[:4]),
        func.sum(table.c.amount_micros.op("*")(literal_column(sign))),
        func.sum(table.c.publisher_micros.op("*")(literal_column(sign))),
    ).select_from(origin.outerjoin(decisions, of_decision))
    return found.where(*_in_stretch(table)).group_by(
        *map(literal_column, ("1", "2", "3", "4", "5", "6", "7", "8"))
    )


_MONEY = prepared(
    union_all(
        _money(charges, _stretches.join(charges, _in_stretch(charges)[0]), "1"),
        _money(
            refunds,
            _stretches.join(refunds, _in_stretch(refunds)[0]).outerjoin(
                charges, charges.c.charge_id == refunds.c.charge_id
            ),
            "(-1)",
        ),
    )
)
_taken = func.coalesce(report_entries.c.entry, _zero)
_chains = (
    select(campaigns.c.key, _taken, budgets.c.entries)
    .join_from(campaigns, budgets, (budgets.c.owner_key == campaigns.c.key) & (budgets.c.day == WHOLE_LIFE))
    .join(report_entries, report_entries.c.campaign_key == campaigns.c.key, isouter=True)
    .where(budgets.c.entries > _taken)
    .order_by(campaigns.c.key)
)
_ALL_WAITING = prepared(_chains)
_OWN_WAITING = prepared(_chains.where(campaigns.c.key.in_(listed("campaign_keys"))))


def _told(path: str) -> Any:
    return func.json_extract(cast(campaigns.c.body, Text), literal_column(f"'$.{path}'"))


_whose = select(campaigns.c.key, campaigns.c.advertiser_key, _told("name"), _told("terms.currency"))
_ALL_WHOSE = prepared(_whose)
_OWN_WHOSE = prepared(_whose.where(campaigns.c.advertiser_key == bindparam("advertiser_key")))
_KNOWN_WHOSE = prepared(_whose.where(campaigns.c.key.in_(listed("campaign_keys"))))


class SqliteReportSources:
    """Raw rows as they are added up, and how far each source has come."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is read within is of one moment."""
        with self._reader.together():
            yield

    def campaigns(self, advertiser_key: int | None) -> dict[int, Whose]:
        """All of an advertiser's, or of the network's."""
        if advertiser_key is None:
            return _by_key(self._reader.rows(_ALL_WHOSE))
        return _by_key(self._reader.rows(_OWN_WHOSE, {"advertiser_key": advertiser_key}))

    def whose(self, campaign_keys: Collection[int]) -> dict[int, Whose]:
        """Those of these campaigns that are known."""
        return _by_key(self._reader.rows(_KNOWN_WHOSE, {"campaign_keys": as_list(campaign_keys)}))

    def cursor(self, source: Source) -> int:
        return _number(self._reader.row(_CURSOR, {"name": source}))

    def later(self, source: Source, after: int, until: int, most: int) -> int:
        """Where a stretch from `after` that has about so many rows ends; `until` where there are fewer."""
        within = {"after": after, "until": until, "most": most}
        statements = _LATER_ADS if source is Source.ADS else [_LATER_FILL]
        found = [int(row[0]) for sql in statements if (row := self._reader.row(sql, within)) is not None]
        return max(min([*found, until]), after + 1)

    def facts(self, source: Source, after: int, until: int) -> list[Fact]:
        """What rows of [after, until) add: ads' by their time in ms, fills' by their keys."""
        sql = _ADS if source is Source.ADS else _FILLS
        return [_fact(row) for row in self._reader.rows(sql, {"after": after, "until": until})]

    def waiting(self, campaign_keys: Collection[int] | None = None) -> list[tuple[int, int, int]]:
        """(campaign, entries that are summed up, all entries) of chains with others, among all or these."""
        if campaign_keys is None:
            rows = self._reader.rows(_ALL_WAITING)
        else:
            rows = self._reader.rows(_OWN_WAITING, {"campaign_keys": as_list(campaign_keys)})
        return [(key, after, until) for key, after, until in rows]

    def money(self, stretches: Sequence[tuple[int, int, int]]) -> list[Fact]:
        """What entries of (campaign, after, until] add."""
        told = msgspec.json.encode(stretches).decode()
        return [_fact(row) for row in self._reader.rows(_MONEY, {"stretches": told})]


def _fact(row: Sequence[Any]) -> Fact:
    return Fact(Place(*row[:8]), tuple(map(int, row[8:])))


def _by_key(rows: Sequence[Sequence[Any]]) -> dict[int, Whose]:
    return {row[0]: Whose(*row) for row in rows}
