"""The compiler: from nodes to a plan that may run, or typed findings for whoever wrote it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from planloom.core.errors import PlanError
from planloom.core.expr import ExprError
from planloom.core.json import Json
from planloom.core.plan import Finding, Node, NodeId, Plan
from planloom.core.refs import Ref, RefError, Step, find_refs
from planloom.graphs.lint import Facts, dependencies, did_you_mean, effect_of, lint_node, references
from planloom.graphs.taint import Labels, flow_findings

_OPEN_ENDED = {"$ref", "allOf", "anyOf", "oneOf", "patternProperties"}
"""Keywords that may say more about an object than its `properties` do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A plan that may run, its derived edges and what is odd about it."""

    plan: Plan
    deps: Mapping[NodeId, frozenset[NodeId]]
    """For each node, the nodes that must settle before it starts."""
    warnings: tuple[Finding, ...]


def finish(node: Node, facts: Facts) -> Node:
    """Write into the node what follows from its grants: its true effect, and whether it needs approval."""
    effect = effect_of(node, facts)
    approve = node.approve or (facts.hold_writes and effect == "write")
    if effect == node.effect and approve == node.approve:
        return node
    return replace(node, effect=effect, approve=approve)


def compile_plan(
    nodes: Iterable[Node],
    output: Json,
    facts: Facts,
    *,
    version: int = 1,
    done: Mapping[NodeId, Node] | None = None,
) -> Compiled:
    """Check nodes as a whole plan.

    Args:
        nodes: All nodes of the plan, in the order they should be shown.
        output: Template of the run's output.
        facts: What the plan may refer to.
        version: Number of this version, counted from 1.
        done: Nodes whose output is committed; they may not change.

    Raises:
        PlanError: The plan must not run; every finding is in it.
    """
    by_id = {node.id: finish(node, facts) for node in nodes}
    findings = [finding for node in by_id.values() for finding in lint_node(node, facts)]
    findings += _lint_size(by_id, facts)
    findings += _lint_done(by_id, done or {})
    deps: dict[NodeId, frozenset[NodeId]] = {}
    for node in by_id.values():
        try:
            deps[node.id] = dependencies(node)
        except (RefError, ExprError):
            deps[node.id] = frozenset()
    findings += _lint_edges(by_id, deps)
    findings += _lint_output(by_id, output, facts)
    findings += _lint_cycle(by_id, deps)
    if fatal := [finding for finding in findings if finding.fatal]:
        raise PlanError(fatal)
    labels = Labels(by_id, facts.tools, facts.untrusted_inputs, untrusted_memory=facts.untrusted_memory)
    granting = by_id.keys() - facts.by_planner if facts.by_hand else frozenset[NodeId]()
    told = flow_findings(by_id.values(), labels, facts.tools, granting=granting)
    warnings = [*findings, *_lint_unread(by_id, deps, output), *told]
    return Compiled(plan=Plan(version=version, nodes=by_id, output=output), deps=deps, warnings=tuple(warnings))


def _lint_size(nodes: Mapping[NodeId, Node], facts: Facts) -> Iterator[Finding]:
    if not nodes:
        yield Finding(code="empty_plan", message="the plan has no nodes")
    if len(nodes) > facts.max_nodes:
        yield Finding(code="too_many_nodes", message=f"{len(nodes)} nodes; at most {facts.max_nodes} are allowed")


def _lint_done(nodes: Mapping[NodeId, Node], done: Mapping[NodeId, Node]) -> Iterator[Finding]:
    for node_id, before in done.items():
        after = nodes.get(node_id)
        if after is not None and after.digest != before.digest:
            message = "this node is done and its result is kept; use another id for other work"
            yield Finding(code="id_reused", node_id=node_id, message=message)


def _lint_edges(nodes: Mapping[NodeId, Node], deps: Mapping[NodeId, frozenset[NodeId]]) -> Iterator[Finding]:
    for node in nodes.values():
        named: set[NodeId] = set()
        try:
            for field, ref in references(node):
                if ref.node_id is None:
                    continue
                named.add(ref.node_id)
                yield from _lint_ref(nodes, ref, node.id, field)
        except RefError:
            continue
        for index, need in enumerate(node.needs):
            if need not in nodes:
                yield _unknown_node(need, nodes, node.id, f"needs[{index}]")
        for missing in deps[node.id] - named - set(node.needs) - nodes.keys():
            yield _unknown_node(missing, nodes, node.id, "when")


def _unknown_node(name: NodeId, nodes: Mapping[NodeId, Node], owner: NodeId | None, field: str) -> Finding:
    hint = did_you_mean(name, frozenset(str(node_id) for node_id in nodes))
    return Finding(code="unknown_node", node_id=owner, field=field, message=f"no node {name!r}{hint}")


def _lint_ref(nodes: Mapping[NodeId, Node], ref: Ref, owner: NodeId | None, field: str) -> Iterator[Finding]:
    """Check that the node is there and that the path can exist in its declared output."""
    target = nodes.get(ref.node_id) if ref.node_id else None
    if ref.node_id and target is None:
        yield _unknown_node(ref.node_id, nodes, owner, field)
        return
    if target is None or (target.kind in ("tool", "code") and target.output is None):
        return
    text: Json = {"type": "string"}
    schema = dict(target.output) if target.output is not None else text
    path = ref.path
    if target.map is not None:
        if path and not isinstance(path[0], int):
            message = f"{target.id!r} is a map, so its output is a list; {path[0]!r} needs an index before it"
            yield Finding(code="schema_mismatch", node_id=owner, field=field, message=message)
            return
        path = path[1:]
    problem = _misfit(schema, path)
    if problem:
        message = f"${{{ref.text}}} does not fit the output of {target.id!r}: {problem}"
        yield Finding(code="schema_mismatch", node_id=owner, field=field, message=message)


def _misfit(schema: Json, path: tuple[Step, ...]) -> str:
    """Say why a path cannot exist in values of a schema; empty when it can."""
    for step in path:
        if not isinstance(schema, dict):
            return ""
        kind = schema.get("type")
        if isinstance(kind, str) and kind not in ("object", "array"):
            return f"{kind} has no {step!r}"
        if _OPEN_ENDED & set(schema):
            return ""
        if isinstance(step, int) and kind != "object":
            schema = schema.get("items", True)
            continue
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return f"an array has no {step!r}" if kind == "array" else ""
        if str(step) not in properties and schema.get("additionalProperties", False) is False:
            return f"no property {step!r}; it has {', '.join(properties) or 'none'}"
        schema = properties.get(str(step), True)
    return ""


def _lint_output(nodes: Mapping[NodeId, Node], output: Json, facts: Facts) -> Iterator[Finding]:
    try:
        refs = list(find_refs(output, "output"))
    except RefError as exc:
        yield Finding(code="bad_expression", field="output", message=str(exc))
        return
    for field, ref in refs:
        if ref.root == "inputs" and ref.path[0] not in facts.inputs:
            hint = did_you_mean(str(ref.path[0]), facts.inputs)
            yield Finding(code="unknown_input", field=field, message=f"no input {ref.path[0]!r}{hint}")
        elif ref.root in ("item", "index"):
            yield Finding(code="bad_expression", field=field, message=f"${{{ref.text}}} has no meaning here")
        else:
            yield from _lint_ref(nodes, ref, None, field)


def _lint_cycle(nodes: Mapping[NodeId, Node], deps: Mapping[NodeId, frozenset[NodeId]]) -> Iterator[Finding]:
    try:
        TopologicalSorter({node_id: deps[node_id] & nodes.keys() for node_id in nodes}).prepare()
    except CycleError as exc:
        ring = [NodeId(str(node_id)) for node_id in reversed(exc.args[1])]
        message = f"these nodes wait for each other: {' -> '.join(ring)}"
        yield Finding(code="cycle", node_id=ring[0], message=message)


def sinks(nodes: Iterable[NodeId], deps: Mapping[NodeId, frozenset[NodeId]]) -> list[NodeId]:
    """Return the nodes that no other node waits for."""
    read = {need for needed in deps.values() for need in needed}
    return [node_id for node_id in nodes if node_id not in read]


def _lint_unread(
    nodes: Mapping[NodeId, Node], deps: Mapping[NodeId, frozenset[NodeId]], output: Json
) -> Iterator[Finding]:
    if output is None:
        return
    wanted = {ref.node_id for _, ref in find_refs(output) if ref.node_id}
    for node_id in sinks(nodes, deps):
        if node_id not in wanted and nodes[node_id].effect != "write":
            message = "nothing reads this node's output"
            yield Finding(code="unread_output", node_id=node_id, message=message, fatal=False)


def output_of(plan: Plan) -> Json:
    """Return the template of a plan's output; without one, the last node's output, or those of all last nodes."""
    if plan.output is not None:
        return plan.output
    last = sinks(plan.nodes, {node.id: dependencies(node) for node in plan.nodes.values()})
    if len(last) == 1:
        return f"${{nodes.{last[0]}.output}}"
    return {node_id: f"${{nodes.{node_id}.output}}" for node_id in last}
