"""What is told of each feed's newest imports."""

import msgspec
from sqlalchemy import bindparam, delete, select

from adserver.domain.imports import KEPT, OPEN, Import, ImportState
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import imports

_decode = msgspec.json.Decoder(Import).decode

_ONE = prepared(select(imports.c.body).where(imports.c.key == bindparam("key")))
_OF_FEED = prepared(
    select(imports.c.body).where(imports.c.feed_key == bindparam("feed_key")).order_by(imports.c.key.desc())
)
_IN_STATE = prepared(
    select(imports.c.body)
    .where(imports.c.state == bindparam("state"))
    .order_by(imports.c.key)
    .limit(bindparam("most"))
)
_newest = (
    select(imports.c.key)
    .where(imports.c.feed_key == bindparam("feed_key"))
    .order_by(imports.c.key.desc())
    .limit(bindparam("most"))
)
_PRUNE = prepared(
    delete(imports).where(
        imports.c.feed_key == bindparam("feed_key"),
        imports.c.key.not_in(_newest),
        imports.c.state.not_in([bindparam(f"open_{place}") for place in range(len(OPEN))]),
    )
)
_OPEN_STATES = {f"open_{place}": str(state) for place, state in enumerate(sorted(OPEN))}


def prune_imports(batch: Batch, feed_key: int) -> None:
    """Let go of what is told of a feed's imports, all but its newest and those that have no end yet."""
    batch.connection.execute(_PRUNE, {"feed_key": feed_key, "most": KEPT, **_OPEN_STATES})


class SqliteImports:
    """Imports as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def import_(self, key: int) -> Import | None:
        row = self._reader.row(_ONE, {"key": key})
        return None if row is None else _decode(row[0])

    def of_feed(self, feed_key: int) -> list[Import]:
        """A feed's imports, newest first."""
        return [_decode(row[0]) for row in self._reader.rows(_OF_FEED, {"feed_key": feed_key})]

    def in_state(self, state: ImportState, limit: int) -> list[Import]:
        """Imports of all feeds that have come so far, oldest first."""
        rows = self._reader.rows(_IN_STATE, {"state": str(state), "most": limit})
        return [_decode(row[0]) for row in rows]
