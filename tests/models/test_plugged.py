import asyncio

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from planloom.core.errors import ModelError
from planloom.core.outcome import FailureKind, Usage
from planloom.models.base import Reply, Request
from planloom.models.prices import Price


async def test_a_function_that_returns_text_is_a_model(kit) -> None:
    async def echo(request: Request) -> str:
        return f"you said {request.messages[-1].text}"

    async with kit.gateway() as gateway:
        rung = gateway.plugged("mine", echo, price=Price.flat(1e-6, 1e-6))
        reply = await rung(kit.ask("hi"))
        streamed = [item async for item in rung.stream(kit.ask("hi"))]
    assert (reply.text, reply.finish, reply.model) == ("you said hi", "stop", "mine")
    assert rung.cost(reply.usage) > 0
    assert streamed == ["you said hi", reply]


async def test_a_function_may_return_a_whole_reply(kit) -> None:
    given = Reply(text="x", finish="length", usage=Usage(calls=1), model="m")

    async def answer(request: Request) -> Reply:
        return given

    async with kit.gateway() as gateway:
        assert await gateway.plugged("mine", answer)(kit.ask()) == given


async def test_what_a_function_raises_becomes_a_model_error(kit) -> None:
    async def fail(request: Request) -> str:
        raise LookupError("no such thing")

    async with kit.gateway() as gateway:
        with pytest.raises(ModelError, match="mine raised LookupError: no such thing"):
            await gateway.plugged("mine", fail)(kit.ask())


async def test_a_function_that_hangs_ends_at_the_timeout(kit) -> None:
    async def hang(request: Request) -> str:
        await asyncio.Event().wait()
        return ""

    async with kit.gateway() as gateway:
        with pytest.raises(ModelError) as caught:
            await gateway.plugged("mine", hang, timeout_s=0.05)(kit.ask())
    assert caught.value.kind is FailureKind.TIMEOUT


async def test_a_langchain_model_is_a_rung_too(kit) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage('{"n": 1}'), AIMessage("one two")]))
    async with kit.gateway() as gateway:
        rung = gateway.plugged("mine", model)
        reply = await rung(kit.ask(schema={"type": "object"}))
        streamed = [item async for item in rung.stream(kit.ask())]
    assert reply.text == '{"n": 1}'
    assert reply.usage.output_tokens > 0
    assert streamed[:-1] == ["one", " ", "two"]
    assert isinstance(streamed[-1], Reply)
    assert rung.price is None
    assert rung.worst(kit.ask()).usd is None
