"""What follows a failed attempt: what the router looks at, gathered from the run, and its decision, written down."""

from collections.abc import Mapping

from planloom.configs.spec import RouteSpec
from planloom.core import events as ev
from planloom.core.decision import Ask, Decision, Promote, Replan, Retry, Stop, Vote
from planloom.core.outcome import Failed
from planloom.core.plan import Node
from planloom.graphs.context import Run
from planloom.graphs.odds import odds_of
from planloom.graphs.progress import Progress
from planloom.graphs.route import Situation, route

_ACTIONS: Mapping[type[Decision], ev.Action] = {
    Retry: "retry",
    Vote: "vote",
    Promote: "promote",
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


def _policy(run: Run, node: Node, progress: Progress) -> RouteSpec:
    """Return what may follow: what a batch was chosen for once leaves no time for it a second time."""
    if not run.once_only(node.id, progress.rung_name):
        return run.spec.route
    return run.spec.route.model_copy(update={"retry": 0, "vote": None, "promote": True})


def _may_vote(run: Run, node: Node) -> bool:
    """Whether several samples are harmless: those of a node that writes would write several times."""
    return node.kind != "panel" and node.effect != "write" and not run.writing_tools(node)
