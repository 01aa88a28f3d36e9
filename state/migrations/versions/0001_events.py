"""Events of all runs, and who may write them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("node_id", sa.String(128)),
        sa.Column("plan_version", sa.Integer),
        sa.Column("input_digest", sa.String(16)),
        sa.Column("attempt", sa.Integer),
        sa.Column("cost_usd", sa.Float, nullable=False, server_default=sa.text("0")),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("events_by_type", "events", ["type", "at"])
    op.create_index(
        "one_commit",
        "events",
        ["run_id", "node_id", "plan_version", "input_digest"],
        unique=True,
        sqlite_where=sa.text("type = 'NodeCommitted'"),
        postgresql_where=sa.text("type = 'NodeCommitted'"),
    )
    op.create_table(
        "leases",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("leases")
    op.drop_table("events")
