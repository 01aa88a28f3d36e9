"""Answers for a run that another process is at work on: left in the database, taken in by that process."""

import time
from collections.abc import Collection, Mapping

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from planloom.core.answer import Answer
from planloom.core.plan import RunId
from planloom.core.result import PendingApproval
from planloom.state.chain import JournalDamaged
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
            self._row(run_id, name, shown, _ANSWER.dump_json(given[name]).decode())
            for name, shown in _shown(pending).items()
            if name in given
        ]

        def work(connection: Connection) -> None:
            for row in rows:
                same = (answers.c.run_id == run_id) & (answers.c.name == row["name"])
                connection.execute(delete(answers).where(same))
                connection.execute(insert(answers).values(row))

        await self._journal.transact(work)

    def _row(self, run_id: RunId, name: str, bound_to: str, payload: str) -> dict[str, str | float]:
        seal = self._journal.seal.of("answer", run_id, name, bound_to, payload)
        named = {"run_id": run_id, "name": name, "bound_to": bound_to, "payload": payload, "seal": seal}
        return {**named, "at": time.time()}

    async def read(self, run_id: RunId, pending: Collection[PendingApproval]) -> dict[str, Answer]:
        """Return the answers to what waits as it is shown; those to anything else are no answers to it.

        Raises:
            JournalDamaged: One is not as somebody left it; leaving another one takes its place.
        """
        wanted = select(answers.c.name, answers.c.bound_to, answers.c.payload, answers.c.seal).where(
            answers.c.run_id == run_id
        )
        rows = await self._journal.transact(lambda connection: connection.execute(wanted).fetchall())
        seal, shown = self._journal.seal, _shown(pending)
        for row in rows:
            if not seal.fits(row.seal, "answer", run_id, row.name, row.bound_to, row.payload):
                raise JournalDamaged(
                    f"run {run_id}: the answer to {row.name} is damaged: {seal.reason(row.seal)}; nothing was run."
                    f" Give it again: planloom approve {run_id} {row.name}"
                )
        return {row.name: _ANSWER.validate_json(row.payload) for row in rows if shown.get(row.name) == row.bound_to}

    async def clear(self, run_id: RunId, names: Collection[str]) -> None:
        """Take out what has been journaled."""
        gone = delete(answers).where((answers.c.run_id == run_id) & answers.c.name.in_([*names]))
        await self._journal.transact(lambda connection: connection.execute(gone))


def _shown(pending: Collection[PendingApproval]) -> dict[str, str]:
    return {str(item.node_id or "plan"): item.bound_to for item in pending}
