"""The journal's tables, one definition for SQLite and PostgreSQL; changes go through `migrations/`."""

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

HEAD = "0010"
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
    Column("seal", String(64)),
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
    Column("head", String(80)),
)
"""Who may write a run, and what its last row is."""

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
    Column("seal", String(64)),
)
"""What people said to runs that others are at work on, by what waits; gone when it is journaled."""

run_owners = Table(
    "run_owners",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("workflow", String(128), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("idempotency_key", String(255)),
    Column("request_digest", String(64), nullable=False),
    Column("wanted", Boolean, nullable=False),
    Index("run_owners_by_tenant", "tenant", "created_at", "run_id"),
    Index("one_run_per_key", "tenant", "idempotency_key", unique=True),
)
"""Whom the runs of a service belong to; `wanted` ones are taken up again when their process is gone."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("note", String(200), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
)
"""Keys of a service's callers: SHA-256 of the secret, never the secret."""

quotas = Table(
    "quotas",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("usd", Float),
    Column("period_s", Float, nullable=False),
    Column("requests_per_minute", Integer),
    Column("max_runs", Integer),
)
"""What a tenant may use; without a row, or where a column is empty, the service's own bounds hold."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Index("audit_by_tenant", "tenant", "at"),
)
"""Who did what, when; triggers refuse to change or delete a row."""

memories = Table(
    "memories",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("namespace", String(128), nullable=False),
    Column("id", String(16), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("untrusted", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("expires_at", Float),
    Column("used_at", Float, nullable=False),
    Column("recalls", Integer, nullable=False),
    Column("vector", LargeBinary().with_variant(ARRAY(REAL), "postgresql")),
    Column("vector_model", String(200)),
    Column("dimensions", Integer),
    UniqueConstraint("tenant", "namespace", "id", name="one_memory"),
)
"""What runs keep for later ones. SQLite has an index of its words in `memory_words`, PostgreSQL in a column `words`."""

visits = Table(
    "visits",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("node_id", String(128), primary_key=True),
    Column("input_digest", String(16), primary_key=True),
    Column("rung", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("namespace", String(128), nullable=False),
    Column("signature", String(16), nullable=False),
    Column("model", String(200), nullable=False),
    Column("served", String(200), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("at", Float, nullable=False),
    Index("visits_by_kind", "tenant", "namespace", "signature", "at"),
)
"""How pieces of work went on each rung."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("endpoint", String(32), primary_key=True),
    Column("floor", Float, nullable=False),
)
"""Receivers of webhooks; what happened before `floor` has a delivery, or came before the receiver was named."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("endpoint", String(32), primary_key=True),
    Column("run_id", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("state", String(8), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    Index("webhook_deliveries_due", "endpoint", "state", "due_at"),
)
"""Events that a receiver is told of: `due`, `done`, or `dead` once it has not taken them for too long."""
