"""The console: reports, payout holds, the audit log, runs of jobs, live events, the network's own words."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_key", sa.BigInteger(), nullable=False),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("differences", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_log_of_entity", "audit_log", ["key", "number"], unique=False)
    op.create_index("ix_audit_log_at_ms", "audit_log", ["at_ms"], unique=False)
    op.create_table(
        "job_runs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("interval_ms", sa.BigInteger(), nullable=False),
        sa.Column("began_ms", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.BigInteger(), nullable=False),
        sa.Column("did", sa.BigInteger(), nullable=False),
        sa.Column("did_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_did", sa.BigInteger(), nullable=False),
        sa.Column("failed_ms", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "live_events",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "place"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_live_events_at_ms", "live_events", ["at_ms"], unique=False)
    op.create_table(
        "live_watches",
        sa.Column(
            "advertiser_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key"),
    )
    op.create_index("ix_live_watches_until_ms", "live_watches", ["until_ms"], unique=False)
    op.create_table(
        "networks",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "payout_holds",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("publisher_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_payout_holds_publisher_key", "payout_holds", ["publisher_key"], unique=False)
    op.create_table(
        "report_days",
        sa.Column("sheet", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("fills", sa.BigInteger(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("viewable", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("spend_micros", sa.BigInteger(), nullable=False),
        sa.Column("revenue_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sheet", "campaign_key", "day", "slot_key", "currency"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_entries",
        sa.Column(
            "campaign_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_key"),
    )
    op.create_table(
        "report_parts",
        sa.Column("campaign_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("begin_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slot_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("creative_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audience_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("fills", sa.BigInteger(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("viewable", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("spend_micros", sa.BigInteger(), nullable=False),
        sa.Column("revenue_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "campaign_key",
            "begin_ms",
            "slot_key",
            "creative_key",
            "product_key",
            "audience_key",
            "country",
            "device",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_report_parts_begin_ms", "report_parts", ["begin_ms"], unique=False)
    op.create_table(
        "saved_reports",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_saved_reports_owner", "saved_reports", ["owner"], unique=False)
    op.create_index(
        "ad_events_of_nobody", "ad_events", ["at_ms"], unique=False, sqlite_where=sa.text("visitor_key = 0")
    )
    op.create_index(
        "conversions_by_arrival",
        "conversions",
        ["advertiser_key", "arrived_at_ms"],
        unique=False,
        sqlite_where=sa.text("state != 'superseded'"),
    )
    op.create_index(
        "conversions_credited",
        "conversions",
        ["campaign_key", "arrived_at_ms"],
        unique=False,
        sqlite_where=sa.text("campaign_key != 0"),
    )
    for owner in ("campaign", "slot"):
        op.drop_index(f"ix_refused_charges_{owner}_key", "refused_charges")
        op.create_index(f"refused_by_{owner}", "refused_charges", [f"{owner}_key", "first_seen_ms"])
    op.add_column("decisions", sa.Column("audience_key", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("decisions", sa.Column("country", sa.String(), server_default="", nullable=False))
    op.add_column("decisions", sa.Column("device", sa.String(), server_default="", nullable=False))
    op.add_column("decisions", sa.Column("test", sa.Boolean(), server_default="0", nullable=False))
