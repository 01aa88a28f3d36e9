"""A plan without anything side by side run as one worker: fewer calls, and the context is sent once.

Nothing is lost on the way. Each node's result stands under its name in the object that the worker returns, with the
schema it had; each check looks where its result stands now; references from elsewhere follow. Where that cannot be
done (a tool's own node, a map, an approval, ...), the node stays what it was, and what was kept apart is said.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import pairwise

from planloom.core import events as ev
from planloom.core.check import Check
from planloom.core.errors import PlanError
from planloom.core.expr import nodes_in
from planloom.core.json import Json, JsonObject, closed
from planloom.core.plan import Effort, Finding, Grant, Node, NodeId, Plan
from planloom.core.refs import parse_ref, pieces
from planloom.graphs.compile import Compiled, compile_plan, output_of
from planloom.graphs.lint import Facts
from planloom.graphs.schedule import Deps
from planloom.graphs.step import NotAStep, StepOf, apart

_ORDER = "Do these steps one after the other. The result holds the result of each step under the step's name."
_HARDEST_FIRST: Sequence[Effort] = ("high", "medium", "low")


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """What came of it."""

    compiled: Compiled
    merged: tuple[ev.NodesMerged, ...] = ()


def is_chain(deps: Deps) -> bool:
    """Tell whether each node but the first needs the one before it: nothing can run side by side."""
    order = list(TopologicalSorter(deps).static_order())
    return all(before in deps[after] for before, after in pairwise(order))


def as_single(compiled: Compiled, facts: Facts, *, asked: bool) -> Single:
    """Return the plan with neighbouring workers made one, where it is a chain.

    Args:
        compiled: The plan.
        facts: What it may refer to.
        asked: The planner says that one worker should do it, chain or not.
    """
    chain = is_chain(compiled.deps)
    if len(compiled.plan.nodes) < 2 or not (chain or asked):
        return Single(compiled=compiled)
    plan = replace(compiled.plan, output=output_of(compiled.plan))  # said, it can follow where the nodes go
    kept: list[Finding] = []
    events: list[ev.NodesMerged] = []
    order = [plan.nodes[node_id] for node_id in TopologicalSorter(compiled.deps).static_order()]
    for run in _runs(order, kept):
        try:
            now = [plan.nodes[node.id] for node in run]  # they follow those before them that were merged
            plan, event = _merged(plan, now, "chain" if chain else "planner")
        except NotAStep as exc:
            kept += [_apart(node, str(exc)) for node in run]
            continue
        events.append(event)
    if not events:
        return Single(compiled=replace(compiled, warnings=(*compiled.warnings, *kept)))
    try:
        done = compile_plan(plan.nodes.values(), plan.output, facts, version=plan.version)
    except PlanError as exc:
        told = [Finding(code="kept_apart", message=f"one worker cannot do it: {exc}", fatal=False)]
        return Single(compiled=replace(compiled, warnings=(*compiled.warnings, *told)))
    return Single(compiled=replace(done, warnings=(*done.warnings, *kept)), merged=tuple(events))


def _runs(order: Sequence[Node], kept: list[Finding]) -> list[list[Node]]:
    """Return the neighbours that may become one; what stays apart is added to `kept`."""
    named = {NodeId(name) for node in order if node.when is not None for name in nodes_in(node.when)}
    runs: list[list[Node]] = [[]]
    for node in order:
        reason = apart(node) or ("a condition elsewhere looks at it" if node.id in named else "")
        if reason:
            kept.append(_apart(node, reason))
            runs.append([])
            continue
        if runs[-1] and not _alike(runs[-1], node):
            kept.append(_apart(node, "another model, or other fixed arguments of a tool, than in the node before"))
            runs.append([])
        runs[-1].append(node)
    return [run for run in runs if len(run) > 1]


def _apart(node: Node, reason: str) -> Finding:
    return Finding(code="kept_apart", node_id=node.id, message=f"it stays a node of its own: {reason}", fatal=False)


def _alike(run: Sequence[Node], node: Node) -> bool:
    """Whether one model can hold the grants of all of them as they are."""
    first = run[0]
    grants = [grant for member in run for grant in member.tools]
    fixed = all(
        dict(mine.args) == dict(theirs.args) for mine in node.tools for theirs in grants if _overlap(mine, theirs)
    )
    return fixed and (first.model, first.on_skip) == (node.model, node.on_skip)


def _overlap(mine: Grant, theirs: Grant) -> bool:
    one, other = f"{mine.tool}.", f"{theirs.tool}."
    return one.startswith(other) or other.startswith(one)


def _merged(plan: Plan, run: Sequence[Node], reason: ev.MergeReason) -> tuple[Plan, ev.NodesMerged]:
    """Put one worker in the place of several.

    Raises:
        NotAStep: It cannot be done without losing something.
    """
    keys = {node.id: re.sub(r"\W", "_", node.id) for node in run}
    if len(set(keys.values())) < len(run):
        raise NotAStep("two names of nodes differ in signs only")
    into = _free_id(f"{run[0].id}_to_{run[-1].id}", plan.nodes)
    worker = _worker(into, run, keys)
    nodes: dict[NodeId, Node] = {}
    for node in plan.nodes.values():
        if node.id not in keys:
            nodes[node.id] = _follow(node, keys, into)
        elif node.id == run[0].id:
            nodes[into] = worker
    event = ev.NodesMerged(into=into, nodes=tuple(keys), reason=reason)
    return replace(plan, nodes=nodes, output=_moved(plan.output, keys, into)), event


def _free_id(wanted: str, nodes: Iterable[NodeId]) -> NodeId:
    taken, name = set(nodes), wanted[:60]
    return NodeId(next(n for n in (name, *(f"{name}_{i}" for i in range(2, 100))) if NodeId(n) not in taken))


def _worker(into: NodeId, run: Sequence[Node], keys: Mapping[NodeId, str]) -> Node:
    inputs: dict[str, Json] = {}
    goals: list[str] = [_ORDER]
    checks: list[Check] = []
    for place, node in enumerate(run):
        known = {member.id: keys[member.id] for member in run[:place]}
        step = StepOf(node=node, key=keys[node.id], keys=known)
        names = _names(step, inputs)
        inputs |= {names[name]: value for name, value in node.inputs.items() if step.earlier(value) is None}
        if any(_fixed_by(grant, known) for grant in node.tools):
            raise NotAStep("an argument of a tool is an earlier result")
        goals.append(step.goal(names))
        checks += step.checks(names)
    properties: JsonObject = {
        keys[node.id]: dict(node.output) if node.output is not None else {"type": "string"} for node in run
    }
    return Node(
        id=into,
        goal="\n".join(goals),
        inputs=inputs,
        needs=tuple(dict.fromkeys(need for node in run for need in node.needs if need not in keys)),
        on_skip=run[0].on_skip,
        tools=_grants(run),
        output=closed(properties),
        checks=tuple(checks),
        effort=next(effort for effort in _HARDEST_FIRST if any(node.effort == effort for node in run)),
        effect="read" if any(node.effect == "read" for node in run) else "pure",
        model=run[0].model,
        max_calls=sum(node.max_calls for node in run),
    )


def _fixed_by(grant: Grant, known: Mapping[NodeId, str]) -> bool:
    """Whether an argument that the plan fixes is the result of one of these nodes."""
    return _moved(dict(grant.args), known, NodeId("")) != dict(grant.args)


def _names(step: StepOf, taken: Mapping[str, Json]) -> dict[str, str]:
    """Return what a step's inputs are called among those of the steps before it."""
    names: dict[str, str] = {}
    for name, value in step.node.inputs.items():
        clash = name in taken and taken[name] != value
        names[name] = f"{step.key}_{name}" if clash else name
        if names[name] in taken and taken[names[name]] != value:
            raise NotAStep(f"two steps have an input {name!r}")
    return names


def _grants(run: Sequence[Node]) -> tuple[Grant, ...]:
    """Return all grants; of the same one, the calls of all together."""
    found: dict[str, Grant] = {}
    for grant in (grant for node in run for grant in node.tools):
        before = found.get(grant.tool)
        if before is None:
            found[grant.tool] = grant
            continue
        calls = None if before.max_calls is None or grant.max_calls is None else before.max_calls + grant.max_calls
        found[grant.tool] = replace(grant, max_calls=calls)
    return tuple(found.values())


def _follow(node: Node, keys: Mapping[NodeId, str], into: NodeId) -> Node:
    """Return a node that reads results where they are now."""
    moved = {name: _moved(value, keys, into) for name, value in node.inputs.items()}
    grants = tuple(
        replace(grant, args={name: _moved(value, keys, into) for name, value in grant.args.items()})
        for grant in node.tools
    )
    needs = tuple(dict.fromkeys(into if need in keys else need for need in node.needs))
    goal, remember = _text(node.goal, keys, into), _text(node.remember, keys, into)
    return replace(
        node,
        inputs=moved,
        tools=grants,
        needs=needs,
        goal=goal,
        remember=remember,
        map=_moved(node.map, keys, into),
    )


def _moved(template: Json, keys: Mapping[NodeId, str], into: NodeId) -> Json:
    if isinstance(template, str):
        return _text(template, keys, into)
    if isinstance(template, dict):
        return {key: _moved(value, keys, into) for key, value in template.items()}
    if isinstance(template, list):
        return [_moved(value, keys, into) for value in template]
    return template


def _text(text: str, keys: Mapping[NodeId, str], into: NodeId) -> str:
    parts = pieces(text)
    for place in range(1, len(parts), 2):
        ref = parse_ref(parts[place][2:-1]) if parts[place].startswith("${") else None
        if ref is not None and ref.node_id is not None and ref.node_id in keys:
            path = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in ref.path)
            parts[place] = f"${{nodes.{into}.output.{keys[ref.node_id]}{path}}}"
    return "".join(parts)
