"""The router: one pure function from the evidence of a failed attempt to what follows.

The table says in which order the steps come for each kind of failure; the workflow's `route` says how many
of each there are. The first step that is still open is taken. Where chances and costs are known (`graphs/odds.py`), the
steps that spend come first in the order of what pays best (`graphs/payoff.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from planloom.configs.spec import RouteSpec
from planloom.core.decision import Ask, Decision, Promote, Replan, Retry, Stop, Vote
from planloom.core.outcome import FailureKind as Kind
from planloom.core.outcome import reason_of
from planloom.core.plan import Effort
from planloom.graphs.payoff import Odds, Payoff, Spend, by_worth, payoffs

SPENDING: tuple[Spend, ...] = ("retry", "vote", "promote")
Step: TypeAlias = Literal["retry", "vote", "promote", "replan", "question", "ask", "then"]

TABLE: Mapping[Kind, tuple[Step, ...]] = {
    Kind.TRANSPORT: ("promote", "replan", "then"),
    Kind.TIMEOUT: ("promote", "replan", "then"),
    Kind.REJECTED: ("promote", "then"),
    Kind.UNPARSEABLE: ("promote", "replan", "then"),
    Kind.SCHEMA: ("promote", "replan", "then"),
    Kind.CHECK: ("retry", "vote", "promote", "replan", "then"),
    Kind.DISAGREE: ("promote", "replan", "then"),
    Kind.DOUBT: ("vote", "promote", "then"),
    Kind.CANNOT: ("replan", "promote", "then"),
    Kind.QUESTION: ("question", "replan", "promote", "then"),
    Kind.REFUSAL: ("promote", "ask"),
    Kind.LENGTH: ("promote", "replan", "then"),
    Kind.TOOL: ("retry", "promote", "replan", "then"),
    Kind.INPUT: ("replan",),
    Kind.BROKEN: (),
    Kind.INTERRUPTED: (),
    Kind.BUDGET: (),
    Kind.FLOW: ("ask",),
    Kind.DENIED: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the router may look at."""

    kind: Kind
    """Why the last attempt failed."""
    message: str
    policy: RouteSpec
    effort: Effort = "medium"
    rungs: tuple[str, ...] = ()
    """The ladder; empty for nodes that ask no model."""
    rung: int = 0
    """Index of the rung the attempt ran on."""
    failures_on_rung: int = 1
    """Failed attempts on this rung so far, this one included."""
    voted: bool = False
    """Whether a vote was held on this rung."""
    repeatable: bool = True
    """False where the same would fail again: code without a model, a call that a rule refuses."""
    wrote: bool = False
    """The attempt may have changed something outside, and doing so again is not harmless."""
    replans_left: int = 0
    odds: Odds | None = None
    """Chances and costs of the steps that spend; `None` where they are not known, and the table's order holds."""


def route(now: Situation) -> Decision:
    """Return what follows the failed attempt."""
    if now.wrote:
        return Ask(reason=f"{now.kind}, and it may have written already: {now.message}")
    ranked = worth(now)
    told = f"; pays best of {', '.join(str(each) for each in ranked)}" if ranked else ""
    steps: list[Step] = [each.step for each in ranked]
    rest: list[Step] = [step for step in TABLE[now.kind] if step not in steps]
    for step in steps + rest:
        decision = _open(step, now)
        if decision is not None:
            return replace(decision, reason=decision.reason + told) if step in steps else decision
    return Stop(reason=reason_of(now.kind, now.message))


def worth(now: Situation) -> list[Payoff]:
    """Return the steps that spend and are open, what pays best first; none where the odds are not known."""
    if now.odds is None:
        return []
    vote = now.policy.vote.to_agree(now.effort) if now.policy.vote else None
    order: list[Spend] = [step for step in SPENDING if step in TABLE[now.kind] and _open(step, now) is not None]
    return by_worth((each for each in payoffs(now.odds, vote) if each.step in order), order)


def _open(step: Step, now: Situation) -> Decision | None:
    """Return the decision a step stands for, or `None` when it is used up."""
    policy = now.policy
    match step:
        case "retry" if now.repeatable and now.failures_on_rung <= policy.retry:
            told = ", with the evidence" if now.rungs else ""
            return Retry(reason=f"{now.kind}: try {now.failures_on_rung} of {policy.retry} again{told}")
        case "vote" if policy.vote and now.rungs and not now.voted:
            agree = policy.vote.to_agree(now.effort)
            reason = f"{now.kind}: {agree.quorum} of up to {agree.samples} samples must agree"
            return Vote(agree=agree, reason=reason)
        case "promote" if policy.promote and now.rung + 1 < len(now.rungs):
            return Promote(rung=now.rungs[now.rung + 1], reason=f"{now.kind} on {now.rungs[now.rung]}")
        case "replan" if now.replans_left > 0:
            return Replan(reason=reason_of(now.kind, now.message))
        case "ask":
            return Ask(reason=reason_of(now.kind, now.message))
        case "question" | "then" if policy.then == "ask":
            return Ask(reason=reason_of(now.kind, now.message))
        case _:
            return None
