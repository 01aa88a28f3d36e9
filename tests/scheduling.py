"""What the tests of the scheduler share: graphs as text, drives that can be told how to end, and an oracle."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from planloom.core.plan import Effect, Node, NodeId
from planloom.graphs.schedule import Deps, Scheduler, Settled

DONE, SKIPPED, FAILED, HELD = Settled.DONE, Settled.SKIPPED, Settled.FAILED, Settled.HELD
Graph = Mapping[str, Iterable[str]]


def node(name: str, goal: str = "", effect: Effect = "pure") -> Node:
    return Node(id=NodeId(name), goal=goal, effect=effect)


def nodes_of(graph: Graph, **goals: str) -> list[Node]:
    return [node(name, goals.get(name, "")) for name in graph]


def deps_of(graph: Graph) -> Deps:
    return {NodeId(name): frozenset(NodeId(need) for need in needs) for name, needs in graph.items()}


@dataclass
class Drives:
    """Drives nodes: ends them as told, or waits for a gate; keeps what happened in order."""

    ends: Mapping[str, Settled] = field(default_factory=dict[str, Settled])
    pauses: Mapping[str, int] = field(default_factory=dict[str, int])
    gates: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    started: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])

    def gate(self, *names: str) -> None:
        for name in names:
            self.gates[name] = asyncio.Event()
            self.started[name] = asyncio.Event()

    async def __call__(self, item: Node) -> Settled:
        name = str(item.id)
        self.log.append(("start", f"{name}{item.goal}"))
        try:
            if name in self.gates:
                self.started[name].set()
                await self.gates[name].wait()
            for _ in range(self.pauses.get(name, 0)):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.log.append(("cancel", f"{name}{item.goal}"))
            raise
        self.log.append(("end", f"{name}{item.goal}"))
        return self.ends.get(name, DONE)

    def starts(self) -> list[str]:
        return [name for what, name in self.log if what == "start"]


async def idle() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def play(graph: Graph, drives: Drives) -> dict[NodeId, Settled | None]:
    scheduler = Scheduler(drives)
    scheduler.grow(nodes_of(graph), deps_of(graph))
    async with asyncio.timeout(60):
        return await scheduler.run()


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{number}" for number in range(draw(st.integers(0, 12)))]
    graph = {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=4)) if place else []
        for place, name in enumerate(names)
    }
    order = draw(st.permutations(names))
    return {name: graph[name] for name in order}


ENDS = st.dictionaries(st.integers(0, 11).map("n{}".format), st.sampled_from(list(Settled)), max_size=5)
PAUSES = st.dictionaries(st.integers(0, 11).map("n{}".format), st.integers(0, 6))


def expected(graph: Graph, ends: Mapping[str, Settled]) -> dict[str, Settled | None]:
    """How every node ends, worked out without a scheduler."""
    found: dict[str, Settled | None] = {}

    def end(name: str) -> Settled | None:
        if name not in found:
            passed = all(end(need) in (DONE, SKIPPED) for need in graph[name])
            found[name] = ends.get(name, DONE) if passed else None
        return found[name]

    for name in graph:
        end(name)
    return found
