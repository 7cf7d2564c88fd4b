"""Catalogue and creatives."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("feed_key", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("imports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_imports_feed_key"), ["feed_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_imports_state"), ["state"], unique=False)

    op.create_table(
        "product_sets",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("product_sets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_product_sets_advertiser_key"), ["advertiser_key"], unique=False)

    with op.batch_alter_table("creatives", schema=None) as batch_op:
        batch_op.add_column(sa.Column("approval", sa.String(), server_default="approved", nullable=False))
        batch_op.create_index("creatives_by_approval", ["approval", "key"], unique=False)

    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.add_column(sa.Column("put_ms", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("price_history", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("strike", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("sale_from_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("sale_until_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("known_since_ms", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "products_on_sale",
            ["advertiser_key", "strike", "sale_from_ms", "sale_until_ms", "known_since_ms"],
            unique=False,
            sqlite_where=sa.text("strike IS NOT NULL"),
        )
