"""Vectors as `real[]` in PostgreSQL, which pgvector can read where it is there, and which need it nowhere."""

import struct

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_FLOATS = sa.table("memories", sa.column("number", sa.Integer), sa.column("vector", sa.ARRAY(sa.REAL)))
_BYTES = sa.table("memories", sa.column("number", sa.Integer), sa.column("vector", sa.LargeBinary))


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    told = connection.execute(sa.text("SELECT number, vector FROM memories WHERE vector IS NOT NULL")).fetchall()
    op.execute("ALTER TABLE memories ALTER COLUMN vector TYPE real[] USING NULL::real[]")
    op.execute("ALTER TABLE memories ALTER COLUMN vector SET STORAGE EXTERNAL")  # such numbers do not compress
    _put(connection, _FLOATS, {row.number: [*struct.unpack(f"<{len(row.vector) // 4}f", row.vector)] for row in told})


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    told = connection.execute(sa.text("SELECT number, vector FROM memories WHERE vector IS NOT NULL")).fetchall()
    op.execute("ALTER TABLE memories ALTER COLUMN vector TYPE bytea USING NULL::bytea")
    _put(connection, _BYTES, {row.number: struct.pack(f"<{len(row.vector)}f", *row.vector) for row in told})


def _put(connection: sa.Connection, table: sa.TableClause, vectors: dict[int, object]) -> None:
    for number, vector in vectors.items():
        connection.execute(sa.update(table).where(table.c.number == number).values(vector=vector))
