"""The audit log: a line in the transaction of the change itself, read newest first."""

import msgspec
from sqlalchemy import Column, ColumnElement, bindparam, func, insert, literal_column, select

from adserver.domain.audit_log import Action, Actor, ActorKind, Asked, Difference, Entry, differences
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, Row, prepared
from adserver.storage.tables import audit_log
from adserver.writes import SaveEntity

_INSERT = prepared(insert(audit_log))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Difference, ...]).decode
_c = audit_log.c


def _given(name: str, column: Column[str]) -> ColumnElement[bool]:
    return bindparam(name).is_(None) | (column == bindparam(name))


_ASKED = (
    _given("kind", _c.kind),
    _given("action", _c.action),
    bindparam("actor").is_(None) | (func.instr(_c.actor_name, bindparam("actor")) > literal_column("0")),
    _c.number < bindparam("before"),
)
_newest_first = select(audit_log).order_by(_c.number.desc()).limit(bindparam("most"))
_PAGE = prepared(_newest_first.where(*_ASKED))
_PAGE_OF_ENTITY = prepared(_newest_first.where(_c.key == bindparam("key"), *_ASKED))


def tell_change(batch: Batch, write: SaveEntity, before: bytes | None, after: bytes) -> None:
    """That an entity was made or changed; nothing where only what nobody reads has changed."""
    changed, entity = differences(before, after), write.entity
    if before is None or changed:
        name = str(getattr(entity, "name", "") or getattr(entity, "email", ""))
        about = (type(entity).__name__, entity.key, name)
        tell(
            batch, write.by, write.at_ms, Action.CREATED if before is None else Action.CHANGED, about, changed
        )


def tell(
    batch: Batch,
    actor: Actor,
    at_ms: int,
    action: Action,
    about: tuple[str, int, str],
    changed: tuple[Difference, ...] = (),
) -> None:
    """`about`: the entity's kind, key and name."""
    kind, key, name = about
    row = {
        "number": None,
        "at_ms": at_ms,
        "actor_kind": actor.kind.value,
        "actor_key": actor.key,
        "actor_name": actor.name,
        "action": action.value,
        "kind": kind,
        "key": key,
        "name": name,
        "differences": _encode(changed),
    }
    batch.connection.execute(_INSERT, row)


class SqliteAuditLog:
    """The log as the operator searches it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def entries(self, asked: Asked, limit: int) -> list[Entry]:
        """The newest first."""
        given = msgspec.structs.asdict(asked) | {"most": limit}
        given["before"] = 2**63 - 1 if asked.before is None else asked.before
        statement = _PAGE if asked.key is None else _PAGE_OF_ENTITY  # which an index finds
        return [_entry(row) for row in self._reader.rows(statement, given)]


def _entry(row: Row) -> Entry:
    number, at_ms, actor_kind, actor_key, actor_name, action, kind, key, name, changed = row
    actor = Actor(ActorKind(actor_kind), actor_key, actor_name)
    return Entry(number, at_ms, actor, Action(action), kind, key, name, _decode(changed))
