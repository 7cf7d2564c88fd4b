"""Reports (temporary: the integrator makes one migration of all)."""

import sqlalchemy as sa
from alembic import op

from adserver.storage.tables import report_days, report_entries, report_parts, saved_reports

revision = "0004_A"
down_revision = "0003"


def upgrade() -> None:
    for table in (report_parts, report_days, report_entries, saved_reports):
        table.create(op.get_bind())
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("audience_key", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("country", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("device", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("test", sa.Boolean(), server_default="0", nullable=False))
    op.create_index("ad_events_of_nobody", "ad_events", ["at_ms"], sqlite_where=sa.text("visitor_key = 0"))
    op.create_index(
        "conversions_credited",
        "conversions",
        ["campaign_key", "arrived_at_ms"],
        sqlite_where=sa.text("campaign_key != 0"),
    )
