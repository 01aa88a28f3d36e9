"""The planner, as a workflow names it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from planloom.configs.part import Part
from planloom.core.check import Agree, Voice


class PlanVoiceSpec(Part):
    """How one of several plans is asked for: another method, another model, or both."""

    method: Literal["parts", "backwards", "doubt"] | None = None
    """`parts` lists what the task is made of first, `backwards` starts at the result, and `doubt` mistrusts the plan
    that comes to mind first."""
    model: str | None = None
    """Rung that is asked."""

    @model_validator(mode="after")
    def _differs(self) -> "PlanVoiceSpec":
        if self.method is None and self.model is None:
            raise ValueError("expected a method or a model; found none")
        return self


class PlanVoteSpec(Part):
    """Plans that must be the same."""

    quorum: int = Field(default=2, ge=2, le=7)
    """Equal plans that it takes; so many are asked for at once."""
    samples: int | None = Field(default=None, ge=2, le=8)
    """Plans at most; left out, one more than the quorum."""
    vary: tuple[PlanVoiceSpec, ...] = Field(
        default=(PlanVoiceSpec(method="backwards"), PlanVoiceSpec(method="parts")), max_length=7
    )
    """How the second plan and further ones are asked for, in turn with a plain one."""

    @model_validator(mode="after")
    def _quorum_fits(self) -> "PlanVoteSpec":
        if self.samples is not None and self.quorum > self.samples:
            raise ValueError(f"expected a quorum of at most {self.samples} (samples), found {self.quorum}")
        return self

    def to_agree(self) -> Agree:
        """Return the numbers."""
        vary = tuple(Voice(method=voice.method, model=voice.model) for voice in self.vary)
        return Agree(samples=self.samples or self.quorum + 1, quorum=self.quorum, vary=vary)


class PlannerSpec(Part):
    """Who plans, and within which bounds."""

    model: str | None = None
    """Rung that plans; left out, the last of the ladder."""
    max_nodes: int = Field(default=24, ge=1, le=10_000)
    """Nodes of one plan at most."""
    repairs: int = Field(default=2, ge=0, le=5)
    """Rounds in which a rejected plan goes back to the planner with its findings."""
    agree: Annotated[int, Field(ge=2, le=7)] | PlanVoteSpec | None = None
    """Plans that must be the same before one runs: so many, of one more at most. No node starts before; see
    [Two planners](quality.md#two-planners). Replans are asked of one planner."""
    approve: Literal["never", "writes", "plan"] = "never"
    """What a human must approve: nothing, each node with `effect: write`, or the whole plan as well."""
    instructions: str = ""
    """Added to the planner's prompt: house rules, domain knowledge."""
    single: Literal["off", "auto"] = "off"
    """`auto`: neighbouring workers of a plan in which nothing can run side by side become one worker."""
    panels: bool = False
    """Let it write nodes with a `panel`; those written by hand need no leave."""
    reuse: str | None = None
    """Folder of promoted workflows, relative to this file: plans of similar tasks are offered to the planner."""
    reuse_exact: bool = False
    """A run with the description, instructions and inputs of a promoted plan's run, but for the inputs that the plan
    reads, takes that plan and asks no planner."""

    @property
    def agreement(self) -> Agree | None:
        """What several planners must agree on; `None` where one plans alone."""
        return (
            PlanVoteSpec(quorum=self.agree).to_agree()
            if isinstance(self.agree, int)
            else (self.agree.to_agree() if self.agree is not None else None)
        )
