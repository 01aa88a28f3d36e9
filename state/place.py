"""What is found at the place of a journal before anything there is changed."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from sqlalchemy import Connection, inspect, text

from planloom.state.tables import HEAD

Opening: TypeAlias = Literal["make", "upgrade", "current"]
"""`make`: it is made when it is not there, and brought up to date. `upgrade`: it must be there, and is brought up to
date. `current`: it must be there and up to date; nothing of it is changed by opening it."""

DEFAULT_JOURNAL = ".planloom/planloom.db"
_VERSION = text("SELECT version_num FROM alembic_version")
_OURS = {"events", "leases"}
"""Tables that every journal has had from the first version on."""


def place_of(given: str | Path | None) -> str | Path:
    """Return where the journal is: what was given, or `PLANLOOM_JOURNAL`, or `.planloom/planloom.db`."""
    return given or os.environ.get("PLANLOOM_JOURNAL") or DEFAULT_JOURNAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A database as it was found."""

    tables: frozenset[str]
    revision: str
    """What its `alembic_version` says; empty when it has none."""
    shared: bool
    """Whether other programs may have tables in it: a schema of a server, in contrast to a file."""

    def problem(self, opening: Opening) -> str:
        """Say why it cannot be opened so, for after its name; empty when it can."""
        if self.tables >= _OURS and self.revision:
            return self._of_journal(opening)
        if self.revision:
            return " is not a Planloom journal: its table alembic_version is another program's"
        if not self.tables or self.shared:
            return "" if opening == "make" else ": there is no journal in it yet"
        named = sorted(self.tables)
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        return f" is not a Planloom journal: it has the tables {', '.join(named[:3])}{more}"

    def _of_journal(self, opening: Opening) -> str:
        older = self.revision.isdigit() and self.revision < HEAD
        if not older and self.revision != HEAD:
            return f": this journal was made by a newer Planloom (its tables are at {self.revision}, not {HEAD})"
        if older and opening == "current":
            return ": an older Planloom made this journal; the next run, resume or approve brings it up to date"
        return ""


def look_at(connection: Connection, *, shared: bool) -> Found:
    """Look at a database that is connected to."""
    tables = frozenset(inspect(connection).get_table_names())
    version = connection.execute(_VERSION).scalar() if "alembic_version" in tables else None
    return Found(tables=tables, revision=str(version or ""), shared=shared)


def look_at_file(path: str) -> Found | None:
    """Look at a SQLite file without changing it; `None` when it is not there.

    Raises:
        sqlite3.Error: It cannot be read, or is none.
    """
    if not Path(path).exists():
        return None
    with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        tables = frozenset(str(name) for (name,) in rows)
        row = connection.execute(_VERSION.text).fetchone() if "alembic_version" in tables else None
    return Found(tables=tables, revision=str(row[0]) if row else "", shared=False)
