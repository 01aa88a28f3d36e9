import asyncio

import httpx
import pytest
from ports import on_port
from support import WAIT_S

from planloom.configs.spec import RungSpec
from planloom.core.errors import ModelError
from planloom.core.outcome import FailureKind
from planloom.models.base import Message, Reply, Request, ToolOffer
from planloom.models.rehearsal import rehearsal_app
from planloom.models.script import Script

TOOLS = (ToolOffer(name="files.read", description="", parameters={"type": "object", "properties": {}}),)
APIS = pytest.mark.parametrize("api", ["chat", "responses"])


def script(*rules: dict[str, object]) -> Script:
    return Script.model_validate({"rehearsal": 1, "rules": rules})


def spec(**more: object) -> RungSpec:
    return RungSpec.model_validate({"model": "openai:gpt-5-mini", **more})


async def pieces(rung, request: Request) -> tuple[list[str], Reply]:
    items = [item async for item in rung.stream(request)]
    return [item for item in items if isinstance(item, str)], items[-1]


@APIS
async def test_a_rehearsed_reply_says_that_it_is_one(kit, api: str) -> None:
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(api=api), rehearsal=script({"text": "hello {{node}}"}))
        whole = await rung(kit.ask(node_id="a"))
        parts, last = await pieces(rung, kit.ask(node_id="b"))
    assert (whole.text, whole.model, whole.finish) == ("hello a", "rehearsal/gpt-5-mini", "stop")
    assert "".join(parts) == last.text == "hello b"
    assert last.model == "rehearsal/gpt-5-mini"
    assert last.usage == whole.usage
    assert rung.rehearsal
    assert rung.price is not None


@APIS
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_scripted_tool_loop_hands_real_results_on(kit, api: str, streamed: bool) -> None:
    play = script(
        {"when": {"tool_results": 0}, "tool_calls": [{"name": "files.read", "args": {"path": "x"}}]},
        {"json": {"n": "{{tool_result.n}}"}},
    )
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(api=api), rehearsal=play)

        async def ask(request: Request) -> Reply:
            return (await pieces(rung, request))[1] if streamed else await rung(request)

        first = await ask(kit.ask(tools=TOOLS))
        assert [(c.name, c.args) for c in first.tool_calls] == [("files.read", {"path": "x"})]
        turn = Message(role="assistant", tool_calls=first.tool_calls, carry=first.carry)
        result = Message(role="tool", text='{"n": 42}', tool_call_id=first.tool_calls[0].id)
        asked = kit.ask(tools=TOOLS)
        last = await ask(Request(messages=(*asked.messages, turn, result), role="worker", tools=TOOLS))
    assert last.text == '{"n": 42}'


@APIS
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("rule", "finish", "text"),
    [
        ({"refuse": "I will not"}, "refusal", "I will not"),
        ({"text": "abcdef", "cut": True}, "length", "abc"),
        ({"json": {"a": 1}, "usage": {"input": 5, "output": 9, "reasoning": 4, "cached": 2}}, "stop", '{"a": 1}'),
    ],
)
async def test_endings_are_played_on_both_apis(kit, api, streamed, rule, finish, text) -> None:
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(api=api), rehearsal=script(rule))
        reply = (await pieces(rung, kit.ask()))[1] if streamed else await rung(kit.ask())
    assert (reply.finish, reply.text) == (finish, text)
    if "usage" in rule:
        used = reply.usage
        counts = (used.input_tokens, used.output_tokens, used.reasoning_tokens, used.cached_tokens)
        assert counts == (5, 9, 4, 2)


@APIS
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fault", [{"broken": True, "text": "x" * 50}, {"reset": True, "text": "x" * 50}])
async def test_broken_replies_and_dropped_connections_are_faults(kit, api, streamed, fault) -> None:
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(api=api, retries=0), rehearsal=script(fault))
        with pytest.raises(ModelError) as caught:
            await (pieces(rung, kit.ask()) if streamed else rung(kit.ask()))
    assert caught.value.kind is FailureKind.TRANSPORT


async def test_a_fault_with_times_passes_and_the_retry_succeeds(kit) -> None:
    play = script(
        {"status": 429, "retry_after": 0, "times": 1}, {"status": 500, "times": 1}, {"text": "ok", "delay": "1ms"}
    )
    async with kit.gateway() as gateway:
        assert (await gateway.rung("mini", spec(), rehearsal=play)(kit.ask())).text == "ok"


async def test_hanging_ends_at_the_rungs_timeout(kit) -> None:
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(timeout=0.1), rehearsal=script({"hang": True}))
        with pytest.raises(ModelError) as caught:
            await rung(kit.ask())
    assert caught.value.kind is FailureKind.TIMEOUT


async def test_a_request_without_a_rule_fails_naming_the_rule_that_is_missing(kit) -> None:
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(), rehearsal=script({"when": {"role": "planner"}, "text": "x"}))
        with pytest.raises(ModelError, match="no rule for role 'worker', node 'draft', attempt 2") as caught:
            await rung(kit.ask(node_id="draft", attempt=2, schema={"type": "object"}))
    assert caught.value.kind is FailureKind.REJECTED


async def test_in_process_a_stream_is_read_while_it_is_written(kit) -> None:
    play = script({"text": "abcdefgh", "stream": {"sizes": [2, 2], "over": "60s"}})
    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(), rehearsal=play)
        stream = rung.stream(kit.ask())
        assert await anext(stream) == "ab"
        await stream.aclose()


async def test_leaving_the_gateway_ends_what_still_hangs(kit) -> None:
    started = asyncio.Event()

    async def hang(rung) -> None:
        started.set()
        await rung(kit.ask())

    async with kit.gateway() as gateway:
        rung = gateway.rung("mini", spec(), rehearsal=script({"hang": True}))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(hang(rung))
            await started.wait()
            task.cancel()


async def test_rungs_of_one_script_share_its_counters(kit) -> None:
    play = script({"text": "first", "times": 1}, {"text": "later {{model}}"})
    async with kit.gateway() as gateway:
        mini = gateway.rung("mini", spec(), rehearsal=play)
        big = gateway.rung("big", spec(model="rehearsal:big"), rehearsal=play)
        assert [(await rung(kit.ask())).text for rung in (mini, big, big)] == ["first", "later big", "later big"]


async def test_over_a_port_it_serves_clients_that_know_nothing_of_planloom(kit) -> None:
    play = script({"when": {"contains": "plan"}, "json": [1]}, {"when": {"role": "worker", "node": ""}, "text": "hi"})
    async with (
        on_port(rehearsal_app(play), forced=True) as url,
        httpx.AsyncClient(base_url=url, timeout=WAIT_S) as client,
    ):
        body = {"model": "any", "messages": [{"role": "user", "content": [{"type": "text", "text": "a plan"}]}]}
        reply = (await client.post("/v1/chat/completions", json=body)).json()
        assert reply["choices"][0]["message"]["content"] == "[1]"
        assert reply["model"] == "rehearsal/any"
        answer = await client.post("/v1/responses", json={"model": "any", "input": "hello", "instructions": "x"})
        assert answer.json()["output"][0]["content"][0]["text"] == "hi"
        assert (await client.get("/v1/models")).json()["object"] == "list"
        assert (await client.post("/v1/responses", content=b"{")).status_code == 400
        asked = (await client.get("/requests")).json()
    assert [(item["role"], item["node"], item["model"]) for item in asked] == [("worker", "", "any")] * 2
    assert asked[0]["body"] == body


async def test_over_a_port_the_gateway_sees_the_same_faults(kit) -> None:
    play = script(
        {"reset": True, "text": "x" * 99, "times": 1},
        {"broken": True, "text": "x" * 99, "times": 1},
        {"status": 503, "times": 1},
        {"text": "through", "stream": {"chunks": 3}},
    )
    async with on_port(rehearsal_app(play), forced=True) as url, kit.gateway(base_url=f"{url}/v1") as gateway:
        rung = gateway.rung("mini", spec())
        for _ in ("reset", "broken"):
            with pytest.raises(ModelError) as caught:
                await rung(kit.ask())
            assert caught.value.billed
        assert (await rung(kit.ask())).text == "through"
        parts, last = await pieces(rung, kit.ask())
        slow = gateway.rung("slow", spec(timeout=60))
        assert (await slow(kit.ask())).text == last.text == "".join(parts)
    assert len(parts) == 3
