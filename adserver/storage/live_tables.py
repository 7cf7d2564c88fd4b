"""The tables of live views: who is looked at, and what came in; the others are in tables.py."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from adserver.storage.columns import key, metadata

live_watches = Table(
    "live_watches",
    metadata,
    key("advertiser_key"),
    Column("until_ms", BigInteger, nullable=False, index=True),
    Column("newest", BigInteger, nullable=False),  # number of an event
)
live_events = Table(
    "live_events",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
