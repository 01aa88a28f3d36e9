"""What a run leaves behind: `RunResult`, a pure fold over its events."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import TypeAdapter

from planloom.core.answer import HoldKind
from planloom.core.board import Board, StopReason
from planloom.core.contradiction import Contradiction
from planloom.core.effect import EffectRecord
from planloom.core.events import Action, Status
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Evidence, Usage
from planloom.core.plan import Finding, NodeId, RunId

NodeState: TypeAlias = Literal["pending", "running", "done", "failed", "skipped", "held", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt of one node. Times are seconds since the epoch."""

    attempt: int
    rung: str
    model: str
    started_at: float
    ended_at: float | None
    ok: bool
    failure: str
    """Failure kind; empty when it passed or still runs."""
    message: str
    evidence: tuple[Evidence, ...]
    usage: Usage
    cost_usd: float
    tool_calls: int
    trace: str = ""
    """Traceback of the user's own code, where it raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRecord:
    """What came of a panel in its latest attempt."""

    attempt: int
    board: Board
    stopped: StopReason | None = None
    """Why it ended; `None` when it did not."""
    dissent: tuple[Contradiction, ...] = ()
    """Claims that contradict each other: those left open, or while it runs those found last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """What happened to one node."""

    id: NodeId
    state: NodeState
    goal: str
    attempts: tuple[AttemptRecord, ...]
    output: Json
    reason: str
    """Why it failed, was skipped or is held."""
    usage: Usage
    cost_usd: float
    started_at: float | None
    ended_at: float | None
    plan_version: int
    reused: bool = False
    effects: tuple[EffectRecord, ...] = ()
    """What its tools wrote, each as it was last tried."""
    panel: PanelRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision of the router."""

    node_id: NodeId
    attempt: int
    action: Action
    reason: str
    rung: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingApproval:
    """Something that waits for a human; `node_id` is `None` for the whole plan."""

    node_id: NodeId | None
    reason: str
    bound_to: str
    kind: HoldKind = "approval"
    shown: Json = None
    """What is to be decided about."""
    held_at: float = 0.0
    """Since when it waits, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The whole record of a run."""

    run_id: RunId
    name: str
    status: Status
    output: Json
    untrusted: tuple[str, ...]
    """Where text in the output may come from that nobody vouches for: tools by name, inputs as `inputs.NAME`."""
    error: str
    nodes: dict[str, NodeRecord]
    decisions: tuple[DecisionRecord, ...]
    usage: Usage
    cost_usd: float
    plan_version: int
    findings: tuple[Finding, ...]
    """Warnings of the plan in force."""
    started_at: float
    ended_at: float | None
    rehearsal: bool
    """True when a scripted stand-in answered in place of models."""
    pending: tuple[PendingApproval, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Wall-clock seconds from start to end; 0 while it runs."""
        return (self.ended_at - self.started_at) if self.ended_at else 0.0

    def as_json(self) -> JsonObject:
        """The record as JSON, the shape `planloom run --json` prints."""
        out: JsonObject = TypeAdapter(RunResult).dump_python(self, mode="json")
        out["seconds"] = round(self.seconds, 6)
        return out
