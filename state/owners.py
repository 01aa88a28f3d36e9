"""Whom runs belong to, for a service that many share: looked up before anything of a run is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.state.journal import Journal
from planloom.state.store import holds
from planloom.state.tables import events, leases, run_owners

LOCAL = "local"
"""Tenant of whoever sits at this machine; what the command line has run is theirs."""
_STRETCHES = ("RunStarted", "RunResumed", "RunEnded")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRun:
    """A run and whose it is."""

    run_id: RunId
    tenant: str
    workflow: str
    created_at: float
    """Seconds since the epoch."""
    created_by: str
    idempotency_key: str | None = None
    request_digest: str = ""
    """What the key stands for: a digest of the request."""
    wanted: bool = True
    """It is to be taken up again when its process is gone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in a tenant's list: newest first, then by id."""

    at: float
    run_id: RunId


class Owners:
    """The owners of the runs in one journal.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def claim(self, run: OwnedRun) -> OwnedRun:
        """Write down whose a run is, before it begins; return the run that its idempotency key has already."""
        row = {name: getattr(run, name) for name in OwnedRun.__slots__}

        def work(connection: Connection) -> OwnedRun:
            kind = sqlite if connection.dialect.name == "sqlite" else postgresql
            once = kind.insert(run_owners).values(row).on_conflict_do_nothing().returning(run_owners.c.run_id)
            if connection.execute(once).first() is not None:
                return run
            return _first(connection, run.tenant, run_owners.c.idempotency_key == run.idempotency_key) or run

        return await self._journal.transact(work)

    async def forget(self, run_id: RunId) -> None:
        """Take a claim back: the run could not begin."""
        gone = delete(run_owners).where(run_owners.c.run_id == run_id)
        await self._journal.transact(lambda connection: connection.execute(gone))

    async def by_key(self, tenant: str, idempotency_key: str) -> OwnedRun | None:
        """Return the run that a tenant's key stands for."""
        same = run_owners.c.idempotency_key == idempotency_key
        return await self._journal.transact(lambda connection: _first(connection, tenant, same))

    async def owns(self, tenant: str, run_id: str) -> bool:
        """Tell whether a run has begun and is the tenant's."""
        found = _begun(tenant).where(events.c.run_id == run_id)
        return await self._journal.transact(lambda connection: connection.execute(found).first()) is not None

    async def wanted(self, run_id: RunId) -> bool:
        """Tell whether a run is to be taken up again when its process is gone."""
        found = select(run_owners.c.wanted).where(run_owners.c.run_id == run_id)
        return bool(await self._journal.transact(lambda connection: connection.execute(found).scalar()))

    async def want(self, run_id: RunId, *, wanted: bool) -> bool:
        """Say whether a run is to go on, also when its process is gone; tell whether it is a service's run at all.

        The server that is at work on a run which is not wanted any more stops it within seconds.
        """
        change = update(run_owners).where(run_owners.c.run_id == run_id).values(wanted=wanted)
        return await self._journal.transact(lambda connection: connection.execute(change).rowcount) > 0

    async def unwanted(self, run_ids: Sequence[RunId]) -> list[RunId]:
        """Return those of some runs that are not to go on."""
        found = select(run_owners.c.run_id).where(run_owners.c.run_id.in_(run_ids), ~run_owners.c.wanted)
        return [RunId(row.run_id) for row in await self._journal.transact(lambda c: c.execute(found).fetchall())]

    async def page(self, tenant: str, limit: int, after: Place | None) -> list[Place]:
        """Return where a tenant's runs stand, newest first.

        Args:
            tenant: Whose.
            limit: So many at most.
            after: The last one seen; `None` starts with the newest.
        """
        found = _begun(tenant).order_by(events.c.at.desc(), events.c.run_id.desc()).limit(limit)
        if after is not None:
            same = and_(events.c.at == after.at, events.c.run_id < after.run_id)
            found = found.where(or_(events.c.at < after.at, same))
        rows = await self._journal.transact(lambda connection: connection.execute(found).fetchall())
        return [Place(row.at, RunId(row.run_id)) for row in rows]

    async def unfinished(self) -> list[OwnedRun]:
        """Return the runs that are to go on and that nobody is at work on; oldest first."""
        stretch = events.alias()
        latest = (
            select(func.max(stretch.c.seq))
            .where(stretch.c.run_id == events.c.run_id, stretch.c.type.in_(_STRETCHES))
            .correlate(events)
            .scalar_subquery()
        )
        found = (
            select(run_owners, events.c.type, events.c.payload, leases.c.owner, leases.c.expires_at)
            .join(events, events.c.run_id == run_owners.c.run_id)
            .outerjoin(leases, leases.c.run_id == run_owners.c.run_id)
            .where(run_owners.c.wanted, events.c.type.in_(_STRETCHES), events.c.seq == latest)
            .order_by(run_owners.c.created_at)
        )
        rows = await self._journal.transact(lambda connection: connection.execute(found).mappings().all())
        free = [row for row in rows if not holds(str(row["owner"] or ""), row["expires_at"] or 0.0)]
        return [_owned(row) for row in free if _cut_off(str(row["type"]), str(row["payload"]))]

    async def spent_usd(self, tenant: str, since: float) -> float:
        """Return what a tenant's runs have cost since a time, in seconds since the epoch."""
        spent = (
            select(func.coalesce(func.sum(events.c.cost_usd), 0.0))
            .join(run_owners, run_owners.c.run_id == events.c.run_id)
            .where(events.c.type == "CallEnded", events.c.at >= since, run_owners.c.tenant == tenant)
        )
        return float(await self._journal.transact(lambda connection: connection.execute(spent).scalar_one()))


def _begun(tenant: str) -> Select[str, float]:
    """Select id and start of a tenant's runs; those of nobody are the local tenant's."""
    started = select(events.c.run_id, events.c.at).where(events.c.type == "RunStarted")
    if tenant == LOCAL:
        joined = started.outerjoin(run_owners, run_owners.c.run_id == events.c.run_id)
        return joined.where(func.coalesce(run_owners.c.tenant, LOCAL) == LOCAL)
    return started.join(run_owners, run_owners.c.run_id == events.c.run_id).where(run_owners.c.tenant == tenant)


def _first(connection: Connection, tenant: str, condition: ColumnElement[bool]) -> OwnedRun | None:
    found = select(run_owners).where(run_owners.c.tenant == tenant, condition)
    row = connection.execute(found).mappings().first()
    return None if row is None else _owned(row)


def _owned(row: RowMapping) -> OwnedRun:
    return OwnedRun(**{name: row[name] for name in OwnedRun.__slots__})


def _cut_off(kind: str, payload: str) -> bool:
    if kind != "RunEnded":
        return True
    ended = ev.decode(kind, payload)
    return isinstance(ended, ev.RunEnded) and ended.status == "cancelled"
