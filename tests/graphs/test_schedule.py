"""The scheduler: each node once, after what it needs, whatever fails, hangs, grows or is replaced."""

import asyncio
import gc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import (
    DONE,
    ENDS,
    FAILED,
    HELD,
    PAUSES,
    SKIPPED,
    Drives,
    Graph,
    deps_of,
    expected,
    graphs,
    idle,
    node,
    nodes_of,
    play,
)

from planloom.core.plan import Node, NodeId
from planloom.graphs.schedule import Scheduler, Settled


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), ends=ENDS, pauses=PAUSES)
def test_each_node_runs_once_after_its_needs_and_failure_stops_only_what_is_behind(
    graph: dict[str, list[str]], ends: dict[str, Settled], pauses: dict[str, int]
) -> None:
    drives = Drives(ends=ends, pauses=pauses)
    settled = asyncio.run(play(graph, drives))
    assert settled == expected(graph, ends)
    assert sorted(drives.starts()) == sorted(name for name, end in settled.items() if end is not None)
    for name in drives.starts():
        for need in graph[name]:
            assert drives.log.index(("end", need)) < drives.log.index(("start", name))


@settings(max_examples=80, deadline=None)
@given(graph=graphs(), ends=ENDS, pauses=PAUSES, data=st.data())
def test_a_plan_that_arrives_in_pieces_in_any_order_runs_the_same(
    graph: dict[str, list[str]], ends: dict[str, Settled], pauses: dict[str, int], data: st.DataObject
) -> None:
    gaps = {name: data.draw(st.integers(0, 4)) for name in graph}
    drives = Drives(ends=ends, pauses=pauses)
    scheduler = Scheduler(drives)

    async def source() -> None:
        for name, needs in graph.items():
            for _ in range(gaps[name]):
                await asyncio.sleep(0)
            scheduler.grow([node(name)], deps_of({name: needs}), provisional=True)
        scheduler.replace(nodes_of(graph), deps_of(graph))

    async def run() -> dict[NodeId, Settled | None]:
        scheduler.add_source(source())
        async with asyncio.timeout(60):
            return await scheduler.run()

    assert asyncio.run(run()) == expected(graph, ends)
    again = {name for name in drives.starts() if drives.starts().count(name) > 1}
    assert all(ends.get(name) in (FAILED, HELD, SKIPPED) for name in again), "only what did not pass may run again"


async def test_siblings_of_a_hanging_node_run_to_their_end() -> None:
    drives = Drives()
    drives.gate("hang")
    graph: Graph = {"hang": [], "behind": ["hang"], **{f"c{n}": [f"c{n - 1}"] if n else [] for n in range(20)}}
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(play(graph, drives))
        await drives.started["hang"].wait()
        while ("end", "c19") not in drives.log:
            await asyncio.sleep(0)
        assert "behind" not in drives.starts()
        drives.gates["hang"].set()
        settled = await task
    assert set(settled.values()) == {DONE}


async def test_siblings_run_on_when_a_node_fails() -> None:
    drives = Drives(ends={"bad": FAILED}, pauses={"a": 10})
    settled = await play({"bad": [], "a": [], "b": ["a"], "stopped": ["bad", "a"]}, drives)
    assert settled == {"bad": FAILED, "a": DONE, "b": DONE, "stopped": None}


async def test_nothing_to_do_ends_at_once() -> None:
    assert await play({}, Drives()) == {}


async def test_nodes_that_wait_for_each_other_or_for_nothing_known_do_not_start() -> None:
    drives = Drives()
    assert await play({"a": ["b"], "b": ["a"], "c": ["nobody"], "d": []}, drives) == {
        "a": None,
        "b": None,
        "c": None,
        "d": DONE,
    }
    assert drives.starts() == ["d"]


async def test_the_plan_grows_while_it_runs() -> None:
    drives = Drives()
    drives.gate("a")
    scheduler = Scheduler(drives)

    async def source() -> None:
        await drives.started["a"].wait()
        graph: Graph = {"b": ["a"], "c": []}
        scheduler.grow(nodes_of(graph), deps_of(graph))
        while ("end", "c") not in drives.log:
            await asyncio.sleep(0)
        drives.gates["a"].set()

    scheduler.grow([node("a")], deps_of({"a": []}))
    scheduler.add_source(source())
    async with asyncio.timeout(60):
        assert await scheduler.run() == {"a": DONE, "b": DONE, "c": DONE}


async def test_a_source_added_while_it_runs_keeps_it_from_ending() -> None:
    drives = Drives(ends={"a": FAILED})

    async def mend() -> None:
        await idle()
        scheduler.replace(nodes_of({"a": []}, a="2") + nodes_of({"b": ["a"]}), deps_of({"a": [], "b": ["a"]}))

    async def drive(item: Node) -> Settled:
        settled = await drives(item)
        if settled is FAILED:
            drives.ends = {}
            scheduler.add_source(mend())
        return settled

    scheduler = Scheduler(drive)
    scheduler.grow(nodes_of({"a": [], "b": ["a"]}), deps_of({"a": [], "b": ["a"]}))
    async with asyncio.timeout(60):
        assert await scheduler.run() == {"a": DONE, "b": DONE}
    assert drives.starts() == ["a", "a2", "b"]


async def test_a_write_node_waits_for_the_end_of_a_plan_still_being_written() -> None:
    drives = Drives()
    scheduler = Scheduler(drives)
    write, read = node("write", effect="write"), node("read", effect="read")
    deps = deps_of({"write": [], "read": [], "after": ["write"]})
    seen: list[list[str]] = []

    async def source() -> None:
        scheduler.grow([write, read, node("after")], deps, provisional=True)
        await idle()
        seen.append(drives.starts())
        scheduler.replace([write, read, node("after")], deps)

    scheduler.add_source(source())
    async with asyncio.timeout(60):
        settled = await scheduler.run()
    assert seen == [["read"]]
    assert drives.starts() == ["read", "write", "after"]
    assert set(settled.values()) == {DONE}


async def test_a_write_node_whose_plan_never_ends_well_never_runs() -> None:
    drives = Drives()
    scheduler = Scheduler(drives)
    scheduler.grow([node("write", effect="write")], deps_of({"write": []}), provisional=True)
    async with asyncio.timeout(60):
        assert await scheduler.run() == {"write": None}
    assert drives.starts() == []


async def test_an_exception_out_of_a_drive_cancels_the_rest_and_propagates() -> None:
    drives = Drives()
    drives.gate("hang")

    async def drive(item: Node) -> Settled:
        if item.id == "bug":
            await drives.started["hang"].wait()
            raise ZeroDivisionError("a bug")
        return await drives(item)

    scheduler = Scheduler(drive)
    graph: Graph = {"hang": [], "bug": [], "after": ["hang"]}
    scheduler.grow(nodes_of(graph), deps_of(graph))
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(60):
            await scheduler.run()
    assert caught.group_contains(ZeroDivisionError, match="a bug")
    assert drives.log == [("start", "hang"), ("cancel", "hang")]


async def test_an_exception_out_of_a_source_cancels_the_rest_and_propagates() -> None:
    drives = Drives()
    drives.gate("hang")

    async def source() -> None:
        await drives.started["hang"].wait()
        raise LookupError("a bug")

    scheduler = Scheduler(drives)
    scheduler.grow([node("hang")], deps_of({"hang": []}))
    scheduler.add_source(source())
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(60):
            await scheduler.run()
    assert caught.group_contains(LookupError)
    assert drives.log[-1] == ("cancel", "hang")


async def test_cancelling_the_run_leaves_no_task() -> None:
    drives = Drives()
    drives.gate("a", "b")
    ended = asyncio.Event()

    async def source() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    scheduler = Scheduler(drives)
    graph: Graph = {"a": [], "b": [], "c": ["a"]}
    scheduler.grow(nodes_of(graph), deps_of(graph))
    scheduler.add_source(source())
    before = asyncio.all_tasks()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(scheduler.run())
        for gate in ("a", "b"):
            await drives.started[gate].wait()
        task.cancel()
    assert task.cancelled()
    assert asyncio.all_tasks() == before
    assert ended.is_set()
    assert sorted(name for what, name in drives.log if what == "cancel") == ["a", "b"]


async def test_a_source_cancelled_before_its_first_step_leaves_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    async def source() -> None:
        raise AssertionError("it never began")

    async def drive(item: Node) -> Settled:
        if item.id == "bug":
            raise ZeroDivisionError
        scheduler.add_source(source())
        return DONE

    scheduler = Scheduler(drive)
    scheduler.grow(nodes_of({"bug": [], "a": []}), deps_of({"bug": [], "a": []}))
    with pytest.raises(ExceptionGroup) as caught:
        await scheduler.run()
    assert [type(exc) for exc in caught.value.exceptions] == [ZeroDivisionError]
    gc.collect()
    assert not recwarn.list


@pytest.mark.parametrize("shape", ["chain", "fan out", "fan in"])
async def test_a_thousand_nodes_run(shape: str) -> None:
    names = [f"n{number}" for number in range(1000)]
    graph: dict[str, list[str]] = {name: [] for name in names}
    for place, name in enumerate(names[1:]):
        if shape != "fan in":
            graph[name] = [names[place] if shape == "chain" else "n0"]
    if shape == "fan in":
        graph["n0"] = names[1:]
    drives = Drives()
    settled = await play(graph, drives)
    assert set(settled.values()) == {DONE}
    assert sorted(drives.starts()) == sorted(names)
    assert drives.starts() == names or shape != "chain"


async def test_ready_nodes_start_in_the_order_of_the_plan() -> None:
    graph: Graph = {"root": [], **{f"n{number}": ["root"] for number in range(50)}}
    drives = Drives()
    await play(graph, drives)
    assert drives.starts() == list(graph)


def test_a_nodes_identity_is_its_work() -> None:
    assert node("a").digest == node("a").digest
    assert replace(node("a"), goal="x").digest != node("a").digest
