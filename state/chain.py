"""The chain of a run's rows: each is sealed with the one before it, and the run's lease knows the last."""

import json
from collections.abc import Callable, Mapping, Sequence

from planloom.state.seal import Seal
from planloom.state.store import EventRow, JournalError


class JournalDamaged(JournalError):
    """A run's rows are not as they were written; nothing of it was run."""


class Chain:
    """Seals rows as they are written.

    Args:
        seal: Makes the seals.
        load: Returns the seal of a run's row by its number, empty where there is none.
    """

    def __init__(self, seal: Seal, load: Callable[[str, int], str]) -> None:
        self._seal = seal
        self._load = load
        self._last: dict[str, tuple[int, str]] = {}
        """Number and seal of each run's last row."""

    def sealed(self, rows: Sequence[EventRow]) -> list[EventRow]:
        """Return rows with their seals, in the same order; what was written last moves only by `advance`."""
        made: list[EventRow] = []
        last: dict[str, tuple[int, str]] = {}
        for row in rows:
            number, before = last.get(row.run_id) or self._last.get(row.run_id, (0, ""))
            if number != row.seq - 1:
                before = self._load(row.run_id, row.seq - 1)
            row = row._replace(seal=seal_of(self._seal, before, row))
            last[row.run_id] = (row.seq, row.seal)
            made.append(row)
        return made

    def heads(self, rows: Sequence[EventRow]) -> dict[str, str]:
        """Return what a run's lease keeps of its last row, by run."""
        last = {row.run_id: row for row in rows}
        return {run_id: head_of(self._seal, row) for run_id, row in last.items()}

    def advance(self, rows: Sequence[EventRow]) -> None:
        """Go on behind rows that were written."""
        self._last.update({row.run_id: (row.seq, row.seal) for row in rows})

    def forget(self, run_id: str) -> None:
        """Take nothing for granted of a run that others may have written."""
        self._last.pop(run_id, None)


def seal_of(seal: Seal, before: str, row: EventRow) -> str:
    """Return the seal of a row behind one whose seal is `before`."""
    return seal.of(before, _columns(row), row.payload)


def head_of(seal: Seal, row: EventRow) -> str:
    """Return what is kept of a run's last row, so that missing ones are noticed."""
    return f"{row.seq}:{seal.of('head', row.run_id, str(row.seq), row.seal)}"


def check_chain(seal: Seal, run_id: str, rows: Sequence[EventRow], *, before: str, head: str | None) -> None:
    """Hold a run's rows, all from some number on, against their seals and the run's head.

    Args:
        seal: Checks the seals.
        run_id: The run.
        rows: In order.
        before: Seal of the row before the first.
        head: What was kept of the last row, or of one before it where rows were written since.

    Raises:
        JournalDamaged: A row was changed, added, moved or taken away.
    """
    number = rows[0].seq - 1 if rows else 0
    for row in rows:
        number += 1
        if row.seq != number:
            raise JournalDamaged(f"run {run_id}: row {number} is missing; nothing was run")
        if not seal.fits(row.seal, before, _columns(row), row.payload):
            where = f"run {run_id}: row {row.seq} ({row.type})"
            raise JournalDamaged(f"{where} is damaged: {seal.reason(row.seal)}; nothing was run")
        before = row.seal
    _check_head(seal, run_id, {row.seq: row for row in rows}, head)


def _check_head(seal: Seal, run_id: str, rows: Mapping[int, EventRow], head: str | None) -> None:
    if not rows:
        return
    if head is None:
        if seal.has_key:
            raise JournalDamaged(f"run {run_id}: what was kept of its last row is missing; nothing was run")
        return
    number = int(head.partition(":")[0]) if head.partition(":")[0].isdecimal() else 0
    if number > max(rows):
        raise JournalDamaged(f"run {run_id}: rows {max(rows) + 1} to {number} are missing; nothing was run")
    if number >= min(rows) and head_of(seal, rows[number]) != head:
        reason = seal.reason(head.partition(":")[2])
        raise JournalDamaged(f"run {run_id}: what was kept of its last row: {reason}; nothing was run")


def _columns(row: EventRow) -> str:
    """Return all of a row but its payload; numbers as both databases give them back."""
    return json.dumps([*row[:2], float(row.at), *row[3:8], float(row.cost_usd)])
