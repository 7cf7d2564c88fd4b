"""The funnel on disk: journeys of visitors' days for as long as they may change, and their sums."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, select
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.funnel import (
    JOURNEY_RETENTION_MS,
    STEPS,
    Exit,
    Group,
    Journey,
    JourneyKey,
    Page,
    Step,
    Told,
    exits_of,
    page_of,
)
from adserver.domain.visitor import DAY_MS
from adserver.storage.batch import Batch
from adserver.storage.count_tables import funnel_exits, funnel_figures, journeys, roll_ups
from adserver.storage.sqlite import Reader, as_list, listed, numbered, prepared
from adserver.storage.tables import events
from adserver.writes import Outcome, Result, RollFunnel
from pixel.events import Event

_NAME = "funnel"
_decode_event = msgspec.msgpack.Decoder(Event).decode
_CURSOR = prepared(select(roll_ups.c.cursor).where(roll_ups.c.name == bindparam("name")))
_cursor_row = upsert(roll_ups)
_MOVE_CURSOR = prepared(
    _cursor_row.on_conflict_do_update(index_elements=["name"], set_={"cursor": _cursor_row.excluded.cursor})
)
_names = journeys.c.keys()
_is_kept = (
    select(literal_column("1"))
    .where(events.c.event_key == bindparam("newest_key"), events.c.visitor_key == bindparam("visitor_key"))
    .exists()
)
_journeys_row = upsert(journeys).from_select(_names, select(*map(bindparam, _names)).where(_is_kept))
# When it is due, its first telling says, and no later one: so the index of that grows at its end alone.
_SAVE_JOURNEY = numbered(
    _journeys_row.on_conflict_do_update(
        index_elements=list(journeys.primary_key.columns),
        set_={
            column.name: _journeys_row.excluded[column.name]
            for column in journeys.c
            if not column.primary_key and column is not journeys.c.due_ms
        },
    ),
    _names,
)
_figures_row = upsert(funnel_figures)
_ADD_FIGURES = numbered(
    _figures_row.on_conflict_do_update(
        index_elements=list(funnel_figures.primary_key.columns),
        set_={name: funnel_figures.c[name] + _figures_row.excluded[name] for name in ("reached", "events")},
    ),
    funnel_figures.c.keys(),
)
_exits_row = upsert(funnel_exits)
_ADD_EXITS = numbered(
    _exits_row.on_conflict_do_update(
        index_elements=list(funnel_exits.primary_key.columns),
        set_={"left_here": funnel_exits.c.left_here + _exits_row.excluded.left_here},
    ),
    funnel_exits.c.keys(),
)

_DROP_EXIT = numbered(
    delete(funnel_exits).where(
        *(column == bindparam(f"of_{column.name}") for column in funnel_exits.primary_key.columns),
        funnel_exits.c.left_here <= literal_column("0"),
    ),
    tuple(f"of_{column.name}" for column in funnel_exits.primary_key.columns),
)


def roll_funnel(batch: Batch, write: RollFunnel) -> Outcome:
    """Take a stretch of events in, once: whoever comes second has read figures that are no more."""
    if _cursor(batch.connection.execute(_CURSOR, {"name": _NAME}).fetchone()) != write.after:
        return Outcome(Result.CONFLICT)
    due_ms = min(
        write.at_ms + JOURNEY_RETENTION_MS - DAY_MS,  # it began before it was taken in
        write.at_ms - write.at_ms % DAY_MS + batch.retention.views_ms,
    )
    saved = [_row_of(key, journey, due_ms) for key, journey in write.journeys]
    batch.connection.executemany(_SAVE_JOURNEY, saved)
    figures = [
        (cell.advertiser_key, cell.day_ms, cell.group, cell.step, visitors, count)
        for cell, visitors, count in write.figures
    ]
    batch.connection.executemany(_ADD_FIGURES, figures)
    _add_exits(batch, write.exits)
    batch.connection.execute(_MOVE_CURSOR, {"name": _NAME, "cursor": write.until})
    return Outcome(Result.SAVED)


def leave_funnel(batch: Batch, visitor_key: int, advertiser_key: int | None = None) -> None:
    """Take a visitor who is erased, or whom one advertiser may know no longer, out of the exits.

    How many they were stays; a page that nobody else was at might say who.
    """
    rows = batch.connection.execute(_JOURNEYS, {"visitor_keys": as_list([visitor_key])})
    left = [
        (one, -1)
        for key, journey in map(_journey, rows)
        if advertiser_key in (None, key.advertiser_key)
        for one in exits_of(key, journey)
    ]
    _add_exits(batch, left)


def _add_exits(batch: Batch, exits: Iterable[tuple[Exit, int]]) -> None:
    """Pages at which nobody is left, leave."""
    rows = [(left.advertiser_key, left.day_ms, left.step, left.page, n) for left, n in exits]
    batch.connection.executemany(_ADD_EXITS, rows)
    batch.connection.executemany(_DROP_EXIT, [row[:-1] for row in rows if row[-1] < 0])


def _row_of(key: JourneyKey, journey: Journey, due_ms: int) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    return (
        key.visitor_key, key.advertiser_key, key.day_ms, due_ms,
        *journey.counts, journey.group, journey.came_back,
        journey.last.at_ms, journey.last.event_key, journey.last.path,
        journey.form.at_ms, journey.form.event_key, journey.form.path,
        journey.newest_key,
    )  # fmt: skip


def _cursor(row: tuple[Any, ...] | None) -> int:
    return 0 if row is None else int(row[0])


# ---- reading ----

_TOLD = prepared(
    select(
        events.c.event_key,
        events.c.advertiser_key,
        events.c.visitor_key,
        events.c.at_ms,
        events.c.body,
        events.c.first,
    )
    .where(events.c.event_key > bindparam("after"), events.c.event_key < bindparam("until"))
    .order_by(events.c.event_key)
    .limit(bindparam("most"))
)
_JOURNEYS = prepared(select(journeys).where(journeys.c.visitor_key.in_(listed("visitor_keys"))))


def _within(table: Any) -> tuple[Any, ...]:
    return (
        table.c.advertiser_key == bindparam("advertiser_key"),
        table.c.day_ms >= bindparam("since_ms"),
        table.c.day_ms < bindparam("until_ms"),
    )


_FIGURES = prepared(
    select(
        funnel_figures.c.counted_as,
        funnel_figures.c.step,
        func.sum(funnel_figures.c.reached),
        func.sum(funnel_figures.c.events),
    )
    .where(*_within(funnel_figures))
    .group_by(funnel_figures.c.counted_as, funnel_figures.c.step)
)
_left = func.sum(funnel_exits.c.left_here)
_EXITS = prepared(
    select(funnel_exits.c.step, funnel_exits.c.page, _left)
    .where(*_within(funnel_exits))
    .group_by(funnel_exits.c.step, funnel_exits.c.page)
    .order_by(_left.desc(), funnel_exits.c.step, funnel_exits.c.page)
    .limit(bindparam("most"))
)


class SqliteFunnels:
    """Events as the roll-up takes them in, and the sums as reports read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def cursor(self) -> int:
        """The key of the newest event that was taken in; 0 where none was."""
        return _cursor(self._reader.row(_CURSOR, {"name": _NAME}))

    def told(self, after: int, until: int, limit: int) -> list[Told]:
        """The next so many events, of keys between the two."""
        rows = self._reader.rows(_TOLD, {"after": after, "until": until, "most": limit})
        found = []
        for event_key, advertiser_key, visitor_key, at_ms, body, first in rows:
            event = _decode_event(body)
            of = (event_key, advertiser_key, visitor_key, at_ms)
            found.append(Told(*of, event.name, bool(first), page_of(event.url)))
        return found

    def journeys(self, keys: Collection[JourneyKey]) -> dict[JourneyKey, Journey]:
        """Those of these that are known."""
        asked = as_list({key.visitor_key for key in keys})
        known = map(_journey, self._reader.rows(_JOURNEYS, {"visitor_keys": asked}))
        return {key: journey for key, journey in known if key in keys}

    def figures(
        self, advertiser_key: int, since_ms: int, until_ms: int
    ) -> dict[tuple[Group, Step], tuple[int, int]]:
        """Visitors and events of the days that begin within [since, until)."""
        rows = self._reader.rows(_FIGURES, _asked(advertiser_key, since_ms, until_ms))
        return {(Group(group), Step(step)): (int(n), int(count)) for group, step, n, count in rows}

    def exits(self, advertiser_key: int, since_ms: int, until_ms: int, limit: int) -> list[tuple[Exit, int]]:
        """Where most left, of all days together, after each step."""
        rows = self._reader.rows(_EXITS, _asked(advertiser_key, since_ms, until_ms) | {"most": limit})
        return [(Exit(advertiser_key, since_ms, Step(step), page), int(n)) for step, page, n in rows]


def _asked(advertiser_key: int, since_ms: int, until_ms: int) -> dict[str, object]:
    return {"advertiser_key": advertiser_key, "since_ms": since_ms, "until_ms": until_ms}


def _journey(row: tuple[Any, ...]) -> tuple[JourneyKey, Journey]:
    steps = 4 + len(STEPS)
    group, came_back, last_ms, last_key, last_page, form_ms, form_key, form_page, newest_key = row[steps:]
    return JourneyKey(*row[:3]), Journey(
        tuple(row[4:steps]),
        Group(group),
        bool(came_back),
        Page(last_ms, last_key, last_page),
        Page(form_ms, form_key, form_page),
        newest_key,
    )
