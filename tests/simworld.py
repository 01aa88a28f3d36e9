"""What a simulated run is made of: a world of nodes and stops, a clock that jumps, and a receiver of writes."""

import asyncio
import selectors
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from planloom import tool
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox


@dataclass(frozen=True)
class SimNode:
    """One node of a simulated plan."""

    needs: tuple[int, ...] = ()
    seconds: float = 1.0
    """Virtual time of one answer."""
    passes_at: int | None = 0
    """Rung on which its check passes; `None`: never, so that it must be replanned."""
    approve: bool = False
    skipped: bool = False
    timeout_s: float | None = None
    """Of a node that asks a model; its replacement in a patch has none."""
    writes: Literal["", "keyed", "verified", "plain"] = ""
    """A tool in place of a model: how one finds out whether its write has happened."""


@dataclass(frozen=True)
class Stop:
    """How one life of the process ends before the run does."""

    at: float
    """Virtual time, counted from the start of the life."""
    how: Literal["crash", "cancel"] = "crash"
    kept: float = 0.0
    """Share of the rows still queued at a crash that the disk got."""


@dataclass(frozen=True)
class World:
    """Everything that will happen in one simulated run."""

    nodes: tuple[SimNode, ...]
    stops: tuple[Stop, ...] = ()
    """One for each life of the process but the last."""
    commit_s: float = 0.01
    """Virtual time of one journal transaction."""
    max_parallel: int = 4
    retry: int = 1
    replans: int = 1
    cap_usd: float | None = None


class Violation(AssertionError):
    """A promise was broken."""


class _Idle(selectors.BaseSelector):
    """A selector that never waits: it moves the clock instead."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._real = selectors.SelectSelector()

    def register(self, fileobj, events, data=None):
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj):
        return self._real.unregister(fileobj)

    def get_map(self):
        return self._real.get_map()

    def select(self, timeout=None):
        if timeout is None:
            raise Violation("nothing can ever happen again: a task waits for ever")
        self._clock.now += max(0.0, timeout)
        return []


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time jumps from one timer to the next."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Idle(self))

    def time(self) -> float:
        return self.now


@dataclass
class Receiver:
    """The outside: what was written, and how often. A key that it has seen before changes nothing."""

    count: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)

    def take(self, what: str, key: str = "") -> str:
        if not key or key not in self.keys:
            self.count[what] += 1
        self.keys.add(key)
        return f"got {what}"


OUTSIDE: ContextVar[tuple[World, Receiver]] = ContextVar("outside")


async def _write(what: str, key: str = "") -> str:
    """A crash can come before a write, and between it and its answer."""
    world, receiver = OUTSIDE.get()
    seconds = world.nodes[int(what.strip("nr"))].seconds
    await asyncio.sleep(seconds / 2)
    got = receiver.take(what, key)
    await asyncio.sleep(seconds / 2)
    return got


async def found(what: str) -> str | None:
    await asyncio.sleep(0.05)
    return f"got {what}" if what in OUTSIDE.get()[1].count else None


@tool(effect="write")
async def keyed(what: str, idempotency_key: str) -> str:
    return await _write(what, idempotency_key)


@tool(effect="write", verify=found)
async def verified(what: str) -> str:
    return await _write(what)


@tool(effect="write")
async def plain(what: str) -> str:
    return await _write(what)


@cache
def write_tools() -> Toolbox:
    """Return the three ways to write, made once: the world is found through `OUTSIDE`."""
    functions = {"keyed": keyed, "verified": verified, "plain": plain}
    return Toolbox({}, base_dir=Path("/"), sandbox=Sandbox(), functions=functions)
