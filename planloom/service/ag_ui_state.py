"""A run as the state that an AG-UI client shares: its nodes and how each stands, without what they made."""

from collections import Counter

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.plan import NodeId
from planloom.core.result import NodeState
from planloom.core.view import RunView
from planloom.service.record import node_json

Patch = list[Json]


class SharedState:
    """Folds events into the state. Elements of a map are counted at their node, so that the state stays small."""

    def __init__(self) -> None:
        self.view = RunView()
        self.document: JsonObject = {}
        self._graph: dict[NodeId, JsonObject] = {}
        self._elements: dict[NodeId, Counter[NodeState]] = {}
        self._seen: dict[NodeId, NodeState] = {}

    def apply(self, event: ev.AnyEvent) -> Patch:
        """Take one event in, and return how it changes the document, as JSON Patch (RFC 6902)."""
        self.view.apply(event)
        before = self.document
        self.document = {**self._head(), "nodes": self._nodes(event, before.get("nodes"))}
        return patch_of(before, self.document)

    def _head(self) -> JsonObject:
        view = self.view
        pending: JsonObject = {
            str(item.node_id or "plan"): {"kind": item.kind, "reason": item.reason} for item in view.pending.values()
        }
        return {
            "run_id": view.run_id,
            "workflow": view.name,
            "status": view.status,
            "plan_version": view.plan.version if view.plan else 0,
            "cost_usd": view.cost_usd,
            "pending": pending,
        }

    def _nodes(self, event: ev.AnyEvent, before: Json) -> JsonObject:
        node_id = getattr(event, "node_id", None)
        if isinstance(node_id, str) and isinstance(before, dict):  # all others stand as they stood
            self._count(NodeId(node_id))
            base = NodeId(node_id.partition("[")[0])
            return {**before, base: self._node(base)} if base in self._graph else before
        if isinstance(event, ev.PlanReady):
            self._graph = {name: node_json(node) for name, node in event.plan.nodes.items()}
        elif isinstance(event, ev.NodePlanned):
            self._graph[event.node.id] = node_json(event.node)
        for name in self.view.nodes:
            self._count(name)
        return {name: self._node(name) for name in self._graph}

    def _count(self, node_id: NodeId) -> None:
        base, element, _ = node_id.partition("[")
        if not element or node_id not in self.view.nodes:
            return
        counts, state = self._elements.setdefault(NodeId(base), Counter()), self.view.nodes[node_id].state
        if node_id in self._seen:
            counts[self._seen[node_id]] -= 1
        counts[state] += 1
        self._seen[node_id] = state

    def _node(self, node_id: NodeId) -> JsonObject:
        seen = self.view.node(node_id)
        counts = self._elements.get(node_id, Counter[NodeState]())
        elements: JsonObject = {state: count for state, count in counts.items() if count}
        return {
            **self._graph[node_id],
            "state": seen.state,
            "reason": seen.reason,
            "attempts": len(seen.attempts),
            "rung": seen.attempts[-1].rung if seen.attempts else "",
            "elements": elements,
        }


def patch_of(before: Json, after: Json, pointer: str = "") -> Patch:
    """Return the JSON Patch from one value to another; a list that differs is replaced whole."""
    if before == after:
        return []
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [{"op": "replace", "path": pointer, "value": after}]
    patch: Patch = [{"op": "remove", "path": _below(pointer, key)} for key in before if key not in after]
    for key, value in after.items():
        if key in before:
            patch += patch_of(before[key], value, _below(pointer, key))
        else:
            patch.append({"op": "add", "path": _below(pointer, key), "value": value})
    return patch


def _below(pointer: str, key: str) -> str:
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
