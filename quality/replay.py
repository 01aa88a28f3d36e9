"""What another rule would have done on recorded answers, without a model: the attempt nobody made stays unknown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.quality.catalogue import check_texts
from planloom.quality.policy import PRIOR_ACCURACY, Policy, judge
from planloom.quality.recorded import Recorded
from planloom.quality.score import untrained

Rule: TypeAlias = Callable[[Recorded], bool]
"""Tells whether an answer goes up to the stronger model."""
Outcome: TypeAlias = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A rule's outcome over all questions."""

    name: str
    right: int
    wrong: int
    unknown: int
    """Questions that would have gone up, though the stronger model was never asked them."""
    strong_calls: int
    held_back: int
    """Strong calls that the budget did not allow; the cheap answer was kept."""
    cost_usd: float | None
    """Of what is known; `None` when no cost is."""
    cost_unknown: int
    """Calls whose cost is not known."""

    @property
    def questions(self) -> int:
        """How many there are."""
        return self.right + self.wrong + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What calls cost: as recorded, else from lengths of texts and prices."""

    weak_price: float | None = None
    """USD per million tokens; `None` leaves what was not recorded unknown."""
    strong_price: float | None = None

    def weak(self, each: Recorded) -> float | None:
        """Return what the cheap answer cost."""
        return _cost(each.cost_usd, self.weak_price, len(each.question) + len(each.answer))

    def strong(self, each: Recorded) -> float | None:
        """Return what the strong answer cost or would have; one not recorded counts as long as the cheap one."""
        return _cost(
            each.strong_cost_usd, self.strong_price, len(each.question) + len(each.strong_answer or each.answer)
        )


def _cost(recorded: float | None, price: float | None, characters: int) -> float | None:
    if recorded is not None or price is None:
        return recorded
    return characters / 4 * price / 1e6


def replay(
    name: str,
    recorded: Sequence[Recorded],
    rule: Rule,
    *,
    spending: Spending,
    budget_usd: float | None = None,
    cheap_first: bool = True,
) -> Replayed:
    """Take the questions in their order and let the rule decide.

    Args:
        name: Of the rule.
        recorded: One answer to each question.
        rule: Which answers go up.
        spending: What calls cost.
        budget_usd: Cap on all calls; a strong call that would pass it is not made.
        cheap_first: Whether the cheap answer is paid for; `False` for a rule that asks the strong model at once.
    """
    outcomes: list[Outcome] = []
    costs: list[float | None] = []
    strong_calls = held_back = 0
    for each in recorded:
        if cheap_first:
            costs.append(spending.weak(each))
        if not rule(each):
            outcomes.append(_known(each.right))
            continue
        price = spending.strong(each)
        if budget_usd is not None and sum(cost or 0.0 for cost in (*costs, price)) > budget_usd:
            held_back += 1
            outcomes.append(_known(each.right) if cheap_first else "wrong")
            continue
        strong_calls += 1
        costs.append(price)
        outcomes.append(_known(each.strong_right))
    known = [cost for cost in costs if cost is not None]
    return Replayed(
        name=name,
        right=outcomes.count("right"),
        wrong=outcomes.count("wrong"),
        unknown=outcomes.count("unknown"),
        strong_calls=strong_calls,
        held_back=held_back,
        cost_usd=sum(known) if known else None,
        cost_unknown=len(costs) - len(known),
    )


def _known(right: bool | None) -> Outcome:
    return "unknown" if right is None else "right" if right else "wrong"


def by_strengths(each: Recorded) -> bool:
    """Send up what the checks, untrained, make more likely wrong than right."""
    return PRIOR_ACCURACY + untrained(check_texts(each.reading).values()) < 0


def by_policy(policy: Policy) -> Rule:
    """Return the rule of a policy: an answer that no group fits is kept."""

    def rule(each: Recorded) -> bool:
        group = policy.group(kind=each.kind, model=each.model)
        return group is not None and judge(group, each.reading).goes_up

    return rule


def compare(
    recorded: Sequence[Recorded],
    policies: Iterable[tuple[str, Policy]],
    *,
    spending: Spending,
    budget_usd: float | None,
) -> list[Replayed]:
    """Replay the cheap model alone, the strong one alone, the untrained checks, and each policy."""
    rules: list[tuple[str, Rule]] = [("cheap only", lambda _: False), ("untrained checks", by_strengths)]
    rules += [(name, by_policy(policy)) for name, policy in policies]
    found = [replay(name, recorded, rule, spending=spending, budget_usd=budget_usd) for name, rule in rules]
    strong = replay(
        "strong only", recorded, lambda _: True, spending=spending, budget_usd=budget_usd, cheap_first=False
    )
    return [*found, strong]
