"""The tables of what the operator looks at: who changed what, and how the jobs ran."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from adserver.storage.columns import amount, entity_table, metadata

# Rows are only added, and leave by age; a number is never used again.
audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("actor_kind", String, nullable=False),
    Column("actor_key", BigInteger, nullable=False),
    Column("actor_name", String, nullable=False),
    Column("action", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("key", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("differences", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
Index("audit_log_of_entity", audit_log.c.key, audit_log.c.number)

job_runs = Table(
    "job_runs",
    metadata,
    Column("name", String, primary_key=True),
    amount("interval_ms"),
    amount("began_ms"),
    amount("took_ms"),
    amount("did"),  # of the last run
    amount("did_ms"),  # when a run last did something
    amount("last_did"),  # and how much
    amount("failed_ms"),
    Column("failure", String, nullable=False),
    sqlite_with_rowid=False,
)

payout_holds = entity_table("payout_holds", "publisher_key")
