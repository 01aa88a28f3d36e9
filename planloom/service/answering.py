"""Answering what waits in a run, wherever it is at work.

Protocols that name what waits by one id (`id_of`) get run, digest of what was shown, and node in it. So nothing has to
be kept for the answer, which may come to any process of the service.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from planloom.core import events as ev
from planloom.core.answer import Answer
from planloom.core.plan import NodeId, RunId
from planloom.core.result import PendingApproval
from planloom.core.view import RunView
from planloom.handle import RunHandle
from planloom.service.problems import Fault, Problem
from planloom.service.shapes import AnswerShape, Verdict
from planloom.service.starting import take_up
from planloom.service.visit import Visit

ID = r"^[0-9A-Za-z-]{1,64}:[0-9A-Za-z_-]{1,128}:.{1,200}$"
"""What an id of something that waits looks like."""


class Reply(NamedTuple):
    """What a person says to something that waits, by its id."""

    to: str
    verdict: Verdict

    @property
    def shape(self) -> AnswerShape:
        """The answer, as one who names the run besides gives it."""
        _, bound_to, node = self.to.split(":", 2)
        return AnswerShape(node=node, bound_to=bound_to, **self.verdict.model_dump())

    @property
    def key(self) -> tuple[NodeId | None, str]:
        """Node and digest, as the journal has them."""
        _, bound_to, node = self.to.split(":", 2)
        return None if node == "plan" else NodeId(node), bound_to


class Replied(NamedTuple):
    """A run that was answered, and what had happened in it before."""

    run_id: RunId
    past: list[ev.AnyEvent]


def id_of(run_id: str, item: PendingApproval) -> str:
    """Return the id of something that waits."""
    return f"{run_id}:{item.bound_to}:{item.node_id or 'plan'}"


async def reply(visit: Visit, workflow: str, replies: Sequence[Reply]) -> Replied:
    """Answer what waits in a run, where that has not been done already.

    A client that lost its connection sends its answers again: they are not given twice, and what came of them is told.

    Raises:
        Problem: They are for several runs (422), for none of theirs (404), or as `answer`.
        RunError: An answer does not fit.
    """
    runs = {item.to.partition(":")[0] for item in replies}
    if len(runs) != 1:
        raise Problem(422, "invalid", "Answers to one run at a time.")
    run_id = await visit.run(runs.pop())
    history = await visit.history(run_id)
    view = RunView(history)
    if view.name != workflow:
        raise Problem(404, "not-found", "There is no such run.")
    given = {key: event.approved for key, event in view.approvals.items()}
    fresh = [item.shape for item in replies if given.get(item.key) is not item.verdict.approved]
    if fresh:
        await answer(visit, view, fresh)
    return Replied(run_id, _before(history, {item.key for item in replies}))


def _before(history: Sequence[ev.AnyEvent], answered: set[tuple[NodeId | None, str]]) -> list[ev.AnyEvent]:
    for number, event in enumerate(history):
        if isinstance(event, ev.ApprovalGiven) and (event.node_id, event.bound_to) in answered:
            return [*history[:number]]
    return [*history]


async def answer(visit: Visit, view: RunView, answers: Sequence[AnswerShape]) -> None:
    """Answer what waits, as it was shown; the run goes on.

    Raises:
        Problem: Something else waits by now (409), or the run cannot go on now (429, 503).
        RunError: An answer does not fit.
    """
    _check(view, answers)
    said = {item.node: item.approved for item in answers}
    await visit.note("run.approve", view.run_id, {"answers": {**said}})
    await _deliver(visit, view, {item.node: item.answer for item in answers})


def _check(view: RunView, answers: Sequence[AnswerShape]) -> None:
    waits = {str(item.node_id or "plan"): item.bound_to for item in view.pending.values()}
    errors = [
        Fault(pointer=f"/answers/{number}", detail=f"{item.node!r} does not wait as it was shown with this bound_to")
        for number, item in enumerate(answers)
        if waits.get(item.node) != item.bound_to
    ]
    if errors:
        raise Problem(409, "conflict", "Something else waits by now; nothing was answered.", errors=errors)


async def _deliver(visit: Visit, view: RunView, answers: Mapping[str, Answer]) -> None:
    run_id, engine = view.run_id, visit.runtime.engine
    handle = engine.at_work(run_id)
    if handle is not None and handle.view.status == "waiting":
        await handle.result()  # it comes to rest at this moment, and takes no more answers in
        handle = None
    if handle is not None and _takes_now(handle, answers):
        handle.answer(answers)
    elif not (await engine.journal.live(run_id) and await engine.answer(run_id, answers)):
        await take_up(visit, run_id, answers)


def _takes_now(handle: RunHandle, answers: Mapping[str, Answer]) -> bool:
    """Tell whether a run can be answered while it goes on: its nodes, but not its plan."""
    waits = {str(item.node_id) for item in handle.view.pending.values() if item.node_id is not None}
    return set(answers) <= waits and handle.view.status == "running"
