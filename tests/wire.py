"""A provider on a real socket that answers what a test says, however broken."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from planloom.configs.spec import RungSpec
from planloom.core.json import Json, JsonObject
from planloom.models.base import Message, Request
from planloom.models.gateway import Gateway

KEY = "sk-secret-0123456789"

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def http(status: int, body: bytes | Json, **headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "connection: close", f"content-length: {len(raw)}"]
    kind = headers.pop("content_type", "application/json")
    lines += [f"content-type: {kind}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def chat(text: str | None = "hello", **over: Json) -> JsonObject:
    """A Chat Completions body; `over` replaces keys of the choice, its message, or the body."""
    message: JsonObject = {"role": "assistant", "content": text}
    choice: JsonObject = {"index": 0, "message": message, "finish_reason": "stop"}
    body: JsonObject = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [choice],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    for key, value in over.items():
        target = choice if key == "finish_reason" else message if key in ("refusal", "tool_calls") else body
        target[key] = value
    return body


def sse(*events: Json) -> bytes:
    lines = [f"data: {json.dumps(event)}\n\n" if event != "[DONE]" else "data: [DONE]\n\n" for event in events]
    return http(200, "".join(lines).encode(), content_type="text/event-stream")


def delta(finish: str | None = None, **delta: Json) -> JsonObject:
    choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "served", "choices": [choice]}


@dataclass
class Hit:
    path: str
    headers: dict[str, str]
    body: JsonObject
    at: float
    """Wall clock."""


@dataclass
class Provider:
    """Answers in order; the last one repeats."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list[Answer])
    hits: list[Hit] = field(default_factory=list[Hit])
    open: int = 0
    most_open: int = 0
    connections: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            raw = await reader.readexactly(int(headers.get("content-length", "0")))
            body = json.loads(raw or b"{}") if "multipart" not in headers.get("content-type", "") else {}
            self.hits.append(Hit(head[0].split()[1], headers, body, time.time()))
            self.open += 1
            self.most_open = max(self.open, self.most_open)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def _provider(*answers: Answer, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    provider = Provider(answers=list(answers))
    server = await asyncio.start_server(provider, "127.0.0.1", port, ssl=tls)
    provider.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield provider
    finally:
        server.close()


@asynccontextmanager
async def _gateway(**options: object) -> AsyncIterator[Gateway]:
    async with Gateway(env={"OPENAI_API_KEY": KEY}, backoff_s=0.001, **options) as gateway:  # type: ignore[arg-type]
        yield gateway


@dataclass(frozen=True)
class Kit:
    """What tests at the wire share."""

    key = KEY
    provider = staticmethod(_provider)
    gateway = staticmethod(_gateway)
    http = staticmethod(http)
    chat = staticmethod(chat)
    sse = staticmethod(sse)
    delta = staticmethod(delta)

    @staticmethod
    def spec(provider: Provider, **more: object) -> RungSpec:
        return RungSpec.model_validate({"model": "openai:gpt-5-mini", "base_url": provider.url, **more})

    @staticmethod
    def ask(text: str = "hi", **more: object) -> Request:
        return Request(messages=(Message(role="user", text=text),), role="worker", **more)  # type: ignore[arg-type]
