"""What a run does and comes to, in words for whoever waits for it."""

import json
from collections.abc import Iterable

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.result import PendingApproval


def line_of(event: ev.AnyEvent) -> str | None:
    """Return what an event tells somebody who waits; `None` for one that tells them nothing."""
    match event:
        case ev.PlanReady():
            return f"plan {event.plan.version}: {len(event.plan.nodes)} nodes"
        case ev.AttemptStarted():
            return f"{event.node_id}: attempt {event.attempt}" + (f" on {event.rung}" if event.rung else "")
        case ev.NodeCommitted():
            return f"{event.node_id}: done"
        case ev.NodeFailed():
            return f"{event.node_id}: failed, {event.failed.message}"
        case ev.NodeSkipped():
            return f"{event.node_id}: skipped, {event.reason}"
        case ev.NodeHeld():
            return f"{event.node_id}: waits for a person, {event.reason}"
        case ev.PlanHeld():
            return "the plan waits for a person"
        case _:
            return None


def waits_of(pending: Iterable[PendingApproval]) -> list[Json]:
    """Return what waits for a person, as whoever is to answer must name it."""
    return [{"node": str(item.node_id or "plan"), "reason": item.reason, "bound_to": item.bound_to} for item in pending]


def asks(run_id: str, pending: tuple[PendingApproval, ...]) -> str:
    """Return what to tell a caller whose run waits for a person."""
    waits = [f"- {item.node_id or 'plan'}: {item.reason}" for item in pending]
    return "\n".join(
        [
            f"Run {run_id} waits for a person:",
            *waits,
            f"Look at it with GET /v1/runs/{run_id} and answer with POST /v1/runs/{run_id}/approve, "
            f"or with `planloom approve {run_id}`.",
        ]
    )


def as_text(output: Json) -> str:
    """Write a value as text: a text as it is, everything else as JSON."""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
