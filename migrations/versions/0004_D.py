"""TEMPORARY: orders of an advertiser by arrival."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("conversions", schema=None) as batch_op:
        batch_op.create_index(
            "conversions_by_arrival",
            ["advertiser_key", "arrived_at_ms"],
            unique=False,
            sqlite_where=sa.text("state != 'superseded'"),
        )
