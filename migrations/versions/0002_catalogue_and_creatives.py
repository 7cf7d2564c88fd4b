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
        "offer_codes",
        sa.Column(
            "code_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("pool_key", sa.BigInteger(), nullable=False),
        sa.Column("upload_key", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount_micros", sa.BigInteger(), nullable=True),
        sa.Column("click_impression_id", sa.BigInteger(), nullable=True),
        sa.Column("click_id", sa.String(), nullable=True),
        sa.Column("visitor_key", sa.BigInteger(), nullable=False),
        sa.Column("handed_ms", sa.BigInteger(), nullable=True),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.Column("redeemed_ms", sa.BigInteger(), nullable=True),
        sa.Column("order_key", sa.BigInteger(), nullable=True),
        sa.Column("by_server", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code_key"),
    )
    with op.batch_alter_table("offer_codes", schema=None) as batch_op:
        batch_op.create_index(
            "offer_codes_by_age", ["handed_ms"], unique=False, sqlite_where=sa.text("click_id IS NOT NULL")
        )
        batch_op.create_index(
            "offer_codes_by_click",
            ["pool_key", "click_impression_id"],
            unique=True,
            sqlite_where=sa.text("click_impression_id IS NOT NULL"),
        )
        batch_op.create_index(
            "offer_codes_by_order", ["order_key"], unique=False, sqlite_where=sa.text("order_key IS NOT NULL")
        )
        batch_op.create_index(
            "offer_codes_by_visitor", ["visitor_key"], unique=False, sqlite_where=sa.text("visitor_key != 0")
        )
        batch_op.create_index(
            "offer_codes_free",
            ["pool_key", "code_key"],
            unique=False,
            sqlite_where=sa.text("handed_ms IS NULL"),
        )
        batch_op.create_index(
            "offer_codes_to_expire",
            ["pool_key", "expires_ms"],
            unique=False,
            sqlite_where=sa.text("redeemed_ms IS NULL AND expires_ms IS NOT NULL"),
        )

    op.create_table(
        "offer_pools",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("offer_pools", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offer_pools_advertiser_key"), ["advertiser_key"], unique=False)

    op.create_table(
        "offer_stocks",
        sa.Column("pool_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("free", sa.BigInteger(), nullable=False),
        sa.Column("handed", sa.BigInteger(), nullable=False),
        sa.Column("redeemed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("free >= 0 AND free + handed = total", name="each_code_is_free_or_handed"),
        sa.CheckConstraint("redeemed >= 0 AND redeemed <= handed", name="redeemed_were_handed"),
        sa.PrimaryKeyConstraint("pool_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pictures",
        sa.Column(
            "product_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("advertiser_key", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("product_key"),
    )
    with op.batch_alter_table("pictures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pictures_due_ms"), ["due_ms"], unique=False)
        batch_op.create_index(
            "pictures_in_trouble",
            ["advertiser_key", "product_key", "reason"],
            unique=False,
            sqlite_where=sa.text("reason IS NOT NULL"),
        )

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
        batch_op.create_index(
            "products_without_address",
            ["advertiser_key"],
            unique=False,
            sqlite_where=sa.text("image_link IS NULL"),
        )
