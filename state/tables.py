"""The journal's tables, one definition for SQLite and PostgreSQL; changes go through `migrations/`."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

HEAD = "0003"
"""The newest migration; a database that says so is opened without asking Alembic."""

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("type", String(32), nullable=False),
    Column("node_id", String(128)),
    Column("plan_version", Integer),
    Column("input_digest", String(16)),
    Column("attempt", Integer),
    Column("cost_usd", Float, nullable=False, server_default=text("0")),
    Column("payload", Text, nullable=False),
    Index("events_by_type", "type", "at"),
    Index(
        "one_commit",
        "run_id",
        "node_id",
        "plan_version",
        "input_digest",
        unique=True,
        sqlite_where=text("type = 'NodeCommitted'"),
        postgresql_where=text("type = 'NodeCommitted'"),
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("token", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

artifact_parts = Table(
    "artifact_parts",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("bound_to", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("payload", Text, nullable=False),
)
"""What people said to runs that others are at work on, by what waits; gone when it is journaled."""
