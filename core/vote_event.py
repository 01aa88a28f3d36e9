"""How answers are compared and weighed, as events."""

from dataclasses import dataclass

from planloom.core.event import Event
from planloom.core.json import Json
from planloom.core.outcome import Done, Evidence, Failed, Outcome
from planloom.core.plan import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDrawn(Event):
    """One of the samples that must agree is there; a process that takes the vote up does not ask for it again."""

    node_id: NodeId
    attempt: int
    sample: int
    """Number of the sample, from 0."""
    asked: str
    """How it was asked for: `plain`, `program on other`."""
    output: Json = None
    evidence: tuple[Evidence, ...] = ()
    failed: Failed | None = None
    """Why it has no vote; `None` where there is an output."""

    @property
    def outcome(self) -> Outcome:
        """What was drawn."""
        return self.failed or Done(output=self.output, evidence=self.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySetAside(Event):
    """The policy was not fitted for what is asked now: untrained checks weigh the answers; told once for each rung."""

    node_id: NodeId
    """The first node that it concerns."""
    rung: str
    reason: str
