"""A panel: who sits on it, how long it may go on, and what a contradiction leads to."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

OnContradiction: TypeAlias = Literal["resolve", "dissent", "escalate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One voice of a panel, with a dialogue of its own."""

    name: str
    role: str
    """What it looks for, as it is told."""
    model: str | None = None
    """Rung; `None` takes the node's."""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What makes a node a panel."""

    members: tuple[Member, ...]
    moderator: str | None = None
    """Rung of the moderator; `None` takes the node's."""
    instructions: str = ""
    """For the moderator."""
    rounds: int = 3
    """Rounds at most."""
    on_contradiction: OnContradiction = "resolve"
    tolerance: float = 0.001
    """Relative difference up to which two numbers say the same."""

    @property
    def calls_a_round(self) -> int:
        """Model calls of one round in which everybody answers at once."""
        return len(self.members) + 1
