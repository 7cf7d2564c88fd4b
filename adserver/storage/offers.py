"""Single-use codes: put into pools, handed to one click each, redeemed by one order each."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, exists, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.offer import (
    AddCodes,
    HandCode,
    Handed,
    OfferPool,
    PoolKind,
    RedeemCode,
    Redemption,
    Stock,
    code_key,
    is_low,
    redeem,
)
from adserver.storage.batch import Batch
from adserver.storage.entities import entity, page_of, save_entity, stored
from adserver.storage.sqlite import Reader, as_list, listed, prepared
from adserver.storage.tables import decisions, offer_codes, offer_stocks
from adserver.storage.visitors import known_profile
from adserver.writes import Outcome, Result, SaveEntity

_CODE_ROW = {
    "percent": None,
    "amount_micros": None,
    "click_impression_id": None,
    "click_id": None,
    "visitor_key": 0,
    "handed_ms": None,
    "expires_ms": None,
    "redeemed_ms": None,
    "order_key": None,
    "by_server": False,
}
_INSERT = prepared(upsert(offer_codes).on_conflict_do_nothing())
_MOVED = ("total", "free", "handed", "redeemed")
_NEW_STOCK = prepared(upsert(offer_stocks).on_conflict_do_nothing())
_MOVE_STOCK = prepared(
    update(offer_stocks)
    .where(offer_stocks.c.pool_key == bindparam("of_pool"))
    .values({name: offer_stocks.c[name] + bindparam(f"more_{name}") for name in _MOVED})
    .returning(offer_stocks.c.free, offer_stocks.c.total)
)
_OF_CLICK = prepared(
    select(offer_codes.c.code, offer_codes.c.expires_ms).where(
        offer_codes.c.pool_key == bindparam("pool_key"),
        offer_codes.c.click_impression_id == bindparam("impression_id"),
    )
)
_FREE = prepared(
    select(offer_codes.c.code_key, offer_codes.c.code)
    .where(offer_codes.c.pool_key == bindparam("pool_key"), offer_codes.c.handed_ms.is_(None))
    .order_by(offer_codes.c.code_key)
    .limit(literal_column("1"))
)
_HAND = prepared(
    update(offer_codes)
    .where(offer_codes.c.code_key == bindparam("of_key"), offer_codes.c.handed_ms.is_(None))
    .values(
        click_impression_id=bindparam("impression"),
        click_id=bindparam("click"),
        visitor_key=bindparam("visitor"),
        handed_ms=bindparam("at"),
        expires_ms=bindparam("until"),
        percent=bindparam("of_percent"),
        amount_micros=bindparam("of_amount"),
    )
)
_CODE = prepared(
    select(
        offer_codes.c.code_key,
        offer_codes.c.pool_key,
        offer_codes.c.code,
        offer_codes.c.click_impression_id,
        offer_codes.c.handed_ms,
        offer_codes.c.expires_ms,
        offer_codes.c.redeemed_ms,
        offer_codes.c.order_key,
        offer_codes.c.by_server,
        offer_codes.c.percent,
        offer_codes.c.amount_micros,
        # Shops know the newest click alone, and people come back by another with the code of the first.
        exists()
        .where(
            decisions.c.impression_id == bindparam("asking_impression_id"),
            decisions.c.visitor_key == offer_codes.c.visitor_key,
            decisions.c.visitor_key != 0,
        )
        .correlate(offer_codes),
    ).where(offer_codes.c.code_key == bindparam("code_key"))
)
_REDEEM = prepared(
    update(offer_codes)
    .where(offer_codes.c.code_key == bindparam("of_key"))
    .values(redeemed_ms=bindparam("at"), order_key=bindparam("order"), by_server=bindparam("server"))
)


def add_codes(batch: Batch, write: AddCodes) -> Outcome:
    """Put codes into their pool; the figure is how many were new."""
    rows = [
        {
            **_CODE_ROW,
            "code_key": code_key(write.advertiser_key, code),
            "advertiser_key": write.advertiser_key,
            "pool_key": write.pool_key,
            "upload_key": write.upload_key,
            "code": code,
        }
        for code in write.codes
    ]
    before = batch.connection.total_changes
    batch.connection.executemany(_INSERT, rows)
    added = batch.connection.total_changes - before
    _move(batch, write.pool_key, write.at_ms, total=added, free=added)
    return Outcome(Result.SAVED, added)


def hand_code(batch: Batch, write: HandCode) -> Outcome:
    """A click's code, durable with the batch: the one it has, else a free one, else NO_CODE_LEFT."""
    of_click = {"pool_key": write.pool_key, "impression_id": write.impression_id}
    known = batch.connection.execute(_OF_CLICK, of_click).fetchone()
    if known is not None:
        return Outcome(Result.HANDED, known[1] or 0, known[0])
    code = _make(batch, write) if write.fresh else _take(batch, write)
    if code is None:
        batch.count(write.advertiser_key, "offer_no_code_left", write.at_ms)
        return Outcome(Result.NO_CODE_LEFT)
    batch.count(write.advertiser_key, "offer_handed", write.at_ms)
    return Outcome(Result.HANDED, write.expires_ms or 0, code)


def _take(batch: Batch, write: HandCode) -> str | None:
    """One of those that were uploaded."""
    found = batch.connection.execute(_FREE, {"pool_key": write.pool_key}).fetchone()
    if found is None:
        return None
    key, code = found
    batch.connection.execute(_HAND, _handed(batch, key, write))
    _move(batch, write.pool_key, write.at_ms, free=-1, handed=1)
    return str(code)


def _make(batch: Batch, write: HandCode) -> str | None:
    """The first of the click's own codes that no other click has."""
    for code in write.fresh:
        key = code_key(write.advertiser_key, code)
        row = {"code_key": key, "advertiser_key": write.advertiser_key, "pool_key": write.pool_key}
        made = batch.connection.execute(_INSERT, {**_CODE_ROW, **row, "upload_key": None, "code": code})
        if made.rowcount == 1:
            batch.connection.execute(_HAND, _handed(batch, key, write))
            _move(batch, write.pool_key, write.at_ms, total=1, handed=1)
            return code
    return None


def _handed(batch: Batch, key: int, write: HandCode) -> dict[str, Any]:
    """Of whoever was forgotten meanwhile, the code keeps no visitor."""
    visitor_key = write.visitor_key
    if visitor_key and known_profile(batch, visitor_key, write.at_ms) is None:
        visitor_key = 0
    return {
        "of_key": key,
        "impression": write.impression_id,
        "click": write.click_id,
        "visitor": visitor_key,
        "at": write.at_ms,
        "until": write.expires_ms,
        "of_percent": write.percent,
        "of_amount": write.amount_micros,
    }


def redeem_code(batch: Batch, write: RedeemCode) -> Outcome:
    """What becomes of a code by an order: told by name, and counted where it is new."""
    key = code_key(write.advertiser_key, write.code)
    asked = {"code_key": key, "asking_impression_id": write.impression_id}
    code = _code(batch.connection.execute(_CODE, asked).fetchone())
    result = redeem(code, write)
    if result is Redemption.REDEEMED and code is not None:
        if code.order_key == write.order_key and code.by_server >= write.by_server:
            return Outcome(Result.JUDGED, text=result)
        if code.redeemed_ms is None:
            _move(batch, code.pool_key, write.at_ms, redeemed=1)
        row = {"of_key": key, "at": write.at_ms, "order": write.order_key, "server": write.by_server}
        batch.connection.execute(_REDEEM, row)
    batch.count(write.advertiser_key, f"offer_{result}", write.at_ms)
    return Outcome(Result.JUDGED, text=result)


def _move(batch: Batch, pool_key: int, at_ms: int, **more: int) -> None:
    """Move a pool's stock; whoever shows its offers hears when it runs low, and when it is full again."""
    none = dict.fromkeys(_MOVED, 0)
    batch.connection.execute(_NEW_STOCK, {"pool_key": pool_key, **none})
    moved = {f"more_{name}": n for name, n in (none | more).items()}
    free, total = batch.connection.execute(_MOVE_STOCK, {"of_pool": pool_key, **moved}).fetchone()
    pool = stored(batch, OfferPool, pool_key)
    if pool is None or pool.kind is PoolKind.GENERATED or is_low(free, total) is (pool.low_ms is not None):
        return
    low_ms = at_ms if pool.low_ms is None else None
    changed = msgspec.structs.replace(pool, low_ms=low_ms, version=pool.version + 1)
    save_entity(batch, SaveEntity(changed, is_new=False, at_ms=at_ms))


def _code(row: Sequence[Any] | None) -> Handed | None:
    return None if row is None else msgspec.convert(row, Handed, strict=False)


# ---- reading ----

_STOCKS = prepared(
    select(
        offer_stocks.c.pool_key, offer_stocks.c.free, offer_stocks.c.handed, offer_stocks.c.redeemed
    ).where(offer_stocks.c.pool_key.in_(listed("pool_keys")))
)
_EXPIRED = prepared(
    select(offer_codes.c.pool_key, func.count())
    .where(
        offer_codes.c.pool_key.in_(listed("pool_keys")),
        offer_codes.c.redeemed_ms.is_(None),
        offer_codes.c.expires_ms.is_not(None),
        offer_codes.c.expires_ms <= bindparam("now_ms"),
    )
    .group_by(offer_codes.c.pool_key)
)
_UPLOADED = prepared(
    select(offer_codes.c.code_key).where(
        offer_codes.c.code_key.in_(listed("code_keys")), offer_codes.c.upload_key == bindparam("upload_key")
    )
)
_CLICK_OF_ORDER = prepared(
    select(offer_codes.c.click_id)
    .where(
        offer_codes.c.order_key == bindparam("order_key"),
        offer_codes.c.order_key.is_not(None),
        offer_codes.c.click_id.is_not(None),
        offer_codes.c.by_server >= bindparam("by_server"),
    )
    .order_by(offer_codes.c.handed_ms.desc())
    .limit(literal_column("1"))
)


class SqliteOffers:
    """Pools and their codes as the flows read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def pool(self, key: int) -> OfferPool | None:
        return entity(self._reader, OfferPool, key)

    def pools(self, advertiser_key: int | None, after: int, limit: int) -> list[OfferPool]:
        return page_of(self._reader, OfferPool, advertiser_key, after, limit)

    def stocks(self, pool_keys: Sequence[int], now_ms: int) -> dict[int, Stock]:
        """How the codes of each pool stand; those that had none yet are left out."""
        of = {"pool_keys": as_list(pool_keys)}
        stocks = {
            key: Stock(free, handed, redeemed)
            for key, free, handed, redeemed in self._reader.rows(_STOCKS, of)
        }
        for key, expired in self._reader.rows(_EXPIRED, of | {"now_ms": now_ms}):
            stocks[key] = msgspec.structs.replace(stocks[key], expired=expired)
        return stocks

    def code(self, key: int, impression_id: int = 0) -> Handed | None:
        """A code as it stands for whoever came by the ad of that impression."""
        return _code(self._reader.row(_CODE, {"code_key": key, "asking_impression_id": impression_id}))

    def uploaded(self, upload_key: int, code_keys: Sequence[int]) -> set[int]:
        """Those of the codes that this upload has put in."""
        rows = self._reader.rows(_UPLOADED, {"upload_key": upload_key, "code_keys": as_list(code_keys)})
        return {key for (key,) in rows}

    def click_of(self, order_key: int, *, by_server: bool) -> str | None:
        """The click whose code an order was made with; of servers' orders, as a server told it."""
        row = self._reader.row(_CLICK_OF_ORDER, {"order_key": order_key, "by_server": by_server})
        return None if row is None else str(row[0])
