"""Decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "audience_sizes",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("group_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audience_key", sa.BigInteger(), nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("reachable", sa.BigInteger(), nullable=False),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "group_key"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("audience_sizes", schema=None) as batch_op:
        batch_op.create_index("audience_sizes_by_audience", ["audience_key"], unique=False)
        batch_op.create_index("audience_sizes_by_group", ["group_key"], unique=False)

    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("user_key", sa.BigInteger(), nullable=False),
        sa.Column("began_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("console_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_console_sessions_seen_ms"), ["seen_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_console_sessions_user_key"), ["user_key"], unique=False)

    op.create_table(
        "decision_samples",
        sa.Column(
            "sample_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sample_key"),
    )
    with op.batch_alter_table("decision_samples", schema=None) as batch_op:
        batch_op.create_index(
            "decision_samples_by_visitor",
            ["visitor_key"],
            unique=False,
            sqlite_where=sa.text("visitor_key != 0"),
        )
        batch_op.create_index(batch_op.f("ix_decision_samples_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "experiment_orders",
        sa.Column(
            "conversion_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("value_micros", sa.BigInteger(), nullable=False),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("credited", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conversion_key"),
    )
    with op.batch_alter_table("experiment_orders", schema=None) as batch_op:
        batch_op.create_index(
            "experiment_orders_by_visitor",
            ["visitor_key"],
            unique=False,
            sqlite_where=sa.text("visitor_key != 0"),
        )
        batch_op.create_index(batch_op.f("ix_experiment_orders_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "experiment_sums",
        sa.Column("experiment_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arm", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("purchases", sa.BigInteger(), nullable=False),
        sa.Column("leads", sa.BigInteger(), nullable=False),
        sa.Column("revenue_micros", sa.BigInteger(), nullable=False),
        sa.Column("credited_micros", sa.BigInteger(), nullable=False),
        sa.Column("spend_micros", sa.BigInteger(), nullable=False),
        sa.Column("impression_squares", sa.BigInteger(), nullable=False),
        sa.Column("click_squares", sa.BigInteger(), nullable=False),
        sa.Column("impression_clicks", sa.BigInteger(), nullable=False),
        sa.Column("purchase_squares", sa.BigInteger(), nullable=False),
        sa.Column("lead_squares", sa.BigInteger(), nullable=False),
        sa.Column("revenue_squares", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("experiment_key", "arm", "day_ms"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("experiment_sums", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_experiment_sums_day_ms"), ["day_ms"], unique=False)

    op.create_table(
        "experiment_visitors",
        sa.Column("visitor_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("experiment_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("purchases", sa.BigInteger(), nullable=False),
        sa.Column("leads", sa.BigInteger(), nullable=False),
        sa.Column("revenue_micros", sa.BigInteger(), nullable=False),
        sa.Column("credited_micros", sa.BigInteger(), nullable=False),
        sa.Column("spend_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("visitor_key", "experiment_key"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("experiment_visitors", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_experiment_visitors_entered_ms"), ["entered_ms"], unique=False)

    op.create_table(
        "experiments",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("experiments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_experiments_advertiser_key"), ["advertiser_key"], unique=False)

    op.create_table(
        "funnel_exits",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("page", sa.String(), nullable=False),
        sa.Column("left_here", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "day_ms", "step", "page"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("funnel_exits", schema=None) as batch_op:
        batch_op.create_index(
            "funnel_exits_of_few", ["day_ms"], unique=False, sqlite_where=sa.text("left_here < 10")
        )
        batch_op.create_index(batch_op.f("ix_funnel_exits_day_ms"), ["day_ms"], unique=False)

    op.create_table(
        "funnel_figures",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("counted_as", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "day_ms", "counted_as", "step"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("funnel_figures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_funnel_figures_day_ms"), ["day_ms"], unique=False)

    op.create_table(
        "ghosts",
        sa.Column(
            "ghost_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("slot_key", sa.BigInteger(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("campaign_key", sa.BigInteger(), nullable=False),
        sa.Column("creative_key", sa.BigInteger(), nullable=False),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ghost_key"),
    )
    with op.batch_alter_table("ghosts", schema=None) as batch_op:
        batch_op.create_index(
            "ghosts_by_visitor", ["visitor_key"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )
        batch_op.create_index(batch_op.f("ix_ghosts_at_ms"), ["at_ms"], unique=False)

    op.create_table(
        "invitations",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "journeys",
        sa.Column("visitor_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("visit", sa.BigInteger(), nullable=False),
        sa.Column("view", sa.BigInteger(), nullable=False),
        sa.Column("cart", sa.BigInteger(), nullable=False),
        sa.Column("checkout", sa.BigInteger(), nullable=False),
        sa.Column("purchase", sa.BigInteger(), nullable=False),
        sa.Column("form_start", sa.BigInteger(), nullable=False),
        sa.Column("form_submit", sa.BigInteger(), nullable=False),
        sa.Column("counted_as", sa.String(), nullable=False),
        sa.Column("came_back", sa.Boolean(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_key", sa.BigInteger(), nullable=False),
        sa.Column("last_page", sa.String(), nullable=False),
        sa.Column("form_ms", sa.BigInteger(), nullable=False),
        sa.Column("form_key", sa.BigInteger(), nullable=False),
        sa.Column("form_page", sa.String(), nullable=False),
        sa.Column("newest_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("visitor_key", "advertiser_key", "day_ms"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("journeys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_journeys_due_ms"), ["due_ms"], unique=False)

    op.create_table(
        "login_attempts",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("login_attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_attempts_last_ms"), ["last_ms"], unique=False)

    op.create_table(
        "recommendation_parts",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "version", "part"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recommendations",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("learnt_of", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key"),
    )
    with op.batch_alter_table("recommendations", schema=None) as batch_op:
        batch_op.create_index(
            "recommendations_outdated", ["version"], unique=False, sqlite_where=sa.text("changed > learnt_of")
        )

    op.create_table(
        "roll_ups",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "session_slices",
        sa.Column("slice", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("through_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slice"),
    )
    op.create_table(
        "sessions",
        sa.Column("advertiser_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slice", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key", "slice"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_at_ms"), ["at_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_slice"), ["slice"], unique=False)

    op.create_table(
        "suppressed",
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("list_key", sa.BigInteger(), nullable=False),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("upload_key", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    with op.batch_alter_table("suppressed", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suppressed_at_ms"), ["at_ms"], unique=False)
        batch_op.create_index("suppressed_by_list", ["list_key", "upload_key"], unique=False)
        batch_op.create_index("suppressed_by_visitor", ["visitor_key", "list_key"], unique=True)

    op.create_table(
        "suppression_lists",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("suppression_lists", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_suppression_lists_advertiser_key"), ["advertiser_key"], unique=False
        )

    op.create_table(
        "users",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "visitor_panels",
        sa.Column(
            "advertiser_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("advertiser_key"),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("propensity", sa.Float(), nullable=True))

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("first", sa.Boolean(), server_default="0", nullable=False))
