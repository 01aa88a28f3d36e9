"""A run as rows: one row a node of the plan, with the elements of a map folded into it."""

from collections.abc import Iterable
from dataclasses import dataclass

from planloom.cli.order import Edges, edges_of, goal_of, in_order, planned
from planloom.core.node_view import NodeView
from planloom.core.plan import NodeId
from planloom.core.result import NodeState
from planloom.core.view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One node as it is shown."""

    id: NodeId
    state: NodeState
    rung: str
    model: str
    attempts: int
    """Attempts of the node, or of the elements of a map together."""
    seconds: float | None
    """Since it started, or from start to end; `None` when it has not started."""
    cost_usd: float
    done: int
    """Elements of a map that are done."""
    broken: int
    """Elements of a map that failed."""
    total: int | None
    """Elements of a map; `None` for a plain node."""
    note: str
    """Why it is where it is; the goal when there is nothing to say."""

    @property
    def name(self) -> str:
        """Id, and for a map how far it is."""
        if self.total is None:
            return self.id
        return f"{self.id} {self.done}/{self.total}"


def base_of(node_id: NodeId) -> NodeId:
    """Return the node that `map[3]` is an element of; a plain node is its own base."""
    return NodeId(node_id.partition("[")[0])


@dataclass(frozen=True, slots=True)
class Table:
    """All rows in dependency order, and the edges between them."""

    rows: tuple[Row, ...]
    edges: Edges


def table(view: RunView, now: float, *, removed: bool = False) -> Table:
    """Fold a run into rows as they stand at `now`, seconds since the epoch.

    Nodes that a replan took out are left away, unless `removed` keeps them at the end.
    """
    nodes = planned(view)
    edges = edges_of(nodes)
    elements: dict[NodeId, list[NodeView]] = {}
    for node_id, node in view.nodes.items():
        if (base := base_of(node_id)) != node_id:
            elements.setdefault(base, []).append(node)
    order = [node_id for node_id in in_order(edges, edges) if node_id in view.nodes]
    known = set(order)
    rest = [n for n in view.nodes if n not in known and base_of(n) == n]
    if not removed:
        rest = [n for n in rest if view.nodes[n].state != "removed"]
    words = _last_words(view)
    goals = {n: goal_of(node) for n, node in nodes.items()}
    rows = (_row(view.nodes[n], elements.get(n, []), words.get(n, ""), goals.get(n, ""), now) for n in [*order, *rest])
    return Table(tuple(rows), edges)


def _last_words(view: RunView) -> dict[NodeId, str]:
    return {base_of(decision.node_id): f"{decision.action}: {decision.reason}" for decision in view.decisions}


def _row(node: NodeView, elements: list[NodeView], decided: str, goal: str, now: float) -> Row:
    parts = [node, *elements]
    attempts = [attempt for part in parts for attempt in part.attempts]
    latest = max(attempts, key=lambda attempt: attempt.started_at, default=None)
    return Row(
        id=node.id,
        state=_state(node, elements),
        rung=latest.rung if latest else "",
        model=latest.model if latest else "",
        attempts=len(attempts),
        seconds=_seconds(node, now),
        cost_usd=sum(part.cost_usd for part in parts),
        done=_count(elements, "done"),
        broken=_count(elements, "failed"),
        total=node.elements,
        note=_note(node, elements, decided) or goal or node.goal,
    )


def _state(node: NodeView, elements: list[NodeView]) -> NodeState:
    if node.state in ("pending", "running") and any(part.state == "held" for part in elements):
        return "held"
    return node.state


def _seconds(node: NodeView, now: float) -> float | None:
    if node.attempts:
        return sum(max(0.0, (now if a.ended_at is None else a.ended_at) - a.started_at) for a in node.attempts)
    if node.started_at is None:
        return None
    end = node.ended_at if node.ended_at is not None and node.state != "running" else now
    return max(0.0, end - node.started_at)


def _count(parts: Iterable[NodeView], state: NodeState) -> int:
    return sum(part.state == state for part in parts)


def _note(node: NodeView, elements: list[NodeView], decided: str) -> str:
    if node.reason and node.state in ("failed", "skipped", "held"):
        return node.reason
    if node.state == "running" and decided:
        return decided
    if broken := [part for part in elements if part.state in ("failed", "held")]:
        return f"{broken[0].id}: {broken[0].reason}"
    if node.reused:
        return "unchanged, kept from an earlier plan"
    return ""
