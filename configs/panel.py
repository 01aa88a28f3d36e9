"""A panel as people write it, and its way into the plan and back."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from planloom.configs.part import Part
from planloom.configs.units import Words
from planloom.core.json import JsonObject
from planloom.core.panel import Member, Panel

MemberName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z_]\w{0,63}$"),
    Words("a name (a letter or _, then letters, digits or _; at most 64)", "name"),
]
"""What a member is called on the board."""


class MemberSpec(Part):
    """One member of a panel; it has a dialogue of its own and sees the others through the board only."""

    role: str = Field(min_length=1)
    """What it looks for, in a sentence: `Looks for what is wrong.`"""
    model: str | None = None
    """Rung that speaks for it; left out, the node's."""
    instructions: str = ""
    """More for this member alone: rules, a method, what to read first."""


class ModeratorSpec(Part):
    """Who merges the board into the node's output."""

    model: str | None = None
    """Rung that moderates; left out, the node's."""
    instructions: str = ""
    """More for the moderator alone."""


class PanelSpec(Part):
    """Several members work over one board of claims, and a moderator merges it into the node's output."""

    members: dict[MemberName, MemberSpec] = Field(min_length=2, max_length=12)
    """Members by name, 2 to 12."""
    moderator: ModeratorSpec = ModeratorSpec()
    """Merges what stands on the board; rules on contradictions."""
    rounds: int = Field(default=3, ge=1, le=20)
    """Rounds at most; a round that adds nothing ends it sooner."""
    on_contradiction: Literal["resolve", "dissent", "escalate"] = "resolve"
    """Claims that contradict each other go through one more round, are recorded as dissent, or fail the attempt."""
    tolerance: float = Field(default=0.001, ge=0, le=1, allow_inf_nan=False)
    """Relative difference up to which two numbers say the same."""

    def to_panel(self) -> Panel:
        """Return the plan's panel."""
        return Panel(
            members=tuple(
                Member(name=name, role=member.role, model=member.model, instructions=member.instructions)
                for name, member in self.members.items()
            ),
            moderator=self.moderator.model,
            instructions=self.moderator.instructions,
            rounds=self.rounds,
            on_contradiction=self.on_contradiction,
            tolerance=self.tolerance,
        )


def panel_json(panel: Panel) -> JsonObject:
    """Return a panel as it would be written in YAML."""
    members: JsonObject = {}
    for member in panel.members:
        members[member.name] = {
            key: value for key, value in asdict(member).items() if key != "name" and value not in (None, "")
        }
    moderator: JsonObject = {"model": panel.moderator, "instructions": panel.instructions}
    return {
        "members": members,
        "moderator": {key: value for key, value in moderator.items() if value},
        "rounds": panel.rounds,
        "on_contradiction": panel.on_contradiction,
        "tolerance": panel.tolerance,
    }
