"""The tables of reports: what is summed up of ads and money, and how far; and reports that were saved."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from adserver.domain.report_sums import FIGURES
from adserver.storage.columns import amount, entity_table, key, metadata

# By the quarter of an hour, in which the days of every time zone begin; nothing of whose they were.
report_parts = Table(
    "report_parts",
    metadata,
    Column("campaign_key", BigInteger, primary_key=True, autoincrement=False),
    Column("begin_ms", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("slot_key", BigInteger, primary_key=True, autoincrement=False),
    Column("creative_key", BigInteger, primary_key=True, autoincrement=False),
    Column("product_key", BigInteger, primary_key=True, autoincrement=False),
    Column("audience_key", BigInteger, primary_key=True, autoincrement=False),
    Column("country", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("currency", String, nullable=False),
    *(amount(name) for name in FIGURES),
    sqlite_with_rowid=False,
)

# By the local day, the advertiser's or the network's: small enough to be kept for good.
report_days = Table(
    "report_days",
    metadata,
    Column("sheet", Integer, primary_key=True, autoincrement=False),  # whose days, and what is told apart
    Column("campaign_key", BigInteger, primary_key=True, autoincrement=False),  # 0: all together
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("slot_key", BigInteger, primary_key=True, autoincrement=False),  # 0: all together
    Column("currency", String, primary_key=True),
    *(amount(name) for name in FIGURES),
    sqlite_with_rowid=False,
)

# Up to which entry of its chain a campaign's money is summed up.
report_entries = Table("report_entries", metadata, key("campaign_key"), amount("entry"))

saved_reports = entity_table("saved_reports", None, Column("owner", String, nullable=False, index=True))
