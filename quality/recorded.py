"""An attempt whose outcome is known: what calibrations learn from and replays look up."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from planloom.quality.program import CodeTask
from planloom.quality.reading import Reading


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One answer of a cheap model to one question."""

    question_id: str
    question: str
    answer: str
    """Empty where only the flags were recorded."""
    right: bool
    """Whether the answer turned out right."""
    strong_right: bool | None = None
    """Whether the stronger model's answer to the same question was right; `None` if it was never asked."""
    model: str = ""
    strong_model: str = ""
    kind: str = "*"
    """Kind of node it belongs to."""
    strong_answer: str = ""
    sample: int = 0
    first: bool = True
    """Whether it was the first answer to its question: what a replay starts from."""
    cost_usd: float | None = None
    """`None` when it was not recorded."""
    strong_cost_usd: float | None = None
    task: CodeTask | None = None
    """The function asked for, where the answer is code."""

    @cached_property
    def reading(self) -> Reading:
        """The answer as the checks see it."""
        return Reading(text=self.answer, question=self.question)


def grouped(rows: Iterable[Recorded]) -> list[list[Recorded]]:
    """Return the rows of each kind of node on each model, in an order of their own."""

    def key(row: Recorded) -> tuple[str, str]:
        return row.kind, row.model

    return [list(group) for _, group in groupby(sorted(rows, key=key), key=key)]
