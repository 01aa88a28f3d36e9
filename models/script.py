"""Rehearsal scripts: who asks, and what is answered in a model's place."""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from planloom.configs.load import read_document
from planloom.configs.spec import RungSpec
from planloom.configs.units import Seconds
from planloom.configs.validate import check
from planloom.core.errors import ConfigError, Problem


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class When(_Part):
    """Which requests a rule answers; what is left out matches anything."""

    role: Literal["planner", "worker", "judge", "member", "moderator", "embedding"] | None = None
    """Who asks."""
    node: str | None = None
    """Node id, or a pattern with `*`, `?` and `[...]`: `report`, `row*`."""
    attempt: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """Number of the node's attempt, from 1, or a list of them."""
    member: str | None = None
    """Name of a panel's member, or a pattern."""
    round: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """Number of a panel's round, from 1, or a list of them."""
    model: str | None = None
    """Model name without its provider, or a pattern."""
    contains: str | None = None
    """Text that some message of the dialogue holds."""
    tool_results: int | None = Field(default=None, ge=0)
    """How many tool results the dialogue holds."""

    def matches(self, asked: "Asked") -> bool:
        """Whether the rule is meant for this request."""
        return (
            (self.role is None or self.role == asked.role)
            and (self.node is None or self.node == asked.node or fnmatchcase(asked.node, self.node))
            and _is_one(asked.attempt, self.attempt)
            and (self.member is None or fnmatchcase(asked.member, self.member))
            and _is_one(asked.round, self.round)
            and (self.model is None or fnmatchcase(asked.model, self.model))
            and (self.contains is None or any(self.contains in text for text in asked.texts))
            and (self.tool_results is None or self.tool_results == len(asked.tool_results))
        )


def _is_one(number: int, wanted: int | tuple[int, ...] | None) -> bool:
    return wanted is None or number == wanted or (isinstance(wanted, tuple) and number in wanted)


class ScriptedCall(_Part):
    """A tool call the scripted model makes."""

    name: str
    """Tool, as the workflow names it: `files.read`."""
    args: dict[str, JsonValue] = {}
    """Arguments; `{{...}}` is filled in."""
    raw: str | None = None
    """Arguments as text, sent as they are: for calls with broken JSON."""


class Streaming(_Part):
    """How a text is spread over time."""

    chunks: int | None = Field(default=None, ge=1, le=10_000)
    """Pieces of about equal size; 8 when neither this nor `sizes` is given."""
    sizes: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """Characters of each piece; the rest is one more piece."""
    over: Seconds | None = None
    """Seconds from the first piece to the last."""


class ScriptedUsage(_Part):
    """Token counts, in place of one per four characters."""

    input: int | None = None
    """Input tokens."""
    output: int | None = None
    """Output tokens."""
    reasoning: int = 0
    """Output tokens spent on reasoning."""
    cached: int = 0
    """Input tokens read from the provider's cache."""


_ANSWERS = ("text", "json_", "tool_calls", "refuse")
_FAULTS = ("status", "broken", "hang", "reset")


class Rule(_Part):
    """One rule: when it applies, what it answers, what goes wrong."""

    when: When = When()
    """Which requests it answers."""
    times: int | None = Field(default=None, ge=1)
    """Used so often at most; after that, later rules are tried."""
    text: str | None = None
    """Reply text; `{{...}}` is filled in."""
    json_: JsonValue = Field(default=None, alias="json")
    """Reply as JSON. A string that is exactly one `{{...}}` becomes the value found there."""
    tool_calls: tuple[ScriptedCall, ...] = ()
    """Tool calls, made in this order."""
    refuse: str | None = None
    """Refusal in the model's words."""
    stream: Streaming = Streaming()
    """How a streamed text is spread; a reply that is not streamed takes as long."""
    usage: ScriptedUsage = ScriptedUsage()
    """Token counts."""
    delay: Seconds | None = None
    """Seconds before the first byte."""
    status: int | None = Field(default=None, ge=400, le=599)
    """HTTP error in place of a reply."""
    retry_after: float | str | None = None
    """With `status`: the Retry-After header, seconds or an HTTP date."""
    error: str = "scripted error"
    """With `status`: the provider's message."""
    code: str | None = None
    """With `status`: the provider's error code, such as `insufficient_quota`."""
    broken: bool = False
    """The reply's JSON breaks off in the middle."""
    cut: bool = False
    """The reply stops at half its length, with finish_reason `length`."""
    hang: bool = False
    """No answer, ever; the connection stays open."""
    reset: bool = False
    """The connection is dropped in the middle of the reply."""

    @model_validator(mode="after")
    def _answers_something(self) -> "Rule":
        answers = [name.rstrip("_") for name in _ANSWERS if name in self.model_fields_set]
        faulty = any(getattr(self, name) for name in _FAULTS)
        if not answers and not faulty:
            raise ValueError("expected one of text, json, tool_calls, refuse, status, hang, reset; found none")
        if len([name for name in answers if name != "tool_calls"]) > 1:
            raise ValueError(f"expected one of text, json, refuse; found {' and '.join(answers)}")
        return self

    @property
    def has_json(self) -> bool:
        """Whether the reply is JSON (which may be null)."""
        return "json_" in self.model_fields_set


class Script(_Part):
    """A rehearsal script. The first rule that matches a request answers it."""

    rehearsal: Literal[1]
    """Version of this format."""
    description: str = ""
    """What it plays."""
    rules: tuple[Rule, ...] = Field(max_length=10_000)
    """Rules, tried in this order."""


class Asked(_Part):
    """One request as rules see it."""

    role: str
    node: str
    attempt: int
    model: str
    member: str = ""
    round: int = 0
    texts: tuple[str, ...] = ()
    """Texts of all messages."""
    user_texts: tuple[str, ...] = ()
    tool_results: tuple[str, ...] = ()


def load_script(path: Path | str, *, env: Mapping[str, str] | None = None) -> Script:
    """Load a script from YAML. Each run wants an object of its own, because `times` counts per object.

    Raises:
        ConfigError: The file is not a script; every problem is listed with line and column.
    """
    document = read_document(path)
    checked = check(Script, document, os.environ if env is None else env)
    if checked.spec is None or checked.problems:
        raise ConfigError(path, checked.problems)
    return checked.spec


def _load(path: Path, field: str) -> Script:
    try:
        return load_script(path)
    except ConfigError as exc:
        if any(problem.line for problem in exc.problems):
            raise  # it is about a line of the script
        raise ConfigError(path, [Problem(f"{path}: {problem.message}", field) for problem in exc.problems]) from exc


def scripts_of(models: Mapping[str, RungSpec], base_dir: Path | str) -> dict[str, Script]:
    """Load the scripts of all `rehearsal:` rungs, by rung name; rungs with the same file share one object.

    Raises:
        ConfigError: A rung names no script, or its file is not one.
    """
    files: dict[Path, Script] = {}
    found: dict[str, Script] = {}
    for name, spec in models.items():
        if not spec.model.startswith("rehearsal:") or spec.script is None:
            continue
        path = Path(base_dir) / spec.script
        if path not in files:
            files[path] = _load(path, f"models.{name}.script")
        found[name] = files[path]
    return found
