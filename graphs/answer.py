"""The end of a run: what it hands over, and what to call it."""

from dataclasses import dataclass

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.plan import NodeId
from planloom.core.refs import RefError, Scope, find_refs, resolve
from planloom.core.view import RunView
from planloom.graphs.compile import output_of
from planloom.graphs.context import Outputs


@dataclass(frozen=True, slots=True)
class Answer:
    """Output and status of a run that cannot move any more."""

    status: ev.Status
    output: Json
    error: str


def answer(view: RunView, *, planning_error: str, stopped: str) -> Answer:
    """Return how a run stands when nothing can move.

    Args:
        view: The run.
        planning_error: Why there is no plan; empty when there is one.
        stopped: The limit that stopped it; empty when none did.
    """
    plan = view.plan
    if plan is None:
        return Answer("failed", None, planning_error or stopped or "no plan")
    states = {node_id: view.nodes[node_id].state for node_id in plan.nodes}
    scope = Scope(inputs=view.inputs, nodes=Outputs(view))
    template = output_template(view)
    output, missing = _fill(template, scope)
    failed = [node_id for node_id, state in states.items() if state == "failed"]
    if all(state in ("done", "skipped") for state in states.values()):
        return Answer("failed" if missing else "done", output, "; ".join(missing))
    reasons = [_why(node_id, view.nodes[node_id].reason) for node_id in failed]
    error = "; ".join([stopped, *reasons] if stopped else reasons) or planning_error or "not every node could run"
    anything = any(_has_value(view, node_id) for node_id in _wanted(template, view))
    return Answer("partial" if anything else "failed", output if anything else None, error)


def _why(node_id: NodeId, reason: str) -> str:
    """Name the node that failed; a map's reason names its elements already."""
    return reason if reason.startswith(f"{node_id}[") else f"{node_id}: {reason}"


def output_template(view: RunView) -> Json:
    """Return the template of the run's output; without one, the last node's output, or those of all last nodes."""
    if view.plan is None:
        return None
    return output_of(view.plan)


def _wanted(template: Json, view: RunView) -> set[NodeId]:
    return {ref.node_id for _, ref in find_refs(template) if ref.node_id} & set(view.nodes)


def _has_value(view: RunView, node_id: NodeId) -> bool:
    return view.nodes[node_id].state == "done"


def _fill(template: Json, scope: Scope) -> tuple[Json, list[str]]:
    """Fill a template leaf by leaf; a leaf that cannot be filled is null and is reported."""
    if isinstance(template, dict):
        filled = {key: _fill(value, scope) for key, value in template.items()}
        return {key: value for key, (value, _) in filled.items()}, [m for _, ms in filled.values() for m in ms]
    if isinstance(template, list):
        items = [_fill(value, scope) for value in template]
        return [value for value, _ in items], [m for _, ms in items for m in ms]
    try:
        return resolve(template, scope), []
    except RefError as exc:
        return None, [str(exc)]
