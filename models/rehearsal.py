"""The rehearsal server: OpenAI's API, answered from a script. It never pretends to be a model."""

import asyncio
import json
import math
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from planloom.core.json import Json, JsonObject
from planloom.models.rehearsed_batches import Played, RehearsedBatches
from planloom.models.rehearsed_vectors import embeddings_body
from planloom.models.script import Asked, Rule, Script, Streaming
from planloom.models.stage import Line, Stage, Unscripted
from planloom.models.text import loads_object
from planloom.models.wire import Api, ChatWriter, ResponsesWriter, read_asked, split

KEPT_REQUESTS = 10_000
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream", "cache-control": "no-cache"}


def rehearsal_app(script: Script) -> Starlette:
    """Return the server for a script.

    `POST /v1/chat/completions`, `POST /v1/responses`, `POST /v1/embeddings`, `GET /v1/models`, and the batch API under
    `/v1/files` and `/v1/batches`; `GET /requests` returns
    what was asked so far, the last 10,000, also as `app.state.requests`. Embeddings need no rule: they count letters. A
    rule for the role `embedding` can delay them or answer with an HTTP status.
    """
    stage = Stage(script)
    for_vectors = Stage(script.model_copy(update={"rules": _for_vectors(script)}))
    requests: deque[JsonObject] = deque(maxlen=KEPT_REQUESTS)

    async def chat(request: Request) -> Response:
        return await _answer(request, stage, requests, "chat")

    async def responses(request: Request) -> Response:
        return await _answer(request, stage, requests, "responses")

    async def embeddings(request: Request) -> Response:
        return await _embed(request, for_vectors, requests)

    def play(body: JsonObject, headers: Mapping[str, str], api: Api) -> Played:
        return _played(body, _noted(body, headers, requests, api), stage, api)

    async def models(request: Request) -> Response:
        listed: Json = [{"id": "rehearsal", "object": "model", "created": 0, "owned_by": "planloom"}]
        return JSONResponse({"object": "list", "data": listed})

    async def asked(request: Request) -> Response:
        return JSONResponse(list(requests))

    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/responses", responses, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/v1/models", models),
        Route("/requests", asked),
        *RehearsedBatches(play).routes(),
    ]
    app = Starlette(routes=routes)
    app.state.requests = requests
    return app


async def serve_rehearsal(
    script: Script, host: str = "127.0.0.1", port: int = 8001, *, listening: socket.socket | None = None
) -> None:
    """Serve a script until cancelled or interrupted; a socket that listens already goes before host and port."""
    import uvicorn

    config = uvicorn.Config(rehearsal_app(script), host=host, port=port, log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve(None if listening is None else [listening])


async def _answer(request: Request, stage: Stage, requests: deque[JsonObject], api: Api) -> Response:
    arrived = asyncio.get_running_loop().time()
    body = loads_object((await request.body()).decode("utf-8", "replace"))
    if not body:
        return _error(400, "the request's body is not a JSON object", None)
    asked = _noted(body, request.headers, requests, api)
    try:
        line = stage.answer(asked).under(_cap(body))
    except Unscripted as exc:
        return _error(400, str(exc), "unscripted")
    rule = line.rule
    if rule.delay:
        await asyncio.sleep(arrived + rule.delay - asyncio.get_running_loop().time())
    if rule.status is not None:
        return _refusal(rule, rule.status)
    writer = _writer(line, asked, api)
    if rule.hang:
        return _Pieces(200, _JSON, _forever())
    if body.get("stream"):
        options = body.get("stream_options")
        usage = isinstance(options, dict) and options.get("include_usage") is True
        return _Pieces(200, _EVENTS, _events(writer, rule, usage=usage), whole=not rule.reset)
    return await _whole(writer, rule)


def _played(body: JsonObject, asked: Asked, stage: Stage, api: Api) -> Played:
    """Answer a request of a batch."""
    try:
        line = stage.answer(asked).under(_cap(body))
    except Unscripted as exc:
        return Played(status=400, body=_error_body(str(exc), "unscripted"), takes_s=0.0)
    rule = line.rule
    takes_s = math.inf if rule.hang or rule.reset else (rule.delay or 0.0) + (rule.stream.over or 0.0)
    if rule.status is not None or rule.broken:
        return Played(status=rule.status or 500, body=_error_body(rule.error, rule.code), takes_s=takes_s)
    return Played(status=200, body=_writer(line, asked, api).body(), takes_s=takes_s)


def _writer(line: Line, asked: Asked, api: Api) -> ChatWriter | ResponsesWriter:
    return (ChatWriter if api == "chat" else ResponsesWriter)(line, f"rehearsal/{asked.model}")


def _noted(body: JsonObject, headers: Mapping[str, str], requests: deque[JsonObject], api: Api) -> Asked:
    asked = read_asked(body, headers, api)
    who: JsonObject = {"role": asked.role, "node": asked.node, "attempt": asked.attempt, "model": asked.model}
    where: JsonObject = {"member": asked.member, "round": asked.round} if asked.round else {}
    requests.append({**who, **where, "body": body})
    return asked


def _refusal(rule: Rule, status: int) -> Response:
    headers = {"retry-after": str(rule.retry_after)} if rule.retry_after is not None else {}
    return _error(status, rule.error, rule.code, headers)


def _for_vectors(script: Script) -> tuple[Rule, ...]:
    return tuple(rule for rule in script.rules if rule.when.role == "embedding")


async def _embed(request: Request, stage: Stage, requests: deque[JsonObject]) -> Response:
    body = loads_object((await request.body()).decode("utf-8", "replace")) or {}
    given = body.get("input")
    texts = [str(text) for text in given] if isinstance(given, list) else [str(given or "")]
    if not texts or not all(texts):
        return _error(400, "`input` must be a text, or a list of texts, none of them empty", None)
    asked = _noted(body, request.headers, requests, "chat").model_copy(
        update={"role": "embedding", "texts": tuple(texts)}
    )
    with suppress(Unscripted):
        rule = stage.answer(asked).rule
        await asyncio.sleep(rule.delay or 0)
        if rule.status is not None:
            return _refusal(rule, rule.status)
    return JSONResponse(embeddings_body(texts, f"rehearsal/{asked.model}"))


def _cap(body: JsonObject) -> int | None:
    caps = (body.get(key) for key in ("max_completion_tokens", "max_tokens", "max_output_tokens"))
    return next((cap for cap in caps if isinstance(cap, int)), None)


def _error(status: int, message: str, code: str | None, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(_error_body(message, code), status, headers)


def _error_body(message: str, code: str | None) -> JsonObject:
    return {"error": {"message": message, "type": "rehearsal", "param": None, "code": code}}


async def _whole(writer: ChatWriter | ResponsesWriter, rule: Rule) -> Response:
    if rule.stream.over:
        await asyncio.sleep(rule.stream.over)
    raw = json.dumps(writer.body(), ensure_ascii=False).encode()
    if rule.reset:
        return _Pieces(200, _JSON, _one(raw[: len(raw) // 2]), whole=False)
    return Response(raw[: len(raw) // 2] if rule.broken else raw, headers=_JSON)


async def _events(writer: ChatWriter | ResponsesWriter, rule: Rule, *, usage: bool) -> AsyncIterator[bytes]:
    for event in writer.head():
        yield event
    async for piece in _spread(writer.text, rule):
        for event in writer.piece(piece):
            yield event
    if rule.broken:
        yield b'data: {"id": "broken", "choices": [{"index"\n\n'
    elif not rule.reset:
        for event in writer.tail(usage=usage):
            yield event


async def _spread(text: str, rule: Rule) -> AsyncIterator[str]:
    """Yield the text in pieces over time; only the first half of them when the rule breaks it off."""
    pieces = pieces_of(text, rule.stream)
    if rule.broken or rule.reset:
        pieces = pieces[: max(1, len(pieces) // 2)]
    pause = rule.stream.over / (len(pieces) - 1) if rule.stream.over and len(pieces) > 1 else 0.0
    for number, piece in enumerate(pieces):
        if pause and number:
            await asyncio.sleep(pause)
        yield piece


def pieces_of(text: str, stream: Streaming) -> list[str]:
    """Cut a text as the rule wants it streamed."""
    if stream.sizes is None:
        return split(text, stream.chunks or 8)
    pieces: list[str] = []
    at = 0
    for size in stream.sizes:
        pieces.append(text[at : at + size])
        at += size
    return [piece for piece in (*pieces, text[at:]) if piece]


async def _one(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


async def _forever() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


class _Pieces(Response):
    """Sends pieces as they come and stops when the client leaves; `whole=False` drops the connection."""

    def __init__(
        self, status: int, headers: dict[str, str], pieces: AsyncIterator[bytes], *, whole: bool = True
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self.init_headers(headers)
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self._pieces = pieces
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(send))
            watching = group.create_task(_left(receive, sending))
            sending.add_done_callback(lambda _: watching.cancel())

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self._whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive, sending: "asyncio.Task[None]") -> None:
    """Stop the sending once the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    sending.cancel()
