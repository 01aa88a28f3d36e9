"""People's answers to a run that a process is at work on, which may be another one."""

import asyncio
from collections.abc import Mapping

from planloom.core.answer import Answer
from planloom.core.plan import RunId
from planloom.core.view import RunView
from planloom.graphs.reopen import answered
from planloom.state.inbox import Inbox
from planloom.state.journal import Journal

_LOOK_S = 0.1
"""How often is looked whether answers were taken in."""


async def tell(journal: Journal, inbox: Inbox, run_id: RunId, answers: Mapping[str, Answer]) -> bool:
    """Leave answers to what waits in a run; tell whether the process at work on it took them in before it ended.

    Raises:
        RunError: An answer is to nothing that waits, or does not fit it.
    """
    past = await journal.events(run_id)
    view, seen = RunView(past), len(past)
    answered(view, answers)
    waits = view.pending.values()
    asked = {(item.node_id, item.bound_to) for item in waits if str(item.node_id or "plan") in answers}
    await inbox.leave(run_id, answers, waits)
    while True:
        live = await journal.live(run_id)  # first: what a process wrote before it let go is seen below
        for event in await journal.events(run_id, after=seen):
            view.apply(event)
            seen += 1
        if asked <= view.approvals.keys():
            return True
        if not live:
            return False
        await asyncio.sleep(_LOOK_S)
