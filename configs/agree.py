"""Samples that must agree, as people and planners write them."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from planloom.configs.part import Part
from planloom.configs.units import Words
from planloom.core.check import Agree, Method, Voice
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effort

OutputPath = Annotated[
    str,
    StringConstraints(pattern=r"^output(\.[A-Za-z_]\w*|\[\d+\])*$"),
    Words("a path such as output, output.title or output.rows[0]", "path"),
]
"""Where in a node's output: `output`, `output.title`, `output.rows[0]`."""

BY_EFFORT: Mapping[Effort, tuple[int, int]] = {"low": (2, 2), "medium": (3, 2), "high": (5, 3)}
"""Samples at most and quorum, where a workflow does not say."""


class VoiceSpec(Part):
    """How one sample is asked for: another method, another model, or both."""

    method: Method | None = None
    """`parts` takes the goal apart, `backwards` starts at its end, `doubt` mistrusts what comes to mind first, and
    `program` writes Python whose result counts."""
    model: str | None = None
    """Rung that is asked; once the node was promoted, such samples are left out."""

    @model_validator(mode="after")
    def _differs(self) -> "VoiceSpec":
        if self.method is None and self.model is None:
            raise ValueError("expected a method or a model; found none")
        return self


class AgreeSpec(Part):
    """Independent samples that must agree."""

    samples: int | None = Field(default=None, ge=2, le=15)
    """Samples at most; left out, as `effort` says: 2 (`low`), 3 or 5 (`high`)."""
    quorum: int | None = Field(default=None, ge=2, le=15)
    """Equal samples that it takes; left out, as `effort` says: 2, or 3 (`high`)."""
    path: OutputPath = "output"
    """What is compared, as a JSON value: `output`, `output.answer`."""
    compare: Literal["value", "answer"] = "value"
    """`value`: equal JSON. `answer`: what a text comes to, so that "#### $1,200.00" and 1200 are equal."""
    confidence: float | None = Field(default=None, gt=0.5, lt=1)
    """Beyond the quorum, draw on until the leader stays ahead with this chance; left out, the quorum is enough."""
    vary: tuple[VoiceSpec, ...] = Field(default=(), max_length=14)
    """How the second sample and further ones are asked for, in turn with a plain one; left out, all alike."""

    @model_validator(mode="after")
    def _quorum_fits(self) -> "AgreeSpec":
        if self.samples is not None and self.quorum is not None and self.quorum > self.samples:
            raise ValueError(f"expected a quorum of at most {self.samples} (samples), found {self.quorum}")
        return self

    def to_agree(self, effort: Effort) -> Agree:
        """Return the numbers for a node of that effort."""
        samples, quorum = BY_EFFORT[effort]
        quorum = self.quorum or min(quorum, self.samples or quorum)
        return Agree(
            samples=self.samples or max(samples, quorum),
            quorum=quorum,
            path=self.path,
            compare=self.compare,
            confidence=self.confidence or 0.0,
            vary=tuple(Voice(method=voice.method, model=voice.model) for voice in self.vary),
        )


def agree_json(agree: Agree) -> Json:
    """Return the check as it would be written."""
    out: JsonObject = {"samples": agree.samples, "quorum": agree.quorum, "path": agree.path}
    if agree.compare != "value":
        out["compare"] = agree.compare
    if agree.confidence:
        out["confidence"] = agree.confidence
    if agree.vary:
        out["vary"] = [
            {key: value for key, value in (("method", voice.method), ("model", voice.model)) if value}
            for voice in agree.vary
        ]
    return {"agree": out}
