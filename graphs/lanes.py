"""Which nodes of a plan may go to a slower, cheaper lane without the plan as a whole ending later."""

from collections.abc import Mapping
from dataclasses import dataclass

from planloom.core.plan import NodeId
from planloom.graphs.critical_path import timing
from planloom.graphs.schedule import Deps

_HAIR_S = 1e-9
_MOST_NODES = 2000
"""Beyond these, looking at the whole plan for each node takes longer than it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One way to have a node done."""

    name: str
    seconds: float
    cost: float
    """In any unit, the same for all lanes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLane:
    """Where a node starts in place of its usual rung."""

    rung: str
    start_by: float
    """Seconds since the epoch: what becomes ready later than this stays on its usual rung."""


def assign(
    deps: Deps, lanes: Mapping[NodeId, tuple[Lane, ...]], *, deadline_s: float | None = None
) -> dict[NodeId, Lane]:
    """Return the lane of each node, from the first one named, which is the usual one, to a cheaper where time allows.

    The plan ends no later than with everybody on the first lane, or than the deadline where that is later. The move
    that saves most for each second of slack is made first; this is a rule of thumb, and no optimum.

    Args:
        deps: For each node those it waits for.
        lanes: The lanes of each node, the usual one first; a node without lanes takes no time.
        deadline_s: Seconds from the start in which the plan may end; `None` is as soon as it can.
    """
    chosen = {node_id: found[0] for node_id, found in lanes.items() if found}
    now = timing(deps, _durations(chosen))
    if len(chosen) > _MOST_NODES:
        return chosen
    spare = max(0.0, (deadline_s or 0.0) - now.makespan_s)
    moves = [
        (-(found[0].cost - lane.cost) / max(lane.seconds - found[0].seconds, _HAIR_S), node_id, lane)
        for node_id, found in ((node_id, found) for node_id, found in lanes.items() if found)
        for lane in found[1:]
        if lane.cost < found[0].cost
    ]
    moves.sort(key=lambda move: move[:2])  # lanes have no order of their own
    limit = now.makespan_s + spare
    for _, node_id, lane in moves:
        before = chosen[node_id]
        room = now.slack[node_id] + limit - now.makespan_s
        if lane.cost >= before.cost or lane.seconds - before.seconds > room + _HAIR_S:
            continue
        chosen[node_id] = lane
        now = timing(deps, _durations(chosen))
    return chosen


def _durations(chosen: Mapping[NodeId, Lane]) -> dict[NodeId, float]:
    return {node_id: lane.seconds for node_id, lane in chosen.items()}
