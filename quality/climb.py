"""Recorded answers to one question put into the order of a ladder: what each rung said, as far as it was asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from planloom.quality.reading import Reading
from planloom.quality.recorded import Recorded


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One rung's answer to a question."""

    kind: str
    """Kind of node."""
    model: str
    question: str
    answer: str
    """Empty where only the flag was recorded: whether it goes up cannot be told."""
    right: bool | None
    """`None` where it was not asked, or nobody judged it."""
    cost_usd: float | None = None

    @cached_property
    def reading(self) -> Reading:
        """The answer as the checks see it."""
        return Reading(text=self.answer, question=self.question)


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """A question with the answers that were recorded, from its first rung up."""

    kind: str
    tries: tuple[Tried, ...]

    def on(self, model: str) -> Tried:
        """Return the answer of a model; one that was never asked is not known."""
        first = self.tries[0]
        unasked = Tried(kind=self.kind, model=model, question=first.question, answer="", right=None)
        return next((tried for tried in self.tries if tried.model == model), unasked)

    @property
    def size(self) -> int:
        """Characters of the question and its first answer."""
        return len(self.tries[0].question) + len(self.tries[0].answer)


def climbs_of(rows: Iterable[Recorded]) -> list[Climb]:
    """Return one climb for each first answer; a row that is none is the answer of the rung that one before it names."""
    chains: list[list[Recorded]] = []
    by_question: dict[str, list[list[Recorded]]] = {}
    for row in rows:
        known = by_question.setdefault(row.question_id, [])
        if row.first:
            chains.append([row])
            known.append(chains[-1])
            continue
        for chain in known:
            if chain[-1].strong_model == row.model and all(each.model != row.model for each in chain):
                chain.append(row)
    return [Climb(kind=chain[0].kind, tries=tuple(_tries(chain))) for chain in chains]


def _tries(chain: Sequence[Recorded]) -> list[Tried]:
    first, last = chain[0], chain[-1]
    found = [
        Tried(
            kind=first.kind,
            model=row.model,
            question=first.question,
            answer=row.answer,
            right=row.right,
            cost_usd=row.cost_usd,
        )
        for row in chain
    ]
    if last.strong_model or last.strong_right is not None:
        found.append(
            Tried(
                kind=first.kind,
                model=last.strong_model or "strong",
                question=first.question,
                answer=last.strong_answer,
                right=last.strong_right,
                cost_usd=last.strong_cost_usd,
            )
        )
    return found


def ladders_of(climbs: Sequence[Climb]) -> Mapping[str, tuple[str, ...]]:
    """Return the ladder of each kind of node: its models in an order that agrees with every climb, if there is one.

    Above what was asked of a kind stands what another kind with that rung was asked: a workflow has one ladder.
    """
    kinds = dict.fromkeys(climb.kind for climb in climbs)
    found = {kind: _ordered([climb for climb in climbs if climb.kind == kind]) for kind in kinds}
    return {kind: (*rungs, *_above(rungs, found.values())) for kind, rungs in found.items()}


def _ordered(climbs: Sequence[Climb]) -> tuple[str, ...]:
    order: dict[str, set[str]] = {}
    for climb in climbs:
        models = [tried.model for tried in climb.tries]
        for model in models:
            order.setdefault(model, set())
        for below, above in pairwise(models):
            order[above].add(below)
    try:
        return tuple(TopologicalSorter(order).static_order())
    except CycleError:
        return tuple(order)  # as they were first seen


def _above(rungs: Sequence[str], others: Iterable[Sequence[str]]) -> Sequence[str]:
    top = rungs[-1]
    higher = [other[other.index(top) + 1 :] for other in others if top in other]
    return [model for model in max(higher, key=len, default=()) if model not in rungs]
