"""Who is in which arm and what they do there: folded into their row, and at once into their arm's sums."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select, true, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.experiment import UNTRIED, WINDOW_MS, Entry
from adserver.domain.participant import FIGURES, Participant, Sums, change
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import DAY_MS
from adserver.storage.experiment_tables import experiment_orders, experiment_sums, experiment_visitors
from adserver.storage.sqlite import as_list, listed, numbered, prepared
from adserver.storage.tables import ad_events, returns
from adserver.writes import AdRecord
from pixel.events import EventName

_FIELDS = Participant.__struct_fields__
_PLACES = ("visitor_key", "experiment_key", "advertiser_key", "campaign_key", "arm", "currency", "entered_ms")
_COUNTED_EVENTS = {AdEvent.IMPRESSION: "impressions", AdEvent.CLICK: "clicks"}
_ORDERS = {EventName.PURCHASE: "purchases", EventName.GENERATE_LEAD: "leads", EventName.SIGN_UP: "leads"}

_READ = prepared(
    select(*(experiment_visitors.c[name] for name in (*_PLACES, *_FIELDS))).where(
        experiment_visitors.c.visitor_key.in_(listed("visitor_keys"))
    )
)
_ENTER = numbered(insert(experiment_visitors), (*_PLACES, *_FIELDS))
_SAVE = numbered(
    update(experiment_visitors)
    .where(
        experiment_visitors.c.visitor_key == bindparam("of_visitor"),
        experiment_visitors.c.experiment_key == bindparam("of_experiment"),
    )
    .values({name: bindparam(f"new_{name}") for name in _FIELDS}),
    ("of_visitor", "of_experiment", *(f"new_{name}" for name in _FIELDS)),
)
_sums = upsert(experiment_sums)
_ADD = numbered(
    _sums.on_conflict_do_update(
        index_elements=["experiment_key", "arm", "day_ms"],
        set_={name: experiment_sums.c[name] + _sums.excluded[name] for name in FIGURES},
    ),
    ("experiment_key", "arm", "day_ms", *FIGURES),
)
_ORDER = prepared(insert(experiment_orders).prefix_with("OR IGNORE"))
_ORDER_OF = prepared(
    select(experiment_orders).where(experiment_orders.c.conversion_key == bindparam("conversion_key"))
)
_TAKE_BACK = prepared(
    update(experiment_orders)
    .where(experiment_orders.c.conversion_key == bindparam("of_key"))
    .values(value_micros=bindparam("left"), stands=bindparam("still"))
)
_CREDIT = prepared(
    update(experiment_orders)
    .where(experiment_orders.c.conversion_key == bindparam("of_key"))
    .values(credited=true())
)
_RETURNED = prepared(select(returns.c.returned_micros).where(returns.c.conversion_key == bindparam("of_key")))
_WHOSE = prepared(select(ad_events.c.visitor_key).where(ad_events.c.charge_id == bindparam("charge_id")))


class _Row(msgspec.Struct):
    """A visitor in an arm."""

    visitor_key: int
    experiment_key: int
    advertiser_key: int
    campaign_key: int
    arm: int
    currency: str
    entered_ms: int
    did: Participant
    is_new: bool = False


class Counted(msgspec.Struct, frozen=True):
    """An order or lead as it counts for its visitor's arms."""

    conversion_key: int
    visitor_key: int
    advertiser_key: int
    event: EventName
    at_ms: int
    value_micros: int | None
    currency: str | None


class Comparing:
    """What a batch changes in experiments: read when asked for, or many at once before that."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[int, dict[int, _Row]] = {}  # by visitor, then experiment
        # Where nothing is tried, only orders count: those rows stay as they were read until there is one.
        self._untried: dict[int, dict[int, tuple[Any, ...]]] = {}
        self._touched: dict[tuple[int, int], _Row] = {}
        self._sums: dict[tuple[int, int, int], Sums] = {}  # by experiment, arm and day

    def read(self, visitor_keys: Collection[int]) -> None:
        """Who of them is in which arm, before it is asked for."""
        if not visitor_keys:
            return
        for visitor_key in visitor_keys:
            self._rows[visitor_key] = {}
        for row in self._connection.execute(_READ, {"visitor_keys": as_list(visitor_keys)}):
            visitor_key, key, _, campaign_key, arm = row[:5]
            if arm == UNTRIED and not campaign_key:
                self._untried.setdefault(visitor_key, {})[key] = row
            else:
                self._rows[visitor_key][key] = _row_of(row)

    def enter(
        self, visitor_key: int, advertiser_key: int, currency: str, at_ms: int, entries: Sequence[Entry]
    ) -> None:
        """Whoever is in an experiment already stays in their arm."""
        if not visitor_key or not entries:
            return
        rows = self._of(visitor_key)
        untried = self._untried.get(visitor_key, ())
        for one in entries:
            key = one.experiment_key
            if key not in rows and key not in untried:
                place = (visitor_key, key, advertiser_key, one.campaign_key, one.arm, currency, at_ms)
                rows[key] = row = _Row(*place, did=Participant(), is_new=True)
                self._add(row, change(None, row.did))

    def saw(self, record: AdRecord) -> None:
        """An ad that was seen or clicked, where nothing speaks against its being a person's."""
        name = _COUNTED_EVENTS.get(record.event)
        if name is None or record.not_billed or not record.visitor_key:
            return
        for row in self._tried(record.visitor_key, record, record.at_ms):
            self._do(row, **{name: 1})

    def paid(self, record: AdRecord, micros: int) -> None:
        """What the advertiser paid for its visitor; below zero, got back. An order's price is of its time."""
        visitor_key, at_ms = record.visitor_key, record.at_ms
        if record.event is AdEvent.CONVERSION:
            order = self._order(record.impression_id)
            visitor_key, at_ms = order.get("visitor_key", 0), order.get("at_ms", 0)
        elif micros < 0:
            visitor_key = self._whose(record)
        for row in self._tried(visitor_key, record, at_ms):
            self._do(row, spend_micros=micros)

    def ordered(self, order: Counted) -> None:
        """Once for each order, whoever told of it; of visitors who are in no arm, nothing is kept."""
        name = _ORDERS.get(order.event)
        rows = self._open(order.visitor_key, order.advertiser_key, order.at_ms) if name else []
        if not rows or name is None:
            return
        told = msgspec.structs.asdict(order) | {
            "value_micros": order.value_micros or 0,
            "stands": True,
            "credited": False,
        }
        if self._connection.execute(_ORDER, told).rowcount != 1:
            return
        for row in rows:
            revenue = _in(row.currency, order.currency, told["value_micros"])
            self._do(row, **{name: 1, "revenue_micros": revenue})
        for (returned_micros,) in self._connection.execute(
            _RETURNED, {"of_key": order.conversion_key}
        ).fetchall():
            self.taken_back(order.conversion_key, returned_micros)  # told before the order was

    def credited(self, conversion_key: int, campaign_key: int) -> None:
        """Attribution gives the order to an ad of the campaign: what a report without arms would say."""
        order = self._order(conversion_key)
        if not order or not order["stands"] or order["credited"]:
            return
        self._connection.execute(_CREDIT, {"of_key": conversion_key})
        for row in self._of_order(order):
            if row.campaign_key in (0, campaign_key):
                worth = _in(row.currency, order["currency"], order["value_micros"])
                self._do(row, credited_micros=worth)

    def taken_back(self, conversion_key: int, returned_micros: int | None) -> None:
        """Part of an order, or with None all that is left of it."""
        order = self._order(conversion_key)
        if not order or not order["stands"]:
            return
        value = order["value_micros"]
        back = value if returned_micros is None else min(value, returned_micros)
        is_gone = returned_micros is None or (back == value > 0)
        left = {"of_key": conversion_key, "left": value - back, "still": not is_gone}
        self._connection.execute(_TAKE_BACK, left)
        name = _ORDERS[EventName(order["event"])]
        for row in self._of_order(order):
            worth = _in(row.currency, order["currency"], back)
            credited = min(worth, row.did.credited_micros) if order["credited"] else 0
            self._do(row, **{name: -int(is_gone), "revenue_micros": -worth, "credited_micros": -credited})

    def flush(self) -> None:
        """To disk: who is new, who did something, and the sums of both."""
        if not self._touched:  # most batches are of nobody who is compared
            return
        new, changed = [], []
        for row in self._touched.values():
            did = msgspec.structs.astuple(row.did)
            if row.is_new:
                told = (row.advertiser_key, row.campaign_key, row.arm, row.currency, row.entered_ms)
                new.append((row.visitor_key, row.experiment_key, *told, *did))
            else:
                changed.append((row.visitor_key, row.experiment_key, *did))
        self._connection.executemany(_ENTER, new)
        self._connection.executemany(_SAVE, changed)
        sums = [(*at, *msgspec.structs.astuple(one)) for at, one in self._sums.items()]
        self._connection.executemany(_ADD, sums)

    # ---- rows ----

    def _of(self, visitor_key: int) -> dict[int, _Row]:
        if visitor_key not in self._rows:
            self.read([visitor_key])
        return self._rows[visitor_key]

    def _open(self, visitor_key: int, advertiser_key: int, at_ms: int) -> list[_Row]:
        """The visitor's arms at the advertiser for which something at that time counts."""
        if not visitor_key:
            return []
        rows = self._of(visitor_key)
        for key, row in self._untried.pop(visitor_key, {}).items():
            rows[key] = _row_of(row)
        return [row for row in rows.values() if _counts(row, advertiser_key, at_ms)]

    def _tried(self, visitor_key: int, record: AdRecord, at_ms: int) -> list[_Row]:
        """Of those, where ads of the record's campaign are what is compared."""
        rows = self._of(visitor_key) if visitor_key else None
        if not rows:  # of most visitors there is nothing, at every ad
            return []
        return [
            row
            for row in rows.values()
            if (row.campaign_key == record.campaign_key or (not row.campaign_key and row.arm != UNTRIED))
            and _counts(row, record.advertiser_key, at_ms)
        ]

    def _order(self, conversion_key: int) -> dict[str, Any]:
        row = self._connection.execute(_ORDER_OF, {"conversion_key": conversion_key}).fetchone()
        return {} if row is None else dict(zip(experiment_orders.c.keys(), row, strict=True))

    def _of_order(self, order: dict[str, Any]) -> list[_Row]:
        if not order:
            return []
        return self._open(order["visitor_key"], order["advertiser_key"], order["at_ms"])

    def _whose(self, record: AdRecord) -> int:
        """A refund names nobody; its ad's event does, for as long as it may."""
        row = self._connection.execute(_WHOSE, {"charge_id": record.impression_id << 2 | record.event})
        found = row.fetchone()
        return int(found[0]) if found else 0

    def _do(self, row: _Row, **more: int) -> None:
        before = row.did
        known = msgspec.structs.asdict(before)
        row.did = Participant(**(known | {name: known[name] + n for name, n in more.items()}))
        self._add(row, change(before, row.did))

    def _add(self, row: _Row, sums: Sums) -> None:
        self._touched[row.visitor_key, row.experiment_key] = row
        at = (row.experiment_key, row.arm, row.entered_ms - row.entered_ms % DAY_MS)
        self._sums.setdefault(at, Sums()).add(sums)


def _row_of(row: tuple[Any, ...]) -> _Row:
    visitor_key, key, owner, campaign_key, arm, currency, entered_ms, *did = row
    return _Row(visitor_key, key, owner, campaign_key, arm, currency, entered_ms, Participant(*did))


def _counts(row: _Row, advertiser_key: int, at_ms: int) -> bool:
    return row.advertiser_key == advertiser_key and row.entered_ms <= at_ms < row.entered_ms + WINDOW_MS


def _in(currency: str, told: str | None, micros: int) -> int:
    """Money of another currency is not added up."""
    return micros if told == currency else 0
