"""Notices as a batch leaves them in the outbox, put there by hand."""

import sqlite3
from contextlib import closing
from pathlib import Path

from adserver.domain.notice import Notice, NoticeKind, ping_notice
from tests.domain.makers import ADVERTISER, NOW_MS


def make_notice(key: int = 1, at_ms: int = NOW_MS, **fields: object) -> Notice:
    row = {
        "advertiser_key": ADVERTISER,
        "kind": NoticeKind.BUDGET_80.value,
        "body": ping_notice(key, ADVERTISER, at_ms),
        "due_ms": at_ms,
    } | fields
    return Notice(key=key, at_ms=at_ms, **row)  # type: ignore[arg-type]


def keep(path: Path, *notices: Notice) -> None:
    """Put notices in the outbox, as the transaction that they tell of would."""
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.executemany(
            "INSERT INTO notices (notice_key, advertiser_key, kind, body, at_ms, attempts, due_ms, status)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.key,
                    one.advertiser_key,
                    one.kind,
                    one.body,
                    one.at_ms,
                    one.attempts,
                    one.due_ms,
                    one.status,
                )
                for one in notices
            ],
        )
