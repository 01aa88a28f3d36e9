"""OpenAI's official client against the running service."""

import asyncio

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from service_support import BROKEN, SHOUT, Gate, Serve, Site, settled

TALK = """
version: 1
name: talk
inputs: {task: {type: string}, tone: {type: string}, messages: {type: array}}
nodes:
  said:
    code: "{'task': task, 'tone': tone, 'turns': len(all)}"
    with: {task: "${inputs.task}", tone: "${inputs.tone}", all: "${inputs.messages}"}
output: "${nodes.said.output}"
"""
HELLO = [{"role": "user", "content": "hello"}]


async def client_of(site: Site, **options: object) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{site.url}/v1", api_key=await site.key(**options))  # type: ignore[arg-type]


async def test_a_workflow_answers_as_a_model(serve: Serve) -> None:
    async with serve(more=[SHOUT]) as site, await client_of(site) as client:
        listed = [model.id async for model in client.models.list()]
        assert "shout" in listed
        assert (await client.models.retrieve("shout")).owned_by == "planloom"
        raw = await client.chat.completions.with_raw_response.create(model="shout", messages=HELLO)  # type: ignore[arg-type]
        answer = raw.parse()
        assert answer.choices[0].message.content == "hello!"
        assert answer.choices[0].finish_reason == "stop"
        run_id = raw.headers["x-planloom-run-id"]
        assert (answer.system_fingerprint, answer.id) == (run_id, f"chatcmpl-{run_id}")
        assert answer.usage is not None
        assert answer.usage.total_tokens == 0
        async with await site.client() as http:
            record = (await http.get(f"/runs/{run_id}")).json()
        assert (record["status"], record["inputs"]) == ("done", {"text": "hello", "mark": "!"})


async def test_the_client_without_async_gets_the_same(serve: Serve) -> None:
    async with serve(more=[SHOUT]) as site:
        key = await site.key()

        def ask() -> str | None:
            with openai.OpenAI(base_url=f"{site.url}/v1", api_key=key) as client:
                made = client.chat.completions.create(
                    model="shout",
                    messages=[{"role": "user", "content": [{"type": "text", "text": "again"}]}],
                    temperature=0,
                    extra_body={"inputs": {"mark": "?"}},
                )
                return made.choices[0].message.content

        assert await asyncio.to_thread(ask) == "again?"


async def test_task_messages_and_inputs_fill_what_they_name(serve: Serve) -> None:
    async with serve(more=[TALK]) as site, await client_of(site) as client:
        answer = await client.chat.completions.create(
            model="talk",
            messages=[
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "yes?"},
                {"role": "user", "content": "second"},
            ],
            metadata={"inputs": '{"tone": "dry"}', "other": "kept out"},
        )
        assert answer.choices[0].message.content == '{"task": "second", "tone": "dry", "turns": 3}'


async def chunks_of(client: openai.AsyncOpenAI, **options: object) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(stream=True, **options)  # type: ignore[call-overload]
    return [chunk async for chunk in stream]


async def test_a_stream_tells_progress_where_it_is_wanted(serve: Serve) -> None:
    async with serve(more=[SHOUT]) as site, await client_of(site) as client:
        wish = {"model": "shout", "messages": HELLO}
        chunks = await chunks_of(client, **wish, stream_options={"include_usage": True})
        assert chunks[0].choices[0].delta.role == "assistant"
        content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
        thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks[:-1]]
        assert content == "hello!"
        assert "loud: done\n" in thoughts
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        inline = await chunks_of(client, **wish, extra_body={"progress": "content"})
        told = "".join(chunk.choices[0].delta.content or "" for chunk in inline)
        assert told.endswith("loud: done\n\nhello!")
        quiet = await chunks_of(client, **wish, extra_body={"progress": "none"})
        assert len(quiet) == 3


async def test_errors_have_the_shape_that_the_client_knows(serve: Serve) -> None:
    async with serve(more=[SHOUT, BROKEN]) as site, await client_of(site) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            await client.chat.completions.create(model="nobody", messages=HELLO)  # type: ignore[arg-type]
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as wrong:
            await client.chat.completions.create(
                model="shout",
                messages=HELLO,  # type: ignore[arg-type]
                extra_body={"inputs": {"mark": 1}},
            )
        assert wrong.value.param == "inputs.mark"
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="shout", messages=HELLO, n=2)  # type: ignore[arg-type]
        with pytest.raises(openai.BadRequestError, match="JSON object"):
            await client.chat.completions.create(
                model="shout",
                messages=HELLO,  # type: ignore[arg-type]
                metadata={"inputs": "[1]"},
            )
        with pytest.raises(openai.UnprocessableEntityError) as failed:
            await client.chat.completions.create(model="broken", messages=HELLO)  # type: ignore[arg-type]
        assert failed.value.code == "run_failed"
        assert failed.value.response.headers["x-planloom-run-id"] in failed.value.message
        with pytest.raises(openai.APIError, match="is failed"):
            await chunks_of(client, model="broken", messages=HELLO)
        async with openai.AsyncOpenAI(base_url=f"{site.url}/v1", api_key="none") as stranger:
            with pytest.raises(openai.AuthenticationError):
                await stranger.models.list()
        async with await client_of(site, role="viewer") as reader:
            with pytest.raises(openai.PermissionDeniedError):
                await reader.chat.completions.create(model="shout", messages=HELLO)  # type: ignore[arg-type]
        async with await site.client() as http:
            assert len((await http.get("/runs?workflow=broken")).json()["runs"]) == 2  # nothing was tried again


async def test_a_run_that_waits_says_so_and_is_joined_after_the_answer(serve: Serve) -> None:
    async with serve() as site, await client_of(site) as client, await site.client() as http:
        key = {"Idempotency-Key": "letter-1"}
        asked = await client.chat.completions.create(model="careful", messages=HELLO, extra_headers=key)  # type: ignore[arg-type]
        run_id = asked.system_fingerprint
        assert f"Run {run_id} waits for a person" in str(asked.choices[0].message.content)
        about = (asked.model_extra or {})["planloom"]
        assert (about["status"], about["pending"][0]["node"]) == ("waiting", "send")
        answer = {"node": "send", "bound_to": about["pending"][0]["bound_to"], "approved": True}
        assert (await http.post(f"/runs/{run_id}/approve", json={"answers": [answer]})).status_code == 202
        told = await client.chat.completions.create(model="careful", messages=HELLO, extra_headers=key)  # type: ignore[arg-type]
        assert (told.choices[0].message.content, told.system_fingerprint) == ("Dear all, it is done.", run_id)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_its_run_unless_it_has_a_key_to_come_back_with(
    serve: Serve, gate: Gate, stream: bool
) -> None:
    async with serve() as site, await site.client() as http:
        body = {"model": "gated", "messages": HELLO, "stream": stream}
        for number, headers in enumerate(({}, {"Idempotency-Key": "back"}), start=1):
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(http.post("/chat/completions", json=body, headers=headers))
                while gate.calls < number:
                    await asyncio.sleep(0.01)
                asking.cancel()
        listed = (await http.get("/runs")).json()["runs"]
        kept, left = listed[0]["run_id"], listed[1]["run_id"]
        assert (await settled(http, left))["status"] == "cancelled"
        assert (await http.get(f"/runs/{kept}")).json()["status"] == "running"
        gate.open.set()
        again = await http.post(
            "/chat/completions", json={**body, "stream": False}, headers={"Idempotency-Key": "back"}
        )
        assert (again.json()["system_fingerprint"], again.json()["choices"][0]["message"]["content"]) == (kept, "42")


async def test_tenants_do_not_join_each_others_runs(serve: Serve) -> None:
    async with serve(more=[SHOUT]) as site, await site.client() as ours, await site.client("other") as theirs:
        body, key = {"model": "shout", "messages": HELLO}, {"Idempotency-Key": "k"}

        async def run_of(http: httpx.AsyncClient) -> str:
            return str((await http.post("/chat/completions", json=body, headers=key)).json()["system_fingerprint"])

        assert await run_of(ours) == await run_of(ours)
        run_id = await run_of(theirs)
        assert run_id != await run_of(ours)
        assert (await ours.get(f"/runs/{run_id}")).status_code == 404
