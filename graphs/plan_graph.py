"""A plan as a graph of what it does: two planners mean the same plan when these graphs are equal.

What a planner is free to choose does not count: ids of nodes, names under `with` that only a model or code reads, names
of an output's properties, the order in which things are written, the wording of goals, code, phrases and checks, and
how a node is run (`model`, `effort`, limits). What counts is what the run would do: which nodes there are (kind, tool
and grants, effect, approval, kinds of checks, types of the output, condition), what flows where, and what the run
returns. Of literals, numbers and single words count by value, and so does all that steers a tool (`Tool.controls`).

Where it errs, it errs on the side of "different": that costs one more plan, the other error a wrong one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.json import Json, JsonObject, canonical, digest
from planloom.core.plan import Node, NodeId, Plan
from planloom.core.refs import Ref, Step, find_refs, pieces, whole_ref
from planloom.graphs.compile import sinks
from planloom.graphs.condition import numbered
from planloom.graphs.labelled import Edge, Labelled
from planloom.graphs.lint import dependencies
from planloom.graphs.shapes import is_wrapper, shape_of, step_into
from planloom.tools.base import Tool

_OUTPUT = "the run's output"


def plan_graph(plan: Plan, tools: Mapping[str, tuple[Tool, ...]]) -> Labelled:
    """Return the graph of a plan that has passed the compiler.

    Args:
        plan: The plan.
        tools: Operations by every name that a grant may use.
    """
    return _Reading(plan, tools).graph()


def differences(one: Plan, other: Plan, tools: Mapping[str, tuple[Tool, ...]]) -> str:
    """Say what the second of two plans would do otherwise, by its nodes."""
    mine, theirs = (Counter(_nodes(plan, tools)) for plan in (one, other))
    parts = [("has", theirs - mine), ("lacks", mine - theirs)]
    told = [f"{verb} {', '.join(sorted(what for what, _ in found.elements()))}" for verb, found in parts if found]
    return " and ".join(told) or "has the same nodes, joined in another way"


def _nodes(plan: Plan, tools: Mapping[str, tuple[Tool, ...]]) -> list[tuple[str, str]]:
    """Return each node in words, with what it is."""
    labels = plan_graph(plan, tools).labels
    return [(_described(node), digest(labels[_vertex(node.id)])) for node in plan.nodes.values()]


def _described(node: Node) -> str:
    tools = node.tool or ", ".join(sorted(grant.tool for grant in node.tools))
    return f"{node.kind} {tools}".strip() + (" per element" if node.map is not None else "")


class _Reading:
    """One plan being read."""

    def __init__(self, plan: Plan, tools: Mapping[str, tuple[Tool, ...]]) -> None:
        self._plan, self._tools = plan, tools
        self._deps = {node.id: dependencies(node) for node in plan.nodes.values()}
        self._labels: dict[str, Json] = {}
        self._edges: list[Edge] = []

    def graph(self) -> Labelled:
        for node in self._plan.nodes.values():
            self._labels[_vertex(node.id)] = self._label(node)
        self._labels[_OUTPUT] = "output"
        for node in self._plan.nodes.values():
            for role, ref in self._reads(node):
                self._edge(ref, node, _vertex(node.id), role)
            for need in self._order_only(node):
                self._edges.append(Edge(_vertex(need), _vertex(node.id), "needs"))
        for ref in self._results():
            self._edge(ref, None, _OUTPUT, "result")
        return Labelled(self._labels, self._edges)

    def _label(self, node: Node) -> Json:
        grants: list[Json] = [
            [grant.tool, {name: self._literal(value, grant.tool, name) for name, value in grant.args.items()}]
            for grant in node.tools
        ]
        given: JsonObject = {name: self._literal(value, node.tool or "", name) for name, value in node.inputs.items()}
        said: list[Json] = sorted((value for value in given.values() if value not in _UNSAID), key=canonical)
        checks: list[Json] = [*sorted({_kind(check) for check in node.checks} | ({"agree"} if node.agree else set()))]
        return {
            "kind": [node.kind, node.tool],
            "grants": sorted(grants, key=canonical),
            "given": said if node.tool is None else given,
            "map": self._literal(node.map),
            "when": numbered(node.when)[0] if node.when is not None else None,
            "on_skip": node.on_skip,
            "output": None if node.kind == "tool" else shape_of(_schema(node)),
            "checks": checks,
            "effect": node.effect,
            "approve": node.approve,
            "remember": bool(node.remember),
        }

    def _literal(self, value: Json, tool: str = "", name: str = "") -> Json:
        """Return what a literal says: single words by value, phrases only where they steer the tool they go to."""
        if isinstance(value, list):
            return [self._literal(item, tool, name) for item in value]
        if isinstance(value, dict):
            return {key: self._literal(item, tool, name) for key, item in value.items()}
        if isinstance(value, str):
            steers = any(name in each.controls for each in self._tools.get(tool, ()))
            return _words(value, steers=steers)
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def _reads(self, node: Node) -> Iterator[tuple[str, Ref]]:
        """Yield each reference of a node with the role it has there; names count where a tool has given them."""
        for field, ref in find_refs(dict(node.inputs), "with"):
            yield field if node.tool is not None else "given", ref
        for _, ref in find_refs(node.goal) if node.kind in ("worker", "panel") else ():
            yield "given", ref
        for grant in node.tools:
            for field, ref in find_refs(dict(grant.args), f"grant {grant.tool}"):
                yield field, ref
        for _, ref in find_refs(node.map):
            yield "map", ref
        if node.when is not None:
            for place, ref in enumerate(numbered(node.when)[1]):
                yield f"when {place}", ref

    def _order_only(self, node: Node) -> Iterator[NodeId]:
        """Yield the needs that do not follow from what flows, or from each other."""
        flows = {ref.node_id for _, ref in self._reads(node) if ref.node_id is not None}
        for need in node.needs:
            if need not in flows and need not in self._ahead(self._deps[node.id] - {need}):
                yield need

    def _ahead(self, nodes: frozenset[NodeId]) -> set[NodeId]:
        """Return nodes with all that comes before them."""
        found: set[NodeId] = set()
        left = list(nodes)
        while left:
            if (node_id := left.pop()) not in found:
                found.add(node_id)
                left += self._deps[node_id]
        return found

    def _results(self) -> Iterator[Ref]:
        if self._plan.output is not None:
            yield from (ref for _, ref in find_refs(self._plan.output))
            return
        for node_id in sinks(self._plan.nodes, self._deps):
            yield Ref("nodes", (), node_id, node_id)

    def _edge(self, ref: Ref, reader: Node | None, target: str, role: str) -> None:
        """Add what a reference reads, and an edge from there."""
        if ref.root in ("item", "index") and reader is not None:
            if ref.root == "index" or (over := whole_ref(reader.map)) is None:
                role = f"{role} {ref.root}{_as_written(ref.path)}"
                self._labels.setdefault("element", "element")
                self._edges.append(Edge("element", target, role))
                return
            ref = Ref(over.root, (*over.path, 0, *ref.path), over.text, over.node_id)
            role = f"{role} of an element"
        if ref.node_id is None:
            source = f"inputs{_as_written(ref.path)}"
            self._labels[source] = source
        else:
            source, named = self._part(self._plan.nodes[ref.node_id], ref.path)
            role = f"{role} {named}" if role.startswith(("with", "grant")) else role
        self._edges.append(Edge(source, target, role))

    def _part(self, node: Node, path: tuple[Step, ...]) -> tuple[str, str]:
        """Return the vertex of a part of an output, and the names in it that a tool would see."""
        owner = _vertex(node.id)
        if node.kind == "tool":
            own: Json = _as_written(path)
            steps, names = path, ""
        else:
            schema: Json = {"type": "array", "items": _schema(node)} if node.map is not None else _schema(node)
            steps = ()
            for step in path:
                steps = steps if is_wrapper(schema) else (*steps, step)
                schema = step_into(schema, step)
            own = [shape_of(schema), len(steps), [step for step in steps if isinstance(step, int)]]
            names = canonical(shape_of(schema, names=True))
        if not steps:
            return owner, names
        vertex = f"{owner}{_as_written(steps)}"
        self._labels[vertex] = ["part", own]
        self._edges.append(Edge(owner, vertex, "has"))
        return vertex, names


_UNSAID: tuple[Json, ...] = ("a reference", "text")
"""Literals of which only the type is known: how a model is told what it is told."""


def _vertex(node_id: NodeId) -> str:
    return f"node {node_id}"


def _as_written(path: tuple[Step, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _schema(node: Node) -> Json:
    if node.output is not None:
        return dict(node.output)
    return {"type": "string"} if node.kind in ("worker", "panel") else {}


def _words(text: str, *, steers: bool) -> Json:
    if whole_ref(text) is not None:
        return "a reference"
    parts = [part.split() for part in pieces(text)[::2]]
    said = [" ".join(part) for part in parts if part]
    if steers or (len(parts) == 1 and len(parts[0]) == 1):
        return ["says", *said]
    return "text"


def _kind(check: Check) -> str:
    match check:
        case ExprCheck():
            return "expr"
        case RegexCheck():
            return "regex"
        case TextCheck(text=name):
            return f"text {name}"
        case FunctionCheck(ref=ref):
            return f"ref {ref}"
        case CodeCheck():
            return "code"
        case JudgeCheck():
            return "judge"
