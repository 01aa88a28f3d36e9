"""What a tenant of a service may use."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select

from planloom.state.journal import Journal
from planloom.state.tables import quotas

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bounds of one tenant; `None` leaves it to the service's own."""

    usd: float | None = None
    """US dollars in one period."""
    period_s: float = DAY_S
    """Periods are counted from the epoch: with a day they change at midnight UTC."""
    requests_per_minute: int | None = None
    max_runs: int | None = None
    """Runs under way at the same time."""


class Quotas:
    """The quotas in one journal's database.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def of(self, tenant: str) -> Quota:
        """Return a tenant's quota."""
        found = select(quotas).where(quotas.c.tenant == tenant)
        row = await self._journal.transact(lambda connection: connection.execute(found).mappings().first())
        return Quota() if row is None else Quota(**{name: row[name] for name in Quota.__slots__})

    async def put(self, tenant: str, quota: Quota) -> None:
        """Set a tenant's quota."""

        def work(connection: Connection) -> None:
            connection.execute(delete(quotas).where(quotas.c.tenant == tenant))
            connection.execute(insert(quotas).values(tenant=tenant, **asdict(quota)))

        await self._journal.transact(work)
