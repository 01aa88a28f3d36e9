"""What a person may say to something that waits, and why it waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.json import Json, JsonObject

HoldKind: TypeAlias = Literal["approval", "attempt", "question", "effect", "flow"]
"""`approval`: it is to be approved before it runs. `attempt`: whether to try again. `question`: a worker asks.
`effect`: a write may have happened already. `flow`: an untrusted value would steer a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A person's answer; `True` and `False` stand for one with nothing but `approved`."""

    approved: bool = True
    note: str = ""
    """Told to the worker in its next attempt, and kept in the journal."""
    plan: JsonObject | None = None
    """For the plan as a whole: what is to run instead, as `{"nodes": {ID: NODE}, "output": TEMPLATE}`."""
    happened: bool = False
    """For a write in doubt: it did happen, with `result`; it is not made again."""
    result: Json = None


Answers: TypeAlias = Mapping[str, bool | Answer]
"""Answers by what waits: a node's id, or `plan`."""


def as_answer(given: "bool | Answer") -> Answer:
    """Return an answer in full."""
    return given if isinstance(given, Answer) else Answer(approved=given)
