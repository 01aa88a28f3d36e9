"""The journal: every event of every run, append-only, written before its effect is seen downstream.

Rows are handed to one writer thread in order. `commit` returns when its row is on disk; everything that
was appended before it is then on disk too. While the disk is busy rows gather, and the next transaction
takes them all: group commit.

Committed rows survive a killed process (SQLite in WAL mode, `synchronous=NORMAL`). Rows that must also
survive a power cut, those around a `write` effect and the end of a run, are committed with `sync=True`,
which waits for the disk itself.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from pydantic import ValidationError

from planloom.core import events as ev
from planloom.core.errors import PlanloomError, RunError
from planloom.core.plan import RunId

T = TypeVar("T")
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  run_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at REAL NOT NULL,
  type TEXT NOT NULL,
  node_id TEXT,
  plan_version INTEGER,
  input_digest TEXT,
  attempt INTEGER,
  payload TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_by_type ON events (type, at);
CREATE UNIQUE INDEX IF NOT EXISTS one_commit ON events (run_id, node_id, plan_version, input_digest)
  WHERE type = 'NodeCommitted';
"""
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SUMMARY = """
SELECT s.run_id, s.payload,
  (SELECT CASE e.type WHEN 'RunEnded' THEN e.payload END FROM events e
    WHERE e.run_id = s.run_id AND e.type IN ('RunEnded', 'RunResumed') ORDER BY e.seq DESC LIMIT 1),
  (SELECT coalesce(sum(json_extract(c.payload, '$.cost_usd')), 0) FROM events c
    WHERE c.run_id = s.run_id AND c.type = 'CallEnded')
FROM events s WHERE s.type = 'RunStarted' ORDER BY s.at DESC LIMIT ?
"""


class JournalError(PlanloomError):
    """The journal cannot be read or written: disk full, not a journal, or the run has another owner."""


class Row(NamedTuple):
    """One event as it is stored."""

    run_id: str
    seq: int
    at: float
    type: str
    node_id: str | None
    plan_version: int | None
    input_digest: str | None
    attempt: int | None
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of the list of runs. Times are seconds since the epoch."""

    run_id: RunId
    name: str
    status: ev.Status
    started_at: float
    ended_at: float | None
    cost_usd: float
    rehearsal: bool


class Journal:
    """A journal in one SQLite file; safe beside other processes that use the same file.

    Args:
        path: The file, made with its folder when it is not there; `:memory:` keeps nothing.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._queue: deque[Row] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._db: sqlite3.Connection | None = None
        self._broken: JournalError | None = None
        self._lost: dict[str, JournalError] = {}
        """Runs that another process took over."""
        self._sync = False

    async def __aenter__(self) -> Self:
        try:
            await self._call(self._open)
        except JournalError:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._call(self._close)
        finally:
            self._thread.shutdown()

    def append(self, row: Row) -> None:
        """Queue a row; it reaches the disk no later than the next `commit` or the close."""
        self._queue.append(row)

    async def commit(self, run_id: RunId | None = None, *, sync: bool = False) -> None:
        """Return when every row queued so far is safe from the end of this process.

        Args:
            run_id: The run that asks; `None` for all.
            sync: Wait until they are safe from a power cut too.

        Raises:
            JournalError: The disk is full, or another process owns the run.
        """
        self._sync = self._sync or sync
        await self._call(self._drain)
        lost = self._lost.get(run_id) if run_id is not None else next(iter(self._lost.values()), None)
        if broken := self._broken or lost:
            raise broken

    async def events(self, run_id: RunId, after: int = 0) -> list[ev.AnyEvent]:
        """Return a run's events in order, those after sequence number `after`.

        Raises:
            JournalError: A row is damaged.
        """
        rows = await self._call(
            lambda: self._query(
                "SELECT seq, type, payload FROM events WHERE run_id = ? AND seq > ? ORDER BY seq",
                (run_id, after),
            )
        )
        try:
            return [ev.decode(str(kind), str(payload)) for _, kind, payload in rows]
        except (KeyError, ValidationError) as exc:
            raise JournalError(f"{self.path}: run {run_id}: a row is damaged: {exc}") from exc

    async def runs(self, limit: int) -> list[RunSummary]:
        """Return the newest runs first."""
        rows = await self._call(lambda: self._query(_SUMMARY, (limit,)))
        return [_summary(row) for row in rows]

    async def find(self, name: str) -> RunId:
        """Return the run that `name` means: an id, a prefix that only one id has, or `last`.

        Raises:
            RunError: No run or several runs answer to that name.
        """
        if name == "last":
            rows = await self._call(
                lambda: self._query("SELECT run_id FROM events WHERE type='RunStarted' ORDER BY at DESC LIMIT 1", ())
            )
        else:
            rows = await self._call(
                lambda: self._query(
                    "SELECT run_id FROM events WHERE type='RunStarted' AND substr(run_id, 1, ?) = ? "
                    "ORDER BY run_id LIMIT 5",
                    (len(name), name),
                )
            )
        found = [RunId(str(row[0])) for row in rows]
        if name in found:
            return RunId(name)
        if len(found) != 1:
            what = f"matches {', '.join(found)}" if found else f"is not in {self.path}"
            raise RunError(f"run {name!r} {what}")
        return found[0]

    async def _call(self, work: Callable[[], T]) -> T:
        """Run `work` on the writer thread; a cancelled caller does not stop it half-way."""
        try:
            return await asyncio.shield(asyncio.wrap_future(self._thread.submit(work)))
        except (sqlite3.Error, OSError) as exc:
            raise JournalError(f"journal {self.path}: {exc}") from exc

    def _open(self) -> None:
        if self.path != ":memory:":
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                raise sqlite3.DatabaseError(
                    f"made by a newer Planloom (schema {version}, this one reads {SCHEMA_VERSION})"
                )
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except BaseException:
            db.close()
            raise
        self._db = db

    def _close(self) -> None:
        self._drain()
        if self._db:
            self._db.close()

    def _query(self, sql: str, args: Sequence[str | int]) -> list[tuple[object, ...]]:
        self._drain()
        return self._db.execute(sql, args).fetchall() if self._db else []

    def _drain(self) -> None:
        rows: list[Row] = []
        while self._queue:
            rows.append(self._queue.popleft())
        rows = [row for row in rows if row.run_id not in self._lost]
        if not rows or self._db is None or self._broken:
            return
        sync, self._sync = self._sync, False
        try:
            self._db.execute(f"PRAGMA synchronous={'FULL' if sync else 'NORMAL'}")
            self._write(self._db, rows)
        except sqlite3.Error as exc:
            self._broken = JournalError(f"cannot write the journal {self.path}: {exc}")

    def _write(self, db: sqlite3.Connection, rows: list[Row]) -> None:
        """Write rows in one transaction; a run that another process writes too is lost, the others go on."""
        try:
            _insert(db, rows)
        except sqlite3.IntegrityError:
            run_ids = list(dict.fromkeys(row.run_id for row in rows))
            if len(run_ids) == 1:
                self._lost[run_ids[0]] = JournalError(f"run {run_ids[0]} is being written by another process")
                return
            for run_id in run_ids:
                self._write(db, [row for row in rows if row.run_id == run_id])


def _insert(db: sqlite3.Connection, rows: list[Row]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(_INSERT, rows)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _summary(row: tuple[object, ...]) -> RunSummary:
    run_id, started_json, ended_json, cost = row
    try:
        started = ev.decode("RunStarted", str(started_json))
        ended = ev.decode("RunEnded", str(ended_json)) if ended_json else None
    except ValidationError as exc:
        raise JournalError(f"run {run_id}: a row is damaged: {exc}") from exc
    if not isinstance(started, ev.RunStarted):
        raise JournalError(f"run {run_id}: its first row is damaged")
    status: ev.Status = ended.status if isinstance(ended, ev.RunEnded) else "running"
    return RunSummary(
        run_id=started.run_id,
        name=started.name,
        status=status,
        started_at=started.at,
        ended_at=ended.at if ended else None,
        cost_usd=float(str(cost)),
        rehearsal=started.rehearsal,
    )
