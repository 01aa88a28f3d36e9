"""The seam to a database: one statement in, rows out, a time at which it must stop."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol

from planloom.tools.sql_statement import Statement


class DatabaseError(Exception):
    """The database refused, failed or cannot be opened; the message may be shown to a model."""


class Watch:
    """When the statement that runs must stop; looked at by the database while it works."""

    def __init__(self, timeout_s: float = float("inf")) -> None:
        self._deadline = time.monotonic() + timeout_s

    def stop(self) -> None:
        """Have the statement stop at once."""
        self._deadline = 0.0

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a statement gives, taken piece by piece so that no more than asked for is held."""

    columns: tuple[str, ...]
    fetch: Callable[[int], Sequence[Sequence[object]]]
    """Return that many more rows, fewer at the end."""
    count: int | None = None
    """Rows that a writing statement changed."""


class Database(Protocol):
    """One database. All methods block and may be called from several threads."""

    kind: ClassVar[str]
    """Its name for people and models."""
    dialect: ClassVar[str]
    """Its name for the parser."""
    writable: ClassVar[bool]
    """Whether it can be written to at all."""
    max_parallel: ClassVar[int]
    """Statements at the same time at most."""

    def open(self) -> None:
        """Connect.

        Raises:
            DatabaseError: It is not there, or is not such a database.
        """
        ...

    def close(self) -> None:
        """Let go of everything; also after `open` failed."""
        ...

    def schema(self) -> list[str]:
        """Return one line for each table and view: `name(column TYPE, ...)`.

        Raises:
            DatabaseError: It cannot be read.
        """
        ...

    def run(self, statement: Statement, watch: Watch) -> AbstractContextManager[Rows]:
        """Run a statement; what it changed is kept when the block ends well.

        Raises:
            DatabaseError: It is not allowed, failed, or took too long; nothing was changed.
        """
        ...


TOO_LONG = "the statement took too long and was stopped"
