"""Erasing a visitor from every table that can name one, so that nothing under way brings them back."""

from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)

from adserver.domain.identity import key_of
from adserver.storage.batch import Batch
from adserver.storage.sqlite import prepared
from adserver.storage.tables import ad_events, conversions, decisions, erasures, metadata
from adserver.writes import ForgetVisitor, Outcome, RecordDecision, Result, StoreEvent, Write

UNDER_WAY_MS = 48 * 3_600_000  # a request that is on its way for longer is lost
VISITOR_TABLES = [table for table in metadata.sorted_tables if "visitor_key" in table.c]
_LEDGER_TABLES = (ad_events, decisions, conversions)  # keep their rows; only the visitor leaves them
_NAME_THE_VISITOR = ("click_id", "token", "image_key")  # tokens hold the visitor, the image's key its hash

_REMEMBER = prepared(insert(erasures).prefix_with("OR REPLACE"))
LATELY_FORGOTTEN = prepared(
    select(erasures.c.digest, erasures.c.at_ms).where(
        erasures.c.at_ms > select(func.max(erasures.c.at_ms) - bindparam("under_way_ms")).scalar_subquery()
    )
)


def forget_visitor(batch: Batch, write: ForgetVisitor) -> Outcome:
    """Erase the visitor wherever a table can name one; the ledger's rows stay, without the visitor."""
    for table in VISITOR_TABLES:
        statement = _BLANK[table.name] if table in _LEDGER_TABLES else _ERASE[table.name]
        batch.connection.execute(statement, {"visitor": write.visitor_key})
    digest = _digest(write.visitor_key)
    row = {"digest": digest, "receipt_key": write.receipt_key, "at_ms": write.at_ms}
    batch.connection.execute(_REMEMBER, row)
    return Outcome(Result.SAVED)


def _erase(table: Table) -> str:
    return prepared(delete(table).where(*of_visitor(table)))


def _blank(table: Table) -> str:
    return prepared(update(table).where(*of_visitor(table)).values(without_visitor(table)))


def of_visitor(table: Table) -> tuple[ColumnElement[bool], ...]:
    """Rows of a visitor. The indexes leave out those of nobody: unless this says so too, none is used."""
    return table.c.visitor_key == bindparam("visitor"), table.c.visitor_key != 0


def without_visitor(table: Table) -> dict[str, Any]:
    """What a row of the ledger holds once its visitor has left it."""
    values: dict[str, Any] = {"visitor_key": literal_column("0")}
    return values | {name: null() for name in _NAME_THE_VISITOR if name in table.c}


def _digest(visitor_key: int) -> int:
    return key_of(b"forgotten", visitor_key.to_bytes(8, "big"))


_ERASE = {table.name: _erase(table) for table in VISITOR_TABLES}
_BLANK = {table.name: _blank(table) for table in _LEDGER_TABLES}


class Forgotten:
    """Who was erased lately, by digest: what another tab sent just before is kept without its visitor.

    Late beacons need no digest: without a profile they are kept without a visitor anyway.
    """

    def __init__(self) -> None:
        self._at_ms: dict[int, int] = {}

    def add(self, digest: int, at_ms: int) -> None:
        oldest_ms = at_ms - UNDER_WAY_MS
        self._at_ms = {known: when for known, when in self._at_ms.items() if when > oldest_ms}
        self._at_ms[digest] = at_ms

    def hear(self, write: ForgetVisitor) -> None:
        self.add(_digest(write.visitor_key), write.at_ms)

    def without(self, write: Write) -> Write:
        """The write as it may be kept: without its visitor, where they were erased."""
        match write:
            case StoreEvent() if self._knows(write.visitor_key):
                event = msgspec.structs.replace(write.event, click_id=None)
                return msgspec.structs.replace(write, visitor_key=0, event=event)
            case RecordDecision() if self._knows(write.visitor_key):
                return msgspec.structs.replace(write, visitor_key=0, image_key=0, token="")
        return write

    def _knows(self, visitor_key: int) -> bool:
        return visitor_key != 0 and _digest(visitor_key) in self._at_ms
