"""Seals of days: the heads that an account's chains had, fixed, then signed, then told to the advertiser."""

from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.budget import WHOLE_LIFE
from adserver.domain.chain import GENESIS, day_entry, next_head
from adserver.domain.identity import key_of
from adserver.domain.notice import NoticeKind, NoticeStatus, notice_body
from adserver.domain.proof import DailyHead, owner_id, shown_head
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import (
    advertisers,
    budgets,
    campaigns,
    chain_notes,
    charges,
    daily_heads,
    notices,
    refunds,
)
from adserver.writes import Outcome, Result, SealDay, SignHeads

SAVED = Outcome(Result.SAVED)

_life: ColumnElement[int] = literal_column(str(WHOLE_LIFE))
_last_entries = (
    select(daily_heads.c.entries)
    .where(daily_heads.c.owner_key == budgets.c.owner_key)
    .order_by(daily_heads.c.day.desc())
    .limit(literal_column("1"))
    .correlate(budgets)
    .scalar_subquery()
)
_has_grown = budgets.c.entries > func.coalesce(_last_entries, 0)
_last_day = select(func.max(daily_heads.c.day)).where(daily_heads.c.owner_key == bindparam("advertiser_key"))
_LAST_DAY = prepared(_last_day)
_standing = select(
    budgets.c.owner_key, budgets.c.entries, budgets.c.head, budgets.c.spent, budgets.c.pending
).where(budgets.c.day == _life)
_ACCOUNT = prepared(_standing.where(budgets.c.owner_key == bindparam("advertiser_key")))
_GROWN = prepared(
    _standing.join_from(campaigns, budgets, budgets.c.owner_key == campaigns.c.key)
    .where(campaigns.c.advertiser_key == bindparam("advertiser_key"), _has_grown)
    .order_by(campaigns.c.key)
)
_HAS_GROWN = prepared(
    select(budgets.c.entries).where(
        budgets.c.owner_key == bindparam("advertiser_key"), budgets.c.day == _life, _has_grown
    )
)
_INSERT = prepared(insert(daily_heads))
_SIGN = prepared(
    update(daily_heads)
    .where(
        daily_heads.c.owner_key == bindparam("owner"),
        daily_heads.c.day == bindparam("on_day"),
        daily_heads.c.signature.is_(None),
    )
    .values(signature=bindparam("signed"))
)
_PUT_NOTICE = prepared(upsert(notices).on_conflict_do_nothing())


def seal_day(batch: Batch, write: SealDay) -> Outcome:
    """Fix the heads of the account's chains that have grown since its last seal; none, nothing is written.

    A day that is sealed, or older than one that is, is left as it is: nobody writes into the past.
    """
    account = {"advertiser_key": write.advertiser_key}
    last = batch.connection.execute(_LAST_DAY, account).fetchone()[0]
    if last is not None and last >= write.day:
        return SAVED
    grown = batch.connection.execute(_GROWN, account).fetchall()
    if not grown and batch.connection.execute(_HAS_GROWN, account).fetchone() is None:
        return SAVED
    for owner_key, entries, head, spent, pending in grown:
        batch.connection.execute(_INSERT, _row(write, owner_key, entries, head, spent, pending))
    _, entries, head, spent, pending = batch.connection.execute(_ACCOUNT, account).fetchone()
    heads = {owner_key: (count, digest) for owner_key, count, digest, _, _ in grown}
    note = day_entry(entries + 1, write.day, heads, write.at_ms)
    number = batch.append_note(write.advertiser_key, lambda _: note)
    assert number == entries + 1, "nothing else is chained in this transaction"
    head = next_head(head or GENESIS, note)
    batch.connection.execute(_INSERT, _row(write, write.advertiser_key, number, head, spent, pending))
    return SAVED


def _row(
    write: SealDay, owner_key: int, entries: int, head: bytes, spent: int, pending: int
) -> dict[str, Any]:
    return {
        "owner_key": owner_key,
        "day": write.day,
        "entries": entries,
        "head": head,
        "spent": spent,
        "pending": pending,
        "sealed_ms": write.at_ms,
        "signature": None,
    }


def sign_heads(batch: Batch, write: SignHeads) -> Outcome:
    """Put the signatures under their heads; with an account's own, its notice of the day goes out.

    A head that is signed stays as it is, and its notice is not sent twice.
    """
    signed = [
        (owner_key, day)
        for owner_key, day, signature in write.signatures
        if batch.connection.execute(_SIGN, {"owner": owner_key, "on_day": day, "signed": signature}).rowcount
    ]
    for owner_key, day in signed:
        asked = {"advertiser_key": owner_key, "day": day}
        row = batch.connection.execute(_SEALED_AT, asked).fetchone()
        if row is not None:  # the account's own head, and not a campaign's
            heads = [DailyHead(*head) for head in batch.connection.execute(_SEALED, asked)]
            batch.connection.execute(_PUT_NOTICE, _notice_row(owner_key, day, heads, row[0]))
    return SAVED


def _notice_row(advertiser_key: int, day: int, heads: list[DailyHead], at_ms: int) -> dict[str, Any]:
    parts = (advertiser_key.to_bytes(8, "big"), day.to_bytes(8, "big"))
    key = key_of(b"day_sealed", *parts)
    shown = [
        shown_head(head, owner_id(head.owner_key, advertiser_key))
        | {"signature": head.signature.hex() if head.signature else None}
        for head in heads
    ]
    return {
        "notice_key": key,
        "advertiser_key": advertiser_key,
        "kind": NoticeKind.DAY_SEALED,
        "body": notice_body(key, NoticeKind.DAY_SEALED, advertiser_key, at_ms, day=day, heads=shown),
        "at_ms": at_ms,
        "attempts": 0,
        "due_ms": at_ms,
        "status": NoticeStatus.WAITING,
    }


# ---- reading ----

_columns = [daily_heads.c[name] for name in DailyHead.__struct_fields__]
_account_or_campaigns = daily_heads.c.owner_key.in_(
    union_all(
        select(bindparam("advertiser_key")),
        select(campaigns.c.key).where(campaigns.c.advertiser_key == bindparam("advertiser_key")),
    )
)
_SEALED = prepared(
    select(*_columns)
    .where(_account_or_campaigns, daily_heads.c.day == bindparam("day"))
    .order_by(daily_heads.c.owner_key != bindparam("advertiser_key"), daily_heads.c.owner_key)
)
_SEALED_AT = prepared(
    select(daily_heads.c.sealed_ms)
    .join_from(advertisers, daily_heads, daily_heads.c.owner_key == advertisers.c.key)
    .where(advertisers.c.key == bindparam("advertiser_key"), daily_heads.c.day == bindparam("day"))
)
_last_day_of = (
    select(func.max(daily_heads.c.day)).where(daily_heads.c.owner_key == advertisers.c.key).scalar_subquery()
)
_next_entry = func.coalesce(_last_entries, 0) + literal_column("1")
_next_ms = func.coalesce(
    select(charges.c.at_ms)
    .where(charges.c.campaign_key == budgets.c.owner_key, charges.c.entry == _next_entry)
    .scalar_subquery(),
    select(refunds.c.at_ms)
    .where(refunds.c.campaign_key == budgets.c.owner_key, refunds.c.entry == _next_entry)
    .scalar_subquery(),
    select(func.json_extract(cast(chain_notes.c.body, Text), literal_column("'$.at_ms'")))
    .where(chain_notes.c.owner_key == budgets.c.owner_key, chain_notes.c.entry == _next_entry)
    .scalar_subquery(),
    0,
)
_has_news = select(budgets.c.owner_key).where(
    budgets.c.day == _life, _has_grown, _next_ms < bindparam("ended_ms")
)
_own_news = _has_news.where(budgets.c.owner_key == advertisers.c.key).correlate(advertisers)
_campaign_news = (
    _has_news.join_from(campaigns, budgets, budgets.c.owner_key == campaigns.c.key)
    .where(campaigns.c.advertiser_key == advertisers.c.key)
    .correlate(advertisers)
)
_DUE = prepared(
    select(advertisers.c.key)
    .where(
        advertisers.c.key > bindparam("after"),
        func.coalesce(_last_day_of, 0) < bindparam("day"),
        _own_news.exists() | _campaign_news.exists(),
    )
    .order_by(advertisers.c.key)
    .limit(bindparam("most"))
)
_UNSIGNED = prepared(
    select(daily_heads.c.owner_key, daily_heads.c.day)
    .join_from(daily_heads, advertisers, daily_heads.c.owner_key == advertisers.c.key)
    .where(daily_heads.c.signature.is_(None))
    .order_by(daily_heads.c.owner_key, daily_heads.c.day)
    .limit(bindparam("most"))
)


class SqliteSeals:
    """Which accounts have a day to be sealed, and what is sealed and not signed yet."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def due(self, day: int, ended_ms: int, after: int, limit: int) -> list[int]:
        """Accounts last sealed before this day, with entries since that were made before it ended."""
        asked = {"day": day, "ended_ms": ended_ms, "after": after, "most": limit}
        rows = self._reader.rows(_DUE, asked)
        return [int(key) for (key,) in rows]

    def unsigned(self, limit: int) -> list[tuple[int, int]]:
        """(account, day) of seals without a signature."""
        return [(int(key), int(day)) for key, day in self._reader.rows(_UNSIGNED, {"most": limit})]

    def heads(self, advertiser_key: int, day: int) -> list[DailyHead]:
        """What was sealed for an account that day: its own head first, then those of its campaigns."""
        rows = self._reader.rows(_SEALED, {"advertiser_key": advertiser_key, "day": day})
        return [msgspec.convert(row, DailyHead) for row in rows]
