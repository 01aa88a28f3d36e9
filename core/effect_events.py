"""What happens around a write, as events: its intent before, its outcome after."""

from dataclasses import dataclass
from typing import Literal

from planloom.core.effect import EffectOutcome
from planloom.core.event import Event
from planloom.core.json import Json, JsonObject
from planloom.core.plan import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStarted(Event):
    """A tool that writes is about to be called; durable before the call, so that a crash leaves a trace of it."""

    node_id: NodeId
    attempt: int
    tool: str
    key: str
    """Idempotency key of the call."""
    work: str
    """The node's work that it belongs to, the same over retries, resumes and replans."""
    args: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectEnded(Event):
    """What came of a write; durable before its result is used, so that a retry takes the result and not the write."""

    node_id: NodeId
    attempt: int
    tool: str
    key: str
    outcome: EffectOutcome
    result: Json = None
    error: str = ""
    told_by: Literal["tool", "verify", "human"] = "tool"
    """The call itself, the tool's `verify` hook, or a person."""
