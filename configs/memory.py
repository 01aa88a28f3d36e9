"""What a workflow keeps for later runs, as people write it."""

from typing import Literal

from pydantic import Field

from planloom.configs.part import Part
from planloom.configs.units import Count, Seconds


class MemorySpec(Part):
    """What is kept for later runs, and what of it models are shown."""

    recall: int = Field(default=5, ge=0, le=50)
    """Entries that one prompt is shown at most: the planner's, and those of nodes with `recall: true`."""
    tokens: Count = 800
    """Tokens of one prompt that recalled entries may take, at three bytes each."""
    remember: Literal["named", "checked"] = "named"
    """`named`: what nodes with `remember` give. `checked`: also every worker's result that passed checks."""
    scope: str = Field(default="", max_length=128)
    """Namespace; left out, the workflow's name. Workflows with the same scope share what they know."""
    embeddings: str | None = None
    """Model with `api: embeddings`: entries are then also found by what they mean, not only by their words."""
    kinds: tuple[Literal["fact", "result"], ...] = ("fact", "result")
    """What is recalled: facts, which nodes with `remember` give, and results, which passed checks."""
    untrusted: Literal["workers", "nobody"] = "workers"
    """Who is shown entries that may hold text of others: workers, whose results then count as untrusted, or nobody.
    A planner never is."""
    ttl: Seconds | None = None
    """How long an entry is kept; left out, until others push it out."""
    first_rung: bool = False
    """Start nodes on the rung that is cheapest in the end, as past runs of the same work say; needs prices."""
    max_entries: Count = 1000
    """Entries of the namespace at most; those not used for longest go first."""
