"""From a workflow, or from a run, to the picture that is drawn of it."""

from typing import TYPE_CHECKING

from planloom.cli.draw import Card, Picture
from planloom.cli.live import totals
from planloom.cli.order import edges_of, goal_of, planned
from planloom.cli.rows import Row, table
from planloom.cli.words import count_range, seconds, usd
from planloom.configs.spec import WorkflowSpec
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView

if TYPE_CHECKING:
    from planloom.graphs.estimate import Checked


def of_run(view: RunView, now: float) -> Picture:
    """Draw a run as it stands at `now`, seconds since the epoch."""
    nodes = planned(view)
    rows = {row.id: row for row in table(view, now).rows}
    facts = [view.status, totals(view, now).plain.strip(), "REHEARSAL" if view.rehearsal else ""]
    return Picture(
        title=view.name or view.run_id,
        subtitle=" · ".join(part for part in [view.run_id, *facts] if part),
        cards={node_id: _ran(node, rows.get(node_id)) for node_id, node in nodes.items()},
        edges=edges_of(nodes),
    )


def _ran(node: Node, row: Row | None) -> Card:
    if row is None:
        return _card(node, "", mapped=node.map is not None)
    facts = [
        f"{row.done}/{row.total}" if row.total is not None else "",
        row.rung + (f" ×{row.attempts}" if row.attempts > 1 and row.total is None else ""),
        seconds(row.seconds),
        usd(row.cost_usd) if row.cost_usd else "",
    ]
    line = " · ".join(part for part in facts if part) or row.state
    return Card(
        id=node.id,
        kind=node.kind,
        goal=goal_of(node),
        facts=line,
        state=row.state,
        mapped=node.map is not None,
    )


def of_plan(spec: WorkflowSpec, checked: "Checked") -> Picture:
    """Draw a plan before it runs; where the planner writes it, the planner is all there is to draw."""
    if checked.plan is None:
        return _unplanned(spec)
    cards: dict[NodeId, Card] = {}
    for node_id, node in checked.plan.nodes.items():
        estimate = checked.estimates.get(node_id)
        facts = ""
        if estimate and estimate.rung:
            facts = f"{estimate.rung} · {count_range(estimate.calls_low, estimate.calls_high)} calls"
        cards[node_id] = _card(node, facts, mapped=node.map is not None)
    return Picture(title=spec.name, subtitle=spec.description, cards=cards, edges=checked.edges)


def _card(node: Node, facts: str, *, mapped: bool) -> Card:
    return Card(id=node.id, kind=node.kind, goal=goal_of(node), facts=facts, mapped=mapped)


def _unplanned(spec: WorkflowSpec) -> Picture:
    planner, work = NodeId("planner"), NodeId("nodes")
    tools = ", ".join(spec.tools) or "no tools"
    at_most = f"at most {spec.planner.max_nodes} nodes"
    cards = {
        planner: Card(id=planner, kind="worker", goal="writes the plan", facts=spec.planner_rung or ""),
        work: Card(id=work, kind="worker", goal=f"{at_most}, with {tools}", facts=" → ".join(spec.rungs)),
    }
    edges = {planner: frozenset[NodeId](), work: frozenset({planner})}
    return Picture(title=spec.name, subtitle=spec.description, cards=cards, edges=edges)
