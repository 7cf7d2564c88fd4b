"""Tables of experiments: who is in which arm and what they did, and each arm's sums, which stay."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table

from adserver.domain.participant import FIGURES, Participant
from adserver.storage.columns import amount, entity_table, key, metadata

experiments = entity_table("experiments", "advertiser_key")

# Ads that won, and that their advertiser's holdout kept from the visitor.
ghosts = Table(
    "ghosts",
    metadata,
    key("ghost_key"),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("slot_key", BigInteger, nullable=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("campaign_key", BigInteger, nullable=False),
    Column("creative_key", BigInteger, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
)
Index("ghosts_by_visitor", ghosts.c.visitor_key, sqlite_where=ghosts.c.visitor_key != 0)

experiment_visitors = Table(
    "experiment_visitors",
    metadata,
    Column("visitor_key", BigInteger, primary_key=True, autoincrement=False),
    Column("experiment_key", BigInteger, primary_key=True, autoincrement=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("campaign_key", BigInteger, nullable=False),  # 0: all of the advertiser's
    Column("arm", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("entered_ms", BigInteger, nullable=False, index=True),
    *(amount(name) for name in Participant.__struct_fields__),
    sqlite_with_rowid=False,
)

# An order or lead as it counts for its visitor's arms: once, whoever told of it, and less what was returned.
experiment_orders = Table(
    "experiment_orders",
    metadata,
    key("conversion_key"),
    Column("visitor_key", BigInteger, nullable=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("event", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("currency", String),
    amount("value_micros"),  # what is left of it
    Column("stands", Boolean, nullable=False),  # whether anything is left of it
    Column("credited", Boolean, nullable=False),  # whether attribution gave it to an ad
)
Index(
    "experiment_orders_by_visitor",
    experiment_orders.c.visitor_key,
    sqlite_where=experiment_orders.c.visitor_key != 0,
)

# By the UTC day on which the arm's visitors entered it; nothing of who they are.
experiment_sums = Table(
    "experiment_sums",
    metadata,
    Column("experiment_key", BigInteger, primary_key=True, autoincrement=False),
    Column("arm", Integer, primary_key=True, autoincrement=False),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False, index=True),
    *(Column(name, Float if name == "revenue_squares" else BigInteger, nullable=False) for name in FIGURES),
    sqlite_with_rowid=False,
)
