"""What a promoted workflow keeps of the run that it came from."""

from typing import Literal

from pydantic import Field, JsonValue

from planloom.configs.part import Part


class PinSpec(Part):
    """What a tool was, as digests; a tool that differs is refused before anything runs."""

    effect: Literal["pure", "read", "write"]
    """What calling it does to the world."""
    description: str
    """Digest of its description, which models are shown."""
    parameters: dict[str, str] = Field(default={})
    """Digest of each parameter's schema."""
    rest: str
    """Digest of what else its schema says, such as which parameters are required."""


def purpose_of(description: str, instructions: str) -> str:
    """Return what a planner is told beside the inputs, as one text."""
    return "\n".join(text.strip() for text in (description, instructions) if text.strip())


class PromotedSpec(Part):
    """Where a workflow comes from that `planloom promote` wrote."""

    run: str = Field(min_length=1)
    """The run whose plan this is."""
    asked: dict[str, JsonValue] = Field(default={})
    """The inputs of that run, to find this workflow by."""
    purpose: str = ""
    """What that run's planner was told beside them: the description, and its instructions."""
    rehearsal: bool = False
    """A script answered in place of models in that run."""
    by_planner: tuple[str, ...] = ()
    """Nodes that a planner wrote. Their references grant untrusted values nothing; take a node you have read off the
    list, and its references count as your own."""
