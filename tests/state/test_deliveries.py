"""Deliveries in a real journal: each event is due once, and what is long settled costs nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.state.deliveries import Deliveries, Delivery
from planloom.state.journal import Journal
from planloom.state.log import RunLog

RUN = RunId("261101-aa1")
HOUR_S = 3600.0


async def write(journal: Journal) -> None:
    """Write a run of two events, the second of which receivers are told of."""
    await journal.take(RUN)
    log = RunLog(journal, RUN)
    log.note(ev.RunStarted(at=10.0, run_id=RUN, name="n", workflow={}, base_dir="/", inputs={}, rehearsal=False))
    await log.commit(ev.RunEnded(at=20.0, status="done", output=None))
    await journal.release(RUN)


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT seq, state, tries FROM webhook_deliveries").fetchall()


async def test_a_receiver_is_told_of_what_happens_after_it_was_named_for_the_first_time(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal:
        early, late = Deliveries(journal, "early"), Deliveries(journal, "late")
        await early.open(15.0)
        await late.open(25.0)
        await early.open(25.0)  # a second start
        await write(journal)
        assert await early.claim(30.0, 5.0, 10) == [Delivery(RUN, 2, 0)]
        assert await late.claim(30.0, 5.0, 10) == []


async def test_a_delivery_that_is_held_or_put_off_is_due_again_later(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal:
        deliveries = Deliveries(journal, "one")
        await deliveries.open(0.0)
        await write(journal)
        (held,) = await deliveries.claim(30.0, 5.0, 10)
        assert await deliveries.claim(34.0, 5.0, 10) == []
        assert await deliveries.claim(35.0, 5.0, 10) == [held]
        await deliveries.put_off(held, 100.0)
        assert await deliveries.claim(99.0, 5.0, 10) == []
        assert await deliveries.claim(100.0, 5.0, 10) == [Delivery(RUN, 2, 1)]


async def test_what_was_delivered_is_forgotten_in_time_and_what_was_not_stays(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal:
        done, dead = Deliveries(journal, "done"), Deliveries(journal, "dead")
        await done.open(0.0)
        await dead.open(0.0)
        await write(journal)
        await done.settle((await done.claim(30.0, 5.0, 10))[0], "done")
        await dead.settle((await dead.claim(30.0, 5.0, 10))[0], "dead")
        for hours in (1, 3, 4, 6):
            assert await done.claim(hours * HOUR_S, 5.0, 10) == []
            assert await dead.claim(hours * HOUR_S, 5.0, 10) == []
    assert rows(path) == [(2, "dead", 0)]
