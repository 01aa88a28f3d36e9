"""The scheduler: one data-flow event loop over a plan that may grow and change while it runs.

It knows no model, no tool and no journal. A node starts the moment every node it depends on has settled
well; a failed node stops what is behind it and nothing else; there are no waves. State changes only where
messages are taken from the inbox, so there is no lock.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from planloom.core.plan import Node, NodeId


class Settled(StrEnum):
    """How a node's drive ended. `DONE` and `SKIPPED` let its dependents go on."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    HELD = "held"


Drive: TypeAlias = Callable[[Node], Awaitable[Settled]]
Deps: TypeAlias = Mapping[NodeId, frozenset[NodeId]]


@dataclass(slots=True)
class _Entry:
    node: Node
    waiting_for: set[NodeId]
    digest: str
    settled: Settled | None = None
    task: "asyncio.Task[None] | None" = None
    held_back: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    entry: _Entry
    settled: Settled | None


@dataclass(frozen=True, slots=True)
class _Grow:
    nodes: tuple[Node, ...]
    deps: Deps
    provisional: bool


@dataclass(frozen=True, slots=True)
class _Replace:
    nodes: tuple[Node, ...]
    deps: Deps


@dataclass(frozen=True, slots=True)
class _Reopen:
    node_id: NodeId


class _SourceClosed:
    pass


@dataclass(slots=True)
class _Board:
    """Who is where: entries by id, dependents by id, and what may start."""

    entries: dict[NodeId, _Entry] = field(default_factory=dict[NodeId, _Entry])
    dependents: dict[NodeId, list[NodeId]] = field(default_factory=dict[NodeId, list[NodeId]])
    ready: list[_Entry] = field(default_factory=list[_Entry])

    def passed(self, node_id: NodeId) -> bool:
        entry = self.entries.get(node_id)
        return entry is not None and entry.settled in (Settled.DONE, Settled.SKIPPED)

    def add(self, node: Node, deps: Iterable[NodeId], *, held_back: bool) -> None:
        deps = set(deps)
        entry = _Entry(node, {dep for dep in deps if not self.passed(dep)}, node.digest, held_back=held_back)
        self.entries[node.id] = entry
        for dep in deps:
            self.dependents.setdefault(dep, []).append(node.id)
        self.offer(entry)

    def offer(self, entry: _Entry) -> None:
        if not entry.waiting_for and entry.task is None and entry.settled is None and not entry.held_back:
            self.ready.append(entry)

    def reopen(self, node_id: NodeId) -> None:
        entry = self.entries.get(node_id)
        if entry is not None and entry.settled is Settled.HELD:
            entry.settled = None
            self.offer(entry)

    def settle(self, entry: _Entry, settled: Settled) -> None:
        entry.settled = settled
        if settled in (Settled.DONE, Settled.SKIPPED):
            for node_id in self.dependents.get(entry.node.id, ()):
                dependent = self.entries.get(node_id)
                if dependent is not None and entry.node.id in dependent.waiting_for:
                    dependent.waiting_for.discard(entry.node.id)
                    self.offer(dependent)


class Scheduler:
    """Run one plan to the point where nothing can move any more.

    Args:
        drive: Takes a node from ready to settled. An exception out of it is a bug: it cancels the rest
            and propagates as an ExceptionGroup.
    """

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._inbox: asyncio.Queue[_Ended | _Grow | _Replace | _Reopen | _SourceClosed] = asyncio.Queue()
        self._board = _Board()
        self._running = 0
        self._sources = 0
        self._group: asyncio.TaskGroup | None = None
        self._waiting: list[Coroutine[None, None, None]] = []
        self._opened: list[Coroutine[None, None, None]] = []

    def grow(self, nodes: Iterable[Node], deps: Deps, *, provisional: bool = False) -> None:
        """Add nodes. While `provisional`, those with a `write` effect wait for `replace`."""
        self._inbox.put_nowait(_Grow(tuple(nodes), deps, provisional))

    def replace(self, nodes: Iterable[Node], deps: Deps) -> None:
        """Make these the whole plan.

        Nodes that are gone or changed are cancelled; unchanged ones stay where they are, done or running.
        What was skipped, failed or held is decided again where something it depends on has changed.
        """
        self._inbox.put_nowait(_Replace(tuple(nodes), deps))

    def reopen(self, node_id: NodeId) -> None:
        """Drive a node that was held once more: what it waited for has come."""
        self._inbox.put_nowait(_Reopen(node_id))

    def add_source(self, source: Coroutine[None, None, None]) -> None:
        """Run a coroutine that may `grow` or `replace` the plan; the scheduler does not end before it."""
        self._sources += 1
        self._opened.append(source)
        if self._group is None:
            self._waiting.append(source)
        else:
            self._group.create_task(self._feed(source))

    async def run(self) -> dict[NodeId, Settled | None]:
        """Run until nothing can move; return how each node ended, `None` for one that could not start."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._loop(group)
        finally:
            for source in self._opened:
                source.close()  # one that was cancelled before its first step
        return {node_id: entry.settled for node_id, entry in self._board.entries.items()}

    async def _loop(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        for source in self._waiting:
            group.create_task(self._feed(source))
        self._waiting.clear()
        while True:
            self._take_all()
            self._start_ready(group)
            if not self._running and not self._sources and self._inbox.empty():
                return
            self._take(await self._inbox.get())

    async def _feed(self, source: Coroutine[None, None, None]) -> None:
        try:
            await source
        finally:
            self._inbox.put_nowait(_SourceClosed())

    def _start_ready(self, group: asyncio.TaskGroup) -> None:
        ready, self._board.ready = self._board.ready, []
        for entry in ready:
            if self._board.entries.get(entry.node.id) is entry and entry.task is None:
                entry.task = group.create_task(self._run_node(entry), name=f"node {entry.node.id}")
                self._running += 1

    async def _run_node(self, entry: _Entry) -> None:
        settled: Settled | None = None
        try:
            settled = await self._drive(entry.node)
        finally:
            self._inbox.put_nowait(_Ended(entry, settled))

    def _take_all(self) -> None:
        while not self._inbox.empty():
            self._take(self._inbox.get_nowait())

    def _take(self, message: _Ended | _Grow | _Replace | _Reopen | _SourceClosed) -> None:
        match message:
            case _Ended(entry, settled):
                self._running -= 1
                entry.task = None
                if settled is not None and self._board.entries.get(entry.node.id) is entry:
                    self._board.settle(entry, settled)
            case _Grow(nodes, deps, provisional):
                for node in nodes:
                    held_back = provisional and node.effect == "write"
                    self._board.add(node, deps[node.id], held_back=held_back)
            case _Replace(nodes, deps):
                self._rebuild(nodes, deps)
            case _Reopen(node_id):
                self._board.reopen(node_id)
            case _SourceClosed():
                self._sources -= 1

    def _rebuild(self, nodes: tuple[Node, ...], deps: Deps) -> None:
        """Build a new board; what is unchanged and stands where it stood is carried over."""
        old, self._board = self._board.entries, _Board()
        kept = _carried_over(nodes, deps, old)
        self._board.entries.update(kept)
        for entry in old.values():
            if entry.task and entry.node.id not in kept:
                entry.task.cancel()
        for node in nodes:
            if node.id not in kept:
                self._board.add(node, deps[node.id], held_back=False)


def _carried_over(nodes: Iterable[Node], deps: Deps, old: Mapping[NodeId, _Entry]) -> dict[NodeId, _Entry]:
    """Return the entries that stay: unchanged, and running or settled.

    A skipped, failed or held one stays only while all it depends on stays and has passed; otherwise what it
    reads may change.
    """
    kept = {
        node.id: entry
        for node in nodes
        if (entry := old.get(node.id)) is not None
        and entry.digest == node.digest
        and (entry.task is not None or entry.settled is not None)
    }
    open_again = deque(node_id for node_id, entry in kept.items() if not _stays(entry, deps[node_id], kept))
    dependents: dict[NodeId, list[NodeId]] = {}
    for node_id in kept:
        for dep in deps[node_id]:
            dependents.setdefault(dep, []).append(node_id)
    while open_again:
        node_id = open_again.popleft()
        if kept.pop(node_id, None) is None:
            continue
        open_again.extend(
            behind
            for behind in dependents.get(node_id, ())
            if behind in kept and not _stays(kept[behind], deps[behind], kept)
        )
    return kept


def _stays(entry: _Entry, deps: Iterable[NodeId], kept: Mapping[NodeId, _Entry]) -> bool:
    if entry.task is not None or entry.settled is Settled.DONE:
        return True
    return all(dep in kept and kept[dep].settled in (Settled.DONE, Settled.SKIPPED) for dep in deps)
