"""SQLite, kept within bounds by SQLite itself: read-only files, an authorizer, limits and a progress handler."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar, TypeAlias

from planloom.tools.sql_base import TOO_LONG, DatabaseError, Rows, Watch
from planloom.tools.sql_statement import Statement

_READ_ACTIONS = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE))
_NEVER_ACTIONS = frozenset((sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA))
_NEVER_FUNCTIONS = frozenset(("load_extension", "fts3_tokenizer"))
_STEPS_BETWEEN_LOOKS = 2000
_MAX_VALUE_BYTES = 10_000_000
_BUSY_S = 5.0

_Name: TypeAlias = str | None


class SqliteDatabase:
    """A SQLite file. Every statement has a connection of its own."""

    kind: ClassVar[str] = "SQLite"
    dialect: ClassVar[str] = "sqlite"
    writable: ClassVar[bool] = True
    max_parallel: ClassVar[int] = 64

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """Look at the file.

        Raises:
            DatabaseError: It is not there, or not SQLite's.
        """
        self.schema()

    def close(self) -> None:
        """Nothing is held between statements."""

    def schema(self) -> list[str]:
        """Return tables and views with their columns.

        Raises:
            DatabaseError: The file cannot be read.
        """
        found = (
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"
        )
        try:
            with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as connection:
                names = [str(name) for (name,) in connection.execute(f"{found} ORDER BY type, name")]
                return [_described(connection, name) for name in names]
        except sqlite3.Error as exc:
            raise DatabaseError(str(exc)) from exc

    @contextmanager
    def run(self, statement: Statement, watch: Watch) -> Generator[Rows]:
        """Run a statement.

        Raises:
            DatabaseError: It is not authorized, failed, or took too long.
        """
        try:
            with closing(self._connect(watch, write=statement.write)) as connection:
                cursor = connection.execute(statement.text, dict(statement.params))
                columns = tuple(str(column[0]) for column in cursor.description or ())
                yield Rows(
                    columns=columns, fetch=cursor.fetchmany, count=max(cursor.rowcount, 0) if statement.write else None
                )
                connection.commit()
        except (sqlite3.Error, OverflowError) as exc:
            raise DatabaseError(_reason(exc)) from exc

    def _connect(self, watch: Watch, *, write: bool) -> sqlite3.Connection:
        uri = f"{self._path.as_uri()}?mode={'rw' if write else 'ro'}"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=_BUSY_S)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_progress_handler(lambda: int(watch.over), _STEPS_BETWEEN_LOOKS)
        connection.set_authorizer(_authorize_write if write else _authorize_read)
        return connection


def _described(connection: sqlite3.Connection, name: str) -> str:
    try:
        columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()
    except sqlite3.Error:
        return f"{name}(?)"  # a view of what is no longer there
    return f"{name}({', '.join(f'{column} {kind}'.strip() for column, kind in columns)})"


def _authorize_read(action: int, first: _Name, second: _Name, database: _Name, inner: _Name) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if second in _NEVER_FUNCTIONS else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _READ_ACTIONS else sqlite3.SQLITE_DENY


def _authorize_write(action: int, first: _Name, second: _Name, database: _Name, inner: _Name) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second in _NEVER_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY if action in _NEVER_ACTIONS else sqlite3.SQLITE_OK


def _reason(exc: Exception) -> str:
    known = {"interrupted": TOO_LONG, "not authorized": "this statement is not allowed here"}
    return known.get(str(exc), str(exc))
