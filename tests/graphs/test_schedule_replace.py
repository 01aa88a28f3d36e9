"""A plan replaced while it runs: what is done stays, what is gone or changed is cancelled."""

import asyncio
from collections.abc import Mapping

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
    nodes_of,
)

from planloom.core.plan import NodeId
from planloom.graphs.schedule import Scheduler, Settled


async def test_replace_cancels_what_is_gone_or_changed_and_leaves_the_rest_running() -> None:
    drives = Drives()
    drives.gate("gone", "changed", "same")
    scheduler = Scheduler(drives)
    before: Graph = {"done": [], "gone": [], "changed": [], "same": ["done"], "late": ["gone"]}
    after: Graph = {"same": ["done"], "changed": ["done"], "done": [], "new": ["same"], "late": ["changed"]}

    async def source() -> None:
        for name in ("gone", "changed", "same"):
            await drives.started[name].wait()
        scheduler.replace(nodes_of(after, changed="2"), deps_of(after))
        while ("start", "changed2") not in drives.log:
            await asyncio.sleep(0)
        drives.gates["changed"].set()
        drives.gates["same"].set()

    scheduler.grow(nodes_of(before), deps_of(before))
    scheduler.add_source(source())
    async with asyncio.timeout(60):
        settled = await scheduler.run()
    assert settled == dict.fromkeys(after, DONE)
    assert sorted(name for what, name in drives.log if what == "cancel") == ["changed", "gone"]
    assert sorted(drives.starts()) == ["changed", "changed2", "done", "gone", "late", "new", "same"]


async def replan(
    before: Graph, ends: Mapping[str, Settled], after: Graph, **goals: str
) -> tuple[Drives, Mapping[str, Settled | None]]:
    """Run a graph until it stands still, then replace it by another, in which everything passes."""
    drives = Drives(ends=ends)
    scheduler = Scheduler(drives)

    async def source() -> None:
        await idle()
        drives.ends, drives.log = {}, []
        scheduler.replace(nodes_of(after, **goals), deps_of(after))

    scheduler.grow(nodes_of(before), deps_of(before))
    scheduler.add_source(source())
    async with asyncio.timeout(60):
        return drives, dict(await scheduler.run())


async def test_what_is_done_is_not_run_again_and_what_waited_goes_on() -> None:
    graph: Graph = {"a": [], "bad": ["a"], "b": ["bad"], "c": ["a"]}
    drives, settled = await replan(graph, {"bad": FAILED}, graph, bad="2")
    assert drives.starts() == ["bad2", "b"]
    assert set(settled.values()) == {DONE}


async def test_an_unchanged_failed_node_is_tried_again_only_where_its_input_may_change() -> None:
    before: Graph = {"a": [], "bad": ["a"], "x": [], "y": ["x"], "z": ["y"]}
    drives, settled = await replan(before, {"bad": FAILED, "x": SKIPPED, "y": SKIPPED, "z": FAILED}, before, x="2")
    assert drives.starts() == ["x2", "y", "z"]
    assert settled == {"a": DONE, "bad": FAILED, "x": DONE, "y": DONE, "z": DONE}


async def test_a_held_node_waits_on_through_a_replan_that_does_not_touch_it() -> None:
    before: Graph = {"a": [], "held": ["a"], "bad": [], "behind": ["held"]}
    drives, settled = await replan(before, {"held": HELD, "bad": FAILED}, before, bad="2")
    assert drives.starts() == ["bad2"]
    assert settled == {"a": DONE, "held": HELD, "bad": DONE, "behind": None}


async def test_a_skipped_node_whose_needs_stand_is_not_asked_again() -> None:
    before: Graph = {"a": [], "skip": ["a"], "after": ["skip"], "bad": []}
    drives, settled = await replan(before, {"skip": SKIPPED, "bad": FAILED}, before, bad="2")
    assert drives.starts() == ["bad2"]
    assert settled == {"a": DONE, "skip": SKIPPED, "after": DONE, "bad": DONE}


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), ends=ENDS, pauses=PAUSES, wait=st.integers(0, 12), data=st.data())
def test_a_replan_at_any_moment_ends_as_the_new_plan_alone_would(
    graph: dict[str, list[str]], ends: dict[str, Settled], pauses: dict[str, int], wait: int, data: st.DataObject
) -> None:
    names = list(graph)
    kept = [name for name in names if data.draw(st.booleans())]
    changed = {name: "2" for name in kept if data.draw(st.booleans())}
    after = {name: [need for need in graph[name] if need in kept] for name in kept}
    for name in kept:
        if after[name] != graph[name]:
            changed[name] = "2"
    drives = Drives(ends=ends, pauses=pauses)
    scheduler = Scheduler(drives)

    async def source() -> None:
        for _ in range(wait):
            await asyncio.sleep(0)
        scheduler.replace(nodes_of(after, **changed), deps_of(after))

    async def run() -> Mapping[NodeId, Settled | None]:
        scheduler.grow(nodes_of(graph), deps_of(graph))
        scheduler.add_source(source())
        async with asyncio.timeout(60):
            return await scheduler.run()

    assert asyncio.run(run()) == expected(after, ends)
    passed = [name for what, name in drives.log if what == "end" and ends.get(name.removesuffix("2"), DONE) is DONE]
    assert len(passed) == len(set(passed)), "what is done is not done again"
