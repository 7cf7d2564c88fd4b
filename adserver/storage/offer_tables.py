"""The tables of single-use codes; all others are in storage/tables.py, which has these too."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Table

from adserver.storage.columns import amount, key, metadata

# How many codes a pool has; what is handed or redeemed moves them in the same transaction.
offer_stocks = Table(
    "offer_stocks",
    metadata,
    Column("pool_key", BigInteger, primary_key=True, autoincrement=False),
    amount("total"),
    amount("free"),
    amount("handed"),
    amount("redeemed"),
    CheckConstraint("free >= 0 AND free + handed = total", name="each_code_is_free_or_handed"),
    CheckConstraint("redeemed >= 0 AND redeemed <= handed", name="redeemed_were_handed"),
    sqlite_with_rowid=False,
)
# The key is made of advertiser and code, so that none has a code twice.
offer_codes = Table(
    "offer_codes",
    metadata,
    key("code_key"),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("pool_key", BigInteger, nullable=False),
    Column("upload_key", BigInteger),
    Column("code", String, nullable=False),
    Column("percent", Integer),  # what it was handed for
    Column("amount_micros", BigInteger),
    Column("click_impression_id", BigInteger),  # of the ad whose click it was handed to
    Column("click_id", String),
    Column("visitor_key", BigInteger, nullable=False),
    Column("handed_ms", BigInteger),
    Column("expires_ms", BigInteger),
    Column("redeemed_ms", BigInteger),
    Column("order_key", BigInteger),
    Column("by_server", Boolean, nullable=False),  # who told of its order
)
Index(
    "offer_codes_free",
    offer_codes.c.pool_key,
    offer_codes.c.code_key,
    sqlite_where=offer_codes.c.handed_ms.is_(None),
)
Index(
    "offer_codes_by_click",
    offer_codes.c.pool_key,
    offer_codes.c.click_impression_id,
    unique=True,
    sqlite_where=offer_codes.c.click_impression_id.is_not(None),
)
Index("offer_codes_by_order", offer_codes.c.order_key, sqlite_where=offer_codes.c.order_key.is_not(None))
Index("offer_codes_by_visitor", offer_codes.c.visitor_key, sqlite_where=offer_codes.c.visitor_key != 0)
# A click may be of a visitor whom nobody knew; it leaves with its age all the same.
Index("offer_codes_by_age", offer_codes.c.handed_ms, sqlite_where=offer_codes.c.click_id.is_not(None))
Index(
    "offer_codes_to_expire",
    offer_codes.c.pool_key,
    offer_codes.c.expires_ms,
    sqlite_where=offer_codes.c.redeemed_ms.is_(None) & offer_codes.c.expires_ms.is_not(None),
)
