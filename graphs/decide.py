"""What follows a failed attempt: what the router looks at, gathered from the run, and its decision, written down."""

from collections.abc import Mapping

from planloom.configs.spec import RouteSpec
from planloom.core import events as ev
from planloom.core.decision import Ask, Decision, Keep, Promote, Replan, Retry, Stop, Vote
from planloom.core.outcome import Failed, FailureKind
from planloom.core.plan import Node
from planloom.graphs.context import Run
from planloom.graphs.odds import odds_of
from planloom.graphs.progress import Progress
from planloom.graphs.route import Situation, route

_HAS_A_SAY = (FailureKind.BROKEN, FailureKind.INTERRUPTED, FailureKind.FLOW, FailureKind.DENIED, FailureKind.QUESTION)
"""Failures after which a person must do something, whatever answers there are."""
_ACTIONS: Mapping[type[Decision], ev.Action] = {
    Retry: "retry",
    Vote: "vote",
    Promote: "promote",
    Keep: "keep",
    Replan: "replan",
    Ask: "ask",
    Stop: "stop",
}


def decide(run: Run, node: Node, failed: Failed, progress: Progress) -> Decision:
    """Return what follows a node's last attempt, which failed; the journal has it then."""
    decision = route(
        Situation(
            kind=failed.kind,
            message=failed.message,
            policy=_policy(run, node, progress),
            effort=progress.effort,
            rungs=progress.rungs,
            rung=progress.rung,
            failures_on_rung=progress.failures_on_rung,
            voted=progress.voted or progress.agree is not None or not _may_vote(run, node),
            repeatable=node.kind != "code" and not failed.permanent,
            wrote=run.in_doubt(node, progress.attempt),
            replans_left=run.replans_left,
            odds=odds_of(run, node, failed, progress),
        )
    )
    decision = _kept(run, node, failed, progress, decision) or decision
    run.log.note(
        ev.Decided(
            node_id=node.id,
            attempt=progress.attempt,
            action=_ACTIONS[type(decision)],
            reason=decision.reason,
            rung=decision.rung if isinstance(decision, Promote) else "",
        )
    )
    return decision


def _kept(run: Run, node: Node, failed: Failed, progress: Progress, decision: Decision) -> Keep | None:
    """Return the doubted answer that counts in place of giving up; `None` without one, or where a person has a say."""
    ends = isinstance(decision, Replan | Stop | Ask) and failed.kind not in _HAS_A_SAY
    if not ends or not progress.attempt or run.in_doubt(node, progress.attempt):
        return None
    attempts = {attempt.attempt: attempt for attempt in run.view.nodes[node.id].attempts}
    work = attempts[progress.attempt].input_digest
    doubted = {
        number: attempt.failed.chance or 0.0
        for number, attempt in attempts.items()
        if attempt.input_digest == work and attempt.failed and attempt.failed.kind is FailureKind.DOUBT
    }
    if not doubted:
        return None
    best = max(doubted, key=lambda number: (doubted[number], number))
    told = f"the answer of attempt {best} on {attempts[best].rung} counts, which passed its checks and was only doubted"
    return Keep(attempt=best, reason=f"{decision.reason}; {told} ({doubted[best]:.0%} chance of being right)")


def _policy(run: Run, node: Node, progress: Progress) -> RouteSpec:
    """Return what may follow: what a batch was chosen for once leaves no time for it a second time."""
    if not run.once_only(node.id, progress.rung_name):
        return run.spec.route
    return run.spec.route.model_copy(update={"retry": 0, "vote": None, "promote": True})


def _may_vote(run: Run, node: Node) -> bool:
    """Whether several samples are harmless: those of a node that writes would write several times."""
    return node.kind != "panel" and node.effect != "write" and not run.writing_tools(node)
