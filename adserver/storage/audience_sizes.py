"""How many visitors audiences hold, as the last census left it, and profiles by their places for the next."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnClause, bindparam, delete, func, insert, literal_column, select
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.audience_reach import Panel
from adserver.domain.audience_size import AudienceSize
from adserver.domain.visitor import Profile
from adserver.storage.batch import Batch, decode_profile
from adserver.storage.count_tables import audience_sizes, visitor_panels
from adserver.storage.sqlite import Reader, as_list, listed, numbered, prepared
from adserver.storage.tables import profiles
from adserver.writes import Outcome, Result, SaveAudienceSizes

_DROP = prepared(delete(audience_sizes).where(audience_sizes.c.advertiser_key == bindparam("advertiser_key")))
_ADD = numbered(insert(audience_sizes), audience_sizes.c.keys())
_panel_row = upsert(visitor_panels)
_SAVE_PANEL = prepared(
    _panel_row.on_conflict_do_update(
        index_elements=["advertiser_key"], set_={"body": _panel_row.excluded.body}
    )
)
_size = (audience_sizes.c.members, audience_sizes.c.counted_ms, audience_sizes.c.reachable)
_OF_GROUPS = prepared(
    select(audience_sizes.c.group_key, *_size).where(audience_sizes.c.group_key.in_(listed("group_keys")))
)
_PANEL = prepared(
    select(visitor_panels.c.body).where(visitor_panels.c.advertiser_key == bindparam("advertiser_key"))
)
# In the order in which they lie in the file, so that a walk reads it once from front to back.
_row: ColumnClause[int] = literal_column("profiles.rowid")
_AFTER = prepared(
    select(_row, profiles.c.body).where(_row > bindparam("row")).order_by(_row).limit(bindparam("most"))
)
_places = func.json_each(bindparam("rows")).table_valued("value")
_AT = prepared(select(profiles.c.body).where(_row.in_(select(_places.c.value))))

_encode = msgspec.msgpack.Encoder().encode
_decode_panel = msgspec.msgpack.Decoder(Panel).decode


def save_audience_sizes(batch: Batch, write: SaveAudienceSizes) -> Outcome:
    """All of an advertiser's at once: an audience that was changed leaves with the old ones."""
    batch.connection.execute(_DROP, {"advertiser_key": write.advertiser_key})
    batch.connection.executemany(
        _ADD,
        [
            (write.advertiser_key, one.group_key, one.audience_key, one.members, one.reachable,
             write.panel.counted_ms)
            for one in write.groups
        ],
    )  # fmt: skip
    row = {"advertiser_key": write.advertiser_key, "body": _encode(write.panel)}
    batch.connection.execute(_SAVE_PANEL, row)
    return Outcome(Result.SAVED)


class SqliteAudienceSizes:
    """Sizes as screens and decisions read them, profiles as a census does."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def of_groups(self, group_keys: Collection[int]) -> dict[int, AudienceSize]:
        rows = self._reader.rows(_OF_GROUPS, {"group_keys": as_list(group_keys)})
        return {group_key: AudienceSize(*size) for group_key, *size in rows}

    def panel(self, advertiser_key: int) -> Panel | None:
        row = self._reader.row(_PANEL, {"advertiser_key": advertiser_key})
        return None if row is None else _decode_panel(row[0])

    def profiles_after(self, row: int, limit: int) -> list[tuple[int, Profile]]:
        """The next so many, each with its place; none at the end."""
        rows = self._reader.rows(_AFTER, {"row": row, "most": limit})
        return [(place, decode_profile(body)) for place, body in rows]

    def profiles_at(self, rows: Sequence[int]) -> list[Profile]:
        """Those that are still there."""
        return [decode_profile(body) for (body,) in self._reader.rows(_AT, {"rows": as_list(rows)})]
