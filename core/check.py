"""Acceptance checks: what must hold before a node's output counts."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from planloom.core.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ExprCheck:
    """A boolean expression over `output`, the node's `with` names and `inputs`."""

    expr: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexCheck:
    """The text at `path` of the output must contain a match of `pattern` (RE2 syntax, linear time)."""

    pattern: str
    path: str = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCheck:
    """A trusted Python function `module:attr`, called with the output and the node's `with` values.

    It returns `True`, or a text that says what is wrong; `False` or an `AssertionError` fails the check. Any other
    exception is the function's own fault and stops the node.
    """

    ref: str
    args: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCheck:
    """Python run in the sandbox over `output`, the node's `with` names and `inputs`.

    A failing `assert`, an exception or a last expression that is false fails the check. Code that could run on no
    answer at all (a missing module, an unknown name, bad syntax) stops the node.
    """

    code: str
    load: str | None = None
    """Path of source code in the output, such as `output.source`. It runs in a sandbox of its own; `code` calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCheck:
    """A built-in check on the text at `path` of the output, held against the goal and the `with` values."""

    text: str
    """Name of the check: `arithmetic`, `final_answer`."""
    path: str = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCheck:
    """Another model reads the goal, the output and a rubric, and answers pass or fail with reasons."""

    judge: str
    model: str | None = None
    """Name of the rung that judges; `None` takes the last rung of the ladder."""


Method: TypeAlias = Literal["parts", "backwards", "doubt", "program"]
"""Another way to come to a result; `program` is code whose result is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How one sample is asked for."""

    method: Method | None = None
    model: str | None = None
    """Rung that is asked; `None` takes the attempt's."""

    def __str__(self) -> str:
        where = f"on {self.model}" if self.model else ""
        return f"{self.method or ''} {where}".strip() or "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agree:
    """Independent samples must agree on the canonical JSON value at `path` of the output."""

    samples: int
    """Samples at most."""
    quorum: int
    """Equal samples that settle it."""
    path: str = "output"
    compare: Literal["value", "answer"] = "value"
    """Compare JSON values, or what they come to as answers: `$1,200.00` in a sentence equals 1200."""
    confidence: float = 0.0
    """Chance that the leader stays ahead, below which more samples are drawn; 0 stops at the quorum."""
    vary: tuple[Voice, ...] = ()
    """How the second sample and further ones are asked for, in turn with a plain one."""

    def voice(self, sample: int) -> Voice:
        """Return how a sample is asked for; the first, 0, is a plain one."""
        return (Voice(), *self.vary)[sample % (len(self.vary) + 1)]

    def on_one_rung(self) -> "Agree":
        """Return the same without other models: what a rung is asked that the first one was promoted to."""
        vary = tuple(voice for voice in self.vary if voice.model is None)
        return replace(self, vary=vary)


Check: TypeAlias = ExprCheck | RegexCheck | TextCheck | FunctionCheck | CodeCheck | JudgeCheck
