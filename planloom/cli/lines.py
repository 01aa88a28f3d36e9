"""A run as plain lines: one per event, the time, what happened, then `key=value` pairs to grep for."""

import json
from functools import singledispatch

from planloom.cli.words import compact, one_line
from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.outcome import Evidence, Failed

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/[]()$+*<>@,~")


def line(event: ev.AnyEvent, started_at: float) -> str:
    """Write an event as one line: seconds since `started_at`, the kind of event, its facts."""
    kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in type(event).__name__).lstrip("-")
    facts = [f"{key}={_value(value)}" for key, value in _facts(event).items() if value not in (None, "")]
    return f"{max(0.0, event.at - started_at):9.3f} {kind} {' '.join(facts)}".rstrip()


def _value(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") or "0"
    if isinstance(value, str):
        flat = one_line(value, 300)
        return flat if set(flat) <= _PLAIN else json.dumps(flat, ensure_ascii=False)
    return compact(value)


def _evidence(evidence: tuple[Evidence, ...]) -> str:
    bad = [item for item in evidence if not item.passed]
    return "; ".join(f"{item.check}: found {item.found}" if item.found else item.check for item in bad)


def _failure(failed: Failed | None) -> dict[str, Json]:
    if failed is None:
        return {"ok": True}
    return {"ok": False, "failure": failed.kind.value, "message": failed.message}


@singledispatch
def _facts(event: ev.Event) -> dict[str, Json]:
    return {}


@_facts.register
def _(event: ev.RunStarted) -> dict[str, Json]:
    return {"run": event.run_id, "name": event.name, "rehearsal": True if event.rehearsal else None}


@_facts.register
def _(event: ev.RunResumed) -> dict[str, Json]:
    return {"interrupted": ",".join(event.interrupted)}


@_facts.register
def _(event: ev.PlanRequested) -> dict[str, Json]:
    facts: dict[str, Json] = {"purpose": event.purpose, "rung": event.rung, "failed": ",".join(event.failed)}
    return {**facts, "offered": ",".join(event.offered)} if event.offered else facts


@_facts.register
def _(event: ev.NodePlanned) -> dict[str, Json]:
    return {"node": event.node.id, "kind": event.node.kind, "goal": event.node.goal}


@_facts.register
def _(event: ev.PlanReady) -> dict[str, Json]:
    warnings = "; ".join(finding.text for finding in event.warnings)
    return {
        "purpose": event.purpose,
        "version": event.plan.version,
        "nodes": len(event.plan.nodes),
        "warnings": warnings,
    }


@_facts.register
def _(event: ev.PlanRejected) -> dict[str, Json]:
    return {"purpose": event.purpose, "findings": "; ".join(finding.text for finding in event.findings)}


@_facts.register
def _(event: ev.ReplanFailed) -> dict[str, Json]:
    return {"failed": ",".join(event.failed), "reason": event.reason}


@_facts.register
def _(event: ev.NodeExpanded) -> dict[str, Json]:
    return {"node": event.node_id, "elements": event.elements}


@_facts.register
def _(event: ev.AttemptStarted) -> dict[str, Json]:
    samples = event.samples if event.samples > 1 else None
    return {"node": event.node_id, "attempt": event.attempt, "rung": event.rung, "samples": samples}


@_facts.register
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


@_facts.register
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


@_facts.register
def _(event: ev.ToolCalled) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "tool": event.tool,
        "seconds": event.seconds,
        "args": event.args,
        "error": event.error,
    }


@_facts.register
def _(event: ev.EffectStarted) -> dict[str, Json]:
    return {"node": event.node_id, "attempt": event.attempt, "tool": event.tool, "key": event.key}


@_facts.register
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


@_facts.register
def _(event: ev.BoardAdvanced) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "version": event.board.version,
        "round": event.board.round,
        "claims": len(event.board.claims),
        "contradictions": "; ".join(f"{' and '.join(pair.claims)}: {pair.reason}" for pair in event.contradictions),
    }


@_facts.register
def _(event: ev.PanelStopped) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "reason": event.reason,
        "rounds": event.rounds,
        "dissent": "; ".join(f"{' and '.join(pair.claims)}: {pair.reason}" for pair in event.dissent),
    }


@_facts.register
def _(event: ev.SampleDrawn) -> dict[str, Json]:
    drawn: dict[str, Json] = _failure(event.failed) if event.failed else {"output": event.output}
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "sample": event.sample,
        "asked": event.asked,
        **drawn,
    }


@_facts.register
def _(event: ev.AttemptEnded) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        **_failure(event.failed),
        "seconds": event.seconds,
        "evidence": _evidence(event.evidence),
    }


@_facts.register
def _(event: ev.Decided) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "action": event.action,
        "rung": event.rung,
        "reason": event.reason,
    }


@_facts.register
def _(event: ev.NodeCommitted) -> dict[str, Json]:
    return {
        "node": event.node_id,
        "attempt": event.attempt,
        "reused": True if event.reused else None,
        "output": event.output,
    }


@_facts.register
def _(event: ev.Recalled) -> dict[str, Json]:
    facts: dict[str, Json] = {"node": event.node_id, "entries": len(event.entries), "tokens": event.tokens}
    return {**facts, "untrusted": event.untrusted, "found_by": event.found_by, "warning": event.warning or None}


@_facts.register
def _(event: ev.Remembered) -> dict[str, Json]:
    facts: dict[str, Json] = {"node": event.node_id, "entry": event.entry, "subject": event.subject}
    return {**facts, "kept": event.kept, "untrusted": ",".join(event.untrusted)}


@_facts.register
def _(event: ev.NodeFailed) -> dict[str, Json]:
    return {"node": event.node_id, "failure": event.failed.kind.value, "message": event.failed.message}


@_facts.register
def _(event: ev.NodeSkipped | ev.NodeHeld) -> dict[str, Json]:
    return {"node": event.node_id, "reason": event.reason}


@_facts.register
def _(event: ev.ApprovalGiven) -> dict[str, Json]:
    return {"node": event.node_id or "plan", "approved": event.approved, "note": event.note}


@_facts.register
def _(event: ev.BudgetReached) -> dict[str, Json]:
    return {"limit": event.limit, "cap": event.cap, "needed": event.needed}


@_facts.register
def _(event: ev.BudgetRaised) -> dict[str, Json]:
    return {**event.caps, "by": event.by}


@_facts.register
def _(event: ev.RunEnded) -> dict[str, Json]:
    return {"status": event.status, "error": event.error, "untrusted": ", ".join(event.untrusted)}
