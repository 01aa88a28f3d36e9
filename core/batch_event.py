"""What happens to calls that wait in a provider's batch, as an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from planloom.core.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAdvanced(Event):
    """Calls of this run wait together in a provider's batch: durable before it is made and when its id is known."""

    batch: str
    """Our name of it, which the provider is told too: by it a later process finds one whose id was never heard."""
    rung: str
    batch_id: str = ""
    """The provider's name of it; empty before the provider has answered."""
    status: str
    """`collected` before it is made, then as the provider says: `in_progress`, `completed`, `expired`, ..."""
    done: int = 0
    total: int = 0
    """Requests of the whole batch, those of other runs included."""
    calls: Mapping[str, str] = field(default_factory=dict[str, str])
    """With `collected`: this run's calls, by id, each with a digest of what is asked."""
