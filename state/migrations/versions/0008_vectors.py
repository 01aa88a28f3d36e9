"""What memories mean, as vectors; those that are there get theirs when they are looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("memories", sa.Column("vector", sa.LargeBinary))
    op.add_column("memories", sa.Column("vector_model", sa.String(200)))
    op.add_column("memories", sa.Column("dimensions", sa.Integer))


def downgrade() -> None:
    for column in ("vector", "vector_model", "dimensions"):
        op.drop_column("memories", column)
