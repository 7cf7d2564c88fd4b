"""Suppression lists, and which visitors are on them."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, delete, func, literal_column, select
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.suppression import ListVisitors, SuppressionList, UnlistOthers
from adserver.storage.batch import Batch
from adserver.storage.entities import entity, page_of
from adserver.storage.sqlite import Reader, as_list, listed, prepared
from adserver.storage.tables import suppressed
from adserver.writes import Outcome, Result

_row = upsert(suppressed)
_PUT = prepared(
    _row.on_conflict_do_update(
        index_elements=["visitor_key", "list_key"],
        set_={name: _row.excluded[name] for name in ("upload_key", "at_ms")},
    )
)
_rowid: ColumnElement[int] = literal_column("rowid")
_UNLIST = prepared(
    delete(suppressed).where(
        _rowid.in_(
            select(_rowid)
            .select_from(suppressed)
            .where(
                suppressed.c.list_key == bindparam("list_key"),
                suppressed.c.upload_key != bindparam("upload_key"),
            )
            .limit(bindparam("most"))
        )
    )
)
_LISTS_OF = prepared(
    select(suppressed.c.list_key).where(suppressed.c.visitor_key == bindparam("visitor_key"))
)
_SIZES = prepared(
    select(suppressed.c.list_key, func.count())
    .where(suppressed.c.list_key.in_(listed("list_keys")))
    .group_by(suppressed.c.list_key)
)
NO_LISTS = frozenset[int]()


def list_visitors(batch: Batch, write: ListVisitors) -> Outcome:
    """Put visitors on a list; who is on it already is there anew."""
    same = {
        "list_key": write.list_key,
        "advertiser_key": write.advertiser_key,
        "upload_key": write.upload_key,
        "at_ms": write.at_ms,
    }
    rows = [{"visitor_key": key, **same} for key in write.visitor_keys]
    batch.connection.executemany(_PUT, rows)
    return Outcome(Result.SAVED, len(rows))


def unlist_others(batch: Batch, write: UnlistOthers) -> Outcome:
    """Take some of those off a list whom the newest upload does not name; the figure is how many."""
    named = {"list_key": write.list_key, "upload_key": write.upload_key, "most": write.most}
    return Outcome(Result.SAVED, batch.connection.execute(_UNLIST, named).rowcount)


class SqliteSuppressions:
    """Suppression lists of advertisers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def suppression_list(self, key: int) -> SuppressionList | None:
        return entity(self._reader, SuppressionList, key)

    def suppression_lists(self, advertiser_key: int, after: int, limit: int) -> list[SuppressionList]:
        return page_of(self._reader, SuppressionList, advertiser_key, after, limit)

    def lists_of(self, visitor_key: int) -> frozenset[int]:
        rows = self._reader.rows(_LISTS_OF, {"visitor_key": visitor_key})
        return frozenset([key for (key,) in rows]) if rows else NO_LISTS

    def sizes(self, list_keys: Sequence[int]) -> dict[int, int]:
        """How many are on each of the lists; none of those that are empty."""
        return dict(self._reader.rows(_SIZES, {"list_keys": as_list(list_keys)}))
