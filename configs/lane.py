"""A slower, cheaper way to ask the same model."""

from pydantic import Field

from planloom.configs.part import Part


class LaneSpec(Part):
    """A stand-in for a rung: as good, slower and cheaper, such as a provider's flex or batch prices."""

    use: str
    """Rung that stands in."""
    slower: float = Field(default=2.0, ge=1, le=10_000, allow_inf_nan=False)
    """How many times as long it takes, as long as no past run tells."""
