"""Nodes run while the planner still writes."""

import json
from pathlib import Path

from support import MakeWorkflow, ServeModel

from planloom.core.events import AttemptStarted, NodePlanned, PlanReady
from planloom.engine import Engine


async def test_the_first_nodes_are_done_before_the_plan_is_complete(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    nodes = [{"id": f"n{i}", "goal": f"do {i}"} for i in range(20)]
    plan = json.dumps({"nodes": nodes, "output": "${nodes.n19.output}"})
    script = {
        "rehearsal": 1,
        "rules": [
            {"when": {"role": "planner"}, "text": plan, "stream": {"chunks": 40, "over": "2s"}},
            {"text": "ok"},
        ],
    }
    server = await serve_model(json.dumps(script))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(""))
        result = await handle.result()
        events = [event async for event in handle.events()]
    assert result.status == "done"
    planned = next(i for i, event in enumerate(events) if isinstance(event, PlanReady))
    early = [event for event in events[:planned] if isinstance(event, AttemptStarted)]
    assert len(early) >= 5
    assert server.nodes().count("n0") == 1


async def test_a_rejected_plan_goes_back_with_findings_and_what_ran_is_kept(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    bad = {"nodes": [{"id": "a", "goal": "x"}, {"id": "b", "goal": "y", "with": {"z": "${nodes.nope.output}"}}]}
    good = {"nodes": [{"id": "a", "goal": "x"}, {"id": "b", "goal": "y", "with": {"z": "${nodes.a.output}"}}]}
    rules = [
        {"when": {"role": "planner", "contains": "unknown_node"}, "json": good},
        {"when": {"role": "planner"}, "json": bad},
        {"text": "ok"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(""))
    assert result.status == "done", result.error
    assert server.nodes().count("a") == 1
    assert server.nodes("planner") == ["", ""]


async def test_a_node_that_fails_before_the_plan_is_complete_is_mended_after_it(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    plan = json.dumps(
        {
            "nodes": [{"id": "a", "goal": "x"}, {"id": "b", "goal": "y", "with": {"x": "${nodes.a.output}"}}],
            "output": "${nodes.b.output}",
        }
    )
    patch = {
        "nodes": [{"id": "c", "goal": "z"}, {"id": "b", "goal": "y", "with": {"x": "${nodes.c.output}"}}],
        "remove": ["a"],
    }
    rules = [
        {"when": {"role": "planner", "contains": "# Failed"}, "json": patch},
        {"when": {"role": "planner"}, "text": plan, "stream": {"chunks": 20, "over": "3s"}},
        {"when": {"node": "a"}, "text": "CANNOT missing_tool: no"},
        {"text": "ok"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(""))
        result = await handle.result()
        events = [event async for event in handle.events()]
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("NodeFailed") < kinds.index("PlanReady")
    assert (result.status, result.output) == ("done", "ok"), result.error
    assert result.plan_version == 2


async def test_a_plan_that_stays_faulty_ends_the_run_and_cancels_what_ran_early(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    bad = {"nodes": [{"id": "slow", "goal": "x"}, {"id": "b", "goal": "y", "needs": ["nope"]}]}
    rules = [
        {"when": {"role": "planner"}, "json": bad},
        {"when": {"node": "slow"}, "delay": "30s", "text": "late"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow("planner: {repairs: 1}\n"))
    assert result.status == "failed"
    assert "no node 'nope'" in result.error
    assert len(server.nodes("planner")) == 2


async def test_a_run_cancelled_while_its_plan_was_written_keeps_what_was_done(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    nodes = [{"id": "a", "goal": "x"}, {"id": "b", "goal": "y"}]
    plan = json.dumps({"nodes": nodes, "output": "${nodes.a.output}"})
    rules = [
        {"when": {"role": "planner"}, "text": plan, "stream": {"chunks": 10, "over": "20s"}, "times": 1},
        {"when": {"role": "planner"}, "text": plan},
        {"text": "ok"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(""))
        async for event in handle.events():
            if isinstance(event, NodePlanned):
                break
        await handle.cancel()
        assert (await handle.result()).status == "cancelled"
        result = await engine.resume(handle.run_id)
    assert (result.status, result.output) == ("done", "ok"), result.error
    assert server.nodes("planner") == ["", ""]


async def test_a_plan_that_breaks_off_on_the_way_is_asked_for_again_and_what_it_started_is_kept(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    plan = {"nodes": [{"id": f"n{i}", "goal": "x"} for i in range(8)]}
    rules = [
        {
            "when": {"role": "planner"},
            "times": 1,
            "reset": True,
            "stream": {"chunks": 10, "over": "300ms"},
            "json": plan,
        },
        {"when": {"role": "planner"}, "json": plan},
        {"text": "ok"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(""))
    assert result.status == "done", result.error
    assert len(server.nodes("planner")) == 2
    assert server.nodes().count("n0") == 1
