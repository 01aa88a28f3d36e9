"""How one piece of work went on one rung of the ladder: what experience is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """All attempts that one piece of work made on one rung. Time in seconds since the epoch."""

    rung: str
    model: str
    """As the workflow names it."""
    served: str
    """As the provider named it in its replies."""
    ok: bool
    cost_usd: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitKey:
    """Which piece of work it was, and what kind of work."""

    run_id: str
    node_id: str
    input_digest: str
    signature: str
