"""Answers that other processes leave for a run while it goes on."""

import asyncio
from contextlib import suppress

from planloom.core.errors import RunError
from planloom.graphs.run import Walk
from planloom.state.inbox import Inbox
from planloom.state.store import JournalError

_PAUSE_S = 0.5


async def listen(walk: Walk, inbox: Inbox) -> None:
    """Take answers in as they come, for ever; while nothing waits the database is not asked."""
    log = walk.run.log
    while True:
        await asyncio.sleep(_PAUSE_S)
        if not log.view.pending:
            continue
        with suppress(JournalError, RunError):  # a later round, or the run's own next row, will tell
            left = await inbox.read(log.run_id, log.view.pending.values())
            now = {name: answer for name, answer in left.items() if answer.plan is None}
            if now:
                walk.answer_now(now)
                await log.settle()
                await inbox.clear(log.run_id, now)
