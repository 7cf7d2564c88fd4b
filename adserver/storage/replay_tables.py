"""The table of sampled decisions, for replays; all others are in storage/tables.py, which has it too."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from adserver.storage.columns import key, metadata

# One decision in twenty, with what was known when it was made; an ad's has its impression's number.
decision_samples = Table(
    "decision_samples",
    metadata,
    key("sample_key"),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("slot_key", BigInteger, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index(
    "decision_samples_by_visitor",
    decision_samples.c.visitor_key,
    sqlite_where=decision_samples.c.visitor_key != 0,
)
