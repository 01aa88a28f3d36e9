"""Deleting old runs: their events, leases and checkpoints."""

import math
import os
from dataclasses import dataclass

from planloom.configs.units import read_duration
from planloom.core.errors import ConfigError, Problem, RunError
from planloom.core.plan import RunId
from planloom.graphs.shell import Shell, forget_run
from planloom.state.journal import Journal
from planloom.state.retention import Retention

_VARIABLE = "PLANLOOM_RETENTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was deleted, or would be."""

    runs: tuple[RunId, ...]
    """Oldest first."""
    rows: int = 0
    """Rows of the journal, without those of the checkpoints."""
    freed_bytes: int = 0
    """By how much the SQLite file became smaller; 0 in PostgreSQL, which uses the space again."""
    in_use: tuple[RunId, ...] = ()
    """Runs that somebody took up at the same moment; they stay."""
    dry_run: bool = False


def retention_of_environment() -> float:
    """Return the seconds that `PLANLOOM_RETENTION` keeps runs for; infinity when it is not set.

    Raises:
        ConfigError: It is no duration.
    """
    text = os.environ.get(_VARIABLE, "").strip()
    if not text:
        return math.inf
    try:
        return read_duration(text)
    except ValueError as exc:
        raise ConfigError(_VARIABLE, [Problem(f"{exc}, found {text[:40]!r}")]) from exc


async def collect(journal: Journal, shell: Shell, policy: Retention, *, dry_run: bool = False) -> Collected:
    """Delete the runs that may go, each as a whole, and give their space back.

    A run is taken first, as if to resume it, so that nobody else does. Its checkpoints go before its events: when
    this process is killed in between, the next one finds the run and goes on.

    Args:
        journal: Where the runs are.
        shell: Whose checkpoints go.
        policy: Which runs may go.
        dry_run: Delete nothing.
    """
    found = await journal.expired(policy)
    if dry_run or not found:
        return Collected(runs=tuple(found), dry_run=dry_run)
    rows = {run_id: await _delete(journal, shell, policy, run_id) for run_id in found}
    gone = {run_id: count for run_id, count in rows.items() if count}
    return Collected(
        runs=tuple(gone),
        rows=sum(gone.values()),
        freed_bytes=await journal.shrink(),
        in_use=tuple(run_id for run_id in found if run_id not in gone),
    )


async def _delete(journal: Journal, shell: Shell, policy: Retention, run_id: RunId) -> int:
    """Delete one run and return its rows; 0 where somebody else has it, or had it since it was looked for."""
    try:
        await journal.take(run_id)
    except RunError:
        return 0
    try:
        if not await journal.expired(policy, run_id):
            return 0
        await forget_run(shell, run_id)
        return await journal.delete(run_id)
    finally:
        await journal.release(run_id)
