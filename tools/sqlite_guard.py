"""SQLite connections that the engine itself keeps within bounds."""

import sqlite3
import time
from pathlib import Path
from typing import TypeAlias

_READ_ACTIONS = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE))
_NEVER_ACTIONS = frozenset((sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA))
_NEVER_FUNCTIONS = frozenset(("load_extension", "fts3_tokenizer"))
_STEPS_BETWEEN_LOOKS = 2000
_MAX_VALUE_BYTES = 10_000_000
_BUSY_S = 5.0

_Name: TypeAlias = str | None


class Watch:
    """When the statement that runs must stop; set before each, read by SQLite while it works."""

    def __init__(self) -> None:
        self.deadline = float("inf")

    def over(self) -> int:
        """Return 1, which stops the statement, once the time is up."""
        return int(time.monotonic() > self.deadline)


def connect(path: Path, *, write: bool, watch: Watch) -> sqlite3.Connection:
    """Open the database at `path`.

    Without `write` the file is opened read-only and only reading is authorized. Attaching files, pragmas and
    loading extensions are refused in any case.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    uri = f"{path.as_uri()}?mode={'rw' if write else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=_BUSY_S)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_progress_handler(watch.over, _STEPS_BETWEEN_LOOKS)
    connection.set_authorizer(_authorize_write if write else _authorize_read)
    return connection


def _authorize_read(action: int, first: _Name, second: _Name, database: _Name, inner: _Name) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if second in _NEVER_FUNCTIONS else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _READ_ACTIONS else sqlite3.SQLITE_DENY


def _authorize_write(action: int, first: _Name, second: _Name, database: _Name, inner: _Name) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second in _NEVER_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY if action in _NEVER_ACTIONS else sqlite3.SQLITE_OK
