import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from planloom.configs.spec import RungSpec
from planloom.core.errors import ConfigError, ModelError
from planloom.core.outcome import FailureKind
from planloom.models.base import Reply

ERROR = {"error": {"message": "server on fire", "type": "x", "code": None}}


async def drain(items: AsyncIterator[str | Reply], into: list[str | Reply]) -> None:
    async for item in items:
        into.append(item)  # noqa: PERF401 (what came before an error counts)


async def test_a_429_is_retried_after_the_pause_the_server_asks_for(kit) -> None:
    soon = kit.http(429, ERROR, retry_after="0")
    date = kit.http(429, ERROR, retry_after=format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True))
    async with kit.provider(soon, date, kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert reply.text == "hello"
    assert len(provider.hits) == 3


async def test_a_pause_longer_than_a_minute_fails_at_once(kit) -> None:
    async with kit.provider(kit.http(429, ERROR, retry_after="3600")) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match=r"3600 s.*at most 60 s") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert len(provider.hits) == 1
    assert caught.value.kind is FailureKind.TRANSPORT


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_passing_faults_are_retried(kit, status: int) -> None:
    async with (
        kit.provider(kit.http(status, ERROR), kit.http(200, kit.chat())) as provider,
        kit.gateway() as gateway,
    ):
        reply = await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert (reply.text, len(provider.hits)) == ("hello", 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_request_the_provider_rejects_is_not_sent_again(kit, status: int) -> None:
    async with kit.provider(kit.http(status, ERROR)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match=f"HTTP {status}: server on fire") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert len(provider.hits) == 1
    assert caught.value.kind is FailureKind.REJECTED


async def test_an_exhausted_quota_is_not_retried(kit) -> None:
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    async with kit.provider(kit.http(429, body)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="insufficient_quota") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert len(provider.hits) == 1
    assert caught.value.kind is FailureKind.REJECTED


async def test_the_last_retry_names_the_servers_fault_and_host(kit) -> None:
    async with kit.provider(kit.http(500, ERROR)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError) as caught:
            await gateway.rung("mini", kit.spec(provider, retries=2))(kit.ask())
    assert len(provider.hits) == 3
    host = provider.url.removeprefix("http://").removesuffix("/v1")
    assert caught.value.message == f"{host} answered HTTP 500: server on fire (after 2 retries)"


async def test_a_dead_port_is_named(kit) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        spec = RungSpec(model="openai:m", base_url=f"http://127.0.0.1:{port}/v1", retries=1)
        async with kit.gateway() as gateway:
            with pytest.raises(ModelError, match=rf"connection to 127.0.0.1:{port} failed") as caught:
                await gateway.rung("mini", spec)(kit.ask())
    assert caught.value.kind is FailureKind.TRANSPORT


@dataclass(frozen=True)
class Broken:
    id: str
    status: int
    body: object
    content_type: str = "application/json"


BROKEN = [
    Broken("empty body", 200, b""),
    Broken("cut JSON", 200, b'{"id": "c1", "choices": [{"mess'),
    Broken("a web page", 200, b"<html>welcome</html>", "text/html"),
    Broken("no choices", 200, {"id": "c1", "object": "chat.completion", "model": "m"}),
    Broken("empty choices", 200, {"id": "c1", "object": "chat.completion", "model": "m", "choices": []}),
    Broken("null choices", 200, {"id": "c1", "object": "chat.completion", "model": "m", "choices": None}),
    Broken("null message", 200, {"id": "c1", "model": "m", "choices": [{"message": None, "finish_reason": "stop"}]}),
    Broken("a list", 200, [1, 2]),
    Broken("an error in a 200", 200, {"error": {"message": "upstream overloaded", "code": 503}}),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.id)
async def test_a_reply_that_cannot_be_read_may_have_been_billed_and_is_left_to_the_caller(kit, case: Broken) -> None:
    bad = kit.http(case.status, case.body, content_type=case.content_type)
    async with kit.provider(bad) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, retries=1))
        with pytest.raises(ModelError) as caught:
            await rung(kit.ask())
    assert caught.value.kind is FailureKind.TRANSPORT
    assert caught.value.billed
    assert len(provider.hits) == 1


async def test_a_reply_without_a_finish_reason_is_never_taken_for_whole(kit) -> None:
    call = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    body = kit.chat(None, tool_calls=call, finish_reason=None)
    async with kit.provider(kit.http(200, body)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="without a finish_reason") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert caught.value.billed
    assert len(provider.hits) == 1


async def test_a_stream_without_a_finish_reason_is_an_error_even_with_a_clean_end(kit) -> None:
    function = {"name": "f", "arguments": '{"amount": 1'}
    part = kit.delta(tool_calls=[{"index": 0, "id": "a", "type": "function", "function": function}])
    async with kit.provider(kit.sse(part, "[DONE]")) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="without a finish_reason"):
            await drain(gateway.rung("mini", kit.spec(provider, retries=0)).stream(kit.ask()), [])


async def test_a_dripping_body_ends_at_the_deadline(kit) -> None:
    gone = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        finally:
            gone.set()

    async with kit.provider(drip) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match=r"no complete reply within 2 s") as caught:
            await gateway.rung("mini", kit.spec(provider, timeout=2))(kit.ask())
        await gone.wait()
    assert caught.value.kind is FailureKind.TIMEOUT
    assert caught.value.billed
    assert len(provider.hits) == 1


async def test_headers_that_never_come_end_at_the_deadline(kit) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            await asyncio.sleep(0.02)

    async with kit.provider(silence) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, timeout=0.2))
        with pytest.raises(ModelError) as caught:
            await rung(kit.ask())
        with pytest.raises(ModelError) as streamed:
            await drain(rung.stream(kit.ask()), [])
    assert caught.value.kind is streamed.value.kind is FailureKind.TIMEOUT


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{"], ids=["reply", "body"])
async def test_a_connection_lost_after_the_request_may_have_been_billed_and_is_left_to_the_caller(kit, head) -> None:
    async def drop(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        writer.transport.abort()

    async with kit.provider(drop) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        with pytest.raises(ModelError, match=r"connection to .* failed") as caught:
            await rung(kit.ask())
        with pytest.raises(ModelError) as streamed:
            await drain(rung.stream(kit.ask()), [])
    assert caught.value.kind is streamed.value.kind is FailureKind.TRANSPORT
    assert caught.value.billed
    assert streamed.value.billed
    assert len(provider.hits) == 2


async def test_a_stream_that_breaks_after_text_was_handed_out_is_not_started_again(kit) -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        whole = kit.sse(kit.delta(content="first "), kit.delta(content="second"))
        writer.write(whole.replace(b"content-length: ", b"content-length: 9")[:-3])
        await writer.drain()

    seen: list[str | Reply] = []
    async with kit.provider(half) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match=r"connection to .* failed") as caught:
            await drain(gateway.rung("mini", kit.spec(provider)).stream(kit.ask()), seen)
    assert seen[0] == "first "
    assert len(provider.hits) == 1
    assert caught.value.billed


async def test_a_stream_refused_at_the_door_is_retried(kit) -> None:
    ok = kit.sse(kit.delta(content="hello"), kit.delta("stop"), "[DONE]")
    async with kit.provider(kit.http(503, ERROR), ok) as provider, kit.gateway() as gateway:
        items = [item async for item in gateway.rung("mini", kit.spec(provider)).stream(kit.ask())]
    assert items[0] == "hello"
    assert isinstance(items[-1], Reply)


async def test_the_key_never_shows_in_an_error(kit) -> None:
    body = {"error": {"message": f"Incorrect API key provided: {kit.key}", "code": "invalid_api_key"}}
    async with kit.provider(kit.http(401, body)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="Incorrect API key") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert provider.hits[0].headers["authorization"] == f"Bearer {kit.key}"
    assert kit.key not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_missing_key_for_openai_is_found_before_any_call(kit) -> None:
    async with kit.gateway() as gateway:
        with pytest.raises(ConfigError) as caught:
            await gateway.rung("mini", RungSpec(model="openai:gpt-5-mini", api_key_env="MY_KEY")).open()
    problem = caught.value.problems[0]
    assert problem.field == "models.mini.api_key_env"
    assert "MY_KEY" in problem.message


@pytest.mark.parametrize("model", ["gpt-5", "anthropic:claude", "openai:"])
async def test_a_model_without_a_known_provider_is_an_error(kit, model: str) -> None:
    async with kit.gateway() as gateway:
        with pytest.raises(ConfigError, match=r"models\.mini\.model"):
            gateway.rung("mini", RungSpec(model=model))
