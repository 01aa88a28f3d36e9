"""What waits for a person as AG-UI's interrupts, and the answers to them.

An interrupt's id says what it is about: run, digest of what was shown, node. So nothing has to be kept for the answer,
which may come to any process of the service.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import TypeAdapter

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.plan import NodeId
from planloom.core.result import PendingApproval
from planloom.core.view import RunView
from planloom.service.ag_ui_shapes import ResumeEntry
from planloom.service.problems import Fault, Problem
from planloom.service.shapes import AnswerShape, Verdict

_PENDING = TypeAdapter(PendingApproval)
_REASONS: Mapping[str, str] = {"approval": "confirmation", "question": "input_required"}
"""Reasons that the protocol has names for; all others are ours."""
_FIELDS: Mapping[str, tuple[str, ...]] = {"plan": ("plan",), "effect": ("happened", "result")}
"""What an answer may say of some kinds, beside `approved` and `note`."""


class Waiting(NamedTuple):
    """What an interrupt is about."""

    run_id: str
    bound_to: str
    node: str
    """A node's id, or `plan`."""


def interrupt_of(run_id: str, item: PendingApproval) -> JsonObject:
    """Return something that waits as an interrupt."""
    node = str(item.node_id or "plan")
    kind = item.kind if item.node_id else "plan"
    shown: Json = _PENDING.dump_python(item, mode="json")
    return {
        "id": f"{run_id}:{item.bound_to}:{node}",
        "reason": _REASONS.get(kind, f"planloom:{kind}"),
        "message": f"{node}: {item.reason}",
        "responseSchema": _response_schema(kind),
        "metadata": {"planloom": {"run_id": run_id, "pending": shown}},
    }


def _response_schema(kind: str) -> JsonObject:
    properties = Verdict.model_json_schema()["properties"]
    wanted = ("approved", "note", *_FIELDS.get(kind, ()))
    return {
        "type": "object",
        "properties": {name: properties[name] for name in wanted},
        "required": ["approved"],
        "additionalProperties": False,
    }


def run_of(entries: Sequence[ResumeEntry]) -> str:
    """Return the run that answers are for.

    Raises:
        Problem: 422, they are for several.
    """
    runs = {_waiting(entry).run_id for entry in entries}
    if len(runs) != 1:
        fault = Fault(pointer="/resume", detail="expected answers to interrupts of one run")
        raise Problem(422, "invalid", "The request does not fit.", errors=[fault])
    return runs.pop()


def _waiting(entry: ResumeEntry) -> Waiting:
    run_id, _, rest = entry.interrupt_id.partition(":")
    bound_to, _, node = rest.partition(":")
    return Waiting(run_id, bound_to, node)


def fresh(view: RunView, entries: Sequence[ResumeEntry]) -> list[AnswerShape]:
    """Return the answers that were not given yet: a client that lost the connection sends them again."""
    found: list[AnswerShape] = []
    for entry in entries:
        waiting, verdict = _waiting(entry), entry.verdict
        given = view.approvals.get(_key(waiting))
        if given is None or given.approved != verdict.approved:
            found.append(AnswerShape(node=waiting.node, bound_to=waiting.bound_to, **verdict.model_dump()))
    return found


def before_answers(history: Sequence[ev.AnyEvent], entries: Sequence[ResumeEntry]) -> list[ev.AnyEvent]:
    """Return what had happened before the first of the answers was given."""
    keys = {_key(_waiting(entry)) for entry in entries}
    for number, event in enumerate(history):
        if isinstance(event, ev.ApprovalGiven) and (event.node_id, event.bound_to) in keys:
            return [*history[:number]]
    return [*history]


def _key(waiting: Waiting) -> tuple[NodeId | None, str]:
    return (None if waiting.node == "plan" else NodeId(waiting.node), waiting.bound_to)
