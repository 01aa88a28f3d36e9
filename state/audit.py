"""The audit log: who did what, when. The database itself refuses to change or delete a row."""

import json
import time
from dataclasses import dataclass

from sqlalchemy import insert, select

from planloom.core.json import JsonObject
from planloom.state.journal import Journal
from planloom.state.tables import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of it."""

    id: int
    at: float
    """Seconds since the epoch."""
    tenant: str
    actor: str
    action: str
    target: str
    detail: JsonObject


class Audit:
    """The audit log in one journal's database.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def note(self, *, tenant: str, actor: str, action: str, target: str, detail: JsonObject) -> None:
        """Add a line; it is written down before what it tells of is done."""
        row = {
            "at": time.time(),
            "tenant": tenant,
            "actor": actor,
            "action": action,
            "target": target,
            "detail": json.dumps(detail, sort_keys=True),
        }
        await self._journal.transact(lambda connection: connection.execute(insert(audit).values(row)))

    async def page(self, tenant: str, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return a tenant's lines, newest first; `before` is the id of the last one seen."""
        found = select(audit).where(audit.c.tenant == tenant).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            found = found.where(audit.c.id < before)
        rows = await self._journal.transact(lambda connection: connection.execute(found).mappings().all())
        return [AuditEntry(**{**row, "detail": json.loads(row["detail"])}) for row in rows]
