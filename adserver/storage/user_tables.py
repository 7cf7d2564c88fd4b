"""The tables of users and their sessions; all others are in storage/tables.py, which has these too."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from adserver.storage.columns import entity_table, metadata

users = entity_table("users", None, Column("email", String, nullable=False, unique=True))
invitations = entity_table("invitations", None, Column("digest", String, nullable=False, unique=True))
networks = entity_table("networks")  # one row: what the operator has told of it
console_sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("began_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
login_attempts = Table(
    "login_attempts",
    metadata,
    Column("subject", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
