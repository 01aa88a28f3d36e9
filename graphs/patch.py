"""A patch from the planner: what it may touch, and the plan it makes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from planloom.core.json import Json
from planloom.core.plan import Finding, FindingCode, Node, NodeId, Plan, PlanPatch
from planloom.core.refs import RefError, find_refs
from planloom.graphs.lint import Facts, dependencies, effect_of, lint_node
from planloom.graphs.taint import Labels, wider


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a patch must respect."""

    plan: Plan
    failed: frozenset[NodeId]
    by_hand: Mapping[NodeId, Node]
    """Nodes that a person wrote: their checks, caps and approvals stay."""
    facts: Facts


def apply_patch(plan: Plan, patch: PlanPatch) -> tuple[dict[NodeId, Node], Json]:
    """Return the nodes and output template of the plan with the patch laid over it."""
    nodes = {node_id: node for node_id, node in plan.nodes.items() if node_id not in patch.remove}
    nodes.update(patch.nodes)
    return nodes, plan.output if patch.output is None else patch.output


def cone(failed: Iterable[NodeId], deps: Mapping[NodeId, frozenset[NodeId]]) -> set[NodeId]:
    """Return the failed nodes and everything that depends on them, however far behind."""
    behind: dict[NodeId, set[NodeId]] = {}
    for node_id, needed in deps.items():
        for need in needed:
            behind.setdefault(need, set()).add(node_id)
    found, todo = set(failed), list(failed)
    while todo:
        for node_id in behind.get(todo.pop(), set()) - found:
            found.add(node_id)
            todo.append(node_id)
    return found


def guard(patch: PlanPatch, bounds: Bounds) -> PlanPatch:
    """Return the patch with the approvals that people asked for put back where a planner left them out.

    Once untrusted text was read, a node that may do more than those it mends waits for an approval too.
    """
    labels = Labels(
        bounds.plan.nodes,
        bounds.facts.tools,
        bounds.facts.untrusted_inputs,
        untrusted_memory=bounds.facts.untrusted_memory,
    )
    tainted = any(labels.output(node_id) for node_id in bounds.failed)
    deps = {node.id: dependencies(node) for node in bounds.plan.nodes.values()}
    mended = [bounds.plan.nodes[node_id] for node_id in cone(bounds.failed, deps) if node_id in bounds.plan.nodes]
    held = {str(name) for node in bounds.by_hand.values() if node.approve for name in _tools(node, bounds.facts)}

    def guarded(node: Node) -> Node:
        before = bounds.by_hand.get(node.id)
        asked = before is not None and before.approve
        writes = effect_of(node, bounds.facts) == "write" and bool(held & set(_tools(node, bounds.facts)))
        more = tainted and bool(wider(node, mended, bounds.facts.tools))
        return replace(node, approve=True) if asked or writes or more else node

    return replace(patch, nodes={node_id: guarded(node) for node_id, node in patch.nodes.items()})


def lint_patch(patch: PlanPatch, bounds: Bounds) -> Iterator[Finding]:
    """Yield what a planner may not do: touch more than the failed cone, or shed what a person demanded.

    What it wrote is held to a planner's rules, also where a person wrote the first plan.
    """
    deps = {node.id: dependencies(node) for node in bounds.plan.nodes.values()}
    touchable = cone(bounds.failed, deps)
    strict = replace(bounds.facts, by_hand=False)
    for node_id in patch.remove:
        if node_id in bounds.plan.nodes and node_id not in touchable:
            yield _finding("grant_too_wide", node_id, "", "it is not behind a failure; it may not be removed")
        elif node_id in bounds.by_hand and _demands(bounds.by_hand[node_id]):
            message = "a person demanded checks, a panel or a cap of it; replace it under its own id and keep them"
            yield _finding("grant_too_wide", node_id, "", message)
    yield from _past_demands(patch, bounds)
    for node in patch.nodes.values():
        before = bounds.plan.nodes.get(node.id)
        if before is not None and before.digest == node.digest:
            continue
        if before is not None and node.id not in touchable:
            yield _finding("grant_too_wide", node.id, "", "it is not behind a failure; it may not be changed")
        yield from (finding for finding in lint_node(node, strict) if finding.fatal)
        yield from _shed(node, bounds.by_hand.get(node.id))


def _demands(node: Node) -> bool:
    return bool(node.checks or node.panel is not None or node.max_cost_usd is not None)


def _past_demands(patch: PlanPatch, bounds: Bounds) -> Iterator[Finding]:
    """Yield the nodes of which a person demanded something, and which the run would no longer return."""
    if patch.output is None:
        return
    demanded = {node_id for node_id, node in bounds.by_hand.items() if _demands(node)}
    for node_id in sorted(demanded & _read_by(bounds.plan.output) - _read_by(patch.output)):
        message = "a person demanded checks, a panel or a cap of it; the output must go on reading it"
        yield _finding("grant_too_wide", node_id, "output", message)


def _read_by(output: Json) -> set[NodeId]:
    try:
        return {ref.node_id for _, ref in find_refs(output) if ref.node_id is not None}
    except RefError:  # the compiler says so
        return set()


def _shed(node: Node, before: Node | None) -> Iterator[Finding]:
    """Yield the demands of a hand-written node that its replacement drops."""
    if before is None:
        return
    for check in before.checks:
        if check not in node.checks:
            yield _finding("grant_too_wide", node.id, "checks", f"a person demanded this check; keep it: {check}")
    if _demands(before) and node.when != before.when:
        kept = "without a condition" if before.when is None else f"when {before.when}"
        yield _finding("grant_too_wide", node.id, "when", f"a person demanded checks of it; it runs {kept}")
    if before.panel is not None and node.panel != before.panel:
        yield _finding("grant_too_wide", node.id, "panel", "a person demanded this panel; keep it")
    if before.max_cost_usd is not None and node.max_cost_usd != before.max_cost_usd:
        yield _finding("grant_too_wide", node.id, "budget_usd", f"keep {before.max_cost_usd:g}")


def _tools(node: Node, facts: Facts) -> list[str]:
    names = [grant.tool for grant in node.tools] + ([node.tool] if node.tool else [])
    return [str(tool.name) for name in names for tool in facts.tools.get(name, ())]


def _finding(code: FindingCode, node_id: NodeId, field: str, message: str) -> Finding:
    return Finding(code=code, node_id=node_id, field=field, message=message)
