"""What came of an attempt: values, because the router must look at them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from planloom.core.json import Json, JsonObject


class FailureKind(StrEnum):
    """Why an attempt failed; the router's table has a row for each."""

    TRANSPORT = "transport"
    """The provider could not be reached or kept answering 429 or 5xx, after the gateway's retries."""
    TIMEOUT = "timeout"
    REJECTED = "rejected"
    """The provider refused the request itself: bad key, unknown model, context too long."""
    UNPARSEABLE = "unparseable"
    SCHEMA = "schema"
    CHECK = "check"
    DISAGREE = "disagree"
    DOUBT = "doubt"
    """Its checks passed, but the workflow's policy gives the answer too small a chance, and a stronger rung is left."""
    CANNOT = "cannot"
    """The worker says that it cannot: missing input, missing tool, contradiction."""
    QUESTION = "question"
    """The worker asks a person for what only a person can say."""
    REFUSAL = "refusal"
    LENGTH = "length"
    TOOL = "tool"
    BUDGET = "budget"
    INPUT = "input"
    """The node's own inputs or condition could not be worked out from what was committed."""
    BROKEN = "broken"
    """A check cannot run, whatever the answer is: the workflow must be mended."""
    INTERRUPTED = "interrupted"
    """The process died while the attempt ran."""
    FLOW = "flow"
    """An untrusted value would steer a tool; a human is asked first. `code` binds the answer to the exact call."""
    DENIED = "denied"
    """A human rejected it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and calls; add two with `+`. Cached and reasoning tokens are part of input and output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            calls=self.calls + other.calls,
        )

    @property
    def tokens(self) -> int:
        """Input and output together: what a token budget counts."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one check saw. Passing checks leave evidence too."""

    check: str
    """The check as the workflow names it: `schema`, `expr: len(output) > 3`."""
    passed: bool
    expected: str = ""
    found: str = ""
    where: str = ""
    """Path into the output, or a line of code."""

    def as_json(self) -> JsonObject:
        """Shape shown to models."""
        return {"check": self.check, "expected": self.expected, "found": self.found, "where": self.where}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The attempt's output passed every check."""

    output: Json
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The attempt did not give a verified output."""

    kind: FailureKind
    message: str
    evidence: tuple[Evidence, ...] = ()
    output: Json = None
    """What was rejected, when there was something to reject."""
    code: str = ""
    """For `cannot`: missing_input, missing_tool, contradiction or other."""
    trace: str = ""
    """Traceback of the user's own code, for people; no model sees it."""
    chance: float | None = None
    """Chance that what was rejected is right, where a policy has only doubted it."""
    stronger: float | None = None
    """The same of a stronger model's answer, where it is known."""
    permanent: bool = False
    """A rule refused what was asked for: asking for the same again would end the same."""


Outcome: TypeAlias = Done | Failed


def reason_of(kind: str, message: str) -> str:
    """Write why an attempt failed: its kind and its message, which may name the kind itself."""
    return message if message.startswith((f"{kind}:", f"{kind} ")) else f"{kind}: {message}"
