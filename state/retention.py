"""Which runs are old enough to be deleted, and their deletion.

A run is deleted whole: its events and its lease go in one transaction, under the lease, so that no other
process can take it up meanwhile. What is not over stays, unless its status is asked for by name.
"""

import math
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeAlias, get_args

from pydantic import ValidationError
from sqlalchemy import Connection, Select, delete, or_, select

from planloom.core import events as ev
from planloom.core.errors import ConfigError, Problem
from planloom.core.plan import RunId
from planloom.state.store import Lease, LeaseLost, holds
from planloom.state.tables import answers, artifact_parts, artifacts, events, leases, run_owners, webhook_deliveries

Ending: TypeAlias = Literal["done", "partial", "failed", "cancelled", "waiting", "interrupted"]
"""How a run stands that no process is at work on; `interrupted` is one whose process is gone."""

ENDINGS: tuple[Ending, ...] = get_args(Ending)
MONTH_S = 30 * 86_400.0
OVER: tuple[Ending, ...] = ("done",)
"""Runs that cannot be resumed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which runs go.

    Raises:
        ConfigError: A value is out of range, or there is no such status.
    """

    older_than_s: float = MONTH_S
    """Seconds since their last event, at least."""
    keep: int = 0
    """The newest of all runs stay, so many of them, whatever their age."""
    statuses: tuple[Ending, ...] = OVER
    """What could still be resumed goes only when it is named."""
    limit: int | None = None
    """So many at most, the oldest; `None` for all."""
    now: float = field(default_factory=time.time)
    """Seconds since the epoch."""

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        if math.isnan(self.older_than_s) or self.older_than_s < 0:
            problems.append(Problem(f"expected at least 0 seconds, found {self.older_than_s:g}", "older_than_s"))
        if self.keep < 0:
            problems.append(Problem(f"expected at least 0, found {self.keep}", "keep"))
        if unknown := sorted(set(self.statuses) - set(ENDINGS)):
            problems.append(Problem(f"expected some of {', '.join(ENDINGS)}, found {unknown[0]!r}", "statuses"))
        if problems:
            raise ConfigError("gc", problems)

    @property
    def before(self) -> float:
        """Runs whose last event is older than this may go."""
        return self.now - self.older_than_s


def expired(connection: Connection, policy: Retention, only: RunId | None = None) -> list[RunId]:
    """Return the runs that may go, oldest first.

    Args:
        connection: A transaction.
        policy: Which may go.
        only: Look at that one, whose lease the caller holds; `None` looks for those that nobody is at work on.
    """
    suspects = [only] if only is not None else _column(connection, _suspects(policy))
    newest = select(events.c.run_id).where(events.c.type == "RunStarted").order_by(events.c.at.desc())
    kept = set(_column(connection, newest.limit(policy.keep))) if policy.keep else set[RunId]()
    free = (run_id for run_id in suspects if run_id not in kept and (only or not _at_work(connection, run_id)))
    return list(islice((run_id for run_id in free if _may_go(connection, run_id, policy)), policy.limit))


def _column(connection: Connection, query: Select[tuple[str]]) -> list[RunId]:
    return list(dict.fromkeys(RunId(str(row.run_id)) for row in connection.execute(query)))


def _suspects(policy: Retention) -> Select[tuple[str]]:
    """Find every run that may go, and some that may not; reads along an index."""
    if "interrupted" in policy.statuses:
        which = events.c.type == "RunStarted"  # any status can hide behind it
    else:
        named = [events.c.payload.contains(f'"status":"{status}"') for status in policy.statuses]
        which = (events.c.type == "RunEnded") & or_(*named)
    return select(events.c.run_id).where(which, events.c.at < policy.before).order_by(events.c.at)


def _may_go(connection: Connection, run_id: RunId, policy: Retention) -> bool:
    mine = select(events.c.type, events.c.at, events.c.payload).where(events.c.run_id == run_id)
    latest = mine.order_by(events.c.seq.desc()).limit(1)
    final = connection.execute(latest).first()
    if final is None or final.at >= policy.before:
        return False
    mark = connection.execute(latest.where(events.c.type.in_(["RunStarted", "RunResumed", "RunEnded"]))).first()
    if mark is None or mark.type != "RunEnded":
        return "interrupted" in policy.statuses
    try:
        ended = ev.decode(mark.type, mark.payload)
    except ValidationError:
        return False  # damaged: a person should see it
    return isinstance(ended, ev.RunEnded) and ended.status in policy.statuses


def _at_work(connection: Connection, run_id: RunId) -> bool:
    row = connection.execute(select(leases).where(leases.c.run_id == run_id)).first()
    return row is not None and holds(row.owner, row.expires_at)


def delete_run(connection: Connection, lease: Lease) -> int:
    """Delete a run with its lease and return how many rows that were.

    Raises:
        LeaseLost: Another process has taken it up; nothing is deleted.
    """
    mine = (leases.c.run_id == lease.run_id) & (leases.c.token == lease.token)
    if connection.execute(delete(leases).where(mine)).rowcount != 1:
        raise LeaseLost(f"run {lease.run_id} has been taken over by another process")
    tables = (events, artifact_parts, artifacts, answers, run_owners, webhook_deliveries)
    return 1 + sum(connection.execute(delete(table).where(table.c.run_id == lease.run_id)).rowcount for table in tables)
