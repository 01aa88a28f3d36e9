"""A run's plan written down as a workflow that needs no planner: parametric, commented, held to its tools."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from planloom.configs.env import Interpolation
from planloom.configs.load import Workflow
from planloom.configs.nodes import node_json, to_nodes
from planloom.configs.promoted_file import PromotedFile, shown
from planloom.configs.promotion import PinSpec
from planloom.core.check import CodeCheck, ExprCheck
from planloom.core.errors import RunError
from planloom.core.expr import inputs_in
from planloom.core.json import Json, JsonObject, canonical
from planloom.core.parametric import Left, Parametric, Turned, literals, named, sources_of, stands_in
from planloom.core.plan import Node, NodeId, Plan
from planloom.core.refs import as_text, find_refs
from planloom.core.view import RunView

_COPIED = ("models", "ladder", "tools")
_BEHIND = ("route", "budget", "ask", "flows", "max_parallel")
_LARGEST_ASKED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A promoted workflow, and what was done to the plan's literals."""

    text: str
    """The file: YAML with comments."""
    turned: tuple[Turned, ...]
    left: tuple[Left, ...]
    dropped: tuple[str, ...]
    """Inputs of the original that nothing in the plan reads; what the planner made of them is fixed in it."""

    def report(self) -> list[str]:
        """Say in lines what was turned, left and dropped."""
        lines = [f"turned into an input: {_place(item)}: {shown(item.was)} is ${{{item.path}}}" for item in self.turned]
        lines += [f"left as it is: {_place(item)}: {shown(item.was)}, {item.reason}" for item in self.left]
        return lines + [f"input dropped: {name}: nothing in the plan reads it" for name in self.dropped]


def _asked(workflow: Workflow, trusted: Mapping[str, Json]) -> dict[str, Json]:
    """Return what the run was asked; values too large to find anything by are left out."""
    if workflow.spec.promoted is not None:
        return dict(workflow.spec.promoted.asked)
    return {name: value for name, value in trusted.items() if len(as_text(value)) <= _LARGEST_ASKED}


def promote_plan(
    view: RunView, workflow: Workflow, *, name: str, pins: Mapping[str, PinSpec], folder: Path
) -> Promotion:
    """Write the plan of a run that is done as a workflow.

    Args:
        view: The run.
        workflow: What it was a run of.
        name: Name of the new workflow.
        pins: The tools it may call, by operation.
        folder: Where the file is to stand.

    Raises:
        RunError: The run is not done, or a planner's node holds a text that a file would read as a variable.
    """
    plan = _plan(view)
    by_hand = to_nodes(workflow.spec.nodes)
    planned = [node for node in plan.nodes.values() if not _same(node, by_hand.get(node.id))]
    trusted = {n: value for n, value in view.inputs.items() if workflow.spec.inputs[n].trust == "trusted"}
    texts = _texts(workflow, view.inputs)
    new = named(_from_texts(planned, trusted, texts), workflow.spec.inputs)
    turning = Parametric(sources=list(sources_of({**trusted, **new})), texts=list(texts.values()))
    turned = {node.id: turning.node(node) for node in planned}
    output = plan.output if plan.output == workflow.spec.output else turning.output(plan.output)
    _refuse_variables(turned, output)
    nodes = {node_id: turned.get(node_id, node) for node_id, node in plan.nodes.items()}
    read = _read_inputs(nodes.values(), output, [*workflow.spec.inputs, *new])
    before = workflow.spec.promoted.by_planner if workflow.spec.promoted else ()
    file = PromotedFile(
        view=view,
        workflow=workflow,
        name=name,
        asked=_asked(workflow, trusted),
        pins=pins,
        folder=folder,
        nodes=nodes,
        fresh=frozenset(turned),
        by_planner=tuple(node_id for node_id in nodes if node_id in turned or node_id in before),
        output=output,
        new={name: value for name, value in new.items() if name in read},
        read=read,
        turned=tuple(turning.turned),
        left=tuple(turning.left),
    )
    return Promotion(
        text="".join(file.parts()),
        turned=file.turned,
        left=file.left,
        dropped=tuple(name for name in workflow.spec.inputs if name not in read),
    )


def _plan(view: RunView) -> Plan:
    if view.status != "done" or view.plan is None:
        why = f" ({view.error})" if view.error else ""
        raise RunError(f"run {view.run_id} is {view.status}{why}; only a run that is done can be promoted")
    return view.plan


def _same(node: Node, written: Node | None) -> bool:
    """Tell whether a node is as a person wrote it, but for what the compiler found out about it."""
    return written is not None and replace(node, effect=written.effect, approve=written.approve) == written


def _texts(workflow: Workflow, inputs: Mapping[str, Json]) -> dict[str, str]:
    specs = workflow.spec.inputs
    return {n: v for n, v in inputs.items() if isinstance(v, str) and n in specs and specs[n].trust == "trusted"}


def _from_texts(
    nodes: Sequence[Node], inputs: Mapping[str, Json], texts: Mapping[str, str]
) -> Iterator[tuple[str, Json]]:
    """Yield the literals that stand as whole words in exactly one text of the inputs, and are no input themselves."""
    known = {canonical(source.value) for source in sources_of(inputs)}
    for node in nodes:
        for name, value in literals(node):
            if canonical(value) not in known and sum(stands_in(value, text) for text in texts.values()) == 1:
                yield name, value


def _refuse_variables(nodes: Mapping[NodeId, Node], output: Json) -> None:
    """A planner sees no environment; in a file its words would."""
    for node_id, node in nodes.items():
        probe = Interpolation({})
        probe.fill(node_json(node), "nodes")
        if probe.problems or probe.filled:
            raise RunError(f"{node_id}: it holds a text with ${{env:...}}, which a file would fill in")
    probe = Interpolation({})
    probe.fill(output, "output")
    if probe.problems or probe.filled:
        raise RunError("output: it holds a text with ${env:...}, which a file would fill in")


def _read_inputs(nodes: Iterable[Node], output: Json, names: Sequence[str]) -> set[str]:
    """Return the inputs that a plan reads; code may read any of them."""
    read = {str(ref.path[0]) for _, ref in find_refs(output) if ref.root == "inputs"}
    for node in nodes:
        written: JsonObject = node_json(node)
        fields = [written.get(key) for key in ("goal", "with", "map", "tools")]
        read |= {str(ref.path[0]) for _, ref in find_refs(fields) if ref.root == "inputs"}
        exprs = [check.expr for check in node.checks if isinstance(check, ExprCheck)]
        exprs += [node.when] if node.when is not None else []
        codes = [check.code for check in node.checks if isinstance(check, CodeCheck)] + [node.code or ""]
        if any("inputs" in code for code in codes) or any(re.search(r"inputs\s*\[", expr) for expr in exprs):
            return set(names)
        read |= {name for expr in exprs for name in inputs_in(expr)}
    return read


def _place(item: Turned | Left) -> str:
    return f"{item.node_id}.{item.field}" if item.node_id else item.field
