"""What the router may decide after a failed attempt."""

from dataclasses import dataclass
from typing import TypeAlias

from planloom.core.check import Agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Again on the same rung, with the evidence."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Several samples on the same rung must agree."""

    agree: Agree
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """One rung up the ladder, with the evidence but not the transcript."""

    rung: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Nothing better came: an answer that passed its checks and was only doubted counts after all."""

    attempt: int
    """The attempt that gave it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """Back to the planner: the cone behind the failure is planned anew."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A human decides."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The node has failed for good; what is behind it will not run."""

    reason: str


Decision: TypeAlias = Retry | Vote | Promote | Keep | Replan | Ask | Stop
