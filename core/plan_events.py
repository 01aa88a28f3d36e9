"""How the plan comes about and changes, as events."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.event import Event
from planloom.core.plan import Finding, Node, NodeId, Plan

PlanPurpose: TypeAlias = Literal["plan", "repair", "replan", "edit", "mend", "reuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequested(Event):
    """The planner was asked for a plan, a repair of a rejected one, or a replan behind failures."""

    purpose: PlanPurpose
    rung: str
    failed: tuple[NodeId, ...] = ()
    offered: tuple[str, ...] = ()
    """Promoted workflows whose plans it was shown."""


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
class PlanRejected(Event):
    """A plan or patch did not pass the compiler."""

    purpose: PlanPurpose
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplanFailed(Event):
    """No patch could be had; the nodes stay failed."""

    failed: tuple[NodeId, ...]
    reason: str
