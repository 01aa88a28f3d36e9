"""Giving the space of deleted rows back, where the journal is a SQLite file.

A file made by Planloom is laid out for `incremental_vacuum`, which goes in small transactions that let other
processes write in between. An older file must be copied as a whole (`VACUUM`), which keeps every writer out:
that is done only when it pays and no run is under way.
"""

import sqlite3
from typing import NamedTuple

_STEP_PAGES = 2_000
"""Pages given back in one transaction: a few milliseconds."""
_WORTH_BYTES = 1 << 20
_WORTH_SHARE = 0.2


class Space(NamedTuple):
    """Size of a SQLite file, as its own header has it."""

    page_bytes: int
    pages: int
    free: int
    """Pages that hold nothing."""
    stepwise: bool
    """Whether free pages can be given back piece by piece."""

    @property
    def total_bytes(self) -> int:
        """Bytes of the file."""
        return self.page_bytes * self.pages

    @property
    def worth_copying(self) -> bool:
        """Whether a copy of the whole file would be much smaller."""
        free_bytes = self.page_bytes * self.free
        return free_bytes >= _WORTH_BYTES and free_bytes >= _WORTH_SHARE * self.total_bytes


def measure(connection: sqlite3.Connection) -> Space:
    """Read how large the file is."""
    values = [
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count", "auto_vacuum")
    ]
    return Space(values[0], values[1], values[2], values[3] == 2)


def give_back(connection: sqlite3.Connection) -> bool:
    """Give some free pages back; tell whether it is worth coming again."""
    before = measure(connection).free
    try:
        connection.execute(f"PRAGMA incremental_vacuum({_STEP_PAGES})").fetchall()
        return 0 < measure(connection).free < before
    except sqlite3.OperationalError:
        return False  # another process writes for long; the next time is soon enough


def copy_over(connection: sqlite3.Connection) -> None:
    """Write the file anew without its holes, laid out so that this is needed only once."""
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError:
        return  # in use, or no room for a copy: the file stays as it is


def settle(connection: sqlite3.Connection) -> None:
    """Move what stands in the write-ahead log to the file, as far as no reader needs it; then the file shrinks."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
