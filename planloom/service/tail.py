"""Following runs: one reader of the journal per run, however many clients listen.

The reader keeps the newest events, already written as server-sent events, in a ring that all its clients share.
A client only has a position. One that falls off the ring reads from the journal until it has caught up, so that
neither many clients nor slow ones cost memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from pydantic import ValidationError

from planloom.core import events as ev
from planloom.core.errors import PlanloomError
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.state.journal import StoredEvent
from planloom.state.owners import Owners

_RING_EVENTS = 1024
_RING_BYTES = 4 << 20
_PAGE = 256
_POLL_S = 0.5
"""How often a run that another process is at work on is looked at."""
_GATHER_S = 0.02
"""News within this time is read in one go."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Events as they go over the wire, and the number of the last of them."""

    seq: int
    data: bytes


def as_sse(event: StoredEvent) -> Piece:
    """Write an event as a server-sent event: its number is its id, its fields and type are its data."""
    return Piece(event.seq, f'id: {event.seq}\ndata: {{"type":"{event.type}",{event.payload[1:]}\n\n'.encode())


def events_in(piece: Piece) -> list[ev.AnyEvent]:
    """Read back what `as_sse` has written."""
    found: list[ev.AnyEvent] = []
    for written in piece.data.split(b"\n\n")[:-1]:
        name, _, rest = written.partition(b'{"type":"')[2].partition(b'",')
        found.append(ev.decode(name.decode(), b"{" + rest))
    return found


async def is_over(owners: Owners, run_id: RunId, latest: StoredEvent) -> bool:
    """Tell whether a run whose last event this is will have no other, unless somebody resumes it."""
    if latest.type != "RunEnded":
        return False
    event = ev.decode(latest.type, latest.payload)
    if not isinstance(event, ev.RunEnded) or event.status in ("waiting", "running"):
        return False
    return event.status != "cancelled" or not await owners.wanted(run_id)


class Tail:
    """The end of one run's events, read once for all who follow it.

    Args:
        engine: Whose run.
        owners: Say whether a cancelled run will go on.
        run_id: The run.
        ring_events: So many of the newest events are kept at most.
    """

    def __init__(self, engine: Engine, owners: Owners, run_id: RunId, ring_events: int = _RING_EVENTS) -> None:
        self._engine = engine
        self._owners = owners
        self._run_id = run_id
        self._ring_events = ring_events
        self._ring: deque[Piece] = deque()
        self._ring_bytes = 0
        self.floor = 0
        """The ring holds what comes after this number."""
        self.tip = 0
        """Number of the newest event."""
        self.ended = False
        """The run is over, or cannot be read any more: nothing will come."""
        self.opened = asyncio.Event()
        self.changed = asyncio.Event()
        self.clients = 0

    async def read(self) -> None:
        """Read until the run is over."""
        try:
            latest = await self._engine.journal.latest(self._run_id)
            if latest is not None:
                self.floor = self.tip = latest.seq
                self.ended = await is_over(self._owners, self._run_id, latest)
            self.opened.set()
            while not self.ended:
                await self._read_more()
        except (PlanloomError, ValidationError):
            self.ended = True  # clients ask again, and are told then
        finally:
            self.opened.set()
            self._tell()

    async def _read_more(self) -> None:
        handle = self._engine.at_work(self._run_id)
        news = handle.news if handle is not None else None  # taken before reading, so that nothing falls in between
        found = await self._engine.journal.stored(self._run_id, self.tip, _PAGE)
        if found:
            self.take(found)
            self.ended = await is_over(self._owners, self._run_id, found[-1])
            self._tell()
            await asyncio.sleep(0 if len(found) == _PAGE else _GATHER_S)
            return
        if news is None:
            await asyncio.sleep(_POLL_S)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_S * 10):
                await news.wait()

    def take(self, found: list[StoredEvent]) -> None:
        """Put events behind those that are there; the oldest leave the ring where it is full."""
        for event in found:
            piece = as_sse(event)
            self._ring.append(piece)
            self._ring_bytes += len(piece.data)
            self.tip = piece.seq
        while len(self._ring) > self._ring_events or self._ring_bytes > _RING_BYTES:
            gone = self._ring.popleft()
            self._ring_bytes -= len(gone.data)
            self.floor = gone.seq

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def stop(self) -> None:
        """Let go of everyone who follows."""
        self.ended = True
        self.opened.set()
        self._tell()

    async def after(self, seq: int) -> list[Piece]:
        """Return some of what comes after a number; empty at the end."""
        if seq >= self.tip:
            return []
        if seq >= self.floor:
            return list(islice(self._ring, len(self._ring) - (self.tip - seq), None))[:_PAGE]
        return [as_sse(event) for event in await self._engine.journal.stored(self._run_id, seq, _PAGE)]


class Tails:
    """All runs that somebody follows now.

    Args:
        engine: Whose runs.
        owners: Say whether a cancelled run will go on.
        group: Holds the readers.
    """

    def __init__(self, engine: Engine, owners: Owners, group: asyncio.TaskGroup) -> None:
        self._engine = engine
        self._owners = owners
        self._group = group
        self._tails: dict[RunId, tuple[Tail, asyncio.Task[None]]] = {}
        self._closed = False

    async def follow(self, run_id: RunId, seq: int, heartbeat_s: float) -> AsyncGenerator[Piece | None]:
        """Yield what comes after a number until the run is over; `None` when nothing came for a while."""
        tail = self._join(run_id)
        try:
            await tail.opened.wait()
            while not self._closed:
                changed = tail.changed
                found = await tail.after(seq)
                if found:
                    seq = found[-1].seq
                    yield Piece(seq, b"".join(piece.data for piece in found))
                elif tail.ended:
                    return
                elif not await _happens(changed, heartbeat_s):
                    yield None
        finally:
            self._leave(run_id, tail)

    def close(self) -> None:
        """End all streams where they stand, to be opened again elsewhere."""
        self._closed = True
        for tail, task in list(self._tails.values()):
            tail.stop()
            task.cancel()

    @property
    def readers(self) -> int:
        """Readers of the journal that are at work."""
        return len(self._tails)

    def _join(self, run_id: RunId) -> Tail:
        found = self._tails.get(run_id)
        if found is None or found[0].ended:
            tail = Tail(self._engine, self._owners, run_id)
            task = self._group.create_task(tail.read(), name=f"tail {run_id}")
            found = self._tails[run_id] = tail, task
        found[0].clients += 1
        return found[0]

    def _leave(self, run_id: RunId, tail: Tail) -> None:
        tail.clients -= 1
        found = self._tails.get(run_id)
        if tail.clients == 0 and found is not None and found[0] is tail:
            found[1].cancel()
            del self._tails[run_id]


async def _happens(event: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
