"""What waits for a person as AG-UI's interrupts."""

from collections.abc import Mapping

from pydantic import TypeAdapter

from planloom.core.json import Json, JsonObject
from planloom.core.result import PendingApproval
from planloom.service.answering import id_of
from planloom.service.shapes import Verdict

_PENDING = TypeAdapter(PendingApproval)
_REASONS: Mapping[str, str] = {"approval": "confirmation", "question": "input_required"}
"""Reasons that the protocol has names for; all others are ours."""
_FIELDS: Mapping[str, tuple[str, ...]] = {"plan": ("plan",), "effect": ("happened", "result")}
"""What an answer may say of some kinds, beside `approved` and `note`."""


def interrupt_of(run_id: str, item: PendingApproval) -> JsonObject:
    """Return something that waits as an interrupt."""
    node = str(item.node_id or "plan")
    kind = item.kind if item.node_id else "plan"
    shown: Json = _PENDING.dump_python(item, mode="json")
    return {
        "id": id_of(run_id, item),
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
