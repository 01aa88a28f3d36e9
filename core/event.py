"""What all events have in common."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events. `at` is seconds since the epoch."""

    at: float = field(default_factory=time.time)
