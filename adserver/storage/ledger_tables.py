"""The tables of money: balances, charges, notices, and the chain that proves them; see also tables.py."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, String, Table

from adserver.storage.columns import amount, key, metadata

budgets = Table(
    "budgets",
    metadata,
    Column("owner_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("cap", BigInteger),
    Column("daily_cap", BigInteger),  # of the whole-life row: what a new day's row starts with
    amount("spent"),
    amount("pending"),
    # Of the whole-life row: its owner's hash chain, how long it is and the digest of its newest entry.
    Column("entries", BigInteger, nullable=False, default=0, server_default="0"),
    Column("head", LargeBinary),
    CheckConstraint("spent >= 0", name="spent_not_negative"),
    CheckConstraint("pending >= 0", name="pending_not_negative"),
    CheckConstraint("cap IS NULL OR spent + pending <= cap", name="never_over_the_cap"),
    sqlite_with_rowid=False,
)

# Which balances each of the last batches moved; an index of that would be written anew by every charge.
balance_moves = Table(
    "balance_moves",
    metadata,
    key("sequence"),  # of the batch
    Column("owners", String, nullable=False),  # lists, as `as_list` writes them
    Column("days", String, nullable=False),
)

charges = Table(
    "charges",
    metadata,
    key("charge_id"),
    Column("campaign_key", BigInteger, nullable=False),
    Column("campaign_version", Integer, nullable=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("publisher_key", BigInteger, nullable=False),
    Column("slot_key", BigInteger, nullable=False),
    Column("creative_key", BigInteger, nullable=False),
    Column("product_key", BigInteger, nullable=False),
    Column("audience_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("publisher_micros", BigInteger, nullable=False),
    Column("entry", BigInteger, nullable=False),  # its number in its campaign's chain
    CheckConstraint("amount_micros > 0", name="charge_is_positive"),
    CheckConstraint(
        "publisher_micros >= 0 AND publisher_micros <= amount_micros", name="share_within_charge"
    ),
)
Index("charges_by_campaign", charges.c.campaign_key, charges.c.entry, unique=True)
Index("charges_by_publisher", charges.c.publisher_key, charges.c.at_ms)

refunds = Table(
    "refunds",
    metadata,
    Column("charge_id", BigInteger, primary_key=True, autoincrement=False),
    Column("refund_id", String, primary_key=True),
    Column("campaign_key", BigInteger, nullable=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("publisher_key", BigInteger, nullable=False),
    Column("slot_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("charged_ms", BigInteger, nullable=False),  # when its charge was made
    Column("day", Integer, nullable=False),  # of its charge, whose budget it gives back
    Column("currency", String, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("publisher_micros", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("entry", BigInteger, nullable=False),
    CheckConstraint("amount_micros > 0", name="refund_is_positive"),
    CheckConstraint(
        "publisher_micros >= 0 AND publisher_micros <= amount_micros", name="share_within_refund"
    ),
    sqlite_with_rowid=False,
)
Index("refunds_by_campaign", refunds.c.campaign_key, refunds.c.entry, unique=True)
Index("refunds_by_advertiser", refunds.c.advertiser_key, refunds.c.campaign_key, refunds.c.entry)
Index("refunds_by_publisher", refunds.c.publisher_key, refunds.c.at_ms)

deposits = Table(
    "deposits",
    metadata,
    key("deposit_key"),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("reference", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),  # below zero: paid back
    Column("entry", BigInteger, nullable=False),
)
Index("deposits_by_reference", deposits.c.advertiser_key, deposits.c.reference, unique=True)

# What is chained besides charges and refunds: caps, deposits, and the seals of an account's days.
chain_notes = Table(
    "chain_notes",
    metadata,
    Column("owner_key", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON, as it was hashed
    sqlite_with_rowid=False,
)

daily_heads = Table(
    "daily_heads",
    metadata,
    Column("owner_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),  # in UTC
    Column("entries", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    amount("spent"),
    amount("pending"),
    Column("sealed_ms", BigInteger, nullable=False),
    Column("signature", LargeBinary),
    sqlite_with_rowid=False,
)
Index(
    "daily_heads_unsigned",
    daily_heads.c.owner_key,
    daily_heads.c.day,
    sqlite_where=daily_heads.c.signature.is_(None),
)

# What an advertiser's own server is to be told; delivered until it has answered, or for so long.
notices = Table(
    "notices",
    metadata,
    key("notice_key"),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_ms", BigInteger),  # of the next attempt; none where it is settled
    Column("status", String, nullable=False),
)
Index("notices_due", notices.c.due_ms, sqlite_where=notices.c.due_ms.is_not(None))
Index("notices_by_advertiser", notices.c.advertiser_key, notices.c.at_ms)
Index("notices_settled", notices.c.at_ms, sqlite_where=notices.c.due_ms.is_(None))

refused_charges = Table(
    "refused_charges",
    metadata,
    key("charge_id"),
    Column("campaign_key", BigInteger, nullable=False),
    Column("slot_key", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False, index=True),
    Column("day", Integer, nullable=False),
    amount("amount_micros"),
)

# By time too: a report by day must not read a year of them for each of its days.
Index("refused_by_campaign", refused_charges.c.campaign_key, refused_charges.c.first_seen_ms)
Index("refused_by_slot", refused_charges.c.slot_key, refused_charges.c.first_seen_ms)

postings = Table(
    "postings",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # of the batch
    Column("account", String, primary_key=True),
    Column("currency", String, primary_key=True),
    Column("amount_micros", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
