"""Full-text search over memories: SQLite's FTS5 and PostgreSQL's tsvector, kept up to date by the database itself."""

import re

from sqlalchemy import ColumnElement, Connection, Select, column, func, literal_column, select, table, text
from sqlalchemy.sql.elements import BooleanClauseList

from planloom.state.tables import memories

_WORD = re.compile(r"\w+")
_MAX_WORDS = 64
_SUBJECT_WEIGHT = 4.0
"""What a word in the subject counts, against one in the text; PostgreSQL's labels A and B have 1.0 and 0.4."""


def words_of(query: str) -> list[str]:
    """Return the words of a query, each once, at most 64."""
    return list(dict.fromkeys(word.casefold() for word in _WORD.findall(query.replace("\0", " "))))[:_MAX_WORDS]


def numbers_by_words(
    connection: Connection, query: str, mine: ColumnElement[bool] | BooleanClauseList, limit: int
) -> list[int]:
    """Return the numbers of the entries that hold any of a query's words, best first.

    Args:
        connection: A transaction.
        query: Free text; nothing in it is syntax.
        mine: Which entries may be found.
        limit: So many at most.
    """
    words = words_of(query)
    if not words:
        return []
    find = _sqlite(words) if connection.dialect.name == "sqlite" else _postgresql(words)
    return [int(row.number) for row in connection.execute(find.where(mine).limit(limit))]


def _sqlite(words: list[str]) -> Select[tuple[int]]:
    index = table("memory_words", column("rowid"))
    wanted = " OR ".join(f'"{word}"' for word in words)
    rank = func.bm25(literal_column("memory_words"), _SUBJECT_WEIGHT, 1.0)
    return (
        select(memories.c.number)
        .join(index, index.c.rowid == memories.c.number)
        .where(text("memory_words MATCH :words").bindparams(words=wanted))
        .order_by(rank, memories.c.at.desc(), memories.c.number)
    )


def _postgresql(words: list[str]) -> Select[tuple[int]]:
    wanted = func.to_tsquery(literal_column("'english'"), " | ".join(words))
    found: ColumnElement[str] = literal_column("memories.words")
    return (
        select(memories.c.number)
        .where(found.op("@@")(wanted))
        .order_by(func.ts_rank(found, wanted).desc(), memories.c.at.desc(), memories.c.number)
    )
