"""How past runs went on each rung: one row for each piece of work and rung, in the journal's database."""

import time
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from planloom.core.visit import Visit, VisitKey
from planloom.state.journal import Journal
from planloom.state.tables import visits

_MAX_AGE_S = 180 * 86_400.0
_KEPT = 200
"""Visits of one kind of work, the newest."""


class Visits:
    """The visits of one namespace of one tenant.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal, namespace: str, tenant: str = "") -> None:
        self._journal = journal
        self._namespace, self._tenant = namespace, tenant

    async def note(self, made: Sequence[tuple[VisitKey, Visit]]) -> None:
        """Keep visits; those that are there already stay as they are, so noting them again changes nothing."""
        place = {"tenant": self._tenant, "namespace": self._namespace}
        rows = [{**place, **asdict(key), **asdict(visit)} for key, visit in made]
        kinds = sorted({key.signature for key, _ in made})

        def work(connection: Connection) -> None:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            connection.execute(dialect.insert(visits).on_conflict_do_nothing(), rows)
            connection.execute(delete(visits).where(self._mine, visits.c.at < time.time() - _MAX_AGE_S))
            for kind in kinds:
                newest = select(visits.c.at).where(self._mine, visits.c.signature == kind)
                last = connection.execute(newest.order_by(visits.c.at.desc()).offset(_KEPT).limit(1)).scalar()
                if last is not None:
                    connection.execute(
                        delete(visits).where(self._mine, visits.c.signature == kind, visits.c.at <= last)
                    )

        if rows:
            await self._journal.transact(work)

    async def read(self) -> dict[str, list[Visit]]:
        """Return all visits by the kind of work, newest first."""
        found = select(visits).where(self._mine).order_by(visits.c.at.desc(), visits.c.run_id, visits.c.node_id)
        rows = await self._journal.transact(lambda connection: connection.execute(found).fetchall())
        known: dict[str, list[Visit]] = {}
        for row in rows:
            visit = Visit(
                rung=row.rung, model=row.model, served=row.served, ok=row.ok, cost_usd=row.cost_usd, at=row.at
            )
            known.setdefault(row.signature, []).append(visit)
        return known

    @property
    def _mine(self) -> ColumnElement[bool]:
        return and_(visits.c.tenant == self._tenant, visits.c.namespace == self._namespace)
