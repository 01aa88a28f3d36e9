"""The database under the journal, driven from one thread: SQLite or PostgreSQL by URL."""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    Row,
    StaticPool,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from planloom.core.errors import PlanloomError, RunError
from planloom.state.owner import is_dead, shown
from planloom.state.place import Opening, look_at, look_at_file
from planloom.state.seal import Seal
from planloom.state.tables import HEAD, events, leases

T = TypeVar("T")
LEASE_S = 20.0
"""Seconds a lease holds without a heartbeat, for owners on other machines."""
_BRIEF_S = 1.0
"""Seconds to keep trying what does no harm when it is not done."""
_ALEMBIC = threading.Lock()
"""Alembic keeps the migration under way in a global: within a process, one at a time."""
_MIGRATION_LOCK = 0x706C616D
"""Advisory lock of whoever brings the tables of a PostgreSQL database up to date."""


class JournalError(PlanloomError):
    """The journal cannot be read or written: disk full, not a journal, database gone, or the run has another owner."""


class JournalUnusable(JournalError):
    """No journal can be opened at the place that was given."""


class LeaseLost(JournalError):
    """Another process has taken the run over; this one may not write it any more."""


class EventRow(NamedTuple):
    """One event as it is stored."""

    run_id: str
    seq: int
    at: float
    type: str
    node_id: str | None
    plan_version: int | None
    input_digest: str | None
    attempt: int | None
    cost_usd: float
    payload: str
    seal: str = ""
    """Binds it to all rows before it; see `chain.py`."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Leave to write one run. The token grows with every new owner, so an old one is told apart."""

    run_id: str
    token: int


def holds(owner: str, expires_at: float) -> bool:
    """Tell whether a lease keeps others out: it has an owner, has not run out, and the owner is not known dead."""
    return owner != "" and expires_at > time.time() and not is_dead(owner)


class Store:
    """Reads and writes the journal's tables; every method runs on the journal's thread.

    Args:
        url: SQLite or PostgreSQL.
        opening: Whether it may be made, or brought up to date.
        outage_s: Seconds to keep trying when the database cannot be reached.
        seal: Seals what older versions wrote without.
    """

    def __init__(
        self, url: URL, *, opening: Opening = "make", outage_s: float = 60.0, seal: Seal | None = None
    ) -> None:
        self.url = url
        self._seal = seal or Seal()
        self._opening: Opening = opening
        self._outage_s = outage_s
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._sync: bool | None = None
        """Whether the connection waits for the disk itself; `None` when it has not been told."""

    @property
    def name(self) -> str:
        """The database as it may be shown: no password."""
        return self.url.database or "" if self.is_sqlite else self.url.render_as_string()

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    def open(self) -> None:
        """Connect and bring the tables up to date.

        Raises:
            JournalUnusable: It is not a journal, or cannot be reached.
        """
        try:
            self._look()
            self._engine = self._make_engine()
            self.transact(self._migrate)
        except (SQLAlchemyError, sqlite3.Error, OSError, ImportError) as exc:
            self.close()
            raise JournalUnusable(f"cannot open the journal {self.name}: {_reason(exc)}") from exc
        except JournalError as exc:
            self.close()
            raise JournalUnusable(str(exc)) from exc

    def _look(self) -> None:
        """Refuse what is no journal before a connection could change it, were it only its write-ahead log."""
        if not self.is_sqlite or self._in_memory:
            return
        found = look_at_file(str(self.url.database))
        problem = found.problem(self._opening) if found else "" if self._opening == "make" else ": no such journal"
        if problem:
            raise JournalUnusable(f"{self.name}{problem}")

    @property
    def _in_memory(self) -> bool:
        return self.url.database in (None, "", ":memory:")

    def _make_engine(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(self.url, pool_size=1, max_overflow=0)
        if not self._in_memory:
            Path(str(self.url.database)).resolve().parent.mkdir(parents=True, exist_ok=True)
        options = {"timeout": 30, "check_same_thread": False}
        engine = create_engine(self.url, connect_args=options, poolclass=StaticPool)
        event.listen(engine, "connect", _wal)
        event.listen(engine, "begin", _begin)
        return engine

    def _migrate(self, connection: Connection) -> None:
        found = look_at(connection, shared=not self.is_sqlite)
        if problem := found.problem(self._opening):
            raise JournalError(f"{self.name}{problem}")
        if found.revision == HEAD:
            return
        if not self.is_sqlite:  # one process at a time; in SQLite the transaction itself keeps others out
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            if look_at(connection, shared=True).revision == HEAD:
                return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(files("planloom.state").joinpath("migrations")))
        config.attributes.update(connection=connection, seal=self._seal)
        with _ALEMBIC:
            command.upgrade(config, "head")

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._engine is not None:
            self._engine.dispose()

    def query(self, statement: Executable) -> Sequence[Row[tuple[object, ...]]]:
        """Return the rows of a statement.

        Raises:
            JournalError: The database cannot be read.
        """
        return self.transact(lambda connection: connection.execute(statement).fetchall(), verb="read")

    def write(self, rows: Sequence[EventRow], held: Mapping[Lease, str], *, sync: bool) -> None:
        """Insert rows in one transaction, each run under its lease.

        Args:
            rows: The rows.
            held: What each lease is to know of the last of them.
            sync: Wait until a power cut cannot undo it.

        Raises:
            LeaseLost: A run has another owner by now; nothing was written.
            JournalError: The database cannot be written.
        """
        kind = sqlite if self.is_sqlite else postgresql
        values = [row._asdict() for row in rows]
        plain = insert(events)
        # Where a connection was lost, the transaction may have gone through: under our lease such rows are our own.
        again = kind.insert(events).on_conflict_do_nothing()
        statements = chain([plain], repeat(again))

        def work(connection: Connection) -> None:
            for lease, head in held.items():
                if not self._extended(connection, lease, head):
                    raise LeaseLost(f"run {lease.run_id} has been taken over by another process")
            connection.execute(next(statements), values)

        self.transact(work, sync=sync)

    def _extended(self, connection: Connection, lease: Lease, head: str | None = None) -> bool:
        """Keep a lease for a while longer, with what its last row is, and tell whether it still held."""
        until = time.time() + LEASE_S
        if self.is_sqlite:  # as plain text: this is done with every row
            keep = "UPDATE leases SET expires_at = ?, head = coalesce(?, head) WHERE run_id = ? AND token = ?"
            return connection.exec_driver_sql(keep, (until, head, lease.run_id, lease.token)).rowcount == 1
        mine = (leases.c.run_id == lease.run_id) & (leases.c.token == lease.token)
        kept = {"expires_at": until, "head": func.coalesce(head, leases.c.head)}
        return connection.execute(update(leases).where(mine).values(kept)).rowcount == 1

    def beat(self, held: Sequence[Lease]) -> list[str]:
        """Keep leases alive; return the runs whose lease is lost."""

        def work(connection: Connection) -> list[str]:
            return [lease.run_id for lease in held if not self._extended(connection, lease)]

        return self.transact(work, patience_s=_BRIEF_S) if held else []

    def take(self, run_id: str, owner: str) -> Lease:
        """Take the right to write a run: it is free, its owner is gone, or its lease has run out.

        A lease of `owner` itself is one that it does not know of: it could not be released, or the answer that it
        had been taken was lost.

        Raises:
            RunError: Its owner still lives, or it was deleted meanwhile.
        """
        kind = sqlite if self.is_sqlite else postgresql
        fresh = kind.insert(leases).values(run_id=run_id, owner="", token=0, expires_at=0.0).on_conflict_do_nothing()

        def work(connection: Connection) -> Lease:
            connection.execute(fresh)
            row = connection.execute(select(leases).where(leases.c.run_id == run_id).with_for_update()).first()
            if row is None:
                raise RunError(f"run {run_id} was deleted at this moment")
            left_s = row.expires_at - time.time()
            if row.owner != owner and holds(row.owner, row.expires_at):
                raise RunError(
                    f"run {run_id} is under way elsewhere ({shown(row.owner)}); its lease ends in {left_s:.0f} s"
                )
            taken = {"owner": owner, "token": row.token + 1, "expires_at": time.time() + LEASE_S}
            connection.execute(update(leases).where(leases.c.run_id == run_id).values(taken))
            return Lease(run_id, row.token + 1)

        return self.transact(work)

    def release(self, lease: Lease) -> None:
        """Give a lease back; that of a run that was deleted meanwhile, or never began, goes altogether."""
        mine = (leases.c.run_id == lease.run_id) & (leases.c.token == lease.token)
        empty = ~select(events.c.run_id).where(events.c.run_id == lease.run_id).exists()

        def work(connection: Connection) -> None:
            connection.execute(update(leases).where(mine).values(owner="", expires_at=0.0))
            connection.execute(delete(leases).where(mine, empty))

        self.transact(work, patience_s=_BRIEF_S)

    def busy(self) -> bool:
        """Tell whether any process is at work on a run."""
        found = self.query(select(leases.c.owner, leases.c.expires_at))
        return any(holds(str(owner), float(str(expires_at))) for owner, expires_at in map(tuple, found))

    def outside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on SQLite's own connection while no transaction is open.

        Raises:
            JournalError: The journal is not an open SQLite file.
        """
        if self._engine is None or not self.is_sqlite:
            raise JournalError(f"journal {self.name}: it is no open SQLite file")
        with closing(self._engine.raw_connection()) as shared:
            driver = shared.driver_connection
            if not isinstance(driver, sqlite3.Connection):
                raise JournalError(f"journal {self.name}: SQLite's own connection is not at hand")
            return work(driver)

    def transact(
        self,
        work: Callable[[Connection], T],
        *,
        verb: str = "write",
        sync: bool = False,
        patience_s: float = math.inf,
    ) -> T:
        """Run `work` in a transaction; when the connection is lost, connect again and repeat it.

        Args:
            work: What to do; it may be done twice.
            verb: What it is, in an error's words.
            sync: Wait until a power cut cannot undo it.
            patience_s: Seconds to keep trying, where they are fewer than the journal's own.

        Raises:
            JournalError: It failed for another reason, or the database stayed away for too long.
        """
        gives_up = time.monotonic() + min(patience_s, self._outage_s)
        pause_s = 0.1
        while True:
            try:
                return self._once(work, sync=sync)
            except IntegrityError:
                raise
            except DBAPIError as exc:
                if not self._gone(exc) or time.monotonic() > gives_up:
                    raise JournalError(f"cannot {verb} the journal {self.name}: {_reason(exc)}") from exc
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)

    def _once(self, work: Callable[[Connection], T], *, sync: bool) -> T:
        if self._engine is None:
            raise JournalError(f"journal {self.name}: it is not open")
        if self._connection is None:
            self._connection, self._sync = self._engine.connect(), None
        try:
            if self.is_sqlite and sync is not self._sync:
                _set_sync(self._connection, sync=sync)
                self._sync = sync
            with self._connection.begin():
                return work(self._connection)
        except DBAPIError:
            self._connection.close()
            self._connection = None
            raise

    def _gone(self, exc: DBAPIError) -> bool:
        """Tell whether the database went away, in contrast to refusing what was asked."""
        if self.is_sqlite:
            return "database is locked" in str(exc.orig)
        return exc.connection_invalidated or "OperationalError" in type(exc.orig).__mro__[0].__name__


def _wal(connection: object, _: object) -> None:
    """Prepare a SQLite connection: write-ahead log, and transactions begun by us.

    A new file is laid out so that space can be given back piece by piece.
    """
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # type: ignore[attr-defined]
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]


def _set_sync(connection: Connection, *, sync: bool) -> None:
    level = "FULL" if sync else "NORMAL"
    connection.connection.driver_connection.execute(f"PRAGMA synchronous={level}")  # type: ignore[union-attr]


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _reason(exc: Exception) -> str:
    if isinstance(exc, ImportError):
        return f"it needs {exc.name}: pip install 'planloom[postgres]'"
    original = getattr(exc, "orig", None) or exc
    return " ".join(str(original).split())[:300] or type(original).__name__
