"""Runs as lines of a list, read without folding their events; rows are taken as they stand, unsealed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Executable, func, select

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.state.store import JournalError, holds
from planloom.state.tables import events, leases

Query = Callable[[Executable], Sequence[tuple[object, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of the list of runs. Times are seconds since the epoch."""

    run_id: RunId
    name: str
    status: ev.Status
    started_at: float
    ended_at: float | None
    cost_usd: float
    rehearsal: bool
    live: bool
    """Whether a process is at work on it."""


def summaries(query: Query, ids: Sequence[RunId]) -> list[RunSummary]:
    """Return the lines of some runs, those that are there, in the same order."""
    live = live_among(query, ids)  # before the events: what ends meanwhile has written its end
    first = select(events.c.run_id, events.c.payload).where(events.c.type == "RunStarted")
    started = {str(run_id): str(text) for run_id, text in query(first.where(events.c.run_id.in_(ids)))}
    ends = select(events.c.run_id, events.c.type, events.c.payload).where(
        events.c.run_id.in_(ids), events.c.type.in_(["RunEnded", "RunResumed"])
    )
    last = {str(run_id): (str(kind), str(text)) for run_id, kind, text in query(ends.order_by(events.c.seq))}
    sums = select(events.c.run_id, func.sum(events.c.cost_usd)).where(events.c.run_id.in_(ids))
    costs = {str(run_id): float(str(usd)) for run_id, usd in query(sums.group_by(events.c.run_id))}
    return [
        _summary(i, started[i], last.get(i), cost_usd=costs[i], live=i in live)
        for i in ids
        if i in started and i in costs  # else deleted since
    ]


def live_among(query: Query, run_ids: Sequence[str]) -> set[str]:
    """Return the runs that a process is at work on."""
    found = select(leases.c.run_id, leases.c.owner, leases.c.expires_at).where(leases.c.run_id.in_(run_ids))
    return {str(i) for i, owner, expires_at in query(found) if holds(str(owner), float(str(expires_at)))}


def _summary(
    run_id: str, started_json: str, last: tuple[str, str] | None, *, cost_usd: float, live: bool
) -> RunSummary:
    try:
        started = ev.decode("RunStarted", started_json)
        ended = ev.decode(*last) if last else None
    except ValidationError as exc:
        raise JournalError(f"run {run_id}: a row is damaged: {exc}") from exc
    if not isinstance(started, ev.RunStarted):
        raise JournalError(f"run {run_id}: its first row is damaged")
    status: ev.Status = "running" if live else "interrupted"
    if isinstance(ended, ev.RunEnded):
        status = ended.status
    return RunSummary(
        run_id=started.run_id,
        name=started.name,
        status=status,
        started_at=started.at,
        ended_at=ended.at if isinstance(ended, ev.RunEnded) else None,
        cost_usd=cost_usd,
        rehearsal=started.rehearsal,
        live=live,
    )
