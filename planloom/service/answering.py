"""Answering what waits in a run, wherever it is at work."""

from collections.abc import Mapping, Sequence

from planloom.core.answer import Answer
from planloom.core.plan import RunId
from planloom.core.view import RunView
from planloom.handle import RunHandle
from planloom.service.problems import Fault, Problem
from planloom.service.shapes import AnswerShape
from planloom.service.starting import take_up
from planloom.service.visit import Visit


async def answer(visit: Visit, view: RunView, answers: Sequence[AnswerShape]) -> None:
    """Answer what waits, as it was shown; the run goes on.

    Raises:
        Problem: Something else waits by now (409), or the run cannot go on now (429, 503).
        RunError: An answer does not fit.
    """
    _check(view, answers)
    said = {item.node: item.approved for item in answers}
    await visit.note("run.approve", view.run_id, {"answers": {**said}})
    await _deliver(visit, view.run_id, {item.node: _answer(item) for item in answers})


def _check(view: RunView, answers: Sequence[AnswerShape]) -> None:
    waits = {str(item.node_id or "plan"): item.bound_to for item in view.pending.values()}
    errors = [
        Fault(pointer=f"/answers/{number}", detail=f"{item.node!r} does not wait as it was shown with this bound_to")
        for number, item in enumerate(answers)
        if waits.get(item.node) != item.bound_to
    ]
    if errors:
        raise Problem(409, "conflict", "Something else waits by now; nothing was answered.", errors=errors)


def _answer(item: AnswerShape) -> Answer:
    return Answer(approved=item.approved, note=item.note, plan=item.plan, happened=item.happened, result=item.result)


async def _deliver(visit: Visit, run_id: RunId, answers: Mapping[str, Answer]) -> None:
    handle = visit.runtime.engine.at_work(run_id)
    if handle is not None and _takes_now(handle, answers):
        handle.answer(answers)
    elif handle is not None or await visit.live(run_id):
        await visit.runtime.engine.answer(run_id, answers)
    else:
        await take_up(visit, run_id, answers)


def _takes_now(handle: RunHandle, answers: Mapping[str, Answer]) -> bool:
    """Tell whether a run can be answered while it goes on: its nodes, but not its plan."""
    waits = {str(item.node_id) for item in handle.view.pending.values() if item.node_id is not None}
    return set(answers) <= waits and handle.view.status == "running"
