"""Answers for a run that another process is at work on: left in the database, taken in by that process."""

import time
from collections.abc import Collection, Mapping

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from planloom.core.answer import Answer
from planloom.core.plan import RunId
from planloom.core.result import PendingApproval
from planloom.state.journal import Journal
from planloom.state.tables import answers

_ANSWER = TypeAdapter(Answer)


class Inbox:
    """Where answers lie until whoever writes the run has journaled them, so that none is lost between the two.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def leave(self, run_id: RunId, given: Mapping[str, Answer], pending: Collection[PendingApproval]) -> None:
        """Leave answers to what waits, each bound to what is shown; a later one to the same takes its place."""
        rows = [
            {
                "run_id": run_id,
                "name": name,
                "bound_to": shown,
                "at": time.time(),
                "payload": _ANSWER.dump_json(given[name]).decode(),
            }
            for name, shown in _shown(pending).items()
            if name in given
        ]

        def work(connection: Connection) -> None:
            for row in rows:
                same = (answers.c.run_id == run_id) & (answers.c.name == row["name"])
                connection.execute(delete(answers).where(same))
                connection.execute(insert(answers).values(row))

        await self._journal.transact(work)

    async def read(self, run_id: RunId, pending: Collection[PendingApproval]) -> dict[str, Answer]:
        """Return the answers to what waits as it is shown; those to anything else are no answers to it."""
        wanted = select(answers.c.name, answers.c.bound_to, answers.c.payload).where(answers.c.run_id == run_id)
        rows = await self._journal.transact(lambda connection: connection.execute(wanted).fetchall())
        shown = _shown(pending)
        return {name: _ANSWER.validate_json(text) for name, bound_to, text in rows if shown.get(name) == bound_to}

    async def clear(self, run_id: RunId, names: Collection[str]) -> None:
        """Take out what has been journaled."""
        gone = delete(answers).where((answers.c.run_id == run_id) & answers.c.name.in_([*names]))
        await self._journal.transact(lambda connection: connection.execute(gone))


def _shown(pending: Collection[PendingApproval]) -> dict[str, str]:
    return {str(item.node_id or "plan"): item.bound_to for item in pending}
