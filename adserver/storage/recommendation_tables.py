"""Tables of what visitors looked at without saying who, and of what is learnt of it."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from adserver.domain.identity import KEY_TIME_SHIFT
from adserver.storage.columns import metadata

SLICE_SHIFT = KEY_TIME_SHIFT + 24  # of events' keys: 2**24 ms, slices of four hours and forty minutes

# Up to which event each slice of time was cut into sessions; erasing a visitor's event takes its slice out.
session_slices = Table(
    "session_slices",
    metadata,
    Column("slice", BigInteger, primary_key=True, autoincrement=False),
    Column("through_key", BigInteger, nullable=False),
)

# What was looked at in a shop during a slice; nothing tells whose session it was.
sessions = Table(
    "sessions",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("slice", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("at_ms", BigInteger, nullable=False, index=True),  # of its oldest visit
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The version of what is learnt that holds, and of which state of the sessions it was learnt.
recommendations = Table(
    "recommendations",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),  # when it was begun, in ms
    Column("parts", Integer, nullable=False),
    Column("learnt_of", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),  # the newest state of its sessions
)
Index(
    "recommendations_outdated",
    recommendations.c.version,
    sqlite_where=recommendations.c.changed > recommendations.c.learnt_of,
)

# What is learnt, in parts by the remainder of the product's key.
recommendation_parts = Table(
    "recommendation_parts",
    metadata,
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
