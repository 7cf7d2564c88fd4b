"""Every table, once: SQLAlchemy Core for SQLite today and PostgreSQL later.

What is queried or guarded has a column; the rest of an entity is its domain struct, encoded in `body`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    or_,
)  # fmt: skip

from adserver.storage.columns import amount as _amount
from adserver.storage.columns import entity_table as _entity_table
from adserver.storage.columns import key as _key
from adserver.storage.columns import metadata
from adserver.storage.count_tables import (
    arrivals,
    audience_sizes,
    counts,
    funnel_exits,
    funnel_figures,
    journeys,
    pixel_samples,
    roll_ups,
    visitor_panels,
)
from adserver.storage.experiment_tables import (
    experiment_orders,
    experiment_sums,
    experiment_visitors,
    experiments,
    ghosts,
)
from adserver.storage.ledger_tables import (
    balance_moves,
    budgets,
    chain_notes,
    charges,
    daily_heads,
    deposits,
    notices,
    postings,
    refunds,
    refused_charges,
)
from adserver.storage.live_tables import live_events, live_watches
from adserver.storage.offer_tables import offer_codes, offer_stocks
from adserver.storage.operator_tables import audit_log, job_runs, payout_holds
from adserver.storage.recommendation_tables import (
    recommendation_parts,
    recommendations,
    session_slices,
    sessions,
)
from adserver.storage.replay_tables import decision_samples
from adserver.storage.report_tables import report_days, report_entries, report_parts, saved_reports
from adserver.storage.suppression_tables import suppressed, suppression_lists
from adserver.storage.user_tables import console_sessions, invitations, login_attempts, networks, users

__all__ = [
    "arrivals",
    "audience_sizes",
    "audit_log",
    "balance_moves",
    "budgets",
    "chain_notes",
    "charges",
    "console_sessions",
    "counts",
    "daily_heads",
    "decision_samples",
    "deposits",
    "experiment_orders",
    "experiment_sums",
    "experiment_visitors",
    "experiments",
    "funnel_exits",
    "funnel_figures",
    "ghosts",
    "invitations",
    "job_runs",
    "journeys",
    "live_events",
    "live_watches",
    "login_attempts",
    "metadata",
    "networks",
    "notices",
    "offer_codes",
    "offer_stocks",
    "payout_holds",
    "pixel_samples",
    "postings",
    "recommendation_parts",
    "recommendations",
    "refunds",
    "refused_charges",
    "report_days",
    "report_entries",
    "report_parts",
    "roll_ups",
    "saved_reports",
    "session_slices",
    "sessions",
    "suppressed",
    "suppression_lists",
    "users",
    "visitor_panels",
]

advertisers = _entity_table("advertisers", None, Column("public_id", String, nullable=False, unique=True))
publishers = _entity_table("publishers")
sites = _entity_table("sites", "publisher_key")
slots = _entity_table("slots", "site_key")
campaigns = _entity_table("campaigns", "advertiser_key")
creatives = _entity_table(
    "creatives", "campaign_key", Column("approval", String, nullable=False, server_default="approved")
)
Index("creatives_by_approval", creatives.c.approval, creatives.c.key)
feeds = _entity_table("feeds", "advertiser_key")
imports = _entity_table("imports", "feed_key", Column("state", String, nullable=False, index=True))
api_keys = _entity_table("api_keys", None, Column("digest", String, nullable=False, unique=True))
audiences = _entity_table("audiences", "advertiser_key")
product_sets = _entity_table("product_sets", "advertiser_key")
shop_hooks = _entity_table("shop_hooks", "advertiser_key")
offer_pools = _entity_table("offer_pools", "advertiser_key")

campaign_versions = Table(
    "campaign_versions",
    metadata,
    Column("campaign_key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("terms", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Each entity's last change, and no other: so the log is never longer than what it tells of.
change_log = Table(
    "change_log",
    metadata,
    _key(),
    Column("sequence", BigInteger, nullable=False, index=True),
    Column("kind", String, nullable=False),
)

products = Table(
    "products",
    metadata,
    _key(),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("feed_key", BigInteger, nullable=False),
    Column("import_key", BigInteger, nullable=False),
    Column("put_ms", BigInteger, nullable=False, default=0, server_default="0"),  # when the API last wrote it
    Column("image_link", String),
    Column("picture", String),
    Column("body", LargeBinary, nullable=False),
    Column("price_history", LargeBinary),
    # Of one with a sale: when it is on, what may be struck through then, and since when its price is known.
    Column("strike", String),
    Column("sale_from_ms", BigInteger),
    Column("sale_until_ms", BigInteger),
    Column("known_since_ms", BigInteger),
    Index("products_by_advertiser", "advertiser_key", "key"),
    Index("products_by_import", "feed_key", "import_key"),
)
Index(
    "products_without_picture",
    products.c.advertiser_key,
    products.c.key,
    sqlite_where=products.c.picture.is_(None) & products.c.image_link.is_not(None),
)
Index(
    "products_on_sale",
    products.c.advertiser_key,
    products.c.strike,
    products.c.sale_from_ms,
    products.c.sale_until_ms,
    products.c.known_since_ms,
    sqlite_where=products.c.strike.is_not(None),
)

Index("products_without_address", products.c.advertiser_key, sqlite_where=products.c.image_link.is_(None))

# What came of fetching a product's picture, and when to look again.
pictures = Table(
    "pictures",
    metadata,
    _key("product_key"),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("reason", String),  # why the picture of its `image_link` is not shown
    Column("due_ms", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
Index(
    "pictures_in_trouble",
    pictures.c.advertiser_key,
    pictures.c.product_key,
    pictures.c.reason,
    sqlite_where=pictures.c.reason.is_not(None),
)

events = Table(
    "events",
    metadata,
    _key("event_key"),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("visitor_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("dedupe_key", BigInteger),
    Column("due_ms", BigInteger, nullable=False, index=True),  # when it is let go
    Column("body", LargeBinary, nullable=False),
    Column("proof", LargeBinary),  # of the consent it came with, where a profile is yet to be made of it
    Column("first", Boolean, nullable=False, server_default="0"),  # its cookie was made by this very request
)
Index("events_by_visitor", events.c.visitor_key, sqlite_where=events.c.visitor_key != 0)

profiles = Table(
    "profiles",
    metadata,
    # Not the row's own number: SQLite keeps copies of those to find its way by, and erases them never.
    Column("visitor_key", BigInteger, nullable=False, unique=True),
    Column("seen_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False, index=True),  # when to look at what of it is let go
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
    Column("landed_ms", BigInteger),  # of a click: when the page that it led to ran the tag
    Column("engaged", Boolean, nullable=False),  # and who landed did not leave at once
)
Index("ad_events_by_visitor", ad_events.c.visitor_key, sqlite_where=ad_events.c.visitor_key != 0)
Index("ad_events_by_age", ad_events.c.at_ms, sqlite_where=ad_events.c.visitor_key != 0)
# The other half, so that reports find what is new of all: no row is in more than one of the two.
Index("ad_events_of_nobody", ad_events.c.at_ms, sqlite_where=ad_events.c.visitor_key == 0)

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
    Column("propensity", Float),  # how likely the ad was chosen; none of those before it was told
    Column("audience_key", BigInteger, nullable=False, server_default="0"),  # whose rate it is shown at
    Column("country", String, nullable=False, server_default=""),
    Column("device", String, nullable=False, server_default=""),
    Column("test", Boolean, nullable=False, server_default="0"),
)
Index("decisions_by_image", decisions.c.image_key, sqlite_where=decisions.c.image_key.is_not(None))
Index("decisions_by_visitor", decisions.c.visitor_key, sqlite_where=decisions.c.visitor_key != 0)
# The embedder's key of a picture may be a person's, even where nobody knows the visitor.
MAY_NAME_ONE = or_(decisions.c.visitor_key != 0, decisions.c.image_key.is_not(None))
Index("decisions_by_age", decisions.c.at_ms, sqlite_where=MAY_NAME_ONE)

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
    Column("product_keys", LargeBinary),  # of what was ordered; none once it is settled
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("campaign_key", BigInteger, nullable=False),
    Column("touch_impression_id", BigInteger, nullable=False),
    Column("record", LargeBinary),  # of a pending one: the charge it would be
    Column("day", Integer, nullable=False),
    _amount("amount_micros"),
    sqlite_with_rowid=False,
)
# What of an order or lead was taken back: each return once, and what it was answered.
returns = Table(
    "returns",
    metadata,
    Column("conversion_key", BigInteger, primary_key=True, autoincrement=False),
    Column("refund_id", String, primary_key=True),
    Column("advertiser_key", BigInteger, nullable=False),
    Column("returned_micros", BigInteger),  # none: the whole order
    Column("currency", String),
    Column("reason", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("result", String, nullable=False),
    Column("figure", BigInteger, nullable=False),
    CheckConstraint("returned_micros > 0", name="return_is_positive"),
    sqlite_with_rowid=False,
)
Index("conversions_new", conversions.c.arrived_at_ms, sqlite_where=conversions.c.state == "new")
Index(
    "conversions_by_touch",
    conversions.c.touch_impression_id,
    conversions.c.amount_micros,
    sqlite_where=conversions.c.touch_impression_id != 0,
)
Index("conversions_pending", conversions.c.advertiser_key, sqlite_where=conversions.c.state == "pending")
Index(
    "conversions_by_visitor",
    conversions.c.visitor_key,
    conversions.c.campaign_key,
    sqlite_where=conversions.c.visitor_key != 0,
)
Index(
    "conversions_by_arrival",
    conversions.c.advertiser_key,
    conversions.c.arrived_at_ms,
    sqlite_where=conversions.c.state != "superseded",
)
Index(
    "conversions_credited",
    conversions.c.campaign_key,
    conversions.c.arrived_at_ms,
    sqlite_where=conversions.c.campaign_key != 0,
)
Index("conversions_by_age", conversions.c.arrived_at_ms, sqlite_where=conversions.c.visitor_key != 0)

# Proof that a visitor was erased, by a digest that nobody can turn back into their cookie.
erasures = Table(
    "erasures",
    metadata,
    _key("digest"),
    Column("receipt_key", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
)

# What profiles stand on, by visitor's digest; kept for years after the profile, as proof.
consents = Table(
    "consents",
    metadata,
    Column("digest", BigInteger, primary_key=True, autoincrement=False),
    Column("advertiser_key", BigInteger, primary_key=True, autoincrement=False),
    Column("proof", BigInteger, primary_key=True, autoincrement=False),  # digest of what was said
    Column("first_seen_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("cmp", String, nullable=False),
    Column("given_ms", BigInteger),
    Column("site", String, nullable=False),
    Column("ended_ms", BigInteger),
    Column("ended_by", String),
    sqlite_with_rowid=False,
)
Index("consents_ended", consents.c.ended_ms, sqlite_where=consents.c.ended_ms.is_not(None))

receipts = Table(
    "receipts",
    metadata,
    Column("owner", String, primary_key=True),
    Column("idempotency_key", String, primary_key=True),
    Column("request_digest", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
