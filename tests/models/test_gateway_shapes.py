import json

import pytest

from planloom.core.errors import ModelError
from planloom.models.base import ToolOffer

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
TOOLS = (ToolOffer(name="look", description="", parameters={"type": "object", "properties": {}}),)


def complaint(text: str) -> dict[str, object]:
    return {"error": {"message": text, "type": "invalid_request_error", "code": None}}


def kind(body: dict[str, object]) -> str:
    form = body.get("response_format")
    if isinstance(form, dict):
        return str(form["type"])
    return "tool" if "tool_choice" in body else "prompt"


async def test_json_is_asked_for_with_a_strict_schema_first(kit) -> None:
    async with kit.provider(kit.http(200, kit.chat('{"n": 1}'))) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask(schema=SCHEMA, schema_name="answer"))
    assert reply.text == '{"n": 1}'
    assert provider.hits[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }


async def test_the_gateway_steps_down_as_the_server_complains_and_remembers(kit) -> None:
    tool = [{"id": "a", "type": "function", "function": {"name": "result", "arguments": '{"n": 1}'}}]
    no = kit.http(400, complaint("response_format is not supported"))
    yes = kit.http(200, kit.chat(None, tool_calls=tool))
    async with kit.provider(no, no, yes) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        first = await rung(kit.ask(schema=SCHEMA))
        second = await rung(kit.ask(schema=SCHEMA))
    assert [kind(hit.body) for hit in provider.hits] == ["json_schema", "json_object", "tool", "tool"]
    assert first.text == second.text == '{"n": 1}'
    assert (first.finish, first.tool_calls) == ("stop", ())


async def test_an_object_format_carries_the_schema_in_body_and_prompt(kit) -> None:
    async with kit.provider(kit.http(200, kit.chat('{"n": 1}'))) as provider, kit.gateway() as gateway:
        await gateway.rung("mini", kit.spec(provider, structured="json_object"))(kit.ask(schema=SCHEMA))
    body = provider.hits[0].body
    assert body["response_format"] == {"type": "json_object", "schema": SCHEMA}
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["messages"][0]["content"]


async def test_a_server_that_fails_on_formats_with_500_is_asked_otherwise_after_the_retries(kit) -> None:
    bad, good = kit.http(500, complaint("boom")), kit.http(200, kit.chat('{"n": 1}'))
    async with kit.provider(bad, bad, good) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, retries=1))
        await rung(kit.ask(schema=SCHEMA))
        await rung(kit.ask(schema=SCHEMA))
    assert [kind(hit.body) for hit in provider.hits] == ["json_schema"] * 2 + ["json_object"] * 2


async def test_a_server_that_only_fails_is_not_asked_for_ever(kit) -> None:
    async with kit.provider(kit.http(500, complaint("boom"))) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="HTTP 500: boom"):
            await gateway.rung("mini", kit.spec(provider, retries=1))(kit.ask(schema=SCHEMA))
    assert [kind(hit.body) for hit in provider.hits] == ["json_schema", "json_schema", "json_object", "tool"]


async def test_a_passing_500_does_not_change_how_json_is_asked_for(kit) -> None:
    bad, good = kit.http(500, complaint("boom")), kit.http(200, kit.chat('{"n": 1}'))
    async with kit.provider(bad, good) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        await rung(kit.ask(schema=SCHEMA))
        await rung(kit.ask(schema=SCHEMA))
    assert [kind(hit.body) for hit in provider.hits] == ["json_schema"] * 3


@pytest.mark.parametrize("text", ["This model's maximum context length is 8192 tokens", "Incorrect api key"])
async def test_complaints_about_other_things_do_not_step_down(kit, text: str) -> None:
    async with kit.provider(kit.http(400, complaint(text))) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match=text):
            await gateway.rung("mini", kit.spec(provider))(kit.ask(schema=SCHEMA))
    assert len(provider.hits) == 1


async def test_a_server_is_learned_with_and_without_tools_apart(kit) -> None:
    no = kit.http(400, complaint("cannot use a grammar together with tools"))
    good = kit.http(200, kit.chat('{"n": 1}'))
    async with kit.provider(no, good) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        await rung(kit.ask(schema=SCHEMA, tools=TOOLS))
        await rung(kit.ask(schema=SCHEMA))
        await rung(kit.ask(schema=SCHEMA, tools=TOOLS))
    kinds = [kind(hit.body) for hit in provider.hits]
    assert kinds == ["json_schema", "json_object", "json_schema", "json_object"]


async def test_in_tool_mode_other_tools_stay_callable(kit) -> None:
    tool = [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    async with kit.provider(kit.http(200, kit.chat(None, tool_calls=tool))) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, structured="tool"))
        reply = await rung(kit.ask(schema=SCHEMA, tools=TOOLS))
    assert [t["function"]["name"] for t in provider.hits[0].body["tools"]] == ["look", "result"]
    assert provider.hits[0].body["tool_choice"] == "required"
    assert (reply.finish, reply.tool_calls[0].name) == ("tool_calls", "look")


async def test_a_result_that_is_no_object_travels_in_one(kit) -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    stream = kit.sse(kit.delta(content='{"value": [1, '), kit.delta(content="2]}"), kit.delta("stop"), "[DONE]")
    async with kit.provider(kit.http(200, kit.chat('{"value": [1, 2]}')), stream) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        reply = await rung(kit.ask(schema=schema))
        streamed = [item async for item in rung.stream(kit.ask(schema=schema))]
    sent = provider.hits[0].body["response_format"]["json_schema"]
    assert sent["schema"]["properties"] == {"value": schema}
    assert reply.text == streamed[-1].text == "[1, 2]"
    assert len(streamed) == 1


async def test_a_streamed_json_reply_arrives_as_text_with_usage(kit) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    last = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
    stream = kit.sse(kit.delta(content='{"n"'), kit.delta(content=": 1}"), kit.delta("stop"), last, "[DONE]")
    async with kit.provider(stream) as provider, kit.gateway() as gateway:
        items = [item async for item in gateway.rung("mini", kit.spec(provider)).stream(kit.ask(schema=SCHEMA))]
    assert items[:2] == ['{"n"', ": 1}"]
    assert (items[-1].text, items[-1].usage.output_tokens) == ('{"n": 1}', 3)
    assert provider.hits[0].body["response_format"]["type"] == "json_schema"


async def test_responses_puts_the_schema_into_its_text_format(kit) -> None:
    no = kit.http(400, complaint("text.format is not supported"))
    async with kit.provider(no) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError):
            await gateway.rung("big", kit.spec(provider, api="responses"))(kit.ask(schema=SCHEMA))
    bodies = [hit.body for hit in provider.hits]
    assert bodies[0]["text"]["format"]["type"] == "json_schema"
    assert bodies[0]["text"]["format"]["strict"] is True
    assert bodies[1]["text"] == {"format": {"type": "json_object"}}
    assert bodies[2]["tool_choice"] == {"type": "function", "name": "result"}
    assert len(bodies) == 4
