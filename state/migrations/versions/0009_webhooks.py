"""What the receivers of webhooks have been told."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("endpoint", sa.String(32), primary_key=True),
        sa.Column("floor", sa.Float, nullable=False),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("endpoint", sa.String(32), primary_key=True),
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
    )
    op.create_index("webhook_deliveries_due", "webhook_deliveries", ["endpoint", "state", "due_at"])


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_endpoints")
