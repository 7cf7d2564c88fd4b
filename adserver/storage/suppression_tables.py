"""The tables of suppression lists; all others are in storage/tables.py, which has these too."""

from sqlalchemy import BigInteger, Column, Index, Table

from adserver.storage.columns import entity_table, metadata

suppression_lists = entity_table("suppression_lists", "advertiser_key")

# Who is on which list; the upload that named them last tells those apart whom a new file leaves out.
suppressed = Table(
    "suppressed",
    metadata,
    Column("visitor_key", BigInteger, nullable=False),
    Column("list_key", BigInteger, nullable=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("upload_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
)
Index("suppressed_by_visitor", suppressed.c.visitor_key, suppressed.c.list_key, unique=True)
Index("suppressed_by_list", suppressed.c.list_key, suppressed.c.upload_key)
