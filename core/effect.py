"""A write by a tool as the journal knows it: what was meant, and what came of it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.json import Json, JsonObject

EffectOutcome: TypeAlias = Literal["open", "done", "failed", "unknown", "undone"]
"""`open`: under way, or its process died. `failed`: the tool reported an error, so that it may have happened or not.
`unknown`: cut off. `undone`: it was found out that it did not happen, or a rule
refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRecord:
    """One write: from its intent, written before the call, to its outcome."""

    key: str
    """Idempotency key: the same on every retry, resume and replan of the same work."""
    work: str
    """The node's work that it belongs to."""
    tool: str
    args: JsonObject
    attempt: int
    outcome: EffectOutcome = "open"
    result: Json = None
    """What the tool returned, when it is done."""
    error: str = ""

    @property
    def uncertain(self) -> bool:
        """Whether nobody knows if it happened."""
        return self.outcome in ("open", "failed", "unknown")
