"""What is written down when a run is taken up again: attempts cut off, answers, and silence."""

from collections.abc import Iterator, Mapping

from planloom.configs.nodes import to_nodes
from planloom.configs.spec import AskSpec, WorkflowSpec
from planloom.core import events as ev
from planloom.core.answer import Answer
from planloom.core.errors import PlanError, RunError
from planloom.core.plan import Node, NodeId
from planloom.core.result import PendingApproval
from planloom.core.view import RunView
from planloom.graphs.calls import ended
from planloom.graphs.compile import compile_plan
from planloom.graphs.lint import Facts


def reopening(view: RunView, answers: Mapping[str, Answer]) -> list[ev.AnyEvent]:
    """Return the events that begin another stretch of a run: attempts cut off, and people's answers.

    Args:
        view: The run as its journal tells it.
        answers: By node id, or by `plan` for the plan as a whole.

    Raises:
        RunError: The run is done, or an answer is to nothing that waits, or does not fit what waits.
    """
    if view.status == "done":
        raise RunError(f"run {view.run_id} is done; there is nothing to resume")
    cut_off = tuple(node_id for node_id, node in view.nodes.items() if node.unfinished)
    return [ev.RunResumed(interrupted=cut_off), *answered(view, answers)]


def answered(view: RunView, answers: Mapping[str, Answer]) -> list[ev.AnyEvent]:
    """Return the events that people's answers come to.

    Raises:
        RunError: An answer is to nothing that waits, or does not fit what waits.
    """
    pending = {item.node_id or "plan": item for item in view.pending.values()}
    if unknown := set(answers) - set(pending):
        waits = ", ".join(pending) or "nothing"
        raise RunError(f"run {view.run_id}: {', '.join(sorted(unknown))} does not wait for approval; {waits} does")
    events: list[ev.AnyEvent] = []
    for name, item in pending.items():
        if name not in answers:
            continue
        answer = answers[name]
        if answer.plan is not None and item.node_id is not None:
            raise RunError(f"run {view.run_id}: {name}: only the plan as a whole can be edited")
        if answer.happened:
            events.append(_happened(view, item, answer))
        if answer.plan is None:  # an edited plan is approved when it has been compiled
            given = ev.ApprovalGiven(
                node_id=item.node_id, approved=answer.approved, bound_to=item.bound_to, note=answer.note
            )
            events.append(given)
    return events


def _happened(view: RunView, item: PendingApproval, answer: Answer) -> ev.EffectEnded:
    """Return that the one write in doubt did happen."""
    doubtful = [effect for effect in view.effects_of(item.node_id or NodeId("")).values() if effect.uncertain]
    if len(doubtful) != 1:
        raise RunError(f"run {view.run_id}: {item.node_id}: {len(doubtful)} writes are in doubt, not one")
    return ended(item.node_id or NodeId(""), doubtful[0], "done", result=answer.result, told_by="human")


def silence(view: RunView, policy: AskSpec, now: float) -> Iterator[ev.ApprovalGiven]:
    """Yield the answers that silence gives to what has waited too long at `now`, seconds since the epoch."""
    for item in view.pending.values():
        if policy.timeout is None or now - item.held_at < policy.timeout:
            continue
        yield ev.ApprovalGiven(
            node_id=item.node_id,
            approved=policy.default == "approve" and item.kind == "approval",
            bound_to=item.bound_to,
            note=f"nobody answered within {policy.timeout:g} s",
            given_by="policy",
        )


def edited_plan(view: RunView, edited: WorkflowSpec, facts: Facts, note: str) -> list[ev.AnyEvent]:
    """Return the events that put a person's plan in place of the one that waits, approved as it stands.

    Args:
        view: The run.
        edited: The run's workflow with the person's nodes and output.
        facts: What a plan of the workflow may refer to.
        note: Why, for the journal.

    Raises:
        RunError: The plan must not run; every finding is named.
    """
    version = view.plan.version + 1 if view.plan else 1
    done: dict[NodeId, Node] = {}
    if view.plan is not None:
        done = {i: node for i, node in view.plan.nodes.items() if i in view.nodes and view.nodes[i].state == "done"}
    try:
        compiled = compile_plan(to_nodes(edited.nodes).values(), edited.output, facts, version=version, done=done)
    except PlanError as exc:
        raise RunError(f"run {view.run_id}: the edited plan must not run: {exc}") from exc
    ready = ev.PlanReady(plan=compiled.plan, purpose="edit", warnings=compiled.warnings)
    return [ready, ev.ApprovalGiven(node_id=None, approved=True, bound_to=compiled.plan.digest, note=note)]
