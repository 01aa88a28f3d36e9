"""What a worker, or every voice of a panel, is given: one piece of work, filled in."""

from collections.abc import Mapping
from dataclasses import dataclass

from planloom.agents.prompting import block, found_wrong, section
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """One piece of work, filled in: no references are left."""

    node_id: str
    attempt: int
    goal: str
    inputs: Mapping[str, Json]
    schema: JsonObject | None
    """JSON Schema of the result; `None` for plain text."""
    evidence: tuple[Evidence, ...] = ()
    """What was found wrong with the last attempt; its transcript is not passed on."""
    rejected: Json = None
    """The last attempt's output, when a check rejected it."""
    remembered: str = ""
    """What earlier runs remembered, as a section of the prompt."""
    notes: tuple[tuple[str, str], ...] = ()
    """What people said to this work: why it waited, and the answer."""

    @property
    def asked(self) -> str:
        """The sections of a prompt that say what is to be done."""
        return section("Goal", self.goal) + section("Inputs", block(dict(self.inputs)) if self.inputs else "")

    @property
    def known(self) -> str:
        """The sections of a prompt that say what came of it before."""
        said = "\n\n".join(f"{reason}\nA person answered: {note}" for reason, note in self.notes)
        earlier = section("Earlier attempt", found_wrong(self.evidence, self.rejected))
        return self.remembered + earlier + section("Said by a person", said)
