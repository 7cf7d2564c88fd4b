"""The network's own row."""

import sqlalchemy as sa
from alembic import op

revision = "0004_H"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "networks",
        sa.Column(
            "key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
