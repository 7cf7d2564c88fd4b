"""The outbox: notices put there by the transactions they tell of, until they are delivered or given up."""

import msgspec
from sqlalchemy import bindparam, func, select, update

from adserver.domain.notice import Notice, NoticeStatus
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, Row, prepared
from adserver.storage.tables import notices
from adserver.writes import Outcome, Result, SettleNotice, TellAdvertiser

MOST_OF_ONE = 20  # due notices of one advertiser in one answer, so that no backlog keeps the others waiting

_columns = (
    notices.c.notice_key,
    notices.c.advertiser_key,
    notices.c.kind,
    notices.c.body,
    notices.c.at_ms,
    notices.c.attempts,
    notices.c.due_ms,
    notices.c.status,
)
_place = func.row_number().over(partition_by=notices.c.advertiser_key, order_by=notices.c.due_ms)
_due = (
    select(*_columns, _place.label("place"))
    .where(notices.c.due_ms.is_not(None), notices.c.due_ms <= bindparam("now_ms"))
    .subquery()
)
_DUE = prepared(
    select(*(_due.c[column.name] for column in _columns))
    .where(_due.c.place <= bindparam("most_of_one"))
    .order_by(_due.c.attempts, _due.c.due_ms)  # those of receivers that do not answer come last
    .limit(bindparam("most"))
)
_RECENT = prepared(
    select(*_columns)
    .where(notices.c.advertiser_key == bindparam("advertiser_key"))
    .order_by(notices.c.at_ms.desc(), notices.c.notice_key)
    .limit(bindparam("most"))
)
_SETTLE = prepared(
    update(notices)
    .where(notices.c.notice_key == bindparam("of_key"), notices.c.due_ms.is_not(None))
    .values(
        attempts=bindparam("new_attempts"), due_ms=bindparam("new_due_ms"), status=bindparam("new_status")
    )
)
_STATE = prepared(
    select(notices.c.attempts, notices.c.due_ms, notices.c.status).where(
        notices.c.notice_key == bindparam("notice_key")
    )
)


def settle_notice(batch: Batch, write: SettleNotice) -> Outcome:
    """Note what came of an attempt. What is settled stays so: a second courier that failed is a CONFLICT."""
    row = {
        "of_key": write.notice_key,
        "new_attempts": write.attempts,
        "new_due_ms": write.due_ms,
        "new_status": write.status,
    }
    if batch.connection.execute(_SETTLE, row).rowcount:
        return Outcome(Result.SAVED)
    stored = batch.connection.execute(_STATE, {"notice_key": write.notice_key}).fetchone()
    is_repeat = stored == (write.attempts, write.due_ms, write.status)
    return Outcome(Result.SAVED if is_repeat else Result.CONFLICT)


def tell_advertiser(batch: Batch, write: TellAdvertiser) -> Outcome:
    """Put a notice into the outbox, due at once."""
    row = msgspec.structs.asdict(write)
    batch.add_row("notices", {**row, "attempts": 0, "due_ms": write.at_ms, "status": NoticeStatus.WAITING})
    return Outcome(Result.SAVED)


class SqliteNotices:
    """What is to be delivered now, and what became of an advertiser's latest."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def due(self, now_ms: int, limit: int) -> list[Notice]:
        """Notices to attempt now, at most a few of each advertiser."""
        limits = {"now_ms": now_ms, "most_of_one": MOST_OF_ONE, "most": limit}
        return [_notice(row) for row in self._reader.rows(_DUE, limits)]

    def recent(self, advertiser_key: int, limit: int) -> list[Notice]:
        """An advertiser's notices, newest first."""
        rows = self._reader.rows(_RECENT, {"advertiser_key": advertiser_key, "most": limit})
        return [_notice(row) for row in rows]


def _notice(row: Row) -> Notice:
    key, advertiser_key, kind, body, at_ms, attempts, due_ms, status = row
    return Notice(
        key=key,
        advertiser_key=advertiser_key,
        kind=kind,
        body=body,
        at_ms=at_ms,
        attempts=attempts,
        due_ms=due_ms,
        status=status,
    )
