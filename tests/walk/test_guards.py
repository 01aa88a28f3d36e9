"""What people demanded stays demanded: approvals, caps, checks and writes, also over resumes and replans."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.core.errors import RunError
from planloom.core.events import RunEnded
from planloom.core.outcome import Usage
from planloom.engine import Engine
from planloom.models.base import Reply, Request

PLANNED = """
planner: {model: big}
route: {retry: 0, promote: false, replan: 1}
tools: {files: {files: {root: .}, access: write}}
"""


def script(*rules: object) -> str:
    return json.dumps({"rehearsal": 1, "rules": [*rules]})


async def test_a_held_plan_stays_held_when_it_is_resumed_without_an_answer(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        script({"when": {"role": "planner"}, "json": {"nodes": [{"id": "a", "goal": "x"}]}}, {"text": "ok"})
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        held = await engine.run(make_workflow("planner: {approve: plan}\n"))
        again = await engine.resume(held.run_id)
        assert (held.status, again.status) == ("waiting", "waiting")
        assert server.nodes() == []
        assert (await engine.resume(held.run_id, {"plan": True})).status == "done"


async def test_a_replan_of_an_approved_plan_waits_for_a_new_approval(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        script(
            {"when": {"contains": "# Failed"}, "json": {"nodes": [{"id": "b", "goal": "y"}], "remove": ["a"]}},
            {"when": {"role": "planner"}, "json": {"nodes": [{"id": "a", "goal": "x"}]}},
            {"when": {"node": "a"}, "text": "CANNOT missing_tool: no"},
            {"text": "ok"},
        )
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        held = await engine.run(make_workflow("planner: {approve: plan}\n"))
        mended = await engine.resume(held.run_id, {"plan": True})
        assert mended.status == "waiting"
        assert server.nodes() == ["a"]
        assert (await engine.resume(held.run_id, {"plan": True})).output == "ok"


async def test_a_cap_counts_what_was_spent_before_an_approval(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script({"text": "ok"}))
    chain = "".join(f", n{i}: {{goal: x, needs: [{'gate' if i == 2 else f'n{i - 1}'}]}}" for i in range(2, 6))
    gate = "n0: {goal: x}, n1: {goal: x}, gate: {code: '1', approve: true}"
    workflow = make_workflow(f"budget: {{calls: 3}}\nnodes: {{{gate}{chain}}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        held = await engine.run(workflow)
        result = await engine.resume(held.run_id, {"gate": True})
    assert result.status == "partial"
    assert "budget calls" in result.error
    assert len(server.requests) == 3


async def test_a_map_whose_element_cannot_be_done_is_replanned(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        script(
            {"when": {"role": "planner"}, "json": {"nodes": [{"id": "m", "code": "[1, 2]"}]}},
            {"text": "CANNOT missing_tool: no"},
        )
    )
    workflow = make_workflow("planner: {model: big}\nnodes: {m: {map: [1, 2], goal: do}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", [1, 2]), result.error
    assert len(server.nodes("planner")) == 1


def writer(written: list[str], gate: asyncio.Event | None = None) -> Callable[..., object]:
    from planloom import tool

    @tool(effect="write")
    async def send(text: str) -> str:
        """Send a text."""
        written.append(text)
        if gate is not None:
            gate.set()
            await asyncio.sleep(30)
        return text

    return send


async def test_a_write_cut_off_by_a_cancel_is_not_repeated_without_a_human(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    written: list[str] = []
    begun = asyncio.Event()
    workflow = make_workflow("nodes: {a: {tool: send, with: {text: hi}}}\n", models="")
    async with Engine(journal=tmp_path / "j.db", tools={"send": writer(written, begun)}) as engine:
        handle = await engine.submit(workflow)
        await begun.wait()
        await handle.cancel()
    async with Engine(journal=tmp_path / "j.db", tools={"send": writer(written)}) as engine:
        waiting = await engine.resume(handle.run_id)
        assert waiting.status == "waiting"
        assert written == ["hi"]
        assert "may have happened already" in waiting.pending[0].reason
        assert (await engine.resume(handle.run_id, {"a": True})).status == "done"
    assert written == ["hi", "hi"]


async def test_a_worker_that_wrote_and_failed_its_check_is_not_tried_again_without_a_human(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    written: list[str] = []
    server = await serve_model(
        script({"when": {"tool_results": 0}, "tool_calls": [{"name": "send", "args": {"text": "x"}}]}, {"text": "bad"})
    )
    workflow = make_workflow("nodes: {a: {goal: x, tools: [send], checks: [{expr: \"output == 'good'\"}]}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools={"send": writer(written)}) as engine:
        result = await engine.run(workflow)
    assert result.status == "waiting"
    assert written == ["x"]


async def test_a_patch_may_not_shed_checks_or_approvals_or_leave_the_failed_cone(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    write = {"tool": "files.write", "with": {"path": "x", "text": "planner"}, "effect": "write"}
    greedy = [{"id": "a", "goal": "y"}, {"id": "side", "goal": "z"}, {"id": "send", **write}]
    server = await serve_model(
        script(
            {"when": {"contains": "not accepted"}, "json": {"nodes": [{"id": "new", **write}]}},
            {"when": {"role": "planner"}, "json": {"nodes": greedy}},
            {"text": "bad"},
        )
    )
    workflow = make_workflow(
        PLANNED
        + """
nodes:
  side: {goal: s}
  a: {goal: x, checks: [{expr: "output == 'good'"}]}
  send: {tool: files.write, with: {path: x, text: "${nodes.a.output}"}, approve: true}
"""
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
        events = await engine.history(result.run_id)
    rejected = "; ".join(f.text for event in events if hasattr(event, "findings") for f in event.findings)
    assert "a person demanded this check" in rejected
    assert "side: it is not behind a failure" in rejected
    assert [item.node_id for item in result.pending] == ["new"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"nodes": [{"id": "b", "goal": "y"}], "remove": ["a"]}, "replace it under its own id"),
        ({"nodes": [{"id": "b", "goal": "y"}], "output": "${nodes.b.output}"}, "the output must go on reading it"),
        (
            {"nodes": [{"id": "a", "goal": "y", "when": "false", "checks": [{"expr": "output == 'good'"}]}]},
            "it runs without a condition",
        ),
    ],
    ids=["removed", "not read", "never run"],
)
async def test_a_patch_may_not_go_round_a_node_of_which_a_person_demanded_checks(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path, patch: dict[str, object], told: str
) -> None:
    server = await serve_model(script({"when": {"role": "planner"}, "json": patch}, {"text": "bad"}))
    nodes = 'nodes: {a: {goal: x, checks: [{expr: "output == \'good\'"}]}}\noutput: "${nodes.a.output}"\n'
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(PLANNED + nodes))
        events = await engine.history(result.run_id)
    rejected = "; ".join(f.text for event in events if hasattr(event, "findings") for f in event.findings)
    assert result.status == "failed"
    assert told in rejected


async def test_leaving_a_stream_at_its_end_leaves_the_run_as_it_ended(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    workflow = make_workflow("nodes: {a: {code: '1'}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        events = engine.stream(workflow)
        async for event in events:
            if isinstance(event, RunEnded):
                break
        await events.aclose()  # type: ignore[attr-defined]
        assert (await engine.runs(1))[0].status == "done"


async def test_a_run_cancelled_at_once_ends_and_can_be_resumed(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    workflow = make_workflow("nodes: {a: {code: '1'}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        handle = await engine.submit(workflow)
        await handle.cancel()
        assert [event async for event in handle.events()]
        assert (await handle.result()).status == "cancelled"
        assert (await engine.resume(handle.run_id)).status == "done"


async def test_two_resumes_of_one_run_in_one_process_leave_one_at_work(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    workflow = make_workflow("nodes: {a: {code: '1', approve: true}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        held = await engine.run(workflow)
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(outcome(engine, held.run_id)) for _ in range(2)]
        assert sorted(task.result() for task in tries) == ["done", "refused"]


async def outcome(engine: Engine, run_id: str) -> str:
    try:
        return (await engine.resume(run_id, {"a": True})).status
    except RunError:
        return "refused"


async def test_every_call_of_a_plugged_model_counts_even_if_it_reports_none(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    async def model(_: Request) -> Reply:
        return Reply(text="ok", finish="stop", usage=Usage(input_tokens=1), model="m")

    nodes = ", ".join(f"n{i}: {{goal: x}}" for i in range(4))
    workflow = make_workflow(f"budget: {{calls: 2}}\nnodes: {{{nodes}}}\n", models='models: {m: {model: "openai:m"}}\n')
    async with Engine(journal=tmp_path / "j.db", models={"m": model}) as engine:
        result = await engine.run(workflow)
    assert result.status == "partial"
    assert result.usage.calls == 2


@pytest.mark.parametrize("answer", [None, {"a": 1}])
async def test_a_plugged_model_that_answers_nonsense_fails_its_node_and_no_more(
    make_workflow: MakeWorkflow, tmp_path: Path, answer: object
) -> None:
    async def model(_: Request) -> object:
        return answer

    workflow = make_workflow("nodes: {a: {goal: x}, b: {code: '1'}}\n", models='models: {m: {model: "openai:m"}}\n')
    async with Engine(journal=tmp_path / "j.db", models={"m": model}) as engine:  # type: ignore[dict-item]
        result = await engine.run(workflow)
    assert result.status == "partial"
    assert result.nodes["b"].state == "done"


async def test_an_empty_envelope_is_no_result(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script({"json": {"result": None, "cannot": None}}))
    workflow = make_workflow("ladder: [mini]\nroute: {repair: 0}\nnodes: {a: {goal: x, output: {type: object}}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        assert (await engine.run(workflow)).status == "failed"
