"""Approvals, rejections, cancelling, deadlines and taking a run up again."""

import asyncio
import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.core.errors import RunError
from planloom.engine import Engine

WRITES = """
planner: {approve: writes}
tools: {files: {files: {root: .}, access: write}}
nodes:
  side: {code: "1 + 1"}
  save: {tool: files.write, with: {path: out.txt, text: hello}}
  after: {tool: files.read, with: {path: out.txt}, needs: [save]}
output: {side: "${nodes.side.output}", read: "${nodes.after.output.text}"}
"""


async def test_a_write_waits_for_approval_while_siblings_go_on(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        waiting = await engine.run(make_workflow(WRITES, models=""))
        assert waiting.status == "waiting"
        assert waiting.nodes["side"].state == "done"
        assert [item.node_id for item in waiting.pending] == ["save"]
        assert not (tmp_path / "out.txt").exists()
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(RunError, match="side"):
            await engine.resume(waiting.run_id, {"side": True})
        result = await engine.resume(waiting.run_id, {"save": True})
    assert result.status == "done", result.error
    assert result.output == {"side": 2, "read": "hello"}


async def test_a_rejected_write_never_happens(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        waiting = await engine.run(make_workflow(WRITES, models=""))
        result = await engine.resume(waiting.run_id, {"save": False})
    assert result.status == "partial"
    assert result.output == {"side": 2, "read": None}
    assert not (tmp_path / "out.txt").exists()


async def test_a_plan_can_be_held_for_approval_and_rejected(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    plan = {"nodes": [{"id": "a", "goal": "x"}]}
    script = {"rehearsal": 1, "rules": [{"when": {"role": "planner"}, "json": plan}, {"text": "ok"}]}
    server = await serve_model(json.dumps(script))
    workflow = make_workflow("planner: {approve: plan}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        first, second = await engine.run(workflow), await engine.run(workflow)
        assert first.status == second.status == "waiting"
        assert server.nodes() == []
        rejected = await engine.resume(first.run_id, {"plan": False})
        assert (rejected.status, rejected.error) == ("failed", "a human rejected the plan")
        assert server.nodes() == []
        assert (await engine.resume(second.run_id, {"plan": True})).output == "ok"
    assert server.nodes("planner") == ["", ""]


async def test_asking_a_human_gives_one_more_attempt(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    rules = [{"when": {"attempt": [1]}, "text": "bad"}, {"text": "good"}]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    workflow = make_workflow(
        "ladder: [mini]\nroute: {retry: 0, then: ask}\nnodes: {a: {goal: x, checks: [{expr: 'output == \"good\"'}]}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        waiting = await engine.run(workflow)
        assert waiting.status == "waiting"
        result = await engine.resume("last", {"a": True})
    assert (result.status, result.output) == ("done", "good")


async def test_cancelling_leaves_no_task_and_the_run_can_be_resumed(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    script = {
        "rehearsal": 1,
        "rules": [{"when": {"node": "slow"}, "delay": "30s", "text": "x", "times": 1}, {"text": "ok"}],
    }
    server = await serve_model(json.dumps(script))
    workflow = make_workflow("nodes: {fast: {goal: x}, slow: {goal: y}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(workflow)
        async for event in handle.events():
            if type(event).__name__ == "NodeCommitted":
                break
        await handle.cancel()
        cancelled = await handle.result()
        assert cancelled.status == "cancelled"
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not any(name.startswith(("run ", "node ")) for name in names)
        result = await engine.resume(handle.run_id)
    assert result.status == "done", result.error
    assert server.nodes().count("fast") == 1


async def test_a_deadline_ends_the_run_with_what_it_has(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    script = {"rehearsal": 1, "rules": [{"when": {"node": "slow"}, "delay": "30s", "text": "x"}, {"text": "ok"}]}
    server = await serve_model(json.dumps(script))
    workflow = make_workflow("budget: {time: 500ms}\nnodes: {fast: {goal: x}, slow: {goal: y}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert result.status == "partial"
    assert "budget time" in result.error
    assert result.output == {"fast": "ok", "slow": None}


async def test_a_failed_run_tries_its_failed_nodes_again_on_resume(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    rules = [{"when": {"node": "b"}, "status": 400, "error": "not today", "times": 2}, {"text": "ok"}]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    workflow = make_workflow("nodes: {a: {goal: x}, b: {goal: y}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        failed = await engine.run(workflow)
        assert failed.status == "partial"
        assert "not today" in failed.error
        result = await engine.resume(failed.run_id)
        assert result.status == "done", result.error
        with pytest.raises(RunError, match="is done"):
            await engine.resume(failed.run_id)
    assert server.nodes().count("a") == 1
