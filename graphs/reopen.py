"""What is written down when a run is taken up again."""

from collections.abc import Mapping

from planloom.core import events as ev
from planloom.core.errors import RunError
from planloom.core.view import RunView


def reopening(view: RunView, approvals: Mapping[str, bool]) -> list[ev.AnyEvent]:
    """Return the events that begin another stretch of a run: attempts cut off, and a human's answers.

    Args:
        view: The run as its journal tells it.
        approvals: Answers by node id, or by `plan` for the plan as a whole.

    Raises:
        RunError: The run is done, or an answer is to nothing that waits.
    """
    if view.status == "done":
        raise RunError(f"run {view.run_id} is done; there is nothing to resume")
    pending = {item.node_id or "plan": item for item in view.pending.values()}
    if unknown := set(approvals) - set(pending):
        waits = ", ".join(pending) or "nothing"
        raise RunError(f"run {view.run_id}: {', '.join(sorted(unknown))} does not wait for approval; {waits} does")
    cut_off = tuple(node_id for node_id, node in view.nodes.items() if node.unfinished)
    answers = [
        ev.ApprovalGiven(node_id=item.node_id, approved=approvals[name], bound_to=item.bound_to)
        for name, item in pending.items()
        if name in approvals
    ]
    return [ev.RunResumed(interrupted=cut_off), *answers]
