"""A run's log: numbered, folded, and followed from the start by whoever comes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from planloom.core import events as ev
from planloom.core.plan import NodeId, RunId
from planloom.state.journal import Journal
from planloom.state.log import RunLog

R1 = RunId("r1")


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with Journal(":memory:") as journal:
        yield journal


def skipped(number: int) -> ev.NodeSkipped:
    return ev.NodeSkipped(node_id=NodeId(f"n{number}"), plan_version=1, reason="")


async def collect(log: RunLog, into: list[ev.AnyEvent], after: int = 0) -> None:
    into.extend([event async for event in log.follow(after)])


async def test_every_follower_sees_every_event_in_order_however_late_it_comes(journal: Journal) -> None:
    log = RunLog(journal, R1)
    seen: list[list[ev.AnyEvent]] = [[], [], [], []]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(collect(log, seen[0]))
        for number in range(5):
            log.note(skipped(number))
        group.create_task(collect(log, seen[1]))
        await log.commit(skipped(5))
        group.create_task(collect(log, seen[2], after=3))
        await asyncio.sleep(0)
        log.note(skipped(6))
        log.close()
    await collect(log, seen[3])
    assert seen[0] == seen[1] == seen[3] == log.events
    assert seen[2] == log.events[3:]
    assert len(log.events) == 7


async def test_a_follower_that_stops_early_disturbs_nobody(journal: Journal) -> None:
    log = RunLog(journal, R1)
    seen: list[ev.AnyEvent] = []

    async def first() -> ev.AnyEvent:
        async for event in log.follow():
            return event
        raise AssertionError

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(collect(log, seen))
        task, cancelled = group.create_task(first()), group.create_task(first())
        await asyncio.sleep(0)
        cancelled.cancel()
        log.note(skipped(0))
        assert await task == log.events[0]
        log.note(skipped(1))
        log.close()
    assert seen == log.events


async def test_events_noted_between_two_reads_are_not_missed(journal: Journal) -> None:
    log = RunLog(journal, R1)
    seen: list[ev.AnyEvent] = []

    async def slow() -> None:
        async for event in log.follow():
            seen.append(event)
            if len(seen) < 50:
                log.note(skipped(len(seen)))
                await asyncio.sleep(0)
            else:
                log.close()

    log.note(skipped(0))
    async with asyncio.timeout(60):
        await slow()
    assert seen == log.events
    assert len(seen) == 50


async def test_a_log_that_is_taken_up_goes_on_with_the_next_number(journal: Journal) -> None:
    log = RunLog(journal, R1)
    log.note(skipped(0))
    await log.commit(skipped(1))
    again = RunLog(journal, R1, await journal.events(R1))
    await again.commit(ev.RunResumed())
    assert [type(event).__name__ for event in await journal.events(R1)] == ["NodeSkipped", "NodeSkipped", "RunResumed"]
    assert set(again.view.nodes) == {"n0", "n1"}


async def test_the_view_is_ahead_of_nothing_and_behind_nothing(journal: Journal) -> None:
    log = RunLog(journal, R1)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:

        async def watch() -> None:
            number = 0
            async for event in log.follow():
                number += 1
                assert log.events[number - 1] is event
                assert f"n{number - 1}" in log.view.nodes

        group.create_task(watch())
        for number in range(20):
            await log.commit(skipped(number))
        log.close()
