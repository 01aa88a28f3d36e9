"""A deterministic simulator: the engine's own stages on a virtual clock, with crashes.

A `World` says everything that will happen: the plan, how long each answer takes, on which rung a node passes, what it
writes outside, when the process dies or is cancelled. `simulate` plays it and checks the engine's promises at every
event; the `repr` of a world is the script that plays it again.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from simworld import OUTSIDE, Clock, Receiver, Stop, Violation, World, write_tools

from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.answer import Answer
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Usage
from planloom.core.plan import NodeId, RunId
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.graphs.context import Run, facts_of
from planloom.graphs.desk import RunDesk
from planloom.graphs.lint import dependencies
from planloom.graphs.planning import Planning
from planloom.graphs.reopen import reopening
from planloom.graphs.run import Walk
from planloom.graphs.slots import Slots
from planloom.models.base import Reply, Request, Worst
from planloom.state.ledger import Caps, Ledger
from planloom.state.log import RunLog
from planloom.state.store import EventRow
from planloom.tools.sandbox import Sandbox

PRICE_USD = 0.01
"""Most that one simulated call may cost; it costs half of it."""
RUNGS = ("mini", "big")


@dataclass
class Disk:
    """What survives a crash: the journal's rows, and what happened outside."""

    rows: list[EventRow] = field(default_factory=list)
    outside: Receiver = field(default_factory=Receiver)
    rejected: set[str] = field(default_factory=set)
    """Writes in doubt that had happened: the human said so."""

    def events(self) -> list[ev.AnyEvent]:
        return [ev.decode(row.type, row.payload) for row in self.rows]


class SimJournal:
    """The journal's face over a disk: rows are durable when their transaction ends, and never after a crash."""

    def __init__(self, disk: Disk, commit_s: float) -> None:
        self._disk = disk
        self._commit_s = commit_s
        self._queue: list[EventRow] = []
        self.dead = False
        self.on_attempt: Callable[[str], None] = _nothing
        self.on_row: Callable[[], object] = _nothing

    def append(self, row: EventRow, *, sync: bool = False) -> None:
        if self.dead:
            return
        self.on_row()
        if row.type == "AttemptStarted" and row.node_id is not None:
            self.on_attempt(row.node_id)
        self._queue.append(row)

    def flush(self) -> None:
        pass

    def die(self, kept: float) -> None:
        """Write nothing more; the disk gets a share of what is still queued."""
        self.dead = True
        self._disk.rows += self._queue[: round(len(self._queue) * kept)]

    async def commit(self, run_id: RunId | None = None) -> None:
        rows = list(self._queue)
        await asyncio.sleep(self._commit_s)
        if self.dead:
            return
        fresh = [row for row in rows if row in self._queue]
        self._queue = self._queue[len(fresh) :]
        self._disk.rows += fresh


class SimRung:
    """A model on the virtual clock: whether it is right depends on the node and the rung alone."""

    price = None
    batch = False
    rehearsal = True
    retries = 0

    def __init__(self, name: str, world: World) -> None:
        self.name = self.model = name
        self._world = world

    def worst(self, request: Request) -> Worst:
        return Worst(input_tokens=10, output_tokens=10, usd=PRICE_USD)

    def cost(self, usage: Usage) -> float:
        return PRICE_USD / 2

    async def __call__(self, request: Request) -> Reply:
        if request.role == "planner":
            await asyncio.sleep(0.5)
            return self._reply(_patch(self._world, request.messages[-1].text))
        number = int(request.node_id.strip("nr"))
        node = self._world.nodes[number]
        await asyncio.sleep(node.seconds)
        mended = request.node_id.startswith("r")
        right = mended or (node.passes_at is not None and RUNGS.index(self.name) >= node.passes_at)
        return self._reply("right" if right else "wrong")

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        yield await self(request)

    def _reply(self, text: str) -> Reply:
        return Reply(text=text, finish="stop", usage=Usage(input_tokens=5, output_tokens=5, calls=1), model=self.name)


@dataclass
class Calls:
    """Watches every attempt against what is durable."""

    disk: Disk
    plan: Callable[[], Mapping[str, frozenset[str]]]

    def began(self, node_id: str) -> None:
        settled = {r.node_id for r in self.disk.rows if r.type in ("NodeCommitted", "NodeSkipped")}
        if node_id in {row.node_id for row in self.disk.rows if row.type == "NodeCommitted"}:
            raise Violation(f"{node_id} was committed and is asked again")
        for need in self.plan().get(node_id, frozenset()):
            if need not in settled:
                raise Violation(f"{node_id} started before {need} was durable")


def _patch(world: World, asked: str) -> str:
    """Return a patch that puts a node that works in place of every failed one, and mends those right behind them."""
    failed = json.loads(asked.partition("# Failed\n```json\n")[2].partition("\n```")[0])
    lost = [int(str(item["node"])[1:]) for item in failed]
    gone = lost + [int(name) for name in re.findall(r'"id": "r(\d+)"', asked)]
    nodes: list[JsonObject] = [{"id": f"r{i}", **_node(world, i, gone)} for i in lost]
    for i, node in enumerate(world.nodes):
        if set(node.needs) & set(lost) and i not in gone:
            nodes.append({"id": f"n{i}", **_node(world, i, gone)})
    return json.dumps({"nodes": nodes, "remove": [f"n{i}" for i in lost]})


def _node(world: World, i: int, gone: list[int]) -> JsonObject:
    node = world.nodes[i]
    names = {j: f"r{j}" if j in gone else f"n{j}" for j in node.needs}
    if node.writes:
        needs: list[Json] = [*names.values()]
        return {
            "tool": node.writes,
            "with": {"what": f"n{i}"},
            "needs": needs,
            "approve": node.approve,
            "effect": "write",
        }
    out: JsonObject = {
        "goal": f"node {i}",
        "with": {f"x{j}": f"${{nodes.{name}.output}}" for j, name in names.items()},
        "checks": [{"expr": "output == 'right'"}],
        "approve": node.approve,
    }
    if node.timeout_s is not None and i not in gone:
        out["timeout"] = f"{node.timeout_s * 1000:.0f}ms"
    if node.skipped:
        out["when"] = "1 == 2"
    return out


@lru_cache(maxsize=4)
def _workflow(world: World) -> Workflow:
    nodes = {f"n{i}": _node(world, i, []) for i in range(len(world.nodes))}
    models: JsonObject = {name: {"model": f"openai:{name}"} for name in RUNGS}
    budget: JsonObject = {} if world.cap_usd is None else {"usd": world.cap_usd}
    data: JsonObject = {
        "version": 1,
        "name": "simulated",
        "models": models,
        "planner": {"model": "big", "max_nodes": 100, "approve": "never"},
        "route": {"retry": world.retry, "replan": world.replans},
        "budget": budget,
        "max_parallel": world.max_parallel,
        "nodes": nodes,
    }
    return Workflow.from_dict(data, base_dir=Path("/"), env={})


class Process:
    """One life of the process that runs the world."""

    def __init__(self, world: World, disk: Disk) -> None:
        self.world, self.disk = world, disk
        self.workflow = _workflow(world)
        self.journal = SimJournal(disk, world.commit_s)
        self.ledger = Ledger(Caps(usd=world.cap_usd))
        self.log: RunLog | None = None

    async def live(self) -> RunResult:
        """Run from what is on disk to where the run ends."""
        past = self.disk.events()
        log = self.log = RunLog(self.journal, RunId("sim"), past)
        if not past:
            started = ev.RunStarted(
                run_id=RunId("sim"), name="sim", workflow={}, base_dir="/", inputs={}, rehearsal=True
            )
            await log.commit(started)
        elif log.view.status == "done":
            return log.view.result()
        elif len(past) > 1 or log.view.status != "running":
            await self._reopen(log)
        try:
            await self._walk(log)
        except asyncio.CancelledError:
            if not self.journal.dead and log.view.status == "running":  # as the engine does
                log.note(ev.RunEnded(status="cancelled", output=None, error="cancelled"), sync=True)
            raise
        return log.view.result()

    async def _reopen(self, log: RunLog) -> None:
        for event in reopening(log.view, self._answers(log.view)):
            log.note(event)
        await self.journal.commit()

    def _answers(self, view: RunView) -> dict[str, Answer]:
        """Answer as a human would who looks at the receiver before a write is made again."""
        answers: dict[str, Answer] = {}
        for item in view.pending.values():
            name = str(item.node_id or "plan")
            answers[name] = Answer(approved=name not in self.disk.outside.count)
            if not answers[name].approved:
                self.disk.rejected.add(name)
        return answers

    async def _walk(self, log: RunLog) -> None:
        sandbox = Sandbox()
        OUTSIDE.set((self.world, self.disk.outside))
        async with write_tools() as toolbox:
            self.journal.on_row = self.check
            self.journal.on_attempt = Calls(self.disk, lambda: _edges(log.view)).began
            slots = Slots(self.world.max_parallel, asyncio.Semaphore(100))
            run = Run(
                workflow=self.workflow,
                inputs={},
                log=log,
                ledger=self.ledger,
                node_ledgers={},
                toolbox=toolbox,
                sandbox=sandbox,
                rungs={name: SimRung(name, self.world) for name in RUNGS},  # type: ignore[misc]
                slots=slots,
                desk=RunDesk(log, slots, self.ledger),
                facts=facts_of(self.workflow, toolbox, by_hand=True),
                load=lambda ref: _nothing,
            )
            walk = Walk(run, Planning(run))
            await walk.prepare()
            await walk.plan()
            while True:
                await walk.execute()
                if not walk.held:
                    break
                await log.commit(ev.RunEnded(status="waiting", output=None))
                await self._reopen(log)
            await walk.answer()

    def check(self) -> None:
        """Check what must hold at every instant."""
        cap = self.world.cap_usd
        if cap is not None and self.ledger.spent.usd + self.ledger.reserved.usd > cap + 1e-9:
            raise Violation(f"spent and reserved {self.ledger.spent.usd + self.ledger.reserved.usd} pass {cap}")


def _nothing(*_: object) -> bool:
    return True


def _edges(view: RunView) -> Mapping[str, frozenset[str]]:
    nodes = view.plan.nodes if view.plan else {}
    return {node_id: frozenset(map(str, dependencies(node))) for node_id, node in nodes.items()}


@dataclass(frozen=True)
class Played:
    """How a world ended."""

    result: RunResult
    by_hand: bool
    """A human had to say of a write in doubt that it has happened: its node is failed."""


def simulate(world: World) -> Played:
    """Play a world to its end.

    Raises:
        Violation: A promise was broken.
    """
    disk = Disk()
    for stop in (*world.stops, None):
        result = _one_life(Process(world, disk), stop)
        if result is not None:
            _check_end(world, disk, result)
            return Played(result, bool(disk.rejected))
    raise Violation("the run never ended")


def _one_life(process: Process, stop: Stop | None) -> RunResult | None:
    clock = Clock()
    try:
        return clock.run_until_complete(_until(process, stop))
    finally:
        clock.close()


async def _until(process: Process, stop: Stop | None) -> RunResult | None:
    """Let a process live until it ends or its time has come."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(process.live())
    left = None if stop is None else stop.at
    await asyncio.wait([task], timeout=left)
    if stop is not None and not task.done():
        if stop.how == "crash":
            process.journal.die(stop.kept)
        task.cancel()
        await asyncio.wait([task])
        await process.journal.commit()
    rest = [other for other in asyncio.all_tasks() if other is not asyncio.current_task()]
    if rest:
        raise Violation(f"tasks left behind: {rest}")
    if task.cancelled() or process.journal.dead:
        return None
    try:
        return task.result()
    except ExceptionGroup as group:
        if broken := group.subgroup(Violation):
            raise Violation(str(broken.exceptions[0])) from group
        raise


def _check_end(world: World, disk: Disk, result: RunResult) -> None:
    events = disk.events()
    view = RunView()
    for event in events:
        view.apply(event)
        if isinstance(event, ev.NodeCommitted | ev.RunResumed | ev.RunEnded):
            view.result()  # any prefix is a run that can be shown
    if view.result() != result:
        raise Violation("the events do not replay to the result")
    _check_writes(world, disk, result)
    _check_retries(world, events)
    seen: set[tuple[str, str]] = set()
    for event in events:
        if isinstance(event, ev.NodeCommitted) and not event.reused:
            key = (event.node_id, event.input_digest)
            if key in seen:
                raise Violation(f"{event.node_id} was committed twice")
            seen.add(key)
    if world.cap_usd is None:
        _check_cones(RunView(events))


def _check_writes(world: World, disk: Disk, result: RunResult) -> None:
    """Everything is written once where its node is done, and never twice."""
    for i, node in enumerate(world.nodes):
        name = f"n{i}"
        times, record = disk.outside.count[name], result.nodes.get(NodeId(name))
        if times > 1:
            raise Violation(f"{name} was written {times} times")
        if node.writes and record is not None and record.state == "done" and times == 0:
            raise Violation(f"{name} is done and was never written")


def _check_retries(world: World, events: list[ev.AnyEvent]) -> None:
    """No rung fails more often at the same work than the route allows, but where a run that had ended goes on."""
    rungs: dict[tuple[str, int], tuple[str, str, str]] = {}
    failures = Counter[tuple[str, str, str]]()
    for event in events:
        if isinstance(event, ev.RunEnded):
            failures.clear()
        elif isinstance(event, ev.AttemptStarted):
            rungs[event.node_id, event.attempt] = (event.node_id, event.input_digest, event.rung)
        elif isinstance(event, ev.AttemptEnded) and event.failed is not None:
            work = rungs[event.node_id, event.attempt]
            failures[work] += 1
            if failures[work] > world.retry + 1:
                raise Violation(f"{event.node_id} failed {failures[work]} times on {work[2]!r}")


def _check_cones(view: RunView) -> None:
    """A node that did not run must have a failed one before it."""
    edges = _edges(view)
    for node_id, needs in edges.items():
        state = view.nodes[node_id].state
        before = {view.nodes[need].state for need in needs}
        if state == "pending" and not before & {"failed", "pending"}:
            raise Violation(f"{node_id} could have run and did not")
