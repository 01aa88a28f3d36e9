"""What is to be told of each event in a few words: names and values to grep for."""

from collections.abc import Mapping
from functools import singledispatch

from planloom.core import events as ev
from planloom.core.contradiction import Contradiction
from planloom.core.json import Json
from planloom.core.outcome import Evidence, Failed

_FIELDS: Mapping[type[ev.Event], tuple[str, ...]] = {
    ev.RunResumed: ("interrupted",),
    ev.PlanRequested: ("purpose", "rung", "failed", "offered", "asked"),
    ev.NodesMerged: ("into", "nodes", "reason"),
    ev.PlanDrafted: ("sample", "rung", "asked", "graph", "error"),
    ev.PlansCompared: ("taken", "because", "found", "dissent"),
    ev.ReplanFailed: ("failed", "reason"),
    ev.NodeExpanded: ("elements",),
    ev.CallStarted: ("role", "member", "rung", "reserved_usd", "reserved_tokens"),
    ev.ToolCalled: ("tool", "seconds", "args", "error"),
    ev.EffectStarted: ("tool", "key"),
    ev.EffectEnded: ("tool", "key", "outcome", "told_by", "error"),
    ev.PolicySetAside: ("rung", "reason"),
    ev.Decided: ("action", "rung", "reason"),
    ev.Remembered: ("entry", "subject", "kept", "untrusted"),
    ev.NodeSkipped: ("reason",),
    ev.NodeHeld: ("reason",),
    ev.BudgetReached: ("limit", "cap", "needed"),
}
"""Events of which some fields are told as they stand, names in a list with commas between them."""


def kind_of(event: ev.Event) -> str:
    """Return the kind of an event as it is written: `node-committed`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in type(event).__name__).lstrip("-")


def _evidence(evidence: tuple[Evidence, ...]) -> str:
    bad = [item for item in evidence if not item.passed]
    return "; ".join(f"{item.check}: found {item.found}" if item.found else item.check for item in bad)


def _pairs(found: tuple[Contradiction, ...]) -> str:
    return "; ".join(f"{' and '.join(pair.claims)}: {pair.reason}" for pair in found)


def _failure(failed: Failed | None) -> dict[str, Json]:
    if failed is None:
        return {"ok": True}
    return {"ok": False, "failure": failed.kind.value, "message": failed.message}


def facts_of(event: ev.Event) -> dict[str, Json]:
    """Return an event's facts by name, where it happened first; those that are `None` or empty need not be told."""
    where = {"node": getattr(event, "node_id", None), "attempt": getattr(event, "attempt", None)}
    return {**where, **_own(event)}


@singledispatch
def _own(event: ev.Event) -> dict[str, Json]:
    found: dict[str, Json | tuple[str, ...]] = {name: getattr(event, name) for name in _FIELDS.get(type(event), ())}
    return {name: ",".join(value) if isinstance(value, tuple) else value for name, value in found.items()}


@_own.register
def _(event: ev.RunStarted) -> dict[str, Json]:
    return {"run": event.run_id, "name": event.name, "rehearsal": True if event.rehearsal else None}


@_own.register
def _(event: ev.NodePlanned) -> dict[str, Json]:
    return {"node": event.node.id, "kind": event.node.kind, "goal": event.node.goal}


@_own.register
def _(event: ev.PlanReady) -> dict[str, Json]:
    warnings = "; ".join(finding.text for finding in event.warnings)
    return {
        "purpose": event.purpose,
        "version": event.plan.version,
        "nodes": len(event.plan.nodes),
        "warnings": warnings,
    }


@_own.register
def _(event: ev.PlanRejected) -> dict[str, Json]:
    return {"purpose": event.purpose, "findings": "; ".join(finding.text for finding in event.findings)}


@_own.register
def _(event: ev.AttemptStarted) -> dict[str, Json]:
    return {"rung": event.rung, "samples": event.samples if event.samples > 1 else None}


@_own.register
def _(event: ev.CallEnded) -> dict[str, Json]:
    return {
        "rung": event.rung,
        "model": event.model,
        "input_tokens": event.usage.input_tokens,
        "output_tokens": event.usage.output_tokens,
        "cost_usd": event.cost_usd,
        "seconds": event.seconds,
        "error": event.error,
    }


@_own.register
def _(event: ev.BoardAdvanced) -> dict[str, Json]:
    return {
        "version": event.board.version,
        "round": event.board.round,
        "claims": len(event.board.claims),
        "contradictions": _pairs(event.contradictions),
    }


@_own.register
def _(event: ev.PanelStopped) -> dict[str, Json]:
    return {"reason": event.reason, "rounds": event.rounds, "dissent": _pairs(event.dissent)}


@_own.register
def _(event: ev.SampleDrawn) -> dict[str, Json]:
    drawn: dict[str, Json] = _failure(event.failed) if event.failed else {"output": event.output}
    return {"sample": event.sample, "asked": event.asked, **drawn}


@_own.register
def _(event: ev.AttemptEnded) -> dict[str, Json]:
    return {**_failure(event.failed), "seconds": event.seconds, "evidence": _evidence(event.evidence)}


@_own.register
def _(event: ev.NodeCommitted) -> dict[str, Json]:
    return {"reused": True if event.reused else None, "output": event.output}


@_own.register
def _(event: ev.Recalled) -> dict[str, Json]:
    facts: dict[str, Json] = {"entries": len(event.entries), "tokens": event.tokens}
    return {**facts, "untrusted": event.untrusted, "found_by": event.found_by, "warning": event.warning or None}


@_own.register
def _(event: ev.NodeFailed) -> dict[str, Json]:
    return {"failure": event.failed.kind.value, "message": event.failed.message}


@_own.register
def _(event: ev.ApprovalGiven) -> dict[str, Json]:
    return {"node": event.node_id or "plan", "approved": event.approved, "note": event.note}


@_own.register
def _(event: ev.BatchAdvanced) -> dict[str, Json]:
    facts: dict[str, Json] = {"batch": event.batch_id or event.batch, "rung": event.rung, "status": event.status}
    return {**facts, "done": f"{event.done}/{event.total}", "calls": len(event.calls) or None}


@_own.register
def _(event: ev.BudgetRaised) -> dict[str, Json]:
    return {**event.caps, "by": event.by}


@_own.register
def _(event: ev.WorkflowMended) -> dict[str, Json]:
    return {"folder": event.base_dir, "by": event.by}


@_own.register
def _(event: ev.RunEnded) -> dict[str, Json]:
    return {"status": event.status, "error": event.error, "untrusted": ", ".join(event.untrusted)}
