"""Nodes with slack wait in a provider's batch: chosen by the deadline, paid once, found again after kill -9."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from programs import RUNNER, begin
from support import WAIT_S, MakeWorkflow, ModelServer, ServeModel

from planloom.core import events as ev
from planloom.core.plan import NodeId, RunId
from planloom.core.result import RunResult
from planloom.engine import Engine
from planloom.handle import RunHandle
from planloom.state.journal import Journal

MODELS = """
models:
  mini: {model: "openai:mini", price: {input: 1, output: 1}}
  slow: {model: "openai:mini", price: {input: 1, output: 1}, batch: {within: 1h, window: 50ms, poll: 50ms}}
  big: {model: "openai:big", price: {input: 10, output: 10}}
ladder: [mini, big]
"""
BODY = """
route: {deadline: 3h, lanes: {mini: {use: slow}}}
budget: {usd: 1}
nodes:
  each: {goal: "Do ${item}", map: [a, b, c], checks: [{expr: "output != 'bad'"}]}
output: "${nodes.each.output}"
"""
SCRIPT = "rehearsal: 1\nrules: [{text: 'ok {{node}}'}]\n"
DONE = ["ok each[0]", "ok each[1]", "ok each[2]"]


async def batches(server: ModelServer) -> list[dict[str, object]]:
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        return (await client.get(f"{server.base_url}/batches")).json()["data"]


async def run(server: ModelServer, make_workflow: MakeWorkflow, body: str) -> tuple[RunResult, list[ev.AnyEvent]]:
    async with Engine(journal=":memory:", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(body, models=MODELS))
        return result, await engine.history(result.run_id)


def rungs(result: RunResult, node: str) -> list[str]:
    return [attempt.rung for attempt in result.nodes[NodeId(node)].attempts]


async def test_what_the_deadline_has_time_for_waits_in_one_batch_and_costs_half(
    serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    server = await serve_model(SCRIPT)
    result, history = await run(server, make_workflow, BODY)
    assert result.output == DONE, result.error
    (batch,) = await batches(server)
    assert batch["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert result.cost_usd == pytest.approx(result.usage.tokens / 1e6 / 2)
    reserved = [event for event in history if isinstance(event, ev.CallStarted)]
    assert [event.reserved_usd for event in reserved] == pytest.approx([0.5e-6 * e.reserved_tokens for e in reserved])
    told = [event for event in history if isinstance(event, ev.BatchAdvanced)]
    assert [(event.status, event.done, event.total) for event in told][:: len(told) - 1] == [
        ("collected", 0, 3),
        ("completed", 3, 3),
    ]
    assert (told[0].batch_id, told[-1].batch_id) == ("", batch["id"])


@pytest.mark.parametrize("route", ["deadline: 80m,", ""], ids=["too soon", "none"])
async def test_a_batch_is_never_chosen_when_there_is_no_time_for_it(
    serve_model: ServeModel, make_workflow: MakeWorkflow, route: str
) -> None:
    server = await serve_model(SCRIPT)
    result, _ = await run(server, make_workflow, BODY.replace("deadline: 3h,", route))
    assert (result.output, await batches(server)) == (DONE, [])
    assert rungs(result, "each[0]") == ["mini"]


async def test_a_node_that_calls_tools_or_holds_a_vote_does_not_wait_for_each_of_its_calls(
    serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    server = await serve_model(SCRIPT)
    result, _ = await run(server, make_workflow, BODY.replace("expr:", "agree: {samples: 3, quorum: 2}}, {expr:"))
    assert (result.status, await batches(server)) == ("done", [])


async def test_what_a_batch_did_not_answer_or_not_well_goes_to_the_usual_rung_at_once(
    serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    script = """
rehearsal: 1
rules:
  - {when: {node: "each[0]", attempt: 1}, hang: true}
  - {when: {node: "each[1]", attempt: 1}, status: 429, error: too many}
  - {when: {node: "each[2]", attempt: 1}, text: bad}
  - {text: "ok {{node}}"}
"""
    server = await serve_model(script)
    result, _ = await run(server, make_workflow, BODY.replace("route: {", "route: {retry: 2, promote: false, "))
    assert result.output == DONE, result.error
    assert [rungs(result, f"each[{i}]") for i in range(3)] == [["slow", "mini"]] * 3
    failures = [result.nodes[NodeId(f"each[{i}]")].attempts[0].failure for i in range(3)]
    assert failures == ["timeout", "transport", "check"]
    assert [batch["status"] for batch in await batches(server)] == ["expired"]


WAITING = "rehearsal: 1\nrules: [{text: 'ok {{node}}', delay: 6s}]\n"


async def until_in_progress(path: Path) -> RunId:
    while True:
        async with Journal(path) as journal:
            for run_id in [summary.run_id for summary in await journal.runs(1)]:
                events = await journal.events(run_id)
                if any(isinstance(event, ev.BatchAdvanced) and event.batch_id for event in events):
                    return run_id
        await asyncio.sleep(0.05)


async def check_resumed(server: ModelServer, path: Path, run_id: RunId) -> None:
    """Resume, and see that nothing was asked or paid twice."""
    async with Engine(journal=path, base_url=server.base_url) as engine:
        result = await engine.resume(run_id)
        calls = [event for event in await engine.history(run_id) if isinstance(event, ev.CallStarted | ev.CallEnded)]
    assert (result.status, result.output) == ("done", DONE), result.error
    assert len(server.requests) == 3
    assert [batch["status"] for batch in await batches(server)] == ["completed"]
    assert len({event.call_id for event in calls}) == 3
    assert len(calls) == 6
    assert result.cost_usd == pytest.approx(result.usage.tokens / 1e6 / 2)


async def test_after_kill_9_the_next_process_waits_for_the_same_batch(serve_model: ServeModel, tmp_path: Path) -> None:
    server, path = await serve_model(WAITING), tmp_path / "j.db"
    workflow = tmp_path / "w.yaml"
    workflow.write_text(f"version: 1\nname: killed\n{MODELS}{BODY}")
    env = {**os.environ, "OPENAI_API_KEY": "none"}
    child = begin(RUNNER, str(workflow), str(path), server.base_url, folder=tmp_path, env=env)
    run_id = await until_in_progress(path)
    await child.kill()
    await check_resumed(server, path, run_id)


async def until_held(handle: RunHandle) -> None:
    """Wait until the provider has named the batch that calls of a run are in."""
    async for event in handle.events():
        if isinstance(event, ev.BatchAdvanced) and event.batch_id:
            return


async def test_a_process_that_is_told_to_end_leaves_its_batch_to_the_next(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server, path = await serve_model(WAITING.replace("3s", "1s")), tmp_path / "j.db"
    async with Engine(journal=path, base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(BODY, models=MODELS))
        await until_held(handle)
        await engine.drain(0)
    await check_resumed(server, path, handle.run_id)


async def test_a_cancelled_run_cancels_its_batch_and_a_resume_asks_anew(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        "rehearsal: 1\nrules: [{when: {attempt: 1}, text: x, delay: 60s}, {text: 'ok {{node}}'}]\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(BODY, models=MODELS))
        await until_held(handle)
        await handle.cancel()
        assert [batch["status"] for batch in await batches(server)] == ["cancelled"]
        assert handle.view.cost_usd > 0  # nobody knows what had been done by then
        result = await engine.resume(handle.run_id)
    assert result.output == DONE, result.error
    assert [batch["status"] for batch in await batches(server)] == ["completed", "cancelled"]


async def test_a_call_that_a_batch_holds_and_nobody_asks_for_again_counts_at_its_worst_case(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server, path = await serve_model(WAITING.replace("3s", "1s")), tmp_path / "j.db"
    async with Engine(journal=path, base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(BODY, models=MODELS))
        await until_held(handle)
        await engine.drain(0)
    held = sum(call.reserved_usd for call in handle.view.open_calls.values())
    async with Engine(journal=path, base_url=server.base_url, models={"slow": _says_ok}) as engine:
        result = await engine.resume(handle.run_id)
    assert result.output == ["ok"] * 3, result.error
    assert result.cost_usd >= held > 0


async def _says_ok(_: object) -> str:
    return "ok"
