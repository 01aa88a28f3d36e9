"""What happens in a panel, as events."""

from dataclasses import dataclass

from planloom.core.board import Board, StopReason
from planloom.core.contradiction import Contradiction
from planloom.core.event import Event
from planloom.core.plan import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardAdvanced(Event):
    """A panel's board has a next version: its members have written, or its moderator has merged."""

    node_id: NodeId
    attempt: int
    board: Board
    contradictions: tuple[Contradiction, ...] = ()
    """Between the claims that stand on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelStopped(Event):
    """A panel's last round is over."""

    node_id: NodeId
    attempt: int
    reason: StopReason
    rounds: int
    dissent: tuple[Contradiction, ...] = ()
    """Contradictions that were left open."""
