"""What a provider's faults come to in a run: the worker, the tools, the router, the budget."""

import asyncio
import json
from pathlib import Path

import pytest
from support import MakeWorkflow
from wire import Answer, Kit, Provider

from planloom.core.events import CallEnded
from planloom.core.json import Json
from planloom.core.outcome import FailureKind
from planloom.core.result import RunResult
from planloom.engine import Engine

http, chat = Kit.http, Kit.chat
NUMBER = "output: {type: object, properties: {n: {type: integer}}, required: [n]}"
RIGHT = chat('{"result": {"n": 1}, "cannot": null}')
WRONG = chat('{"result": {"n": "one"}, "cannot": null}')
ERROR: Json = {"error": {"message": "server on fire", "type": "x", "code": None}}


def tool_calls(*calls: tuple[str, str, str], finish: str | None = "tool_calls") -> bytes:
    listed: list[Json] = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": args}}
        for call_id, name, args in calls
    ]
    return http(200, chat(None, tool_calls=listed, finish_reason=finish))


def tool_results(provider: Provider) -> list[str]:
    messages = provider.hits[-1].body["messages"]
    assert isinstance(messages, list)
    return [str(m["content"]) for m in messages if isinstance(m, dict) and m["role"] == "tool"]


async def ask_with_tool(make_workflow: MakeWorkflow, provider: Provider, folder: Path) -> tuple[RunResult, list[int]]:
    """Run one node that may call `double`; return the result, and what the tool was called with."""
    called: list[int] = []

    def double(x: int) -> int:
        """Double a number."""
        called.append(x)
        return 2 * x

    workflow = make_workflow("ladder: [mini]\nnodes: {a: {goal: Double it, tools: [double]}}\n")
    async with Engine(journal=folder / "j.db", base_url=provider.url, tools={"double": double}) as engine:
        return await engine.run(workflow), called


async def run_on(*answers: Answer, make_workflow: MakeWorkflow, folder: Path, node: str) -> tuple[RunResult, list[str]]:
    """Run one node on the ladder mini, big; return the result, and which models were asked."""
    async with Kit.provider(*answers) as provider, Engine(journal=folder / "j.db", base_url=provider.url) as engine:
        result = await engine.run(make_workflow(f"ladder: [mini, big]\nnodes: {{a: {{goal: Count, {node}}}}}\n"))
    return result, [str(hit.body["model"]) for hit in provider.hits]


async def abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_an_unknown_tool_goes_back_to_the_model_as_an_error(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    wrong = tool_calls(("c1", "launch", "{}"))
    async with Kit.provider(wrong, http(200, chat("done"))) as provider:
        result, called = await ask_with_tool(make_workflow, provider, tmp_path)
    assert (result.status, result.output, called) == ("done", "done", [])
    (answer,) = tool_results(provider)
    assert answer.startswith("error: ")
    assert "launch" in answer


async def test_of_five_hundred_calls_at_once_sixteen_are_made(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    many = tool_calls(*((f"c{n}", "double", json.dumps({"x": n})) for n in range(500)))
    async with Kit.provider(many, http(200, chat("done"))) as provider:
        result, called = await ask_with_tool(make_workflow, provider, tmp_path)
    assert (result.status, called) == ("done", list(range(16)))
    answers = tool_results(provider)
    assert len(answers) == 500
    assert answers[16:] == ["error: at most 16 calls in one turn; this one was not made"] * 484


async def test_calls_with_broken_arguments_or_equal_ids_are_answered_one_by_one(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    odd = tool_calls(("c", "double", '{"x": 4'), ("c", "double", '{"x": 5}'), ("c", "double", '{"x": "six"}'))
    async with Kit.provider(odd, http(200, chat("done"))) as provider:
        result, called = await ask_with_tool(make_workflow, provider, tmp_path)
    assert (result.status, called) == ("done", [5])
    broken, fine, wrong = tool_results(provider)
    assert broken == "error: the arguments are not a JSON object; the call was not made"
    assert fine == "10"
    assert wrong.startswith("error: ")
    sent = provider.hits[-1].body["messages"]
    assert isinstance(sent, list)
    ids = [m["tool_call_id"] for m in sent if isinstance(m, dict) and m["role"] == "tool"]
    assert len(set(map(str, ids))) == 3


async def test_a_call_in_a_reply_without_a_finish_reason_is_never_made(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    cut = tool_calls(("c1", "double", '{"x": 1}'), finish=None)
    async with Kit.provider(cut, http(200, chat("done"))) as provider:
        result, called = await ask_with_tool(make_workflow, provider, tmp_path)
    assert (result.status, called, len(provider.hits)) == ("done", [], 2)


async def test_a_wrong_schema_is_repaired_once_and_then_goes_up_the_ladder(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    answers = (http(200, WRONG), http(200, WRONG), http(200, RIGHT))
    result, models = await run_on(*answers, make_workflow=make_workflow, folder=tmp_path, node=NUMBER)
    assert (result.status, result.output) == ("done", {"n": 1})
    assert models == ["mini", "mini", "big"]
    first = result.nodes[next(iter(result.nodes))].attempts[0]
    assert first.failure == FailureKind.SCHEMA
    assert first.message.startswith("output.n: expected ")


@pytest.mark.parametrize("over", [{"refusal": "I will not"}, {"finish_reason": "content_filter"}])
async def test_a_refusal_goes_up_the_ladder_and_then_to_a_human(
    make_workflow: MakeWorkflow, tmp_path: Path, over: dict[str, Json]
) -> None:
    refused = http(200, chat("hello", **over))
    result, models = await run_on(refused, make_workflow=make_workflow, folder=tmp_path, node=NUMBER)
    assert models == ["mini", "big"]
    assert [decision.action for decision in result.decisions] == ["promote", "ask"]
    assert result.status == "waiting"


async def test_a_reply_cut_off_twice_goes_up_the_ladder(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    cut = http(200, chat('{"result": {"n', finish_reason="length"))
    result, models = await run_on(cut, cut, http(200, RIGHT), make_workflow=make_workflow, folder=tmp_path, node=NUMBER)
    assert (result.status, models) == ("done", ["mini", "mini", "big"])
    assert "length" in result.decisions[0].reason


async def test_a_wrong_key_is_not_tried_twice_on_a_rung_nor_planned_around(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    result, models = await run_on(http(401, ERROR), make_workflow=make_workflow, folder=tmp_path, node=NUMBER)
    assert models == ["mini", "big"]
    assert [decision.action for decision in result.decisions] == ["promote", "stop"]
    assert result.status == "failed"
    assert "answered HTTP 401: server on fire" in result.nodes[next(iter(result.nodes))].reason


async def test_a_connection_lost_before_the_reply_is_asked_again_under_a_reservation_of_its_own(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    async with (
        Kit.provider(abort, http(200, RIGHT)) as provider,
        Engine(journal=tmp_path / "j.db", base_url=provider.url) as engine,
    ):
        handle = await engine.submit(make_workflow(f"nodes: {{a: {{goal: Count, {NUMBER}}}}}\n"))
        result = await handle.result()
        ended = [event async for event in handle.events() if isinstance(event, CallEnded)]
    assert result.status == "done"
    assert [bool(event.error) for event in ended] == [True, False]
    assert ended[0].cost_usd > ended[1].cost_usd > 0


async def test_a_plan_whose_stream_breaks_off_ends_the_run_with_the_reason(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    half = Kit.sse(Kit.delta(content='{"nodes": [{"id": "a", "goa'), "[DONE]")
    async with Kit.provider(half) as provider, Engine(journal=tmp_path / "j.db", base_url=provider.url) as engine:
        result = await engine.run(make_workflow("ladder: [mini]\nplanner: {model: big}\n"))
    assert result.status == "failed"
    assert "no plan: " in result.error
    assert "without a finish_reason" in result.error
    assert len(provider.hits) == 4, "once, and again as often as the rung's retries allow"


@pytest.mark.parametrize("answer", [http(503, ERROR), abort], ids=["503", "reset"])
async def test_a_dead_provider_costs_forty_nodes_a_few_tries_and_not_forty_times_the_retries(
    make_workflow: MakeWorkflow, tmp_path: Path, answer: Answer
) -> None:
    nodes = "\n".join(f"  n{number}: {{goal: Say it}}" for number in range(40))
    async with Kit.provider(answer) as dead, Kit.provider(http(200, chat("said"))) as live:
        models = (
            "models:\n"
            f'  mini: {{model: "openai:mini", base_url: "{dead.url}", max_parallel: 8, retries: 3}}\n'
            f'  big: {{model: "openai:big", base_url: "{live.url}"}}\n'
        )
        workflow = make_workflow(f"ladder: [mini, big]\nnodes:\n{nodes}\n", models=models)
        async with Engine(journal=tmp_path / "j.db") as engine:
            result = await engine.run(workflow)
            tries = dead.connections
            again = await engine.run(workflow)
    assert result.status == again.status == "done"
    assert tries <= 8 + 4, "each of 40 nodes would have made 4 tries"
    assert dead.connections <= tries + 1, "the circuit stays open over runs; a slow machine sees one probe"
    assert len(live.hits) == 80


async def test_a_plan_lost_before_its_first_word_is_asked_for_again(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    plan = '{"nodes": [{"id": "a", "code": "1"}], "output": "${nodes.a.output}"}'
    whole = Kit.sse(Kit.delta(content=plan), Kit.delta("stop"), "[DONE]")
    async with (
        Kit.provider(abort, whole) as provider,
        Engine(journal=tmp_path / "j.db", base_url=provider.url) as engine,
    ):
        result = await engine.run(make_workflow("ladder: [mini]\nplanner: {model: big}\n"))
    assert (result.status, result.output) == ("done", 1), result.error
    assert len(provider.hits) == 2
