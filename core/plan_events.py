"""How the plan comes about and changes, as events."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.event import Event
from planloom.core.plan import Finding, Node, NodeId, Plan

PlanChoice: TypeAlias = Literal["agreed", "next rung", "lint"]
MergeReason: TypeAlias = Literal["chain", "planner"]
PlanPurpose: TypeAlias = Literal["plan", "repair", "replan", "edit", "mend", "reuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequested(Event):
    """The planner was asked for a plan, a repair of a rejected one, or a replan behind failures."""

    purpose: PlanPurpose
    rung: str
    failed: tuple[NodeId, ...] = ()
    offered: tuple[str, ...] = ()
    """Promoted workflows whose plans it was shown."""
    asked: str = ""
    """How it was asked for, where several plans are compared: `plain`, `backwards on other`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlanned(Event):
    """One node arrived while the planner was still writing; it may already run."""

    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReady(Event):
    """A plan version passed the compiler and is now the one that runs."""

    plan: Plan
    purpose: PlanPurpose
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesMerged(Event):
    """Nodes of which none can run beside another became one worker; the plan that follows has it in their place."""

    into: NodeId
    nodes: tuple[NodeId, ...]
    """In their order; each one's result stands under its name in the worker's."""
    reason: MergeReason
    """The plan is a chain, or the planner said that one worker should do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRejected(Event):
    """A plan or patch did not pass the compiler."""

    purpose: PlanPurpose
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplanFailed(Event):
    """No patch could be had; the nodes stay failed."""

    failed: tuple[NodeId, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDrafted(Event):
    """One of the plans that are compared is there; a process that takes the run up does not ask for it again."""

    sample: int
    """Number of the plan, from 0."""
    rung: str
    asked: str
    """How it was asked for: `plain`, `backwards on other`."""
    plan: Plan | None = None
    """The plan, which has passed the compiler."""
    graph: str = ""
    """What the plan does, so that equal plans are equal texts."""
    error: str = ""
    """Why there is no plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlansCompared(Event):
    """The plans of several planners were compared, and one was taken."""

    taken: int
    """Number of the plan."""
    because: PlanChoice
    """Enough were the same; else a stronger rung wrote another, or the one with the fewest warnings was taken."""
    found: str
    """How many were the same."""
    dissent: str = ""
    """What an outvoted or rejected plan would do otherwise."""
