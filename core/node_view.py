"""A node and its attempts as they unfold: the parts of a `RunView`."""

from dataclasses import dataclass, field

from planloom.core.effect import EffectRecord
from planloom.core.json import Json
from planloom.core.outcome import Evidence, Failed, FailureKind, Outcome, Usage
from planloom.core.plan import NodeId
from planloom.core.result import AttemptRecord, NodeRecord, NodeState, PanelRecord


@dataclass(slots=True, kw_only=True)
class AttemptView:
    """An attempt as it unfolds."""

    attempt: int
    rung: str
    started_at: float
    input_digest: str = ""
    model: str = ""
    ended_at: float | None = None
    failed: Failed | None = None
    evidence: tuple[Evidence, ...] = ()
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    tool_calls: int = 0
    samples: dict[int, Outcome] = field(default_factory=dict[int, Outcome])
    """Of a vote, by number."""

    @property
    def cut_off(self) -> bool:
        """Whether its process stopped while it ran."""
        return self.failed is not None and self.failed.kind is FailureKind.INTERRUPTED

    def record(self) -> AttemptRecord:
        """Freeze it."""
        return AttemptRecord(
            attempt=self.attempt,
            rung=self.rung,
            model=self.model,
            started_at=self.started_at,
            ended_at=self.ended_at,
            ok=self.ended_at is not None and self.failed is None,
            failure=self.failed.kind.value if self.failed else "",
            message=self.failed.message if self.failed else "",
            evidence=self.evidence,
            usage=self.usage,
            cost_usd=self.cost_usd,
            tool_calls=self.tool_calls,
            trace=self.failed.trace if self.failed else "",
        )


@dataclass(slots=True, kw_only=True)
class NodeView:
    """A node as it unfolds."""

    id: NodeId
    goal: str = ""
    state: NodeState = "pending"
    attempts: list[AttemptView] = field(default_factory=list[AttemptView])
    output: Json = None
    input_digest: str = ""
    reason: str = ""
    plan_version: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    reused: bool = False
    elements: int | None = None
    unmended: bool = False
    """The planner was asked to mend the plan behind its failure, and could not."""
    notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """What people said to it: why it waited, and the answer."""
    effects: dict[str, EffectRecord] = field(default_factory=dict[str, EffectRecord])
    """Writes by idempotency key, each as it was last tried."""
    panel: PanelRecord | None = None
    """The board of the latest attempt that had one."""

    @property
    def unfinished(self) -> bool:
        """Whether an attempt began and never ended: its process stopped."""
        return bool(self.attempts) and self.attempts[-1].ended_at is None

    def interrupt(self, at: float) -> None:
        """End the attempt that was under way; what was settled stays so."""
        if self.unfinished or self.state == "running":
            self.state = "pending"
        if self.unfinished:
            final = self.attempts[-1]
            final.ended_at = at
            final.failed = Failed(kind=FailureKind.INTERRUPTED, message="the process stopped while it ran")

    @property
    def worked_s(self) -> float:
        """Seconds that its attempts took, without what lies between them: a pause of the run is no work of the node."""
        if self.attempts:
            return sum(max(0.0, attempt.ended_at - attempt.started_at) for attempt in self.attempts if attempt.ended_at)
        return max(0.0, self.ended_at - self.started_at) if self.started_at and self.ended_at else 0.0

    @property
    def usage(self) -> Usage:
        """Tokens and calls of all attempts."""
        return sum((attempt.usage for attempt in self.attempts), Usage())

    @property
    def cost_usd(self) -> float:
        """Cost of all attempts."""
        return sum(attempt.cost_usd for attempt in self.attempts)

    def record(self) -> NodeRecord:
        """Freeze it."""
        return NodeRecord(
            id=self.id,
            state=self.state,
            goal=self.goal,
            attempts=tuple(attempt.record() for attempt in self.attempts),
            output=self.output,
            reason=self.reason,
            usage=self.usage,
            cost_usd=self.cost_usd,
            started_at=self.started_at,
            ended_at=self.ended_at,
            plan_version=self.plan_version,
            reused=self.reused,
            effects=tuple(self.effects.values()),
            panel=self.panel,
        )
