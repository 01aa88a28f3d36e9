"""What another rule would have done on recorded answers, without a model: the attempt nobody made stays unknown."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from planloom.quality.catalogue import check_texts
from planloom.quality.climb import Climb, Tried, climbs_of, ladders_of
from planloom.quality.policy import PRIOR_ACCURACY, Policy, judge
from planloom.quality.recorded import Recorded
from planloom.quality.score import untrained

Rule: TypeAlias = Callable[[Tried], bool]
"""Tells whether an answer goes one rung up."""
Outcome: TypeAlias = Literal["right", "wrong", "unknown"]
Lack: TypeAlias = Literal["never asked", "not judged", "text not kept"]
"""Why nobody knows: the rung was not asked, its answer was not judged, or there is no text to decide by."""


_STRONGER = "a stronger model"
"""Where none was ever asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What cannot be known of one kind of node on one rung."""

    kind: str
    model: str
    lack: Lack
    questions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A rule's outcome over all questions."""

    name: str
    budget_usd: float | None
    right: int
    wrong: int
    unknown: int
    """Questions that would have come to a rung of which nothing is known."""
    strong_calls: int
    """Calls above the first rung; of a rule that asks one rung alone, all of them, if that is not the first."""
    calls: Mapping[str, int]
    """Calls by model."""
    held_back: int
    """Calls that the budget did not allow; the answer below was kept."""
    cost_usd: float | None
    """Of what is known; `None` when no cost is."""
    cost_unknown: int
    """Calls whose cost is not known."""
    unknowns: tuple[Unknown, ...]
    """Where the unknown questions come from."""

    @property
    def questions(self) -> int:
        """How many there are."""
        return self.right + self.wrong + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What calls cost: as recorded, else from lengths of texts and prices."""

    weak_price: float | None = None
    """USD per million tokens on the first rung; `None` leaves what was not recorded unknown."""
    strong_price: float | None = None
    """The same on the last rung."""
    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    """The same by model, before the other two."""

    def of(self, climb: Climb, tried: Tried, *, first: bool, last: bool) -> float | None:
        """Return what an answer cost or would have; one not recorded counts as long as the first one."""
        price = self.prices.get(tried.model, self.weak_price if first else self.strong_price if last else None)
        if tried.cost_usd is not None or price is None:
            return tried.cost_usd
        size = len(tried.question) + len(tried.answer) if tried.answer else climb.size
        return size / 4 * price / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A rule, and the rungs that it has."""

    name: str
    rule: Rule
    rungs: Callable[[Climb], Sequence[str]]


@dataclass(slots=True)
class _Tally:
    outcomes: Counter[Outcome] = field(default_factory=Counter[Outcome])
    calls: Counter[str] = field(default_factory=Counter[str])
    lacks: Counter[tuple[str, str, Lack]] = field(default_factory=Counter[tuple[str, str, Lack]])
    spent: float = 0.0
    known: int = 0
    strong_calls: int = 0
    held_back: int = 0

    def lack(self, tried: Tried) -> Outcome:
        """Note that nothing more can be known of a question, and why."""
        asked = tried.answer or tried.cost_usd is not None
        lack: Lack = "text not kept" if tried.right is not None else "not judged" if asked else "never asked"
        self.lacks[tried.kind, tried.model, lack] += 1
        return "unknown"


def replay(
    scheme: Scheme,
    climbs: Sequence[Climb],
    ladders: Mapping[str, Sequence[str]],
    *,
    spending: Spending,
    budget_usd: float | None = None,
) -> Replayed:
    """Take the questions in their order and let the rule decide, rung by rung.

    Args:
        scheme: The rule.
        climbs: The questions.
        ladders: By kind of node, all its rungs.
        spending: What calls cost.
        budget_usd: Cap on all calls; one that would pass it is not made.
    """
    tally = _Tally()
    for climb in climbs:
        tally.outcomes[_climbed(scheme, climb, ladders[climb.kind], tally, spending, budget_usd)] += 1
    calls = tally.calls.total()
    return Replayed(
        name=scheme.name,
        budget_usd=budget_usd,
        right=tally.outcomes["right"],
        wrong=tally.outcomes["wrong"],
        unknown=tally.outcomes["unknown"],
        strong_calls=tally.strong_calls,
        calls=dict(tally.calls),
        held_back=tally.held_back,
        cost_usd=tally.spent if tally.known else None,
        cost_unknown=calls - tally.known,
        unknowns=tuple(
            Unknown(kind=kind, model=model, lack=lack, questions=count)
            for (kind, model, lack), count in sorted(tally.lacks.items())
        ),
    )


def _climbed(
    scheme: Scheme, climb: Climb, ladder: Sequence[str], tally: _Tally, spending: Spending, budget_usd: float | None
) -> Outcome:
    outcome: Outcome = "wrong"  # as long as nothing was asked
    rungs = scheme.rungs(climb)
    for place, model in enumerate(rungs):
        tried = climb.on(model)
        cost = spending.of(climb, tried, first=model == ladder[0], last=model == ladder[-1])
        if budget_usd is not None and tally.spent + (cost or 0.0) > budget_usd:
            tally.held_back += 1
            return outcome
        tally.calls[model] += 1
        tally.strong_calls += model != ladder[0]
        tally.known += cost is not None
        tally.spent += cost or 0.0
        if place + 1 == len(rungs):
            return _known(tried, tally)
        if not tried.answer:
            return tally.lack(tried)
        if not scheme.rule(tried):
            return _known(tried, tally)
        outcome = "unknown" if tried.right is None else "right" if tried.right else "wrong"
    return outcome


def _known(tried: Tried, tally: _Tally) -> Outcome:
    if tried.right is None:
        return tally.lack(tried)
    return "right" if tried.right else "wrong"


def by_strengths(tried: Tried) -> bool:
    """Send up what the checks, untrained, make more likely wrong than right."""
    return PRIOR_ACCURACY + untrained(check_texts(tried.reading).values()) < 0


def by_policy(policy: Policy) -> Rule:
    """Return the rule of a policy: an answer that no group fits is kept."""

    def rule(tried: Tried) -> bool:
        group = policy.group(kind=tried.kind, model=tried.model)
        return group is not None and judge(group, tried.reading).goes_up

    return rule


def compare(
    rows: Iterable[Recorded],
    policies: Iterable[tuple[str, Policy]],
    *,
    spending: Spending,
    budgets: Sequence[float | None] = (None,),
    ladder: Sequence[str] = (),
) -> list[Replayed]:
    """Replay each rung alone, the untrained checks, and each policy, under each budget.

    Args:
        rows: What was recorded.
        policies: By name.
        spending: What calls cost.
        budgets: Caps on all calls; `None` is none.
        ladder: Rungs in place of those that the answers were recorded on.
    """
    climbs = climbs_of(rows)
    ladders = dict.fromkeys((climb.kind for climb in climbs), tuple(ladder)) if ladder else ladders_of(climbs)
    schemes = _schemes(policies, ladders, whole=bool(ladder))
    return [
        replay(scheme, climbs, ladders, spending=spending, budget_usd=budget)
        for scheme in schemes
        for budget in budgets
    ]


def _schemes(
    policies: Iterable[tuple[str, Policy]], ladders: Mapping[str, Sequence[str]], *, whole: bool
) -> list[Scheme]:
    def upward(climb: Climb) -> Sequence[str]:
        """The rungs from where the question began; of a ladder that was named, all."""
        rungs, first = ladders[climb.kind], climb.tries[0].model
        return rungs[0 if whole else rungs.index(first) :]

    def alone(model: str) -> Callable[[Climb], Sequence[str]]:
        return lambda _: (model,)

    def kept(_: Tried) -> bool:
        return False

    between = dict.fromkeys(model for rungs in ladders.values() for model in rungs[1:-1])
    return [
        Scheme(name="cheap only", rule=kept, rungs=lambda climb: upward(climb)[:1]),
        Scheme(name="untrained checks", rule=by_strengths, rungs=upward),
        *(Scheme(name=name, rule=by_policy(policy), rungs=upward) for name, policy in policies),
        *(Scheme(name=f"{model} only", rule=kept, rungs=alone(model)) for model in between),
        Scheme(name="strong only", rule=kept, rungs=lambda climb: ladders[climb.kind][1:][-1:] or (_STRONGER,)),
    ]
