"""The odds of a node's next steps: from the policy, from what past runs say of each rung, and from prices."""

from collections.abc import Mapping, Sequence

from planloom.configs.spec import WorkflowSpec
from planloom.core.outcome import Failed, FailureKind
from planloom.core.plan import Node, NodeId, Plan
from planloom.graphs.context import Run
from planloom.graphs.doubt import choice_of
from planloom.graphs.estimate import Estimate
from planloom.graphs.payoff import Odds, Payoff
from planloom.graphs.progress import Progress, ladder_of
from planloom.graphs.route import Situation, worth
from planloom.models.gateway import Rung
from planloom.quality.policy import Group, Policy

_DECIDED_BY_CHANCE = (FailureKind.CHECK, FailureKind.DOUBT)
"""Failures that say how good the model is for this work, so that chances may decide what follows."""


def odds_of(run: Run, node: Node, failed: Failed, progress: Progress) -> Odds | None:
    """Return the odds behind a failed attempt; `None` where a chance or a price is not known, and the table decides."""
    if failed.kind not in _DECIDED_BY_CHANCE or progress.rung + 1 >= len(progress.rungs):
        return None
    here, next_rung = progress.rung_name, progress.rungs[progress.rung + 1]
    group = _group(run.policy, run.spec, node, here)
    again, above = _chance(run, node, here), _chance(run, node, next_rung)
    if group is not None:
        again = group.weak_accuracy if group.weak_accuracy is not None else again
        above = group.strong_accuracy if group.strong_accuracy is not None else above
    if failed.kind is FailureKind.DOUBT and failed.chance is not None:
        again, above = failed.chance, above if failed.stronger is None else failed.stronger
    cost, dearer = _attempt_usd(run, node, progress), _dearer(run.rungs, here, next_rung)
    if again is None or above is None or not cost or dearer is None:
        return None
    doubted = failed.kind is FailureKind.DOUBT
    return Odds(
        now=again if doubted else 0.0,
        again=again,
        above=above,
        cost_usd=cost,
        above_usd=cost * dearer,
        failures=0 if doubted else progress.failures_on_rung,
    )


def foreseen(
    spec: WorkflowSpec, policy: Policy, rungs: Mapping[str, Rung], plan: Plan, estimates: Mapping[NodeId, Estimate]
) -> dict[NodeId, Sequence[Payoff]]:
    """Return what pays best after a first failed check, for the nodes of which the policy knows the chances."""
    found: dict[NodeId, Sequence[Payoff]] = {}
    for node in plan.nodes.values():
        climb, start = ladder_of(node, spec.rungs)
        group = _group(policy, spec, node, climb[start]) if node.kind == "worker" and start + 1 < len(climb) else None
        if group is None or group.weak_accuracy is None or group.strong_accuracy is None:
            continue
        cost, dearer = estimates[node.id].usd_low, _dearer(rungs, climb[start], climb[start + 1])
        if not cost or dearer is None:
            continue
        cost /= node.agree.quorum if node.agree else 1
        odds = Odds(
            now=0.0,
            again=group.weak_accuracy,
            above=group.strong_accuracy,
            cost_usd=cost,
            above_usd=cost * dearer,
            failures=1,
        )
        found[node.id] = worth(
            Situation(
                kind=FailureKind.CHECK,
                message="",
                policy=spec.route,
                effort=node.effort,
                rungs=climb,
                rung=start,
                voted=node.agree is not None or node.effect == "write",
                odds=odds,
            )
        )
    return found


def _group(policy: Policy | None, spec: WorkflowSpec, node: Node, rung: str) -> Group | None:
    choice = choice_of(policy, spec, node.id.partition("[")[0], rung) if policy is not None else None
    return choice.group if choice is not None and not choice.set_aside else None


def _chance(run: Run, node: Node, rung: str) -> float | None:
    return run.experience.chance(node, rung) if run.experience is not None else None


def _attempt_usd(run: Run, node: Node, progress: Progress) -> float:
    """Return what one answer of the last attempt cost."""
    attempts = run.view.nodes[node.id].attempts
    last = next((each for each in reversed(attempts) if each.attempt == progress.attempt), None)
    return last.cost_usd / max(1, len(last.samples)) if last is not None else 0.0


def _dearer(rungs: Mapping[str, Rung], here: str, above: str) -> float | None:
    """Return how many times as much a call costs on the next rung."""
    low, high = rungs[here].price, rungs[above].price
    if low is None or high is None or low.input + low.output <= 0:
        return None
    return (high.input + high.output) / (low.input + low.output)
