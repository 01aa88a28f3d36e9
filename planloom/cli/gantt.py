"""A run as a Gantt chart, before anyone draws it: rows of spans and marks on one axis, and cost over time."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.cli.axis import Axis
from planloom.core.result import NodeState

SpanKind: TypeAlias = Literal["passed", "failed", "running", "cut", "plan", "map", "needs", "slot", "human"]
"""An attempt by how it ended, the planner at work, a map as a whole; or a wait: for other nodes, a place, a person."""
MarkKind: TypeAlias = Literal[
    "start",
    "retry",
    "vote",
    "promote",
    "keep",
    "replan",
    "ask",
    "stop",
    "held",
    "approved",
    "rejected",
    "round",
    "dissent",
]
WAITS: tuple[SpanKind, ...] = ("needs", "slot", "human")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time. Places are those of the axis."""

    kind: SpanKind
    start: float
    end: float
    label: str = ""
    """What may be written into it: the rung."""
    title: str = ""
    """Lines for whoever points at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A model call or a tool call within an attempt."""

    kind: Literal["model", "tool"]
    start: float
    end: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment: what the router decided, or a person; the end of a panel's round, and what it left open."""

    kind: MarkKind
    at: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One row; the elements of a map are rows of their own below it."""

    name: str
    state: NodeState
    facts: str
    """Seconds, tries, cost: what stands beside the bars."""
    goal: str = ""
    spans: tuple[Span, ...] = ()
    beats: tuple[Beat, ...] = ()
    marks: tuple[Mark, ...] = ()
    elements: tuple["Lane", ...] = ()

    @property
    def start(self) -> float | None:
        """Where its first work begins; `None` when it never came to that."""
        return min((span.start for span in self.spans if span.kind not in WAITS), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """A run to draw."""

    title: str
    subtitle: str
    axis: Axis
    lanes: tuple[Lane, ...]
    costs: tuple[tuple[float, float], ...]
    """Place, and US dollars spent by then; the first is 0 at the start."""
    cap_usd: float | None
