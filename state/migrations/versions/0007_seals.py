"""Seals on rows. What is there is sealed as it stands; checkpoints, which the journal can do without, begin anew."""

import sqlalchemy as sa
from alembic import context, op

from planloom.state.chain import head_of, seal_of
from planloom.state.seal import Seal
from planloom.state.store import EventRow

revision = "0007"
down_revision = "0006"

_COLUMNS = ", ".join(EventRow._fields)
_CHECKPOINTS = ("checkpoints", "writes", "checkpoint_blobs", "checkpoint_writes")


def upgrade() -> None:
    op.add_column("events", sa.Column("seal", sa.String(64)))
    op.add_column("leases", sa.Column("head", sa.String(80)))
    op.add_column("answers", sa.Column("seal", sa.String(64)))
    connection, seal = op.get_bind(), context.config.attributes.get("seal") or Seal()
    connection.execute(sa.text("DELETE FROM answers"))  # each can be given again
    there = sa.inspect(connection).get_table_names()
    for table in _CHECKPOINTS:
        if table in there:
            connection.execute(sa.text(f"DELETE FROM {table}"))
    runs = connection.execute(sa.text("SELECT DISTINCT run_id FROM events")).scalars().all()
    for run_id in runs:
        _seal_run(connection, seal, run_id)


def _seal_run(connection: sa.Connection, seal: Seal, run_id: str) -> None:
    mine = {"run_id": run_id}
    found = connection.execute(sa.text(f"SELECT {_COLUMNS} FROM events WHERE run_id = :run_id ORDER BY seq"), mine)
    before, sealed = "", list[dict[str, object]]()
    row = None
    for item in found.fetchall():
        row = EventRow(*item)
        row = row._replace(seal=seal_of(seal, before, row))
        before = row.seal
        sealed.append({**mine, "seq": row.seq, "seal": row.seal})
    if row is None:
        return
    connection.execute(sa.text("UPDATE events SET seal = :seal WHERE run_id = :run_id AND seq = :seq"), sealed)
    head = {**mine, "head": head_of(seal, row)}
    connection.execute(
        sa.text(
            "INSERT INTO leases (run_id, owner, token, expires_at) VALUES (:run_id, '', 0, 0) ON CONFLICT DO NOTHING"
        ),
        mine,
    )
    connection.execute(sa.text("UPDATE leases SET head = :head WHERE run_id = :run_id"), head)


def downgrade() -> None:
    for table, column in (("events", "seal"), ("leases", "head"), ("answers", "seal")):
        op.drop_column(table, column)
