"""Visits cut into sessions, and what is learnt of them: kept in versions, of which one holds."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, select, tuple_
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.identity import KEY_TIME_SHIFT, product_key
from adserver.domain.sessions import ShopSessions, Visit
from adserver.domain.shop_learning import Learnt
from adserver.storage.batch import Batch
from adserver.storage.changes import log_catalogue_change
from adserver.storage.recommendation_tables import (
    SLICE_SHIFT,
    recommendation_parts,
    recommendations,
    session_slices,
    sessions,
)
from adserver.storage.sqlite import Reader, as_list, prepared
from adserver.storage.tables import events
from adserver.writes import BeginSlice, DropLearnt, KeepLearnt, KeepSessions, Outcome, Result, UseLearnt
from pixel.events import Event

SAVED = Outcome(Result.SAVED)
BEGUN = -1  # instead of a key: the slice is being cut

_encode = msgspec.msgpack.Encoder().encode
_decode_sessions = msgspec.msgpack.Decoder(ShopSessions).decode
_decode_part = msgspec.msgpack.Decoder(dict[int, Learnt]).decode
_decode_event = msgspec.msgpack.Decoder(Event).decode

_SPAN = prepared(  # each by itself is found at an end of the table; both at once would be searched for
    select(
        select(func.min(events.c.event_key)).scalar_subquery(),
        select(func.max(events.c.event_key)).scalar_subquery(),
    )
)
_SLICES = prepared(
    select(session_slices.c.slice, session_slices.c.through_key).where(
        session_slices.c.slice >= bindparam("oldest")
    )
)
_NEWEST_IN = prepared(
    select(events.c.event_key)
    .where(
        events.c.event_key >= bindparam("from_key"),
        events.c.event_key < bindparam("before_key"),
        events.c.visitor_key != 0,
    )
    .order_by(events.c.event_key.desc())
    .limit(literal_column("1"))
)
_VISITS = prepared(
    select(events.c.event_key, events.c.advertiser_key, events.c.visitor_key, events.c.at_ms, events.c.body)
    .where(
        events.c.event_key > bindparam("after_key"),
        events.c.event_key < bindparam("before_key"),
        events.c.visitor_key != 0,
    )
    .order_by(events.c.event_key)
    .limit(bindparam("most"))
)
_slice_row = upsert(session_slices)
_KEEP_SLICE = prepared(
    _slice_row.on_conflict_do_update(
        index_elements=["slice"], set_={"through_key": _slice_row.excluded.through_key}
    )
)
_THROUGH = prepared(
    select(session_slices.c.through_key).where(session_slices.c.slice == bindparam("of_slice"))
)
_DROP_SLICES = prepared(delete(session_slices).where(session_slices.c.slice < bindparam("oldest")))
_OF_SLICE = prepared(
    select(sessions.c.advertiser_key, sessions.c.body).where(sessions.c.slice == bindparam("of_slice"))
)
_sessions_row = upsert(sessions)
_KEEP = prepared(
    _sessions_row.on_conflict_do_update(
        index_elements=["advertiser_key", "slice"],
        set_={name: _sessions_row.excluded[name] for name in ("at_ms", "body")},
    )
)
_DROP = prepared(
    delete(sessions).where(
        sessions.c.advertiser_key == bindparam("of_advertiser"), sessions.c.slice == bindparam("of_slice")
    )
)
_OLD = prepared(
    select(sessions.c.advertiser_key, sessions.c.slice)
    .where(sessions.c.at_ms <= bindparam("before_ms"))
    .order_by(sessions.c.at_ms)
    .limit(bindparam("most"))
)
_SESSIONS = prepared(
    select(sessions.c.body)
    .where(sessions.c.advertiser_key == bindparam("advertiser_key"))
    .order_by(sessions.c.slice)
)
_head = upsert(recommendations)
_NOTE_CHANGE = prepared(
    _head.on_conflict_do_update(
        index_elements=["advertiser_key"], set_={"changed": recommendations.c.changed + 1}
    )
)
_USE = prepared(
    _head.on_conflict_do_update(
        index_elements=["advertiser_key"],
        set_={name: _head.excluded[name] for name in ("version", "parts", "learnt_of")},
    )
)
_part_row = upsert(recommendation_parts)
_KEEP_PART = prepared(
    _part_row.on_conflict_do_update(
        index_elements=["advertiser_key", "version", "part"], set_={"body": _part_row.excluded.body}
    )
)
_KEPT_PARTS = prepared(
    select(func.count())
    .select_from(recommendation_parts)
    .where(
        recommendation_parts.c.advertiser_key == bindparam("advertiser_key"),
        recommendation_parts.c.version == bindparam("version"),
    )
)
_others = (
    select(recommendation_parts.c.version, recommendation_parts.c.part)
    .where(
        recommendation_parts.c.advertiser_key == bindparam("advertiser"),
        recommendation_parts.c.version
        != select(recommendations.c.version)
        .where(recommendations.c.advertiser_key == bindparam("advertiser"))
        .scalar_subquery(),
    )
    .limit(bindparam("most"))
)
_DROP_PARTS = prepared(
    delete(recommendation_parts).where(
        recommendation_parts.c.advertiser_key == bindparam("advertiser"),
        tuple_(recommendation_parts.c.version, recommendation_parts.c.part).in_(_others),
    )
)
_OUTDATED = prepared(
    select(recommendations.c.advertiser_key, recommendations.c.changed)
    .where(
        recommendations.c.changed > recommendations.c.learnt_of,
        recommendations.c.version < bindparam("before_ms"),
    )
    .order_by(recommendations.c.version)
)
_wanted = func.json_each(bindparam("keys")).table_valued("value")
_LEARNT = prepared(
    select(recommendation_parts.c.body)
    .distinct()
    .select_from(recommendations)
    .join(_wanted, _wanted.c.value.is_not(None))
    .join(
        recommendation_parts,
        (recommendation_parts.c.advertiser_key == recommendations.c.advertiser_key)
        & (recommendation_parts.c.version == recommendations.c.version)
        & (recommendation_parts.c.part == _wanted.c.value % recommendations.c.parts),
    )
    .where(recommendations.c.advertiser_key == bindparam("advertiser_key"))
)


def begin_slice(batch: Batch, write: BeginSlice) -> Outcome:
    batch.connection.execute(_KEEP_SLICE, {"slice": write.slice, "through_key": BEGUN})
    return SAVED


def keep_sessions(batch: Batch, write: KeepSessions) -> Outcome:
    """Only of shops whose sessions are others now it is noted that there is something to learn."""
    at = {"of_slice": write.slice}
    if batch.connection.execute(_THROUGH, at).fetchone() != (BEGUN,):
        return Outcome(Result.CONFLICT)
    known = dict(batch.connection.execute(_OF_SLICE, at).fetchall())
    for advertiser_key, at_ms, shop in write.shops:
        body = _encode(shop)
        if known.pop(advertiser_key, None) != body:
            row = {"advertiser_key": advertiser_key, "slice": write.slice, "at_ms": at_ms, "body": body}
            batch.connection.execute(_KEEP, row)
            note_change(batch, advertiser_key)
    for advertiser_key in known:
        batch.connection.execute(_DROP, at | {"of_advertiser": advertiser_key})
        note_change(batch, advertiser_key)
    batch.connection.execute(_KEEP_SLICE, {"slice": write.slice, "through_key": write.through_key})
    batch.connection.execute(_DROP_SLICES, {"oldest": write.oldest})
    return SAVED


def note_change(batch: Batch, advertiser_key: int) -> None:
    """A shop's sessions are others than those that were learnt of."""
    row = {"advertiser_key": advertiser_key, "version": 0, "parts": 1, "learnt_of": 0, "changed": 1}
    batch.connection.execute(_NOTE_CHANGE, row)


def keep_learnt(batch: Batch, write: KeepLearnt) -> Outcome:
    rows = [
        {"advertiser_key": write.advertiser_key, "version": write.version, "part": part, "body": body}
        for part, body in write.parts
    ]
    batch.connection.executemany(_KEEP_PART, rows)
    return SAVED


def use_learnt(batch: Batch, write: UseLearnt) -> Outcome:
    """Workers hear of it as of a change of the catalogue, and ask anew.

    Not where another run, which ended meanwhile, has taken some of its parts for left-overs.
    """
    of_version = {"advertiser_key": write.advertiser_key, "version": write.version}
    if batch.connection.execute(_KEPT_PARTS, of_version).fetchone() != (write.parts,):
        return Outcome(Result.CONFLICT)
    row = {"changed": write.learnt_of} | {
        name: getattr(write, name) for name in ("advertiser_key", "version", "parts", "learnt_of")
    }
    batch.connection.execute(_USE, row)
    log_catalogue_change(batch, write.advertiser_key)
    return SAVED


def drop_learnt(batch: Batch, write: DropLearnt) -> Outcome:
    row = {"advertiser": write.advertiser_key, "most": write.most}
    return Outcome(Result.SAVED, batch.connection.execute(_DROP_PARTS, row).rowcount)


def drop_old_sessions(batch: Batch, before_ms: int, most: int) -> int:
    """Of shops that are learnt of anew without them."""
    rows = batch.connection.execute(_OLD, {"before_ms": before_ms, "most": most}).fetchall()
    for advertiser_key, slice_ in rows:
        batch.connection.execute(_DROP, {"of_advertiser": advertiser_key, "of_slice": slice_})
        note_change(batch, advertiser_key)
    return len(rows)


class SqliteVisits:
    """Events as they are cut into sessions; their keys begin with their time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def uncut(self, kept_ms: int) -> tuple[int, list[int]]:
        first, last = self._reader.row(_SPAN) or (None, None)
        if last is None:
            return 0, []
        oldest = max(first, last - (kept_ms << KEY_TIME_SHIFT)) >> SLICE_SHIFT
        through = {slice_: int(key) for slice_, key in self._reader.rows(_SLICES, {"oldest": oldest})}
        slices = range(oldest, (last >> SLICE_SHIFT) + 1)
        return oldest, [slice_ for slice_ in slices if self._is_uncut(slice_, through, slices[-1])]

    def _is_uncut(self, slice_: int, through: Mapping[int, int], last: int) -> bool:
        """To those that are over nothing is added, but for what comes late around their end."""
        if through.get(slice_, BEGUN) == BEGUN:
            return True
        if slice_ < last - 1:
            return False
        keys = {"from_key": slice_ << SLICE_SHIFT, "before_key": slice_ + 1 << SLICE_SHIFT}
        newest = self._reader.row(_NEWEST_IN, keys)
        return newest is not None and int(newest[0]) > through[slice_]

    def visits(self, slice_: int, after: int, limit: int) -> list[Visit]:
        after_key = max(after, (slice_ << SLICE_SHIFT) - 1)
        keys = {"after_key": after_key, "before_key": slice_ + 1 << SLICE_SHIFT, "most": limit}
        return [_visit(row) for row in self._reader.rows(_VISITS, keys)]


class SqliteRecommendations:
    """What is learnt of shops, as the job and the slots read it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def outdated(self, learnt_before_ms: int) -> list[tuple[int, int]]:
        rows = self._reader.rows(_OUTDATED, {"before_ms": learnt_before_ms})
        return [(int(advertiser_key), int(changed)) for advertiser_key, changed in rows]

    def sessions(self, advertiser_key: int) -> list[ShopSessions]:
        rows = self._reader.rows(_SESSIONS, {"advertiser_key": advertiser_key})
        return [_decode_sessions(body) for (body,) in rows]

    def learnt(self, advertiser_key: int, product_keys: Iterable[int]) -> Mapping[int, Learnt]:
        wanted = set(product_keys)
        parameters = {"advertiser_key": advertiser_key, "keys": as_list(wanted)}
        found: dict[int, Learnt] = {}
        for (body,) in self._reader.rows(_LEARNT, parameters):
            found |= {key: learnt for key, learnt in _decode_part(body).items() if key in wanted}
        return found


def _visit(row: tuple[Any, ...]) -> Visit:
    event_key, advertiser_key, visitor_key, at_ms, body = row
    event = _decode_event(body)
    keys = tuple(product_key(advertiser_key, item.item_id) for item in event.items)
    return Visit(event_key, advertiser_key, visitor_key, at_ms, event.name, keys)
