"""Hourly counters and job leases."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, insert, literal_column, select
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, Row, prepared
from adserver.storage.tables import counts, job_runs, leases
from adserver.writes import AddCounts, Outcome, Result, TakeLease

_row = upsert(leases)
_TAKE = prepared(
    _row.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": _row.excluded.holder, "until_ms": _row.excluded.until_ms},
        where=(leases.c.holder == _row.excluded.holder)
        | (leases.c.until_ms <= bindparam("now_ms"))
        | (leases.c.until_ms > bindparam("latest_ms")),
    )
)
_RAN = prepared(insert(job_runs).prefix_with("OR REPLACE"))
_SUMS = prepared(
    select(counts.c.name, func.sum(counts.c.n))
    .where(counts.c.owner_key == bindparam("owner_key"), counts.c.hour_ms >= bindparam("since_ms"))
    .group_by(counts.c.name)
)
_ALL_SUMS = prepared(
    select(counts.c.name, func.sum(counts.c.n))
    .where(counts.c.hour_ms >= bindparam("since_ms"))
    .group_by(counts.c.name)
)
_names = func.json_each(bindparam("names")).table_valued("value")
_NAMED = prepared(
    select(counts.c.name, func.sum(counts.c.n))
    .where(
        counts.c.owner_key == bindparam("owner_key"),
        counts.c.name.in_(select(_names.c.value)),
        counts.c.hour_ms >= bindparam("since_ms"),
        counts.c.hour_ms < bindparam("until_ms"),
    )
    .group_by(counts.c.name)
)
_BY_HOUR = prepared(
    select(counts.c.hour_ms, counts.c.name, counts.c.n)
    .where(
        counts.c.owner_key == bindparam("owner_key"),
        counts.c.name.in_(select(_names.c.value)),
        counts.c.hour_ms >= bindparam("since_ms"),
        counts.c.hour_ms < bindparam("until_ms"),
    )
    .order_by(counts.c.hour_ms)
)
_within = (counts.c.hour_ms >= bindparam("since_ms"), counts.c.hour_ms < bindparam("until_ms"))
_OWNERS_SUMS = prepared(
    select(counts.c.owner_key, counts.c.name, func.sum(counts.c.n))
    .where(counts.c.name.in_(select(_names.c.value)), *_within)
    .group_by(counts.c.owner_key, counts.c.name)
)
_begin = (counts.c.hour_ms - counts.c.hour_ms % bindparam("step_ms")).label("begin_ms")
_OWNERS_STEPS = prepared(
    select(counts.c.owner_key, _begin, func.sum(counts.c.n))
    .where(counts.c.name == bindparam("name"), *_within)
    .group_by(counts.c.owner_key, literal_column("begin_ms"))
)
_owners = func.json_each(bindparam("owner_keys")).table_valued("value")
_OWNERS_PARTS = prepared(
    select(counts.c.owner_key, counts.c.name, _begin, func.sum(counts.c.n))
    .where(
        counts.c.owner_key.in_(select(_owners.c.value)),
        counts.c.name.in_(select(_names.c.value)),
        *_within,
    )
    .group_by(counts.c.owner_key, counts.c.name, literal_column("begin_ms"))
)
_of_owners = (
    counts.c.owner_key.in_(select(_owners.c.value)),
    counts.c.name.in_(select(_names.c.value)),
    counts.c.hour_ms >= bindparam("since_ms"),
)
_HOURLY = prepared(
    select(counts.c.owner_key, counts.c.hour_ms, func.sum(counts.c.n))
    .where(*_of_owners)
    .group_by(counts.c.owner_key, counts.c.hour_ms)
)
_HOURLY_SUM = prepared(
    select(counts.c.hour_ms, func.sum(counts.c.n)).where(*_of_owners).group_by(counts.c.hour_ms)
)


def add_counts(batch: Batch, write: AddCounts) -> Outcome:
    """Add what a worker counted since its last report."""
    for hour_ms, name, owner_key, n in write.counts:
        batch.count(owner_key, name, hour_ms, n)
    return Outcome(Result.SAVED)


def take_lease(batch: Batch, write: TakeLease) -> Outcome:
    """Hold a job's lease until a time, if nobody else does.

    One that ends later than any could that was taken up to now is of a clock that has gone back since.
    """
    row = {"name": write.name, "holder": write.holder, "until_ms": write.until_ms, "now_ms": write.now_ms}
    row["latest_ms"] = 2 * write.until_ms - write.now_ms  # twice its length: clocks differ a little
    taken = batch.connection.execute(_TAKE, row).rowcount == 1
    if taken and write.ran is not None:
        batch.connection.execute(_RAN, msgspec.structs.asdict(write.ran))
    return Outcome(Result.SAVED if taken else Result.CONFLICT)


class SqliteStats:
    """Counters as screens and the ranking read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def counts(self, owner_key: int | None, since_ms: int) -> dict[str, int]:
        """Sums by name of one owner, or over everything."""
        if owner_key is None:
            rows = self._reader.rows(_ALL_SUMS, {"since_ms": since_ms})
        else:
            rows = self._reader.rows(_SUMS, {"owner_key": owner_key, "since_ms": since_ms})
        return {str(name): int(n) for name, n in rows}

    def named(self, owner_key: int, names: Sequence[str], since_ms: int, until_ms: int) -> dict[str, int]:
        """Sums of an owner's counters by name, of the hours that began within [since, until)."""
        parameters = {
            "owner_key": owner_key,
            "names": msgspec.json.encode(names).decode(),
            "since_ms": since_ms,
            "until_ms": until_ms,
        }
        return {str(name): int(n) for name, n in self._reader.rows(_NAMED, parameters)}

    def by_hour(
        self, owner_key: int, names: Sequence[str], since_ms: int, until_ms: int
    ) -> list[tuple[int, str, int]]:
        """(hour's start, name, how many) of an owner in the hours that began within [since, until)."""
        parameters = {
            "owner_key": owner_key,
            "names": msgspec.json.encode(names).decode(),
            "since_ms": since_ms,
            "until_ms": until_ms,
        }
        rows = self._reader.rows(_BY_HOUR, parameters)
        return [(hour_ms, str(name), int(n)) for hour_ms, name, n in rows]

    def sums(self, names: Sequence[str], since_ms: int, until_ms: int) -> list[tuple[int, str, int]]:
        """(owner, name, how many) of the hours that began within [since, until)."""
        told = {"names": msgspec.json.encode(names).decode(), "since_ms": since_ms, "until_ms": until_ms}
        return [(owner, name, int(n)) for owner, name, n in self._reader.rows(_OWNERS_SUMS, told)]

    def parts(
        self, owner_keys: Sequence[int], names: Sequence[str], since_ms: int, until_ms: int, step_ms: int
    ) -> list[tuple[int, str, int, int]]:
        """(owner, name, a step's begin, how many) of the hours that began within [since, until)."""
        owners, named = (msgspec.json.encode(one).decode() for one in (owner_keys, names))
        told = {"owner_keys": owners, "names": named, "since_ms": since_ms, "until_ms": until_ms}
        rows = self._reader.rows(_OWNERS_PARTS, told | {"step_ms": step_ms})
        return [(owner, name, begin_ms, int(n)) for owner, name, begin_ms, n in rows]

    def steps(self, name: str, since_ms: int, until_ms: int, step_ms: int) -> list[tuple[int, int, int]]:
        """(owner, a step's begin, how many) of the hours that began within [since, until)."""
        told = {"name": name, "since_ms": since_ms, "until_ms": until_ms, "step_ms": step_ms}
        return [(owner, begin_ms, int(n)) for owner, begin_ms, n in self._reader.rows(_OWNERS_STEPS, told)]

    def hourly(
        self, owner_keys: Sequence[int], names: Sequence[str], since_ms: int
    ) -> list[tuple[int, int, int]]:
        """(owner, hour's start, how many of all names) of the hours that began at `since_ms` or later."""
        rows = self._hours(_HOURLY, owner_keys, names, since_ms)
        return [(key, hour_ms, int(n)) for key, hour_ms, n in rows]

    def hourly_sum(self, owner_keys: Sequence[int], name: str, since_ms: int) -> dict[int, int]:
        """The owners' counts together, by the hour's start."""
        return {hour_ms: int(n) for hour_ms, n in self._hours(_HOURLY_SUM, owner_keys, (name,), since_ms)}

    def _hours(
        self, statement: str, owner_keys: Sequence[int], names: Sequence[str], since_ms: int
    ) -> list[Row]:
        owners, named = (msgspec.json.encode(one).decode() for one in (owner_keys, names))
        return self._reader.rows(statement, {"owner_keys": owners, "names": named, "since_ms": since_ms})
