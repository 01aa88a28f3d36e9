"""The journal: every event of every run, append-only, written before its effect is seen downstream.

Rows are handed to one writer thread in order. `commit` returns when its row is safe; everything that was
appended before it is then safe too. While the database is busy rows gather, and the next transaction takes
them all: group commit.

Committed rows survive a killed process (SQLite in WAL mode, `synchronous=NORMAL`). Rows that must also
survive a power cut, those around a `write` effect and the end of a run, are queued with `sync=True`,
which waits for the disk itself. PostgreSQL waits for its disk in any case.

A run is written under a lease: taken when it starts or is resumed, kept alive by a heartbeat, checked in
the same transaction as every write. A process that lost its lease can commit nothing more.
"""

import asyncio
import math
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, Executable, func, select
from sqlalchemy.exc import IntegrityError

from planloom.core import events as ev
from planloom.core.errors import RunError
from planloom.core.plan import RunId
from planloom.core.view import RunView
from planloom.state.chain import Chain, check_chain
from planloom.state.owner import this_process
from planloom.state.place import Opening
from planloom.state.retention import Retention, delete_run, expired
from planloom.state.seal import Seal
from planloom.state.space import copy_over, give_back, measure, settle
from planloom.state.store import (
    LEASE_S,
    EventRow,
    JournalError,
    Lease,
    LeaseLost,
    Store,
)
from planloom.state.summary import RunSummary, live_among, summaries
from planloom.state.tables import events, leases
from planloom.state.url import parse_url

__all__ = ["Journal", "JournalError", "RunSummary", "StoredEvent"]

T = TypeVar("T")
_SOON_S = 0.25
"""Seconds after which what is queued is written though nobody waits for it: other processes look at the run."""


class StoredEvent(NamedTuple):
    """One event as it is stored: its number in the run, its type and its fields as JSON."""

    seq: int
    type: str
    payload: str


_RUNS_LOOKED_AT = 200
_RUNS_LEARNED_FROM = 20
"""Newest runs that are looked through for runs of one workflow, and how many of these are read."""


class Journal:
    """A journal in one database; safe beside other processes that use the same one.

    Args:
        place: A SQLite file (made with its folder when it is not there), `sqlite:///FILE`,
            `postgresql://USER@HOST/NAME`, or `:memory:`, which keeps nothing.
        opening: Whether it may be made, or brought up to date.
        outage_s: Seconds to wait for a database that cannot be reached before a run is given up.
        key: Secret text that seals the rows; `None` takes `PLANLOOM_JOURNAL_KEY`, empty uses no key.

    Raises:
        JournalUnusable: The place is none.
        ConfigError: The key is too short.
    """

    def __init__(
        self, place: Path | str, *, opening: Opening = "make", outage_s: float = 60.0, key: str | None = None
    ) -> None:
        self.url = parse_url(str(place))
        self.outage_s = outage_s
        self.seal = Seal.with_key(key)
        self._store = Store(self.url, opening=opening, outage_s=outage_s, seal=self.seal)
        self._chain = Chain(self.seal, self._seal_at)
        self._owner = this_process(uuid.uuid4().hex[:8])
        self._queue: deque[tuple[EventRow, bool]] = deque()
        self._late: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._held: dict[str, Lease] = {}
        self._lost: dict[str, JournalError] = {}
        """Runs that can be written no more: taken over, or rows of theirs are missing. Taking one anew mends it."""
        self._closing = threading.Event()
        self._closed = False

    async def __aenter__(self) -> Self:
        try:
            await self._call(self._store.open)
        except JournalError:
            self._closed = True
            self._thread.shutdown()
            raise
        threading.Thread(target=self._keep_alive, name="journal heartbeat", daemon=True).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._late is not None:
            self._late.cancel()
        try:
            await self._call(self._close)
        finally:
            self._closed = True
            self._thread.shutdown()

    def append(self, row: EventRow, *, sync: bool = False) -> None:
        """Queue a row; it reaches the database with the next `commit`, soon without one, and at the close.

        Args:
            row: The row.
            sync: The transaction that writes it waits until a power cut cannot undo it.
        """
        self._queue.append((row, sync))
        if self._late is None:
            self._late = asyncio.get_running_loop().call_later(_SOON_S, self._write_late)

    def _write_late(self) -> None:
        self._late = None
        if self._queue:
            self.flush()

    async def commit(self, run_id: RunId | None = None) -> None:
        """Return when every row queued so far is safe from the end of this process.

        Args:
            run_id: The run that asks; `None` for all.

        Raises:
            JournalError: The disk is full, the database is gone, or another process owns the run.
        """
        await self._call(self._drain)
        if lost := self._lost.get(run_id) if run_id is not None else next(iter(self._lost.values()), None):
            raise lost

    def flush(self) -> None:
        """Have what is queued written soon, without waiting for it."""
        self._thread.submit(self._drain)

    async def take(self, run_id: RunId) -> None:
        """Take the right to write a run.

        Raises:
            RunError: Another process, or another journal of this one, is at it.
        """
        await self._call(lambda: self._take(run_id))

    async def release(self, run_id: RunId) -> None:
        """Give the right to write a run back; what is queued is written first."""
        await self._call(lambda: self._release(run_id))

    async def events(self, run_id: RunId, after: int = 0) -> list[ev.AnyEvent]:
        """Return a run's events in order, those after sequence number `after`.

        Raises:
            JournalDamaged: They are not as they were written.
            JournalError: A row cannot be read.
        """
        rows = await self._call(lambda: self._checked(run_id, after))
        try:
            return [ev.decode(row.type, row.payload) for row in rows]
        except (KeyError, ValidationError) as exc:
            raise JournalError(f"{self._store.name}: run {run_id}: a row is damaged: {exc}") from exc

    async def stored(self, run_id: RunId, after: int, limit: int) -> list[StoredEvent]:
        """Return a run's events as they are stored, from sequence number `after` on; what is queued is stored first.

        Args:
            run_id: The run.
            after: The last number that is not wanted.
            limit: So many at most.
        """
        found = select(events.c.seq, events.c.type, events.c.payload)
        mine = found.where(events.c.run_id == run_id, events.c.seq > after).order_by(events.c.seq).limit(limit)
        rows = await self._call(lambda: self._query(mine))
        return [StoredEvent(int(str(seq)), str(kind), str(payload)) for seq, kind, payload in rows]

    async def latest(self, run_id: RunId) -> StoredEvent | None:
        """Return a run's last event; `None` for a run that has none."""
        found = select(events.c.seq, events.c.type, events.c.payload).where(events.c.run_id == run_id)
        rows = await self._call(lambda: self._query(found.order_by(events.c.seq.desc()).limit(1)))
        return next((StoredEvent(int(str(seq)), str(kind), str(payload)) for seq, kind, payload in rows), None)

    async def runs(self, limit: int) -> list[RunSummary]:
        """Return the newest runs first."""
        newest = select(events.c.run_id).where(events.c.type == "RunStarted")
        rows = await self._call(lambda: self._query(newest.order_by(events.c.at.desc()).limit(limit)))
        return await self.summaries([RunId(str(run_id)) for (run_id,) in rows])

    async def summaries(self, run_ids: Sequence[RunId]) -> list[RunSummary]:
        """Return what a list says of these runs, in their order; one that is gone is left out."""
        return await self._call(lambda: summaries(self._query, run_ids))

    async def past_runs(self, name: str, tenant: str, *, before: float = math.inf) -> list[RunView]:
        """Return the newest runs of a workflow that are a tenant's, for what can be learned from them.

        Args:
            name: Of the workflow.
            tenant: Whose they are.
            before: They were started earlier, in seconds since the epoch.

        Raises:
            JournalError: A row is damaged.
        """
        runs = await self.runs(_RUNS_LOOKED_AT)
        named = [run.run_id for run in runs if run.name == name and run.started_at < before]
        views = [await self.view(run_id) for run_id in named[:_RUNS_LEARNED_FROM]]
        return [view for view in views if view.tenant == tenant]

    async def view(self, name: str) -> RunView:
        """Return a run as it stands, by its id, a prefix of it, or `last`.

        Raises:
            RunError: There is no such run.
            JournalError: A row is damaged.
        """
        found = await self.find(name)
        live = await self.live(found)
        return RunView.seen(await self.events(found), live=live)

    async def live(self, run_id: RunId) -> bool:
        """Tell whether a process is at work on a run."""
        return bool(await self._call(lambda: live_among(self._query, [run_id])))

    async def find(self, name: str) -> RunId:
        """Return the run that `name` means: an id, a prefix that only one id has, or `last`.

        Raises:
            RunError: No run or several runs answer to that name.
        """
        ids = select(events.c.run_id).where(events.c.type == "RunStarted")
        if name == "last":
            ids = ids.order_by(events.c.at.desc()).limit(1)
        else:
            same = func.substr(events.c.run_id, 1, len(name)) == name
            ids = ids.where(same).order_by(events.c.run_id).limit(5)
        found = [RunId(str(run_id)) for (run_id,) in await self._call(lambda: self._query(ids))]
        if name in found:
            return RunId(name)
        if len(found) != 1:
            what = f"matches {', '.join(found)}" if found else f"is not in {self._store.name}"
            raise RunError(f"run {name!r} {what}")
        return found[0]

    async def expired(self, policy: Retention, only: RunId | None = None) -> list[RunId]:
        """Return the runs that may be deleted, oldest first; `only` looks at that one, which this journal holds."""
        self.flush()
        return await self._call(lambda: self._store.transact(lambda connection: expired(connection, policy, only)))

    async def delete(self, run_id: RunId) -> int:
        """Delete a run that this journal holds, and its lease; return how many rows that were.

        Raises:
            JournalError: Another process has taken it over; nothing was deleted.
        """
        return await self._call(lambda: self._delete(run_id))

    async def shrink(self) -> int:
        """Give space back that deleted rows took; return by how many bytes the database became smaller.

        In PostgreSQL that is autovacuum's business: there the space is used again, and this returns 0.
        """
        if not self._store.is_sqlite:
            return 0
        before = await self._call(lambda: self._store.outside(measure))
        if before.stepwise:
            while await self._call(lambda: self._store.outside(give_back)):
                pass  # one step a call: other rows are written in between
        elif before.worth_copying and not await self._call(self._store.busy):
            await self._call(lambda: self._store.outside(copy_over))
        await self._call(lambda: self._store.outside(settle))
        return before.total_bytes - (await self._call(lambda: self._store.outside(measure))).total_bytes

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, behind all rows queued before; it may be done twice.

        Raises:
            JournalError: The database cannot be read or written.
        """
        self.flush()
        return await self._call(lambda: self._store.transact(work))

    async def _call(self, work: Callable[[], T]) -> T:
        """Run `work` on the writer thread; a cancelled caller does not stop it half-way."""
        if self._closed:
            raise JournalError(f"journal {self._store.name}: it was closed, and opens once; make a new one")
        return await asyncio.shield(asyncio.wrap_future(self._thread.submit(work)))

    def _take(self, run_id: RunId) -> None:
        self._chain.forget(run_id)
        self._drain()  # what is still queued for a lost run is not to be taken for rows of the new stretch
        if run_id in self._held:
            raise RunError(f"run {run_id} is under way in this process")
        self._held[run_id] = self._store.take(run_id, self._owner)
        self._lost.pop(run_id, None)

    def _release(self, run_id: RunId) -> None:
        self._drain()
        lease = self._held.pop(run_id, None)
        if lease is not None and run_id not in self._lost:
            self._store.release(lease)

    def _delete(self, run_id: RunId) -> int:
        lease = self._held[run_id]
        rows = self._store.transact(lambda connection: delete_run(connection, lease))
        del self._held[run_id]
        return rows

    def _close(self) -> None:
        self._drain()
        for run_id in list(self._held):
            self._release(RunId(run_id))
        self._store.close()

    def _query(self, statement: Executable) -> Sequence[tuple[object, ...]]:
        self._drain()
        return [tuple(row) for row in self._store.query(statement)]

    def _checked(self, run_id: RunId, after: int) -> list[EventRow]:
        """Return a run's rows once they fit their seals; the head is read first, for others may write meanwhile."""
        self._drain()
        held = select(leases.c.head).where(leases.c.run_id == run_id)
        mine = select(events).where(events.c.run_id == run_id, events.c.seq >= after).order_by(events.c.seq)
        head, found = self._store.transact(
            lambda connection: (connection.execute(held).scalar(), connection.execute(mine).fetchall()), verb="read"
        )
        rows = [EventRow(*row) for row in found]
        before = rows.pop(0).seal if after and rows else ""
        check_chain(self.seal, run_id, rows, before=before, head=head)
        return rows

    def _seal_at(self, run_id: str, seq: int) -> str:
        mine = select(events.c.seal).where(events.c.run_id == run_id, events.c.seq == seq)
        return "".join(str(seal or "") for (seal,) in self._store.query(mine))

    def _drain(self) -> None:
        queued: list[tuple[EventRow, bool]] = []
        while self._queue:
            queued.append(self._queue.popleft())
        rows = [row for row, _ in queued if row.run_id not in self._lost]
        if rows:
            self._write(rows, sync=any(sync for _, sync in queued))

    def _write(self, rows: list[EventRow], *, sync: bool) -> None:
        """Write rows in one transaction; a run that another process writes too is lost, the others go on."""
        run_ids = list(dict.fromkeys(row.run_id for row in rows))
        try:
            sealed = self._chain.sealed(rows)
            heads = self._chain.heads(sealed)
            self._store.write(sealed, {self._held[i]: heads[i] for i in run_ids if i in self._held}, sync=sync)
            self._chain.advance(sealed)
        except (IntegrityError, LeaseLost):
            if len(run_ids) == 1:
                self._lose(run_ids[0])
                return
            for run_id in run_ids:
                self._write([row for row in rows if row.run_id == run_id], sync=sync)
        except JournalError as exc:
            self._lost.update(dict.fromkeys(run_ids, exc))

    def _lose(self, run_id: str) -> None:
        self._lost[run_id] = JournalError(f"run {run_id} is being written by another process")

    def _keep_alive(self) -> None:
        while not self._closing.wait(LEASE_S / 4):
            try:
                self._thread.submit(self._beat).result()  # one at a time, however long the database takes
            except (RuntimeError, CancelledError):
                return  # closed meanwhile

    def _beat(self) -> None:
        try:
            lost = self._store.beat([lease for run_id, lease in self._held.items() if run_id not in self._lost])
        except JournalError:
            return  # the next write will tell
        for run_id in lost:
            self._lose(run_id)
