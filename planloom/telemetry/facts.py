"""What is to be told of each event in a few words: names and values to grep for."""

from functools import singledispatch

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.outcome import Evidence, Failed


def kind_of(event: ev.Event) -> str:
    """Return the kind of an event as it is written: `node-committed`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in type(event).__name__).lstrip("-")


def _evidence(evidence: tuple[Evidence, ...]) -> str:
    bad = [item for item in evidence if not item.passed]
    return "; ".join(f"{item.check}: found {item.found}" if item.found else item.check for item in bad)


def _failure(failed: Failed | None) -> dict[str, Json]:
    if failed is None:
        return {"ok": True}
    return {"ok": False, "failure": failed.kind.value, "message": failed.message}


@singledispatch
def facts_of(event: ev.Event) -> dict[str, Json]:
    """Return an event's facts by name; those that are `None` or empty need not be told."""
    return {}


@facts_of.register
def _(event: ev.RunStarted) -> dict[str, Json]:
    return {"run": event.run_id, "name": event.name, "rehearsal": True if event.rehearsal else None}


@facts_of.register
def _(event: ev.RunResumed) -> dict[str, Json]:
    return {"interrupted": ",".join(event.interrupted)}


@facts_of.register
def _(event: ev.PlanRequested) -> dict[str, Json]:
    facts: dict[str, Json] = {"purpose": event.purpose, "rung": event.rung, "failed": ",".join(event.failed)}
    more: dict[str, Json] = {"offered": ",".join(event.offered), "asked": event.asked}
    return {**facts, **{key: value for key, value in more.items() if value}}


@facts_of.register
def _(event: ev.NodePlanned) -> dict[str, Json]:
    return {"node": event.node.id, "kind": event.node.kind, "goal": event.node.goal}


@facts_of.register
def _(event: ev.NodesMerged) -> dict[str, Json]:
    return {"into": event.into, "nodes": ",".join(event.nodes), "reason": event.reason}


@facts_of.register
def _(event: ev.PlanReady) -> dict[str, Json]:
    warnings = "; ".join(finding.text for finding in event.warnings)
    return {
        "purpose": event.purpose,
        "version": event.plan.version,
        "nodes": len(event.plan.nodes),
        "warnings": warnings,
    }


@facts_of.register
def _(event: ev.PlanDrafted) -> dict[str, Json]:
    facts: dict[str, Json] = {"sample": event.sample, "rung": event.rung, "asked": event.asked}
    return {**facts, "graph": event.graph, "error": event.error}


@facts_of.register
def _(event: ev.PlansCompared) -> dict[str, Json]:
    return {"taken": event.taken, "because": event.because, "found": event.found, "dissent": event.dissent}


@facts_of.register
def _(event: ev.PlanRejected) -> dict[str, Json]:
    return {"purpose": event.purpose, "findings": "; ".join(finding.text for finding in event.findings)}


@facts_of.register
def _(event: ev.ReplanFailed) -> dict[str, Json]:
    return {"failed": ",".join(event.failed), "reason": event.reason}


@facts_of.register
def _(event: ev.NodeExpanded) -> dict[str, Json]:
    return {"node": event.node_id, "elements": event.elements}


@facts_of.register
def _(event: ev.AttemptStarted) -> dict[str, Json]:
    samples = event.samples if event.samples > 1 else None
    return {"node": event.node_id, "attempt": event.attempt, "rung": event.rung, "samples": samples}


@facts_of.register
def _(event: ev.CallStarted) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "role": event.role,
        "member": event.member,
        "rung": event.rung,
        "reserved_usd": event.reserved_usd,
        "reserved_tokens": event.reserved_tokens,
    }


@facts_of.register
def _(event: ev.CallEnded) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "rung": event.rung,
        "model": event.model,
        "input_tokens": event.usage.input_tokens,
        "output_tokens": event.usage.output_tokens,
        "cost_usd": event.cost_usd,
        "seconds": event.seconds,
        "error": event.error,
    }


@facts_of.register
def _(event: ev.ToolCalled) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "tool": event.tool,
        "seconds": event.seconds,
        "args": event.args,
        "error": event.error,
    }


@facts_of.register
def _(event: ev.EffectStarted) -> dict[str, Json]:
    return {"node": event.node_id, "attempt": event.attempt, "tool": event.tool, "key": event.key}


@facts_of.register
def _(event: ev.EffectEnded) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "tool": event.tool,
        "key": event.key,
        "outcome": event.outcome,
        "told_by": event.told_by,
        "error": event.error,
    }


@facts_of.register
def _(event: ev.BoardAdvanced) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "version": event.board.version,
        "round": event.board.round,
        "claims": len(event.board.claims),
        "contradictions": "; ".join(f"{' and '.join(pair.claims)}: {pair.reason}" for pair in event.contradictions),
    }


@facts_of.register
def _(event: ev.PanelStopped) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "reason": event.reason,
        "rounds": event.rounds,
        "dissent": "; ".join(f"{' and '.join(pair.claims)}: {pair.reason}" for pair in event.dissent),
    }


@facts_of.register
def _(event: ev.SampleDrawn) -> dict[str, Json]:
    drawn: dict[str, Json] = _failure(event.failed) if event.failed else {"output": event.output}
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "sample": event.sample,
        "asked": event.asked,
        **drawn,
    }


@facts_of.register
def _(event: ev.PolicySetAside) -> dict[str, Json]:
    return {"node": event.node_id, "rung": event.rung, "reason": event.reason}


@facts_of.register
def _(event: ev.AttemptEnded) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        **_failure(event.failed),
        "seconds": event.seconds,
        "evidence": _evidence(event.evidence),
    }


@facts_of.register
def _(event: ev.Decided) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "action": event.action,
        "rung": event.rung,
        "reason": event.reason,
    }


@facts_of.register
def _(event: ev.NodeCommitted) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "reused": True if event.reused else None,
        "output": event.output,
    }


@facts_of.register
def _(event: ev.Recalled) -> dict[str, Json]:
    facts: dict[str, Json] = {"node": event.node_id, "entries": len(event.entries), "tokens": event.tokens}
    return {**facts, "untrusted": event.untrusted, "found_by": event.found_by, "warning": event.warning or None}


@facts_of.register
def _(event: ev.Remembered) -> dict[str, Json]:
    facts: dict[str, Json] = {"node": event.node_id, "entry": event.entry, "subject": event.subject}
    return {**facts, "kept": event.kept, "untrusted": ",".join(event.untrusted)}


@facts_of.register
def _(event: ev.NodeFailed) -> dict[str, Json]:
    return {"node": event.node_id, "failure": event.failed.kind.value, "message": event.failed.message}


@facts_of.register
def _(event: ev.NodeSkipped | ev.NodeHeld) -> dict[str, Json]:
    return {"node": event.node_id, "reason": event.reason}


@facts_of.register
def _(event: ev.ApprovalGiven) -> dict[str, Json]:
    return {"node": event.node_id or "plan", "approved": event.approved, "note": event.note}


@facts_of.register
def _(event: ev.BatchAdvanced) -> dict[str, Json]:
    facts: dict[str, Json] = {"batch": event.batch_id or event.batch, "rung": event.rung, "status": event.status}
    return {**facts, "done": f"{event.done}/{event.total}", "calls": len(event.calls) or None}


@facts_of.register
def _(event: ev.BudgetReached) -> dict[str, Json]:
    return {"limit": event.limit, "cap": event.cap, "needed": event.needed}


@facts_of.register
def _(event: ev.BudgetRaised) -> dict[str, Json]:
    return {**event.caps, "by": event.by}


@facts_of.register
def _(event: ev.WorkflowMended) -> dict[str, Json]:
    return {"folder": event.base_dir, "by": event.by}


@facts_of.register
def _(event: ev.RunEnded) -> dict[str, Json]:
    return {"status": event.status, "error": event.error, "untrusted": ", ".join(event.untrusted)}
