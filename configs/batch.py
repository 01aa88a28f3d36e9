"""A model asked through its provider's batch API."""

from pydantic import Field

from planloom.configs.part import Part
from planloom.configs.units import Seconds


class BatchSpec(Part):
    """Calls go to the provider as one file and are answered within hours, for less."""

    within: Seconds = 86_400.0
    """How long an answer may take; at its end the batch is cancelled, and what is not done goes elsewhere."""
    factor: float = Field(default=0.5, gt=0, le=1)
    """What a call costs, as a part of the model's price."""
    window: Seconds = 5.0
    """How long calls are collected into one file, from the first of them."""
    poll: Seconds = 60.0
    """Pause between two questions how the batch stands."""

    @property
    def most_s(self) -> float:
        """Seconds from a call to its answer, at most."""
        return self.window + self.within + 2 * self.poll
