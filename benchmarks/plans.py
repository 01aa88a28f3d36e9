"""Human plans on the product's own scheduler: is the makespan the critical path, and what does slack save?

Every plan runs on `graphs/schedule.py` with a clock that jumps. First with all nodes on the usual lane: the makespan
must be the plan's own gold figure. Then with nodes off the critical path on a cheaper, slower lane where their slack
allows: the makespan must be the same, and the money saved is printed. A second costs the same in every node.

The plans are those of AsyncHow, from github.com/fangru-lin/graph-llm-asynchow-plan, one JSON object a line:
`{"id", "seconds": {STEP: S}, "edges": [[BEFORE, AFTER], ...], "gold_makespan_s"}`, plain or gzipped.

    python -P benchmarks/plans.py --data FILE [--price 0.5] [--slower 2] [--deadline 1.0] [--json]
"""

import argparse
import asyncio
import json
import selectors
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from pydantic import BaseModel

from planloom.core.errors import ConfigError, Problem
from planloom.core.plan import Node, NodeId
from planloom.graphs.compile import compile_plan
from planloom.graphs.critical_path import timing
from planloom.graphs.lanes import Lane, assign
from planloom.graphs.lint import Facts
from planloom.graphs.schedule import Deps, Scheduler, Settled
from planloom.graphs.single import as_single
from planloom.state.recordings import read_lines

_TERMINALS = ("START", "END")
_SPAN_S = 1e5
"""Virtual seconds that all nodes of a plan take together: after some years a clock cannot tell moments apart."""


class Idle(selectors.SelectSelector):
    """A selector that never waits: it moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the clock to the next timer."""
        if timeout is None:
            raise RuntimeError("nothing can ever happen again: a task waits for ever")
        self.now += max(0.0, timeout)
        return []


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time jumps from one timer to the next."""

    def __init__(self) -> None:
        self._idle = Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        """Return the virtual time."""
        return self._idle.now


@dataclass(frozen=True)
class HumanPlan:
    """One plan of the data."""

    id: str
    deps: Deps
    seconds: Mapping[NodeId, float]
    gold_makespan_s: float


class Row(BaseModel):
    """A line of the data."""

    id: str
    seconds: dict[NodeId, float]
    edges: list[tuple[NodeId, NodeId]]
    gold_makespan_s: float


def read(path: Path) -> Iterable[HumanPlan]:
    """Yield the plans of a file.

    Raises:
        ConfigError: A line is no plan.
    """
    for number, row in read_lines(path):
        try:
            yield _plan(Row.model_validate(row))
        except ValueError as exc:
            raise ConfigError(str(path), [Problem(f"expected a plan: {exc}", line=number, column=1)]) from exc


def _plan(row: Row) -> HumanPlan:
    needs: dict[NodeId, set[NodeId]] = {step: set() for step in row.seconds}
    for before, after in row.edges:
        if before not in _TERMINALS and after not in _TERMINALS:
            if unknown := {before, after} - needs.keys():
                raise ValueError(f"edges name {', '.join(sorted(unknown))}, which seconds does not")
            needs[after].add(before)
    TopologicalSorter(needs).prepare()  # raises CycleError
    deps = {step: frozenset(found) for step, found in needs.items()}
    return HumanPlan(row.id, deps, row.seconds, row.gold_makespan_s)


def makespan(deps: Deps, seconds: Mapping[NodeId, float]) -> float:
    """Run a plan on the scheduler, each node asleep for its time, and return how long the whole took."""
    scale = _SPAN_S / (sum(seconds.values()) or 1.0)

    async def drive(node: Node) -> Settled:
        await asyncio.sleep(seconds[node.id] * scale)
        return Settled.DONE

    async def run() -> float:
        scheduler = Scheduler(drive)
        scheduler.grow([Node(id=node_id) for node_id in deps], deps)
        ended = await scheduler.run()
        assert set(ended.values()) <= {Settled.DONE}, ended
        return asyncio.get_running_loop().time() / scale

    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(run())


def workers_left(deps: Deps) -> int:
    """Return how many workers a plan has once those of a chain are one."""
    facts = Facts(inputs=frozenset(), tools={}, rungs=frozenset({"mini"}), max_nodes=len(deps), by_hand=False)
    name = {node_id: NodeId(f"step{node_id}") for node_id in deps}
    nodes = [
        Node(id=name[node_id], goal="Do it", needs=tuple(name[n] for n in needs)) for node_id, needs in deps.items()
    ]
    return len(as_single(compile_plan(nodes, None, facts), facts, asked=False).compiled.plan.nodes)


@dataclass(frozen=True)
class Tally:
    """What came of all plans."""

    plans: int
    nodes: int
    equal_to_gold: int
    sequential: int
    """Plans whose parallelism is under 1.05."""
    mean_parallelism: float
    one_worker: int
    """Plans that `planner: {single: auto}` makes one worker."""
    workers_left: int
    """Workers of all plans after that."""
    price: float
    slower: float
    deadline: float
    moved: int
    """Nodes on the cheap lane."""
    late: int
    """Plans that ended later than they may."""
    saved_share: float
    """Of the money of all plans together, a second costing the same everywhere."""
    mean_saved_share: float
    """The same for each plan, averaged."""
    differing: tuple[str, ...]
    """Ids of plans whose makespan is not the gold one."""


def measure(plans: Iterable[HumanPlan], *, price: float, slower: float, deadline: float) -> Tally:
    """Run every plan twice: all on the usual lane, and with the lanes that slack allows."""
    differing: list[str] = []
    shares: list[float] = []
    parallelism: list[float] = []
    nodes = moved = late = one_worker = workers = 0
    spent = saved = 0.0
    for plan in plans:
        base = makespan(plan.deps, plan.seconds)
        if abs(base - plan.gold_makespan_s) > 1e-9 * max(1.0, plan.gold_makespan_s):
            differing.append(plan.id)
        lanes = {
            node_id: (Lane(name="usual", seconds=s, cost=s), Lane(name="cheap", seconds=s * slower, cost=s * price))
            for node_id, s in plan.seconds.items()
        }
        chosen = assign(plan.deps, lanes, deadline_s=base * deadline)
        after = makespan(plan.deps, {node_id: lane.seconds for node_id, lane in chosen.items()})
        late += after > base * max(1.0, deadline) * (1 + 1e-9)
        cost = sum(plan.seconds.values())
        less = cost - sum(lane.cost for lane in chosen.values())
        moved += sum(lane.name == "cheap" for lane in chosen.values())
        nodes, spent, saved = nodes + len(plan.deps), spent + cost, saved + less
        shares.append(less / cost if cost else 0.0)
        parallelism.append(timing(plan.deps, plan.seconds).parallelism)
        left = workers_left(plan.deps)
        one_worker, workers = one_worker + (left == 1 < len(plan.deps)), workers + left
    count = len(shares)
    return Tally(
        plans=count,
        nodes=nodes,
        equal_to_gold=count - len(differing),
        sequential=sum(found < 1.05 for found in parallelism),
        mean_parallelism=round(sum(parallelism) / count, 4) if count else 0.0,
        one_worker=one_worker,
        workers_left=workers,
        price=price,
        slower=slower,
        deadline=deadline,
        moved=moved,
        late=late,
        saved_share=round(saved / spent, 4) if spent else 0.0,
        mean_saved_share=round(sum(shares) / count, 4) if count else 0.0,
        differing=tuple(differing[:20]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--price", type=float, default=0.5, help="of the cheap lane, as a share of the usual one")
    parser.add_argument("--slower", type=float, default=2.0, help="how many times as long the cheap lane takes")
    parser.add_argument("--deadline", type=float, default=1.0, help="as a multiple of the shortest makespan")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        tally = measure(read(args.data), price=args.price, slower=args.slower, deadline=args.deadline)
    except ConfigError as exc:
        parser.error(str(exc))
    if args.json:
        print(json.dumps(asdict(tally)))
        return
    print(f"{tally.plans} plans, {tally.nodes} nodes; parallelism {tally.mean_parallelism:.2f} on average")
    print(f"makespan equals the gold critical path in {tally.equal_to_gold} of {tally.plans}")
    print(f"{tally.sequential} plans are chains: one worker is as fast")
    print(f"single: auto makes {tally.one_worker} plans one worker, and leaves {tally.workers_left} of {tally.nodes}")
    lane = f"cheap lane at {tally.price:g} of the price, {tally.slower:g} times as long"
    print(f"{lane}, deadline {tally.deadline:g}:")
    print(f"{tally.moved} nodes moved, {tally.late} plans late")
    print(f"saved {tally.saved_share:.1%} of all money, {tally.mean_saved_share:.1%} of a plan's on average")


if __name__ == "__main__":
    main()
