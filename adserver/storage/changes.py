"""What became of the entities that a worker holds: the change log, and the balances."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Select,
    bindparam,
    func,
    select,
    true,
)

from adserver.domain.audience_size import AudienceSize
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import CatalogueChanged
from adserver.domain.money import Micros
from adserver.storage.batch import KEPT_MOVES, Batch
from adserver.storage.count_tables import audience_sizes
from adserver.storage.entities import LOG, SNAPSHOT_KINDS, Kind, entity, page_of
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import (
    balance_moves,
    budgets,
    change_log,
)
from adserver.writes import Entity

CATALOGUE = "Catalogue"  # in the change log: of an advertiser, some products
READ_AT_ONCE = 1_000  # the rows of all campaigns together would take as much memory again

# What is often the same in many of a kind: words, and what cannot be changed.
_OFTEN_ALIKE: dict[type, tuple[str, ...]] = {
    Advertiser: ("currency", "timezone", "country"),
    Campaign: ("terms", "frequency_cap"),
    Creative: ("template", "brand", "language"),
}


_SINCE = prepared(
    select(change_log.c.sequence, change_log.c.key, change_log.c.kind)
    .where(change_log.c.sequence > bindparam("sequence"))
    .order_by(change_log.c.sequence)
)


_NEWEST = prepared(
    select(func.max(func.coalesce(select(func.max(change_log.c.sequence)).scalar_subquery(), 0),
                    func.coalesce(select(func.max(balance_moves.c.sequence)).scalar_subquery(), 0)))
)  # fmt: skip


_NEWEST_MOVE = prepared(select(func.max(balance_moves.c.sequence)))


def _moved_since(lists: Column[str]) -> Select[Any]:
    listed = func.json_each(lists).table_valued("value")
    since = balance_moves.c.sequence > bindparam("sequence")
    return select(listed.c.value).select_from(balance_moves.join(listed, true())).where(since)


_buckets = select(budgets.c.owner_key, budgets.c.day, budgets.c.cap, budgets.c.spent, budgets.c.pending)


_LIVE_BUCKETS = prepared(
    _buckets.where((budgets.c.day == WHOLE_LIFE) | (budgets.c.day >= bindparam("since_day")))
)


_BUCKETS_SINCE = prepared(
    _buckets.where(
        budgets.c.owner_key.in_(_moved_since(balance_moves.c.owners)),
        budgets.c.day.in_(_moved_since(balance_moves.c.days)),
    )
)


_AUDIENCE_SIZES = prepared(
    select(
        audience_sizes.c.group_key,
        audience_sizes.c.members,
        audience_sizes.c.counted_ms,
        audience_sizes.c.reachable,
    ).where(audience_sizes.c.audience_key > 0)
)


def log_catalogue_change(batch: Batch, advertiser_key: int) -> None:
    """Its place in the log is beside the advertiser's own, which tells of the account."""
    log = {"sequence": batch.sequence, "key": -advertiser_key, "kind": CATALOGUE}
    batch.connection.execute(LOG, log)
    batch.touched_balances = True


def newest_sequence(connection: sqlite3.Connection) -> int:
    """The sequence number of the last committed change."""
    return int(connection.execute(_NEWEST).fetchone()[0])


class SqliteChanges:
    """The change log: how each worker's snapshot is made and kept fresh."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def everything(self) -> tuple[int, list[Entity]]:
        """All entities, and a sequence not newer than them: changes since may be told twice, never missed.

        Their parts that are alike are one object: a worker holds them as long as it lives.
        """
        sequence, parts = self._newest(), dict[Any, Any]()
        return sequence, [_sharing(parts, entity) for kind in SNAPSHOT_KINDS for entity in self._all(kind)]

    def _all(self, kind: type[Any]) -> Iterator[Any]:
        after = -1
        while page := page_of(self._reader, kind, None, after, READ_AT_ONCE):
            yield from page
            after = page[-1].key

    def since(self, sequence: int) -> tuple[int, list[Entity | CatalogueChanged]]:
        """Entities changed after `sequence`, in their newest state, and whose products changed."""
        rows = self._reader.rows(_SINCE, {"sequence": sequence})
        kinds = {kind.__name__: kind for kind in SNAPSHOT_KINDS}
        changed: dict[int, Any] = {
            key: CatalogueChanged(-key) if kind == CATALOGUE else entity(self._reader, kinds[kind], key)
            for _, key, kind in rows
        }
        newest = max((row[0] for row in rows), default=sequence)
        return newest, [entity for entity in changed.values() if entity is not None]

    def buckets_since(
        self, sequence: int, since_day: int = WHOLE_LIFE
    ) -> tuple[int, list[tuple[BucketId, Bucket]]]:
        """Balances moved after `sequence`, and of their owners those of each other's days.

        To whoever has not looked for long, all but those of the days before `since_day`.
        """
        (newest,) = self._reader.row(_NEWEST_MOVE) or (None,)
        if newest is None or newest <= sequence:
            return sequence, []
        if sequence < newest - KEPT_MOVES // 2:  # the older half may be let go while we look
            return newest, _named_buckets(self._reader.each(_LIVE_BUCKETS, {"since_day": since_day}))
        return newest, _named_buckets(self._reader.each(_BUCKETS_SINCE, {"sequence": sequence}))

    def audience_sizes(self) -> dict[int, AudienceSize]:
        """By the group that an audience is, as it was when it was counted."""
        return {group_key: AudienceSize(*size) for group_key, *size in self._reader.rows(_AUDIENCE_SIZES)}

    def _newest(self) -> int:
        row = self._reader.row(_NEWEST)
        return int(row[0]) if row else 0


def _named_buckets(rows: Iterable[tuple[Any, ...]]) -> list[tuple[BucketId, Bucket]]:
    return [
        (BucketId(owner, day), Bucket(cap, Micros(spent), Micros(pending)))
        for owner, day, cap, spent, pending in rows
    ]


def _sharing(parts: dict[Any, Any], entity: Kind) -> Kind:
    """The entity made of parts that are known already, where they are alike."""
    names = _OFTEN_ALIKE.get(type(entity), ())
    alike = {name: parts.setdefault(part, part) for name in names if (part := getattr(entity, name))}
    return msgspec.structs.replace(entity, **alike) if alike else entity  # type: ignore[type-var]
