"""A run as JSON: everything a screen needs to show it, from its journal alone."""

from collections.abc import Sequence

from pydantic import TypeAdapter

from planloom.core import events as ev
from planloom.core.errors import PlanloomError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Finding, Node, NodeId
from planloom.core.view import RunView
from planloom.graphs.critical_path import timing
from planloom.graphs.lint import dependencies
from planloom.state.journal import RunSummary

_FINDINGS = TypeAdapter(tuple[Finding, ...])


def record_of(history: Sequence[ev.AnyEvent], *, live: bool) -> JsonObject:
    """Return the whole record of a run.

    Args:
        history: All its events.
        live: Whether a process is at work on it.
    """
    view = RunView.seen(history, live=live)
    nodes = view.plan.nodes if view.plan else view.provisional
    return {
        **view.result().as_json(),
        "live": live,
        "inputs": view.inputs,
        "replans": view.replans,
        "graph": [node_json(node) for node in nodes.values()],
        "critical_path": [*_critical_path(view)],
        "plans": [_plan(event) for event in history if isinstance(event, ev.PlanReady)],
        "last_event_id": len(history),
    }


def _critical_path(view: RunView) -> Sequence[NodeId]:
    """Return the chain of nodes that a run's length consists of, up to what is done by now."""
    if view.plan is None:
        return ()
    deps = {node_id: dependencies(node) for node_id, node in view.plan.nodes.items()}
    took: dict[NodeId, float] = {}
    for node_id in deps:
        if view.nodes[node_id].ended_at:
            took[node_id] = view.nodes[node_id].worked_s
    path = timing(deps, took).path
    return [node_id for node_id in path if node_id in took]


def _plan(event: ev.PlanReady) -> JsonObject:
    return {
        "version": event.plan.version,
        "purpose": event.purpose,
        "digest": event.plan.digest,
        "at": event.at,
        "nodes": [node_json(node) for node in event.plan.nodes.values()],
        "warnings": _FINDINGS.dump_python(event.warnings, mode="json"),
    }


def node_json(node: Node) -> JsonObject:
    """Return what a picture of the plan says of a node."""
    try:
        needs: list[Json] = [*sorted(dependencies(node))]
    except PlanloomError:
        needs = [*node.needs]  # a node of a plan that is still being written
    return {
        "id": node.id,
        "kind": node.kind,
        "goal": node.goal,
        "needs": needs,
        "tool": node.tool,
        "tools": [grant.tool for grant in node.tools],
        "model": node.model,
        "effort": node.effort,
        "effect": node.effect,
        "approve": node.approve,
        "when": node.when,
        "map": node.map is not None,
        "checks": len(node.checks),
    }


def summary_json(run: RunSummary) -> JsonObject:
    """Return a run's line in a list."""
    return {
        "run_id": run.run_id,
        "workflow": run.name,
        "status": run.status,
        "live": run.live,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "cost_usd": run.cost_usd,
        "rehearsal": run.rehearsal,
    }
