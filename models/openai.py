"""The wire to any server that speaks OpenAI's API, through LangChain's ChatOpenAI.

Imported by the first call only: it pulls in langchain_openai, which takes seconds of CPU.
"""

import json
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict
from urllib.parse import quote, urlsplit

import aiohttp
import httpx2
import openai
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai.types.chat import ChatCompletion

from planloom.configs.spec import RungSpec
from planloom.core.json import JsonObject, clean
from planloom.core.outcome import FailureKind
from planloom.models.base import Mode, Reply, Request
from planloom.models.capped import capped
from planloom.models.convert import NOT_OBJECT, from_chunks, from_message, offers, to_langchain
from planloom.models.embeddings import embed
from planloom.models.faults import MESSAGE_CAP, Fault, status_fault
from planloom.models.structured import Shape, settle_shape
from planloom.models.text import is_list, is_mapping, loads_object

CONNECT_TIMEOUT_S = 15.0
MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_CONNECTIONS = 4096
"""High on purpose: each rung's `max_parallel` is the real limit."""

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpx2.ConnectError)
"""No connection was made, so nothing was billed. httpx2's ConnectTimeout says less: lost replies bear it too."""
_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
"""What the SDK and LangChain raise when a body is not what the API promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a rung's requests go."""

    spec: RungSpec
    model: str
    base_url: str
    key: str = field(repr=False)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def openai(self) -> bool:
        """Whether this is OpenAI's own service, or Azure's."""
        name = urlsplit(self.base_url).hostname or ""
        return name == "api.openai.com" or name.endswith((".openai.com", ".azure.com"))


def open_client(
    transport: httpx2.AsyncBaseTransport | None = None, *, max_reply_bytes: int = MAX_REPLY_BYTES
) -> httpx2.AsyncClient:
    """Return the HTTP client that rungs share; the caller closes it.

    Args:
        transport: In place of the network, for rehearsals in process.
        max_reply_bytes: Bytes of one reply at most.
    """
    if transport is not None:
        return httpx2.AsyncClient(transport=transport)
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    return openai.DefaultAioHttpClient(
        limits=limits,
        headers={"accept-encoding": "identity"},
        event_hooks={"response": [capped(max_reply_bytes)]},
    )


class _Chat(ChatOpenAI):
    """ChatOpenAI that also keeps refusals in streams and odd tool arguments."""

    def _get_request_payload(self, *args: object, **kwargs: object) -> dict[str, object]:
        """Send the messages beside the SDK's own fields, which it would walk through type by type on every call."""
        payload: dict[str, object] = super()._get_request_payload(*args, **kwargs)  # type: ignore[arg-type]
        if "messages" in payload:
            extra = payload.get("extra_body")
            payload["extra_body"] = {**(extra if is_mapping(extra) else {}), "messages": payload["messages"]}
            payload["messages"] = []
        return payload

    def _create_chat_result(
        self, response: "dict[str, object] | openai.BaseModel", generation_info: dict[str, object] | None = None
    ) -> ChatResult:
        if isinstance(response, ChatCompletion):
            for choice in response.choices:
                _mark_odd_arguments(choice.message.tool_calls or ())
        return super()._create_chat_result(  # pyright: ignore[reportUnknownMemberType]
            response, generation_info
        )

    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, object],
        default_chunk_class: type,
        base_generation_info: dict[str, object] | None,
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(  # pyright: ignore[reportUnknownMemberType]
            chunk, default_chunk_class, base_generation_info
        )
        if made is not None and (refusal := _delta_refusal(chunk)):
            made.message.additional_kwargs["refusal"] = refusal
        return made


def _mark_odd_arguments(calls: Iterable[object]) -> None:
    """Wrap tool arguments that are no JSON object; LangChain's own type would reject the message."""
    for call in calls:
        function: object = getattr(call, "function", None)
        raw: object = getattr(function, "arguments", "")
        text = raw if isinstance(raw, str) else json.dumps(raw)
        if loads_object(text) is None:
            text = json.dumps({NOT_OBJECT: text})
        setattr(function, "arguments", text)  # noqa: B010


def _delta_refusal(chunk: Mapping[str, object]) -> str:
    choices = chunk.get("choices")
    first = choices[0] if is_list(choices) and choices else None
    delta = first.get("delta") if is_mapping(first) else None
    refusal = delta.get("refusal") if is_mapping(delta) else None
    return refusal if isinstance(refusal, str) else ""


class _Extras(TypedDict, total=False):
    extra_headers: dict[str, str]
    extra_body: JsonObject
    tools: list[JsonObject]
    tool_choice: str | JsonObject


class OpenAIWire:
    """One rung's requests and replies, one try each."""

    def __init__(self, endpoint: Endpoint, client: httpx2.AsyncClient) -> None:
        self._endpoint = endpoint
        self._api: Literal["chat", "responses"] = "responses" if endpoint.spec.api == "responses" else "chat"
        self._chat = _open_chat(endpoint, client)
        self._old_cap = not endpoint.openai and self._api == "chat"
        """Send `max_tokens` too: servers other than OpenAI's may know only that."""

    async def reply(self, request: Request, mode: Mode) -> Reply:
        """Return the whole reply.

        Raises:
            Fault: There is none.
        """
        if self._endpoint.spec.api == "embeddings":
            with self._faults():
                return await embed(self._chat.root_async_client, self._endpoint.model, request, _headers(request))
        shape = Shape.of(request)
        with self._faults():
            message = await self._chat.ainvoke(
                to_langchain(request.messages, shape.instruction(mode) if shape else ""),
                **self._extras(request, shape, mode),
            )
            return self._settle(from_message(message, request), shape, mode)

    async def stream(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        """Yield text as it arrives, then the reply.

        Raises:
            Fault: The stream broke, or ended without saying why.
        """
        shape = Shape.of(request)
        chunks: list[AIMessageChunk] = []
        whole_only = shape is not None and (shape.wrapped or mode == "tool")
        pieces = self._chat.astream(
            to_langchain(request.messages, shape.instruction(mode) if shape else ""),
            **self._extras(request, shape, mode),
        )
        with self._faults():
            async for chunk in pieces:
                chunks.append(chunk)
                if not whole_only and (text := str(chunk.text)):
                    yield text
        if not chunks:
            raise Fault(FailureKind.TRANSPORT, f"{self._endpoint.host} sent an empty stream", lost=True)
        with self._faults():
            whole = self._settle(from_chunks(chunks, request), shape, mode)
        yield whole

    def _settle(self, reply: Reply, shape: Shape | None, mode: Mode) -> Reply:
        text = clean(reply.text)
        settled = settle_shape(replace(reply, text=text if isinstance(text, str) else ""), shape, mode)
        return settled if settled.model else replace(settled, model=self._endpoint.model)

    def _extras(self, request: Request, shape: Shape | None, mode: Mode) -> _Extras:
        """Return what goes with the messages: tools, response format, headers."""
        tools = offers(request, self._api)
        body: JsonObject = shape.body(mode, self._api) if shape else {}
        if self._old_cap:
            body["max_tokens"] = self._endpoint.spec.max_output_tokens
        extras: _Extras = {"extra_headers": _headers(request), "extra_body": body}
        if shape is not None and mode == "tool":
            form: JsonObject = {"name": shape.name, "parameters": shape.schema}
            forced: JsonObject = {"type": "function", "function": {"name": shape.name}}
            extras["tool_choice"] = "required" if tools else forced
            tools.append({"type": "function", "function": form})
        if tools:
            extras["tools"] = tools
        return extras

    @contextmanager
    def _faults(self) -> Generator[None]:
        """Turn everything the libraries raise into a Fault, keys taken out."""
        host = self._endpoint.host
        try:
            yield
        except openai.APIStatusError as exc:
            raise self._status(exc.status_code, _message(exc), exc.response.headers) from None
        except openai.APIConnectionError as exc:
            raise self._unconnected(exc) from None
        except (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError, EOFError) as exc:
            text = f"the answer of {host} broke off: {self._clean(_root(exc))}"
            down = not isinstance(exc, openai.OpenAIError)
            raise Fault(FailureKind.TRANSPORT, text, lost=True, unreached=down) from None
        except _UNREADABLE as exc:
            raise self._unreadable(exc) from None

    def _unconnected(self, exc: openai.APIConnectionError) -> Fault:
        """Return the fault for a connection that was not made, or was lost before the reply was whole."""
        causes = list(_causes(exc))
        if isinstance(causes[-1], Fault):
            return causes[-1]
        text = f"the connection to {self._endpoint.host} failed: {self._clean(_root(exc))}"
        if any(isinstance(cause, aiohttp.ClientConnectorCertificateError) for cause in causes):
            return Fault(FailureKind.REJECTED, text)
        unsent = any(isinstance(cause, _UNSENT) for cause in causes)
        return Fault(FailureKind.TRANSPORT, text, retry=unsent, lost=not unsent, unreached=True)

    def _status(self, status: int, message: str, headers: Mapping[str, str]) -> Fault:
        fault = status_fault(status, self._clean(message), self._endpoint.host, headers)
        if self._old_cap and status in (400, 422) and "max_" in message and "tokens" in message:
            self._old_cap = False
            fault.free = True
        return fault

    def _unreadable(self, exc: Exception) -> Fault:
        """Return the fault for a body that is no reply; some servers put an error into a 200."""
        error: object = exc.args[0] if exc.args else None
        if is_mapping(error) and error.get("message"):
            code = error.get("code")
            status = code if isinstance(code, int) and 400 <= code < 600 else 502
            return self._status(status, str(error["message"]), {})
        detail = self._clean(f"{type(exc).__name__}: {exc}")
        text = f"{self._endpoint.host} sent a reply that cannot be read ({detail})"
        return Fault(FailureKind.TRANSPORT, text, lost=True)

    def _clean(self, text: str) -> str:
        """Take the key out, and cut to a readable length."""
        key = self._endpoint.key
        text = text.replace(key, "***") if len(key) >= 8 else text
        return text if len(text) <= MESSAGE_CAP else f"{text[:MESSAGE_CAP]}..."


def _open_chat(endpoint: Endpoint, client: httpx2.AsyncClient) -> _Chat:
    spec = endpoint.spec

    async def key() -> str:
        return endpoint.key

    return _Chat(
        model=endpoint.model,
        base_url=endpoint.base_url,
        api_key=key,  # a function: a plain key would also open a synchronous client
        http_async_client=client,
        http_socket_options=(),
        openai_proxy=None,
        max_retries=0,
        timeout=httpx2.Timeout(spec.timeout, connect=min(CONNECT_TIMEOUT_S, spec.timeout)),
        stream_chunk_timeout=None,
        use_responses_api=spec.api == "responses",
        stream_usage=True,
        max_completion_tokens=spec.max_output_tokens,
        temperature=spec.temperature,
        reasoning_effort=spec.reasoning.effort if spec.reasoning else None,
        cache=False,
    )


def _headers(request: Request) -> dict[str, str]:
    headers = {
        "x-planloom-role": request.role,
        "x-planloom-node": quote(request.node_id, safe="[]._-"),
        "x-planloom-attempt": str(request.attempt),
    }
    if request.ticket is not None:
        headers["x-planloom-call"] = request.ticket.call
    if request.round:
        headers |= {"x-planloom-round": str(request.round), "x-planloom-member": request.member}
    return headers


def _message(exc: openai.APIStatusError) -> str:
    """Return the provider's own words, with its error code where there is one."""
    body: object = exc.body
    if is_mapping(body) and isinstance(message := body.get("message"), str):
        code = body.get("code")
        return f"{message} [{code}]" if code else message
    return str(exc.message)


def _causes(exc: BaseException | None) -> Generator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _root(exc: BaseException) -> str:
    """Return the deepest cause: the SDK's own text says only `Connection error.`."""
    *_, exc = _causes(exc)
    return f"{type(exc).__name__}: {exc}".rstrip(": ")
