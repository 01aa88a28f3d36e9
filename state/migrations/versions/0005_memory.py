"""What runs keep for later ones, with an index of its words."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SQLITE = (
    "CREATE VIRTUAL TABLE memory_words USING fts5(subject, text, content='memories', content_rowid='number',"
    " tokenize='porter unicode61 remove_diacritics 2')",
    "CREATE TRIGGER memory_added AFTER INSERT ON memories BEGIN"
    " INSERT INTO memory_words(rowid, subject, text) VALUES (new.number, new.subject, new.text); END",
    "CREATE TRIGGER memory_gone AFTER DELETE ON memories BEGIN"
    " INSERT INTO memory_words(memory_words, rowid, subject, text)"
    " VALUES ('delete', old.number, old.subject, old.text); END",
    "CREATE TRIGGER memory_changed AFTER UPDATE OF subject, text ON memories BEGIN"
    " INSERT INTO memory_words(memory_words, rowid, subject, text)"
    " VALUES ('delete', old.number, old.subject, old.text);"
    " INSERT INTO memory_words(rowid, subject, text) VALUES (new.number, new.subject, new.text); END",
)
_POSTGRESQL = (
    "ALTER TABLE memories ADD COLUMN words tsvector GENERATED ALWAYS AS ("
    "setweight(to_tsvector('english', subject), 'A') || setweight(to_tsvector('english', text), 'B')) STORED",
    "CREATE INDEX memory_words ON memories USING gin (words)",
)


def upgrade() -> None:
    op.create_table(
        "memories",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("namespace", sa.String(128), nullable=False),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("untrusted", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("used_at", sa.Float, nullable=False),
        sa.Column("recalls", sa.Integer, nullable=False),
        sa.UniqueConstraint("tenant", "namespace", "id", name="one_memory"),
    )
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE memory_words")
    op.drop_table("memories")
