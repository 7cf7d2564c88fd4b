"""Every table, once: SQLAlchemy Core for SQLite today and PostgreSQL later.

What is queried or guarded has a column; the rest of an entity is its domain struct, encoded in `body`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()


def _key(name: str = "key") -> Column[int]:
    """A 63-bit key chosen by us; SQLite stores it as the row's own number."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def _amount(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0)


def _entity_table(name: str, owner: str | None = None, *columns: Column[str]) -> Table:
    owners = (Column(owner, BigInteger, nullable=False, index=True),) if owner else ()
    return Table(name, metadata, _key(), *owners, *columns, Column("body", LargeBinary, nullable=False))


advertisers = _entity_table("advertisers", None, Column("public_id", String, nullable=False, unique=True))
publishers = _entity_table("publishers")
sites = _entity_table("sites", "publisher_key")
slots = _entity_table("slots", "site_key")
campaigns = _entity_table("campaigns", "advertiser_key")
creatives = _entity_table("creatives", "campaign_key")
feeds = _entity_table("feeds", "advertiser_key")
api_keys = _entity_table("api_keys", None, Column("digest", String, nullable=False, unique=True))

campaign_versions = Table(
    "campaign_versions",
    metadata,
    Column("campaign_key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("terms", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

change_log = Table(
    "change_log",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    sqlite_with_rowid=False,
)

products = Table(
    "products",
    metadata,
    _key(),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("feed_key", BigInteger, nullable=False),
    Column("import_key", BigInteger, nullable=False),
    Column("image_link", String),
    Column("picture", String),
    Column("body", LargeBinary, nullable=False),
    Index("products_by_advertiser", "advertiser_key", "key"),
    Index("products_by_import", "feed_key", "import_key"),
)
Index(
    "products_without_picture",
    products.c.advertiser_key,
    products.c.key,
    sqlite_where=products.c.picture.is_(None) & products.c.image_link.is_not(None),
)

budgets = Table(
    "budgets",
    metadata,
    Column("owner_key", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("cap", BigInteger),
    Column("daily_cap", BigInteger),  # of the whole-life row: what a new day's row starts with
    _amount("spent"),
    _amount("pending"),
    Column("changed", BigInteger, nullable=False, index=True),
    CheckConstraint("spent >= 0", name="spent_not_negative"),
    CheckConstraint("pending >= 0", name="pending_not_negative"),
    CheckConstraint("cap IS NULL OR spent + pending <= cap", name="never_over_the_cap"),
    sqlite_with_rowid=False,
)

charges = Table(
    "charges",
    metadata,
    _key("charge_id"),
    Column("campaign_key", BigInteger, nullable=False),
    Column("campaign_version", Integer, nullable=False),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("publisher_key", BigInteger, nullable=False),
    Column("slot_key", BigInteger, nullable=False),
    Column("creative_key", BigInteger, nullable=False),
    Column("product_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("publisher_micros", BigInteger, nullable=False),
    CheckConstraint("amount_micros > 0", name="charge_is_positive"),
    CheckConstraint(
        "publisher_micros >= 0 AND publisher_micros <= amount_micros", name="share_within_charge"
    ),
)

refused_charges = Table(
    "refused_charges",
    metadata,
    _key("charge_id"),
    Column("campaign_key", BigInteger, nullable=False, index=True),
    Column("slot_key", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    _amount("amount_micros"),
)

postings = Table(
    "postings",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # of the batch
    Column("account", String, primary_key=True),
    Column("currency", String, primary_key=True),
    Column("amount_micros", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    _key("event_key"),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("dedupe_key", BigInteger),
    Column("body", LargeBinary, nullable=False),
)
Index("events_by_visitor", events.c.visitor_key, sqlite_where=events.c.visitor_key != 0)

profiles = Table(
    "profiles",
    metadata,
    _key("visitor_key"),
    Column("seen_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

ad_events = Table(
    "ad_events",
    metadata,
    _key("charge_id"),  # impression id x 4 + kind of event
    Column("campaign_key", BigInteger, nullable=False),
    Column("campaign_version", Integer, nullable=False),
    Column("slot_key", BigInteger, nullable=False),
    Column("creative_key", BigInteger, nullable=False),
    Column("product_key", BigInteger, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("not_billed", String, nullable=False),
)
Index("ad_events_by_visitor", ad_events.c.visitor_key, sqlite_where=ad_events.c.visitor_key != 0)

decisions = Table(
    "decisions",
    metadata,
    _key("impression_id"),
    Column("at_ms", BigInteger, nullable=False),
    Column("slot_key", BigInteger, nullable=False),
    Column("campaign_key", BigInteger, nullable=False),
    Column("creative_key", BigInteger, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
    Column("product_keys", LargeBinary, nullable=False),
    Column("image_key", BigInteger),
    Column("token", String),
)
Index("decisions_by_image", decisions.c.image_key, sqlite_where=decisions.c.image_key.is_not(None))
Index("decisions_by_visitor", decisions.c.visitor_key, sqlite_where=decisions.c.visitor_key != 0)

conversions = Table(
    "conversions",
    metadata,
    Column("conversion_key", BigInteger, primary_key=True, autoincrement=False),
    Column("by_server", Boolean, primary_key=True),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("event", String, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
    Column("click_id", String),
    Column("value_micros", BigInteger),
    Column("currency", String),
    Column("arrived_at_ms", BigInteger, nullable=False),
    Column("occurred_at_ms", BigInteger, nullable=False),
    Column("has_reference", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("campaign_key", BigInteger, nullable=False),
    Column("touch_impression_id", BigInteger, nullable=False),
    Column("record", LargeBinary),  # of a pending one: the charge it would be
    Column("day", Integer, nullable=False),
    _amount("amount_micros"),
    sqlite_with_rowid=False,
)
Index("conversions_new", conversions.c.arrived_at_ms, sqlite_where=conversions.c.state == "new")
Index(
    "conversions_by_touch",
    conversions.c.touch_impression_id,
    sqlite_where=conversions.c.touch_impression_id != 0,
)
Index("conversions_pending", conversions.c.advertiser_key, sqlite_where=conversions.c.state == "pending")
Index("conversions_by_visitor", conversions.c.visitor_key, sqlite_where=conversions.c.visitor_key != 0)

# Proof that a visitor was erased, by a digest that nobody can turn back into their cookie.
erasures = Table(
    "erasures",
    metadata,
    _key("digest"),
    Column("receipt_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("owner_key", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

receipts = Table(
    "receipts",
    metadata,
    Column("owner", String, primary_key=True),
    Column("idempotency_key", String, primary_key=True),
    Column("request_digest", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
