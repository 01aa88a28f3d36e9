import asyncio
import json

import pytest

from planloom.configs.spec import RungSpec
from planloom.core.errors import ModelError
from planloom.core.outcome import Usage
from planloom.models.base import Message, Reply, ToolCall, ToolOffer
from planloom.models.gateway import Gateway

TOOLS = (ToolOffer(name="files.read", description="reads", parameters={"type": "object", "properties": {}}),)


def call(call_id: str, arguments: str, name: str = "files__read") -> dict[str, object]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


async def test_a_request_says_who_asks_and_what_the_rung_allows(kit) -> None:
    async with kit.provider(kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
        spec = kit.spec(provider, max_output_tokens=99, reasoning={"effort": "low"})
        reply = await gateway.rung("mini", spec)(kit.ask(node_id="rows[3]", attempt=2))
    hit = provider.hits[0]
    assert hit.path == "/v1/chat/completions"
    assert [hit.headers[f"x-planloom-{key}"] for key in ("role", "node", "attempt")] == ["worker", "rows[3]", "2"]
    assert hit.body["model"] == "gpt-5-mini"
    assert hit.body["messages"] == [{"role": "user", "content": "hi"}]
    assert hit.body["max_completion_tokens"] == hit.body["max_tokens"] == 99
    assert hit.body["reasoning_effort"] == "low"
    assert "temperature" not in hit.body
    assert not hit.body.get("stream")
    assert reply.model == "served-model"


async def test_usage_counts_cached_and_reasoning_tokens(kit) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    async with kit.provider(kit.http(200, kit.chat(usage=usage))) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, price={"input": 1, "output": 10, "cached": 0.5}))
        reply = await rung(kit.ask())
    assert reply.usage == Usage(input_tokens=100, output_tokens=50, cached_tokens=64, reasoning_tokens=30, calls=1)
    assert rung.cost(reply.usage) == pytest.approx((36 * 1 + 64 * 0.5 + 50 * 10) / 1e6)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -5, "completion_tokens": -1}, {"prompt_tokens": None}])
async def test_missing_or_negative_usage_never_counts_as_nothing(kit, usage: object) -> None:
    body = kit.chat("a reply of some length", usage=usage)
    async with kit.provider(kit.http(200, body)) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        request = kit.ask("a question of some length")
        reply = await rung(request)
    assert 0 < reply.usage.input_tokens <= rung.worst(request).input_tokens
    assert 0 < reply.usage.output_tokens <= rung.worst(request).output_tokens


async def test_tool_calls_come_back_under_their_own_names(kit) -> None:
    body = kit.chat(None, tool_calls=[call("a", '{"path": "x"}')], finish_reason="tool_calls")
    async with kit.provider(kit.http(200, body), kit.http(200, kit.chat("done"))) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        first = await rung(kit.ask(tools=TOOLS))
        assert first.finish == "tool_calls"
        assert [(c.id, c.name, c.args) for c in first.tool_calls] == [("a", "files.read", {"path": "x"})]
        turn = Message(role="assistant", tool_calls=first.tool_calls, carry=first.carry)
        result = Message(role="tool", text="42", tool_call_id="a")
        again = kit.ask(tools=TOOLS)
        await rung(type(again)(messages=(*again.messages, turn, result), role="worker", tools=TOOLS))
    assert provider.hits[0].body["tools"][0]["function"]["name"] == "files__read"
    sent = provider.hits[1].body["messages"]
    assert sent[1]["tool_calls"][0]["function"]["name"] == "files__read"
    assert sent[2] == {"role": "tool", "content": "42", "tool_call_id": "a"}


async def test_arguments_that_are_no_object_are_kept_as_text_only(kit) -> None:
    raws = ['{"cut": ', "[1, 2]", '"text"', "", '{"n": NaN}']
    body = kit.chat(None, tool_calls=[call(f"c{n}", raw) for n, raw in enumerate(raws)], finish_reason="stop")
    async with kit.provider(kit.http(200, body)) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask(tools=TOOLS))
    found = {c.id: (c.args, c.raw) for c in reply.tool_calls}
    assert found["c0"] == (None, '{"cut": ')
    assert found["c1"] == (None, "[1, 2]")
    assert found["c2"] == (None, '"text"')
    assert found["c3"][0] == {}
    assert found["c4"][0] is None
    assert reply.carry is None


async def test_calls_with_the_same_id_get_ids_of_their_own(kit) -> None:
    body = kit.chat(None, tool_calls=[call("a", "{}"), call("a", "{}"), call("", "{}")])
    async with kit.provider(kit.http(200, body)) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask(tools=TOOLS))
    assert len({c.id for c in reply.tool_calls}) == 3


@pytest.mark.parametrize(
    ("over", "finish", "text"),
    [
        ({"finish_reason": "length"}, "length", "hello"),
        ({"finish_reason": "content_filter"}, "refusal", "hello"),
        ({"refusal": "I will not"}, "refusal", "I will not"),
        ({"finish_reason": "eos"}, "stop", "hello"),
    ],
)
async def test_how_a_reply_ended_is_a_value_not_an_exception(kit, over, finish: str, text: str) -> None:
    async with kit.provider(kit.http(200, kit.chat(**over))) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert (reply.finish, reply.text) == (finish, text)


async def test_a_cut_reply_hands_out_no_tool_calls(kit) -> None:
    body = kit.chat(None, tool_calls=[call("a", '{"amount": 1}')], finish_reason="length")
    async with kit.provider(kit.http(200, body)) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask(tools=TOOLS))
    assert (reply.finish, reply.tool_calls) == ("length", ())


async def test_cut_arguments_in_a_stream_are_not_completed(kit) -> None:
    part = {"index": 0, "id": "a", "type": "function", "function": {"name": "files__read", "arguments": '{"n": 1'}}
    stream = kit.sse(kit.delta(role="assistant"), kit.delta(tool_calls=[part]), kit.delta("tool_calls"), "[DONE]")
    async with kit.provider(stream) as provider, kit.gateway() as gateway:
        *_, reply = [item async for item in gateway.rung("mini", kit.spec(provider)).stream(kit.ask(tools=TOOLS))]
    assert isinstance(reply, Reply)
    assert reply.tool_calls == (ToolCall(id="a", name="files.read", args=None, raw='{"n": 1'),)


async def test_a_streamed_refusal_is_a_refusal(kit) -> None:
    stream = kit.sse(
        kit.delta(role="assistant"), kit.delta(refusal="I "), kit.delta(refusal="won't"), kit.delta("stop")
    )
    async with kit.provider(stream) as provider, kit.gateway() as gateway:
        *_, reply = [item async for item in gateway.rung("mini", kit.spec(provider)).stream(kit.ask())]
    assert (reply.finish, reply.text) == ("refusal", "I won't")


async def test_usage_repeated_in_a_stream_is_counted_once(kit) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    parts = [{**kit.delta(content="x"), "usage": usage}, {**kit.delta("stop"), "usage": usage}]
    async with kit.provider(kit.sse(*parts, "[DONE]")) as provider, kit.gateway() as gateway:
        *_, reply = [item async for item in gateway.rung("mini", kit.spec(provider)).stream(kit.ask())]
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 3)
    assert provider.hits[0].body["stream_options"] == {"include_usage": True}


async def test_a_stream_arrives_piece_by_piece(kit) -> None:
    read_first = asyncio.Event()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        body = b"".join(
            f"data: {json.dumps(event)}\n\n".encode() for event in (kit.delta(content="second"), kit.delta("stop"))
        )
        first = f"data: {json.dumps(kit.delta(content='first'))}\n\n".encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(first + body)}\r\n\r\n"
        writer.write(head.encode() + first)
        await writer.drain()
        await read_first.wait()
        writer.write(body)

    seen: list[str] = []
    async with kit.provider(slowly) as provider, kit.gateway() as gateway:
        async for item in gateway.rung("mini", kit.spec(provider)).stream(kit.ask()):
            seen.append(item if isinstance(item, str) else item.finish)
            read_first.set()
    assert seen == ["first", "second", "stop"]


async def test_no_more_calls_than_max_parallel_are_under_way(kit) -> None:
    reached, leave = asyncio.Event(), asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        if provider.open == 3:
            reached.set()
        await leave.wait()
        writer.write(kit.http(200, kit.chat()))

    async with kit.provider(hold) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, max_parallel=3))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(rung(kit.ask())) for _ in range(10)]
            await reached.wait()
            leave.set()
    assert provider.most_open == 3
    assert [task.result().text for task in tasks] == ["hello"] * 10


async def test_the_base_url_of_the_gateway_goes_before_the_rungs_and_the_environments(kit) -> None:
    async with kit.provider(kit.http(200, kit.chat())) as mine, kit.provider(kit.http(200, kit.chat())) as other:
        async with Gateway(base_url=mine.url, env={"OPENAI_BASE_URL": other.url}) as gateway:
            await gateway.rung("mini", kit.spec(other))(kit.ask())
        async with Gateway(env={"OPENAI_BASE_URL": mine.url}) as gateway:
            await gateway.rung("mini", RungSpec(model="openai:m"))(kit.ask())
        assert (len(mine.hits), len(other.hits)) == (2, 0)
        assert mine.hits[0].headers["authorization"] == "Bearer none"


async def test_rungs_share_one_client_and_leaving_closes_it(kit) -> None:
    async with kit.provider(kit.http(200, kit.chat())) as provider:
        async with kit.gateway() as gateway:
            first = gateway.rung("mini", kit.spec(provider))
            second = gateway.rung("big", kit.spec(provider, api="chat", max_output_tokens=10))
            assert gateway.rung("mini", kit.spec(provider)) is first
            await first(kit.ask())
            await second(kit.ask())
            (client,) = gateway._clients.values()
            assert not client.is_closed
        assert client.is_closed
        with pytest.raises(RuntimeError, match="not open"):
            await gateway.rung("third", kit.spec(provider))(kit.ask())


async def test_an_error_in_the_body_leaves_the_gateway_unwrapped(kit) -> None:
    with pytest.raises(KeyError):
        async with kit.gateway():
            raise KeyError("mine")


async def test_a_gateway_works_on_every_new_event_loop(kit) -> None:
    async def once() -> str:
        async with kit.provider(kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
            return (await gateway.rung("mini", kit.spec(provider))(kit.ask())).text

    assert [await asyncio.to_thread(asyncio.run, once()) for _ in range(2)] == ["hello", "hello"]


async def test_a_cancelled_call_frees_its_place(kit) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        while not writer.is_closing():
            await asyncio.sleep(0.01)

    arrived = asyncio.Event()
    async with kit.provider(silence, kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, max_parallel=1))
        async with asyncio.TaskGroup() as group:
            stuck = group.create_task(rung(kit.ask()))
            await arrived.wait()
            stuck.cancel()
        assert (await rung(kit.ask())).text == "hello"


async def test_a_server_that_knows_one_cap_only_gets_one(kit) -> None:
    error = {"error": {"message": "Setting 'max_tokens' and 'max_completion_tokens' at once is not supported."}}
    async with kit.provider(kit.http(400, error), kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, retries=0))
        assert (await rung(kit.ask())).text == "hello"
        await rung(kit.ask())
    assert ["max_tokens" in hit.body for hit in provider.hits] == [True, False, False]


async def test_the_worst_case_bounds_tokens_and_money(kit) -> None:
    async with kit.gateway() as gateway:
        spec = RungSpec.model_validate(
            {"model": "openai:m", "base_url": "http://localhost/v1", "price": {"input": 1, "output": 2}}
        )
        rung = gateway.rung("mini", spec)
        plain, full = kit.ask("é" * 100), kit.ask("é" * 100, tools=TOOLS, schema={"type": "object"})
    worst = rung.worst(plain)
    assert worst.input_tokens >= 200
    assert worst.output_tokens == spec.max_output_tokens
    assert worst.usd == pytest.approx((worst.input_tokens + 2 * worst.output_tokens) / 1e6)
    assert rung.worst(full).input_tokens > worst.input_tokens
    assert not rung.rehearsal
    assert rung.model == "m"


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "served-model",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "files__read",
            "arguments": '{"path": "x"}',
            "status": "completed",
        },
    ],
    "usage": {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 29,
    },
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "error": None,
    "incomplete_details": None,
}


def said(text: str, **over: object) -> dict[str, object]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {**RESPONSE, "output": [item], **over}


async def test_responses_carries_reasoning_items_through_a_tool_loop(kit) -> None:
    async with (
        kit.provider(kit.http(200, RESPONSE), kit.http(200, said("done"))) as provider,
        kit.gateway() as gateway,
    ):
        rung = gateway.rung("big", kit.spec(provider, api="responses", reasoning={"effort": "high"}))
        first = await rung(kit.ask(tools=TOOLS))
        assert [(c.id, c.name, c.args) for c in first.tool_calls] == [("call_1", "files.read", {"path": "x"})]
        assert first.usage == Usage(input_tokens=20, output_tokens=9, cached_tokens=4, reasoning_tokens=5, calls=1)
        turn = Message(role="assistant", tool_calls=first.tool_calls, carry=first.carry)
        asked = kit.ask(tools=TOOLS)
        last = Message(role="tool", text="42", tool_call_id="call_1")
        reply = await rung(type(asked)(messages=(*asked.messages, turn, last), role="worker", tools=TOOLS))
    assert (reply.text, reply.finish) == ("done", "stop")
    body = provider.hits[0].body
    assert provider.hits[0].path == "/v1/responses"
    assert body["reasoning"] == {"effort": "high"}
    assert body["max_output_tokens"] == 4096
    assert body["tools"][0]["strict"] is False
    assert [item["type"] for item in provider.hits[1].body["input"]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]


@pytest.mark.parametrize(
    ("over", "finish"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "refusal"),
        ({"status": "incomplete"}, "length"),
    ],
)
async def test_responses_says_how_it_ended(kit, over, finish: str) -> None:
    async with kit.provider(kit.http(200, said("half", **over))) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("big", kit.spec(provider, api="responses"))(kit.ask())
    assert reply.finish == finish


async def test_a_failed_response_names_the_providers_message(kit) -> None:
    error = {"code": "server_error", "message": "the model crashed"}
    body = said("", status="failed", error=error, output=[])
    async with kit.provider(kit.http(200, body)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="the model crashed"):
            await gateway.rung("big", kit.spec(provider, api="responses", retries=1))(kit.ask())
    assert len(provider.hits) == 1
