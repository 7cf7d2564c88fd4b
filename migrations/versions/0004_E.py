"""Live views."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
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
    with op.batch_alter_table("live_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_live_events_at_ms"), ["at_ms"], unique=False)

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
    with op.batch_alter_table("live_watches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_live_watches_until_ms"), ["until_ms"], unique=False)
