"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "ad_events",
        sa.Column(
            "charge_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("campaign_version", sa.Integer(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("creative_key", sa.BigInteger(), nullable=False),
        sa.Column("product_key", sa.BigInteger(), nullable=False),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_billed", sa.String(), nullable=False),
        sa.Column("landed_ms", sa.BigInteger(), nullable=True),
        sa.Column("engaged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("charge_id"),
    )
    with op.batch_alter_table("ad_events", schema=None) as batch_op:
        batch_op.create_index(
            "ad_events_by_age", ["at_ms"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )
        batch_op.create_index(
            "ad_events_by_visitor", ["visitor_key"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )

    op.create_table(
        "advertisers",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("public_id"),
    )
    op.create_table(
        "api_keys",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "arrivals",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slot_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("creative_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("clicks_suspect", sa.BigInteger(), nullable=False),
        sa.Column("landed", sa.BigInteger(), nullable=False),
        sa.Column("engaged", sa.BigInteger(), nullable=False),
        sa.Column("took_0", sa.BigInteger(), nullable=False),
        sa.Column("took_1", sa.BigInteger(), nullable=False),
        sa.Column("took_2", sa.BigInteger(), nullable=False),
        sa.Column("took_3", sa.BigInteger(), nullable=False),
        sa.Column("took_4", sa.BigInteger(), nullable=False),
        sa.Column("took_5", sa.BigInteger(), nullable=False),
        sa.Column("took_6", sa.BigInteger(), nullable=False),
        sa.Column("took_7", sa.BigInteger(), nullable=False),
        sa.Column("took_8", sa.BigInteger(), nullable=False),
        sa.Column("took_9", sa.BigInteger(), nullable=False),
        sa.Column("took_10", sa.BigInteger(), nullable=False),
        sa.Column("took_11", sa.BigInteger(), nullable=False),
        sa.Column("took_12", sa.BigInteger(), nullable=False),
        sa.Column("loaded_0", sa.BigInteger(), nullable=False),
        sa.Column("loaded_1", sa.BigInteger(), nullable=False),
        sa.Column("loaded_2", sa.BigInteger(), nullable=False),
        sa.Column("loaded_3", sa.BigInteger(), nullable=False),
        sa.Column("loaded_4", sa.BigInteger(), nullable=False),
        sa.Column("loaded_5", sa.BigInteger(), nullable=False),
        sa.Column("loaded_6", sa.BigInteger(), nullable=False),
        sa.Column("loaded_7", sa.BigInteger(), nullable=False),
        sa.Column("loaded_8", sa.BigInteger(), nullable=False),
        sa.Column("loaded_9", sa.BigInteger(), nullable=False),
        sa.Column("loaded_10", sa.BigInteger(), nullable=False),
        sa.Column("loaded_11", sa.BigInteger(), nullable=False),
        sa.Column("loaded_12", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "advertiser_key", "day_ms", "campaign_key", "slot_key", "product_key", "creative_key"
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("arrivals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_arrivals_day_ms"), ["day_ms"], unique=False)

    op.create_table(
        "audiences",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("audiences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audiences_advertiser_key"), ["advertiser_key"], unique=False)

    op.create_table(
        "balance_moves",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("owners", sa.String(), nullable=False),
        sa.Column("days", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_table(
        "budgets",
        sa.Column("owner_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=True),
        sa.Column("daily_cap", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("cap IS NULL OR spent + pending <= cap", name="never_over_the_cap"),
        sa.CheckConstraint("pending >= 0", name="pending_not_negative"),
        sa.CheckConstraint("spent >= 0", name="spent_not_negative"),
        sa.PrimaryKeyConstraint("owner_key", "day"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "campaign_versions",
        sa.Column("campaign_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_key", "version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "campaigns",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("campaigns", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_campaigns_advertiser_key"), ["advertiser_key"], unique=False)

    op.create_table(
        "chain_notes",
        sa.Column("owner_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner_key", "entry"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "change_log",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("change_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_log_sequence"), ["sequence"], unique=False)

    op.create_table(
        "charges",
        sa.Column(
            "charge_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("campaign_version", sa.Integer(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("publisher_key", sa.BigInteger(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("creative_key", sa.BigInteger(), nullable=False),
        sa.Column("product_key", sa.BigInteger(), nullable=False),
        sa.Column("audience_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("publisher_micros", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name="charge_is_positive"),
        sa.CheckConstraint(
            "publisher_micros >= 0 AND publisher_micros <= amount_micros", name="share_within_charge"
        ),
        sa.PrimaryKeyConstraint("charge_id"),
    )
    with op.batch_alter_table("charges", schema=None) as batch_op:
        batch_op.create_index("charges_by_campaign", ["campaign_key", "entry"], unique=True)
        batch_op.create_index("charges_by_publisher", ["publisher_key", "at_ms"], unique=False)

    op.create_table(
        "consents",
        sa.Column("digest", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proof", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cmp", sa.String(), nullable=False),
        sa.Column("given_ms", sa.BigInteger(), nullable=True),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("digest", "advertiser_key", "proof", "first_seen_ms"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index(
            "consents_ended", ["ended_ms"], unique=False, sqlite_where=sa.text("ended_ms IS NOT NULL")
        )

    op.create_table(
        "conversions",
        sa.Column("conversion_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("by_server", sa.Boolean(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("click_id", sa.String(), nullable=True),
        sa.Column("value_micros", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("arrived_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("has_reference", sa.Boolean(), nullable=False),
        sa.Column("product_keys", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("touch_impression_id", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversion_key", "by_server"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("conversions", schema=None) as batch_op:
        batch_op.create_index(
            "conversions_by_age", ["arrived_at_ms"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )
        batch_op.create_index(
            "conversions_by_touch",
            ["touch_impression_id", "amount_micros"],
            unique=False,
            sqlite_where=sa.text("touch_impression_id != 0"),
        )
        batch_op.create_index(
            "conversions_by_visitor",
            ["visitor_key", "campaign_key"],
            unique=False,
            sqlite_where=sa.text("visitor_key != 0"),
        )
        batch_op.create_index(
            "conversions_new", ["arrived_at_ms"], unique=False, sqlite_where=sa.text("state = 'new'")
        )
        batch_op.create_index(
            "conversions_pending", ["advertiser_key"], unique=False, sqlite_where=sa.text("state = 'pending'")
        )

    op.create_table(
        "counts",
        sa.Column("owner_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hour_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner_key", "name", "hour_ms"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("counts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_counts_hour_ms"), ["hour_ms"], unique=False)

    op.create_table(
        "creatives",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("creatives", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_creatives_campaign_key"), ["campaign_key"], unique=False)

    op.create_table(
        "daily_heads",
        sa.Column("owner_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("sealed_ms", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("owner_key", "day"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("daily_heads", schema=None) as batch_op:
        batch_op.create_index(
            "daily_heads_unsigned",
            ["owner_key", "day"],
            unique=False,
            sqlite_where=sa.text("signature IS NULL"),
        )

    op.create_table(
        "decisions",
        sa.Column(
            "impression_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("creative_key", sa.BigInteger(), nullable=False),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("product_keys", sa.LargeBinary(), nullable=False),
        sa.Column("image_key", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("impression_id"),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index(
            "decisions_by_age",
            ["at_ms"],
            unique=False,
            sqlite_where=sa.text("visitor_key != 0 OR image_key IS NOT NULL"),
        )
        batch_op.create_index(
            "decisions_by_image", ["image_key"], unique=False, sqlite_where=sa.text("image_key IS NOT NULL")
        )
        batch_op.create_index(
            "decisions_by_visitor", ["visitor_key"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )

    op.create_table(
        "deposits",
        sa.Column(
            "deposit_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deposit_key"),
    )
    with op.batch_alter_table("deposits", schema=None) as batch_op:
        batch_op.create_index("deposits_by_reference", ["advertiser_key", "reference"], unique=True)

    op.create_table(
        "erasures",
        sa.Column(
            "digest",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("receipt_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erasures_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "events",
        sa.Column(
            "event_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("dedupe_key", sa.BigInteger(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("event_key"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(
            "events_by_visitor", ["visitor_key"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )
        batch_op.create_index(batch_op.f("ix_events_due_ms"), ["due_ms"], unique=False)

    op.create_table(
        "feeds",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feeds_advertiser_key"), ["advertiser_key"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "notices",
        sa.Column(
            "notice_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("notice_key"),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("notices_by_advertiser", ["advertiser_key", "at_ms"], unique=False)
        batch_op.create_index(
            "notices_due", ["due_ms"], unique=False, sqlite_where=sa.text("due_ms IS NOT NULL")
        )
        batch_op.create_index(
            "notices_settled", ["at_ms"], unique=False, sqlite_where=sa.text("due_ms IS NULL")
        )

    op.create_table(
        "pixel_samples",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "event", "place"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("pixel_samples", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pixel_samples_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "postings",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "account", "currency"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "products",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("feed_key", sa.BigInteger(), nullable=False),
        sa.Column("import_key", sa.BigInteger(), nullable=False),
        sa.Column("image_link", sa.String(), nullable=True),
        sa.Column("picture", sa.String(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.create_index("products_by_advertiser", ["advertiser_key", "key"], unique=False)
        batch_op.create_index("products_by_import", ["feed_key", "import_key"], unique=False)
        batch_op.create_index(
            "products_without_picture",
            ["advertiser_key", "key"],
            unique=False,
            sqlite_where=sa.text("picture IS NULL AND image_link IS NOT NULL"),
        )

    op.create_table(
        "profiles",
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("visitor_key"),
    )
    with op.batch_alter_table("profiles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_profiles_due_ms"), ["due_ms"], unique=False)

    op.create_table(
        "publishers",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "receipts",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "idempotency_key"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receipts_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "refunds",
        sa.Column("charge_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refund_id", sa.String(), nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("publisher_key", sa.BigInteger(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("charged_ms", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("publisher_micros", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name="refund_is_positive"),
        sa.CheckConstraint(
            "publisher_micros >= 0 AND publisher_micros <= amount_micros", name="share_within_refund"
        ),
        sa.PrimaryKeyConstraint("charge_id", "refund_id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.create_index(
            "refunds_by_advertiser", ["advertiser_key", "campaign_key", "entry"], unique=False
        )
        batch_op.create_index("refunds_by_campaign", ["campaign_key", "entry"], unique=True)
        batch_op.create_index("refunds_by_publisher", ["publisher_key", "at_ms"], unique=False)

    op.create_table(
        "refused_charges",
        sa.Column(
            "charge_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("charge_id"),
    )
    with op.batch_alter_table("refused_charges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refused_charges_campaign_key"), ["campaign_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_refused_charges_first_seen_ms"), ["first_seen_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_refused_charges_slot_key"), ["slot_key"], unique=False)

    op.create_table(
        "returns",
        sa.Column("conversion_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refund_id", sa.String(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("returned_micros", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("figure", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("returned_micros > 0", name="return_is_positive"),
        sa.PrimaryKeyConstraint("conversion_key", "refund_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shop_hooks",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("shop_hooks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shop_hooks_advertiser_key"), ["advertiser_key"], unique=False)

    op.create_table(
        "sites",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sites_publisher_key"), ["publisher_key"], unique=False)

    op.create_table(
        "slots",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("site_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("slots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_slots_site_key"), ["site_key"], unique=False)
