"""The timing of a plan: when each node can start, which must not be late, and how much the others may."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from planloom.core.plan import NodeId
from planloom.graphs.schedule import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A plan as it runs when every node starts the moment its needs are done. All times in seconds from the start."""

    start: Mapping[NodeId, float]
    finish: Mapping[NodeId, float]
    slack: Mapping[NodeId, float]
    """How much later each node may end while the plan as a whole ends as it would."""
    path: tuple[NodeId, ...]
    """The critical path, first node first: the chain that the makespan consists of."""
    makespan_s: float
    work_s: float
    """All durations together: what one worker alone would take."""

    @property
    def parallelism(self) -> float:
        """How many workers the plan keeps busy on average; 1 for a plan that is a chain."""
        return self.work_s / self.makespan_s if self.makespan_s else 1.0


def timing(deps: Deps, durations: Mapping[NodeId, float]) -> Timing:
    """Work out the timing of a plan; an edge to a node that is not there counts for nothing.

    Raises:
        graphlib.CycleError: The plan goes round in a circle.
    """
    needs = {node_id: [need for need in sorted(found) if need in deps] for node_id, found in deps.items()}
    order = list(TopologicalSorter(needs).static_order())
    start: dict[NodeId, float] = {}
    finish: dict[NodeId, float] = {}
    for node_id in order:
        start[node_id] = max((finish[need] for need in needs[node_id]), default=0.0)
        finish[node_id] = start[node_id] + durations.get(node_id, 0.0)
    makespan = max(finish.values(), default=0.0)
    latest = dict.fromkeys(order, makespan)
    for node_id in reversed(order):
        for need in needs[node_id]:
            latest[need] = min(latest[need], latest[node_id] - durations.get(node_id, 0.0))
    return Timing(
        start=start,
        finish=finish,
        slack={node_id: max(0.0, latest[node_id] - finish[node_id]) for node_id in deps},
        path=_path(needs, finish),
        makespan_s=makespan,
        work_s=sum(durations.get(node_id, 0.0) for node_id in deps),
    )


def _path(needs: Mapping[NodeId, list[NodeId]], finish: Mapping[NodeId, float]) -> tuple[NodeId, ...]:
    at = max(finish, key=lambda node_id: finish[node_id], default=None)
    path: list[NodeId] = []
    while at is not None:
        path.append(at)
        at = max(needs[at], key=lambda node_id: finish[node_id], default=None)
    return tuple(reversed(path))
