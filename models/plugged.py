"""Models from Python as wires: an async function, or a LangChain chat model."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable

from planloom.core.outcome import FailureKind, Usage
from planloom.models.base import Mode, Reply, Request
from planloom.models.convert import from_chunks, from_message, offers, to_langchain
from planloom.models.faults import MESSAGE_CAP, Fault
from planloom.models.rung import Wire
from planloom.models.sizes import estimate, size_bytes
from planloom.models.structured import Shape, settle_shape


def plug(name: str, model: Callable[[Request], Awaitable[Reply | str]] | BaseChatModel) -> Wire:
    """Return the wire to a model from Python."""
    return LangChainWire(name, model) if isinstance(model, BaseChatModel) else FunctionWire(name, model)


class FunctionWire:
    """An async function `Request -> Reply` or `Request -> str`."""

    def __init__(self, name: str, function: Callable[[Request], Awaitable[Reply | str]]) -> None:
        self._name = name
        self._function = function

    async def reply(self, request: Request, mode: Mode) -> Reply:
        """Return what the function returns; a text becomes a reply with estimated usage."""
        with _foreign(self._name):
            answer = await self._function(request)
        if isinstance(answer, Reply):
            return answer
        if not isinstance(answer, str):  # pyright: ignore[reportUnnecessaryIsInstance] - it is somebody else's function
            kind = type(answer).__name__
            raise Fault(FailureKind.UNPARSEABLE, f"{self._name} returned a {kind}; expected a Reply or a text")
        usage = Usage(input_tokens=estimate(size_bytes(request)), output_tokens=estimate(len(answer.encode())), calls=1)
        return Reply(text=answer, finish="stop", usage=usage, model=self._name)

    async def stream(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        """Yield the whole text, then the reply."""
        reply = await self.reply(request, mode)
        if reply.text:
            yield reply.text
        yield reply


class LangChainWire:
    """Any LangChain chat model. JSON is asked for in the prompt, since models differ in the rest."""

    def __init__(self, name: str, model: BaseChatModel) -> None:
        self._name = name
        self._model = model

    async def reply(self, request: Request, mode: Mode) -> Reply:
        """Return the whole reply."""
        shape = Shape.of(request)
        instruction = shape.instruction(mode) if shape else ""
        with _foreign(self._name):
            message = await self._bound(request).ainvoke(to_langchain(request.messages, instruction))
        return settle_shape(from_message(message, request, finish="stop"), shape, mode)

    async def stream(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        """Yield text as it arrives, then the reply."""
        shape = Shape.of(request)
        instruction = shape.instruction(mode) if shape else ""
        chunks: list[AIMessageChunk] = []
        with _foreign(self._name):
            async for chunk in self._bound(request).astream(to_langchain(request.messages, instruction)):
                if isinstance(chunk, AIMessageChunk):
                    chunks.append(chunk)
                if text := str(chunk.text):
                    yield text
        if not chunks:
            raise Fault(FailureKind.TRANSPORT, "the model gave an empty stream", lost=True)
        yield settle_shape(from_chunks(chunks, request, finish="stop"), shape, mode)

    def _bound(self, request: Request) -> Runnable[LanguageModelInput, AIMessage]:
        return self._model.bind_tools(offers(request, "chat")) if request.tools else self._model


@contextmanager
def _foreign(name: str) -> Generator[None]:
    """Turn whatever foreign code raises into a Fault: its exceptions are not ours to know."""
    try:
        yield
    except Fault:
        raise
    except Exception as exc:
        text = f"{name} raised {type(exc).__name__}: {exc}"[:MESSAGE_CAP]
        raise Fault(FailureKind.TRANSPORT, text, lost=True) from exc
