"""Which nodes of a plan start on a cheaper lane, from what past runs took."""

from collections.abc import Mapping

from planloom.configs.spec import WorkflowSpec
from planloom.core.plan import Node, NodeId, Plan
from planloom.graphs.history import History, Usual
from planloom.graphs.lanes import Lane, assign
from planloom.graphs.lint import dependencies
from planloom.graphs.progress import ladder_of
from planloom.models.prices import Price


def side_lanes(
    plan: Plan, spec: WorkflowSpec, history: History, prices: Mapping[str, Price | None]
) -> dict[NodeId, str]:
    """Return the rung of each node that starts on a lane beside its usual rung; empty while not every time is known.

    Args:
        plan: The plan in force.
        spec: Its workflow, whose `route.lanes` names the lanes.
        history: What attempts took before.
        prices: By rung.
    """
    lanes: dict[NodeId, tuple[Lane, ...]] = {}
    for node in plan.nodes.values():
        climb, start = ladder_of(node, spec.rungs)
        rung = climb[start] if climb else ""
        usual = history.usual(node, rung)
        if usual is None:
            return {}  # without its time nobody knows what is critical
        lanes[node.id] = (
            Lane(name=rung, seconds=usual.seconds, cost=usual.cost_usd),
            *_beside(node, rung, spec, usual, prices),
        )
    chosen = assign({node.id: dependencies(node) for node in plan.nodes.values()}, lanes)
    return {node_id: lane.name for node_id, lane in chosen.items() if lane is not lanes[node_id][0]}


def _beside(
    node: Node, rung: str, spec: WorkflowSpec, usual: Usual, prices: Mapping[str, Price | None]
) -> tuple[Lane, ...]:
    lane = spec.route.lanes.get(rung)
    price, less = prices.get(rung), prices.get(lane.use) if lane else None
    if lane is None or price is None or less is None or node.effect == "write":
        return ()
    share = (less.input + less.output) / (price.input + price.output) if price.input + price.output else 1.0
    return (Lane(name=lane.use, seconds=usual.seconds * lane.slower, cost=usual.cost_usd * share),)
