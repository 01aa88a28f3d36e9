"""Which events the receivers of webhooks have been told of, in the journal's database.

A delivery is made out of each event in the journal, not by whoever writes the event: so none is lost when a process
is killed between the two, and runs wait for nobody.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from planloom.core.plan import RunId
from planloom.state.journal import Journal
from planloom.state.tables import events, webhook_deliveries, webhook_endpoints

Settled: TypeAlias = Literal["done", "dead"]

TOLD = ("RunEnded", "NodeHeld", "PlanHeld")
"""Types of the events that receivers are told of."""
_LATE_S = 3600.0
"""An event is in the journal by so long after it happened: outages and clocks that differ included."""
_ROWS = 500
"""Deliveries made in one transaction."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event that one receiver is to be told of."""

    run_id: RunId
    seq: int
    tries: int
    """How often it has been sent in vain."""


class Deliveries:
    """The deliveries of one receiver; several processes may share them.

    Args:
        journal: Holds them, beside the events.
        endpoint: Digest of the receiver's URL.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal, endpoint: str) -> None:
        self._journal, self._endpoint = journal, endpoint

    async def open(self, now: float) -> None:
        """Note a receiver that is new: it is told of what happens from now on."""
        row = {"endpoint": self._endpoint, "floor": now}

        def work(connection: Connection) -> None:
            kind = sqlite if connection.dialect.name == "sqlite" else postgresql
            connection.execute(kind.insert(webhook_endpoints).values(row).on_conflict_do_nothing())

        await self._journal.transact(work)

    async def claim(self, now: float, hold_s: float, limit: int) -> list[Delivery]:
        """Return deliveries that are due, the oldest first; others do not get them while they are held.

        Args:
            now: Seconds since the epoch.
            hold_s: They are due again so long after, unless somebody settles them or puts them off.
            limit: So many at most.
        """

        def work(connection: Connection) -> list[Delivery]:
            self._gather(connection, now)
            ready = and_(self._mine, webhook_deliveries.c.state == "due", webhook_deliveries.c.due_at <= now)
            found = select(webhook_deliveries).where(ready).order_by(webhook_deliveries.c.at).limit(limit)
            rows = connection.execute(found).fetchall()
            claimed = [Delivery(RunId(row.run_id), row.seq, row.tries) for row in rows]
            for delivery in claimed:
                connection.execute(update(webhook_deliveries).where(self._is(delivery)).values(due_at=now + hold_s))
            return claimed

        return await self._journal.transact(work)

    async def settle(self, delivery: Delivery, state: Settled) -> None:
        """Say that the receiver knows, or that it is not tried again."""
        change = update(webhook_deliveries).where(self._is(delivery)).values(state=state)
        await self._journal.transact(lambda connection: connection.execute(change))

    async def put_off(self, delivery: Delivery, due_at: float) -> None:
        """Say that it was sent in vain, and when it is tried again."""
        change = update(webhook_deliveries).where(self._is(delivery)).values(due_at=due_at, tries=delivery.tries + 1)
        await self._journal.transact(lambda connection: connection.execute(change))

    def _is(self, delivery: Delivery) -> ColumnElement[bool]:
        table = webhook_deliveries.c
        return and_(self._mine, table.run_id == delivery.run_id, table.seq == delivery.seq)

    @property
    def _mine(self) -> ColumnElement[bool]:
        return webhook_deliveries.c.endpoint == self._endpoint

    def _gather(self, connection: Connection, now: float) -> None:
        """Make deliveries of the events that have none."""
        at_floor = select(webhook_endpoints.c.floor).where(webhook_endpoints.c.endpoint == self._endpoint)
        floor = connection.execute(at_floor.with_for_update()).scalar_one()  # one process at a time
        known = select(webhook_deliveries.c.seq).where(
            self._mine, webhook_deliveries.c.run_id == events.c.run_id, webhook_deliveries.c.seq == events.c.seq
        )
        new = select(events.c.run_id, events.c.seq, events.c.at).where(
            events.c.type.in_(TOLD), events.c.at >= floor, ~known.exists()
        )
        rows = connection.execute(new.order_by(events.c.at).limit(_ROWS)).mappings().all()
        common = {"endpoint": self._endpoint, "state": "due", "tries": 0, "due_at": now}
        if rows:
            connection.execute(insert(webhook_deliveries), [{**common, **row} for row in rows])
        if len(rows) < _ROWS and now - floor > 2 * _LATE_S:
            self._raise_floor(connection, now - _LATE_S)

    def _raise_floor(self, connection: Connection, floor: float) -> None:
        """Look no more at what is older, so that looking stays cheap, and forget what was delivered of it."""
        mine = webhook_endpoints.c.endpoint == self._endpoint
        connection.execute(update(webhook_endpoints).where(mine).values(floor=floor))
        old = and_(self._mine, webhook_deliveries.c.state == "done", webhook_deliveries.c.at < floor)
        connection.execute(delete(webhook_deliveries).where(old))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """A delivery that a receiver has not taken: `due`, or `dead` once it is not tried any more."""

    endpoint: str
    run_id: str
    seq: int
    at: float
    """When the event happened, in seconds since the epoch."""
    state: str
    tries: int
    due_at: float


async def outstanding(journal: Journal) -> list[Outstanding]:
    """Return what receivers have not taken, the oldest first."""
    found = select(webhook_deliveries).where(webhook_deliveries.c.state != "done").order_by(webhook_deliveries.c.at)
    rows = await journal.transact(lambda connection: connection.execute(found).mappings().fetchall())
    return [Outstanding(**row) for row in rows]


async def send_again(journal: Journal, run_id: str | None, now: float) -> int:
    """Make deliveries due at once and tried as new ones are; return how many.

    Args:
        journal: Holds them.
        run_id: All of this run, also those that were taken, while they are kept; `None` for all that were given up.
        now: Seconds since the epoch.
    """
    table = webhook_deliveries.c
    which = table.state == "dead" if run_id is None else table.run_id == run_id
    change = update(webhook_deliveries).where(which).values(state="due", tries=0, due_at=now)
    return await journal.transact(lambda connection: connection.execute(change).rowcount)
