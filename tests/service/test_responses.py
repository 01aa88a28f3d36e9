"""OpenAI's official client asking for responses of the running service."""

import asyncio
import json

import openai
import pytest
from openai.types.responses import Response
from service_support import BROKEN, SHOUT, Gate, Serve, Site

RECALL = """
version: 1
name: recall
inputs: {messages: {type: array}}
nodes: {said: {code: "[item['role'] + ': ' + item['content'] for item in all]", with: {all: "${inputs.messages}"}}}
output: "${nodes.said.output}"
"""


async def client_of(site: Site, *who: str) -> openai.AsyncOpenAI:
    key = await site.key(*who)  # type: ignore[arg-type]
    return openai.AsyncOpenAI(base_url=f"{site.url}/v1", api_key=key, max_retries=0)


def requests_of(response: Response) -> list[str]:
    return [item.id for item in response.output if item.type == "mcp_approval_request"]


async def test_a_workflow_answers_with_a_response_that_can_be_looked_at_again(serve: Serve) -> None:
    async with serve(more=[SHOUT]) as site, await client_of(site) as client:
        made = await client.responses.create(model="shout", input="hello", extra_body={"inputs": {"mark": "?"}})
        assert (made.status, made.output_text, made.model) == ("completed", "hello?", "shout")
        assert "loud: done" in made.output[0].summary[0].text
        again = await client.responses.retrieve(made.id)
        assert again.model_dump() == made.model_dump()
        said = [{"role": "user", "content": [{"type": "input_text", "text": "more"}]}]
        assert (await client.responses.create(model="shout", input=[*made.output, *said])).output_text == "more!"  # type: ignore[list-item]


async def test_a_stream_builds_the_same_response(serve: Serve) -> None:
    async with serve(more=[SHOUT]) as site, await client_of(site) as client:
        async with client.responses.stream(model="shout", input="hello") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert (kinds[:2], kinds[-1]) == (["response.created", "response.in_progress"], "response.completed")
        assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done") == 2
        assert final.output_text == "hello!"
        assert (await client.responses.retrieve(final.id)).output[0].summary == final.output[0].summary
        raw = await client.responses.create(model="shout", input="x", stream=True)
        assert [event.sequence_number async for event in raw] == [*range(len(kinds))]


async def test_a_conversation_goes_on_from_the_response_before(serve: Serve) -> None:
    async with serve(more=[RECALL]) as site, await client_of(site) as client, await client_of(site, "other") as rival:
        first = await client.responses.create(model="recall", input="one", instructions="Be short.")
        assert first.output_text == '["developer: Be short.", "user: one"]'
        second = await client.responses.create(model="recall", input="two", previous_response_id=first.id)
        told = json.loads(second.output_text)
        assert told == ["developer: Be short.", "user: one", f"assistant: {first.output_text}", "user: two"]
        for call in (client.responses.retrieve("resp_none"), rival.responses.retrieve(first.id)):
            with pytest.raises(openai.NotFoundError, match="There is no such response") as missing:
                await call
            assert (missing.value.type, missing.value.param, missing.value.code) == (
                "invalid_request_error",
                None,
                None,
            )
        for who, before in ((client, "resp_none"), (client, "none"), (rival, first.id)):
            with pytest.raises(openai.BadRequestError, match=r"There is no such response\.$") as gone:
                await who.responses.create(model="recall", input="x", previous_response_id=before)
            assert (gone.value.type, gone.value.param) == ("invalid_request_error", "previous_response_id")
            assert gone.value.code == "previous_response_not_found"
        with pytest.raises(openai.NotFoundError):
            await rival.responses.cancel(first.id)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_approval_is_requested_and_its_answer_goes_on_with_the_run(serve: Serve, stream: bool) -> None:
    async with serve() as site, await client_of(site) as client, await client_of(site, "other") as rival:

        async def ask(who: openai.AsyncOpenAI, items: object) -> Response:
            if not stream:
                return await who.responses.create(model="careful", input=items)  # type: ignore[arg-type]
            async with who.responses.stream(model="careful", input=items) as events:  # type: ignore[arg-type]
                return await events.get_final_response()

        held = await ask(client, "please")
        (request,) = requests_of(held)
        assert "waits for a person" in held.output_text
        yes = [{"type": "mcp_approval_response", "approval_request_id": request, "approve": True}]
        with pytest.raises(openai.NotFoundError):
            await ask(rival, yes)
        done = await ask(client, yes)
        assert (done.output_text, requests_of(done)) == ("Dear all, it is done.", [])
        assert (await ask(client, yes)).output_text == done.output_text
        with pytest.raises(openai.ConflictError, match="Something else waits"):
            await ask(client, [{**yes[0], "approve": False}])


async def test_a_run_in_the_background_is_looked_at_and_cancelled(serve: Serve, gate: Gate) -> None:
    async with serve() as site, await client_of(site) as client, await client_of(site, "acme", "viewer") as viewer:
        begun = await client.responses.create(model="gated", input="x", background=True)
        assert begun.status == "in_progress"
        while not gate.calls:
            await asyncio.sleep(0.01)
        assert (await viewer.responses.retrieve(begun.id)).status == "in_progress"
        with pytest.raises(openai.PermissionDeniedError):
            await viewer.responses.cancel(begun.id)
        with pytest.raises(openai.ConflictError, match="has not come to its answer"):
            await client.responses.create(model="gated", input="x", previous_response_id=begun.id)
        assert (await client.responses.cancel(begun.id)).status == "cancelled"
        with pytest.raises(openai.ConflictError, match="already"):
            await client.responses.cancel(begun.id)


async def test_a_stream_that_was_lost_is_gone_on_with_where_it_stood(serve: Serve, gate: Gate) -> None:
    async with serve() as site, await client_of(site) as client, await client_of(site, "acme", "viewer") as viewer:
        lost = await client.responses.create(model="gated", input="x", background=True, stream=True)
        first = [await anext(lost) for _ in range(4)]
        await lost.close()
        number = first[-1].sequence_number
        begun = first[0].response  # type: ignore[union-attr]
        async with await viewer.responses.retrieve(begun.id, stream=True, starting_after=number) as left:
            following = await anext(left)
        assert following.sequence_number == number + 1
        gate.open.set()
        rest = [event async for event in await viewer.responses.retrieve(begun.id, stream=True, starting_after=number)]
        assert [event.sequence_number for event in (*first, *rest)] == [*range(len(first) + len(rest))]
        assert (rest[0].type, rest[-1].type) == (following.type, "response.completed")
        assert rest[-1].response.output_text == "42"  # type: ignore[union-attr]
        whole = [event.type async for event in await viewer.responses.retrieve(begun.id, stream=True)]
        assert whole == [event.type for event in (*first, *rest)]


async def test_what_goes_wrong_is_told_as_the_client_knows_it(serve: Serve) -> None:
    async with serve(more=[SHOUT, BROKEN]) as site, await client_of(site) as client:
        failed = await client.responses.create(model="broken", input="x")
        assert (failed.status, failed.output_text) == ("failed", "")
        assert failed.error is not None
        assert "is failed" in failed.error.message
        last = [event async for event in await client.responses.create(model="broken", input="x", stream=True)][-1]
        assert last.type == "response.failed"
        for wrong in (
            {"model": "shout", "input": []},
            {"model": "shout", "input": [{"type": "mcp_approval_response", "approve": True}]},
            {"model": "shout", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
        ):
            with pytest.raises(openai.BadRequestError):
                await client.responses.create(**wrong)  # type: ignore[call-overload]
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.responses.create(model="nobody", input="x")
        assert unknown.value.code == "model_not_found"
