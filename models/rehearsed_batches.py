"""The batch API of the rehearsal server: files and batches, each request answered by the script.

Nothing runs in the background: what is done follows from the clock whenever somebody asks. A request takes as long as
its rule's `delay`; one with `hang` or `reset` is not done when the batch's time is over, and that is over as soon as
all others are done, so that nobody has to wait for a day.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Literal, TypeAlias
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from planloom.core.json import Json, JsonObject
from planloom.models.text import loads_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What the script says to one request."""

    status: int
    body: JsonObject
    takes_s: float
    """Infinite for one that is never answered."""


Play: TypeAlias = Callable[[JsonObject, Mapping[str, str], Literal["chat", "responses"]], Played]
_APIS: Mapping[str, Literal["chat", "responses"]] = {"/v1/chat/completions": "chat", "/v1/responses": "responses"}


@dataclass(slots=True, kw_only=True)
class _Batch:
    id: str
    made: JsonObject
    """What it was made from: `input_file_id`, `endpoint`, `completion_window`, `metadata`."""
    played: list[tuple[str, Played]]
    began: float = field(default_factory=time.monotonic)
    created_at: int = field(default_factory=lambda: int(time.time()))
    stopped: float = math.inf
    """When it was cancelled."""

    def status(self, now: float) -> str:
        left = [played for _, played in self.played if not self.done(played, now)]
        if self.stopped <= now:
            return "cancelled"
        if not left:
            return "completed"
        return "expired" if all(math.isinf(played.takes_s) for played in left) else "in_progress"

    def done(self, played: Played, now: float) -> bool:
        return played.takes_s <= min(now, self.stopped) - self.began

    def file(self, kind: str, now: float) -> list[JsonObject]:
        """Return the lines of the file of results (`output`) or of errors (`error`)."""
        return [line for name, line in self._lines(now) if name == kind]

    def _lines(self, now: float) -> Iterator[tuple[str, JsonObject]]:
        for custom_id, played in self.played:
            head: JsonObject = {"id": f"batch_req_{uuid4().hex[:24]}", "custom_id": custom_id}
            if self.done(played, now):
                response: JsonObject = {"status_code": played.status, "request_id": uuid4().hex, "body": played.body}
                yield "output" if played.status < 400 else "error", {**head, "response": response, "error": None}
            else:
                code = f"batch_{self.status(now)}"
                error: JsonObject = {"code": code, "message": "This request was not done when its batch ended."}
                yield "error", {**head, "response": None, "error": error}

    def body(self) -> JsonObject:
        now = time.monotonic()
        status = self.status(now)
        over = status != "in_progress"
        done = [played for _, played in self.played if self.done(played, now)]
        failed = sum(played.status >= 400 for played in done)
        files: JsonObject = {
            f"{kind}_file_id": f"file-{self.id}-{kind}" if over and self.file(kind, now) else None
            for kind in ("output", "error")
        }
        counts: JsonObject = {"total": len(self.played), "completed": len(done) - failed, "failed": failed}
        head: JsonObject = {"id": self.id, "object": "batch", "created_at": self.created_at, "errors": None}
        return {**head, **self.made, **files, "status": status, "request_counts": counts}


class RehearsedBatches:
    """Files and batches of one server.

    Args:
        play: Answers one request: its body, its headers, its API.
    """

    def __init__(self, play: Play) -> None:
        self._play = play
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, _Batch] = {}

    def routes(self) -> list[Route]:
        """Return the routes to them."""
        return [
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{id}/content", self._content),
            Route("/v1/batches", self._create, methods=["POST"]),
            Route("/v1/batches", self._list),
            Route("/v1/batches/{id}", self._get),
            Route("/v1/batches/{id}/cancel", self._cancel, methods=["POST"]),
        ]

    async def _upload(self, request: Request) -> Response:
        fields = _form(await request.body(), request.headers.get("content-type", ""))
        if "file" not in fields or fields.get("purpose") != b"batch":
            return _wrong(400, "expected a form with `file`, and `purpose` batch")
        file_id = f"file-{uuid4().hex[:24]}"
        self._files[file_id] = fields["file"]
        size = len(fields["file"])
        return JSONResponse({"id": file_id, "object": "file", "bytes": size, "purpose": "batch", "status": "processed"})

    async def _content(self, request: Request) -> Response:
        file_id = request.path_params["id"]
        if file_id in self._files:
            return Response(self._files[file_id], media_type="application/octet-stream")
        batch_id, _, kind = file_id.removeprefix("file-").rpartition("-")
        if batch_id not in self._batches:
            return _wrong(404, f"No such File object: {file_id}")
        lines = self._batches[batch_id].file(kind, time.monotonic())
        raw = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return Response(raw, media_type="application/octet-stream")

    async def _create(self, request: Request) -> Response:
        wanted = loads_object((await request.body()).decode("utf-8", "replace")) or {}
        raw, endpoint = self._files.get(str(wanted.get("input_file_id"))), str(wanted.get("endpoint"))
        if raw is None or endpoint not in _APIS or wanted.get("completion_window") != "24h":
            known = ", ".join(_APIS)
            return _wrong(400, f"expected an uploaded `input_file_id`, an `endpoint` of {known}, and 24h")
        made: JsonObject = {key: wanted.get(key) for key in ("input_file_id", "endpoint", "completion_window")}
        made["metadata"] = wanted.get("metadata")
        lines = [loads_object(line.decode("utf-8", "replace")) or {} for line in raw.splitlines() if line.strip()]
        batch = _Batch(id=f"batch_{uuid4().hex[:24]}", made=made, played=[self._played(line) for line in lines])
        self._batches[batch.id] = batch
        return JSONResponse(batch.body())

    def _played(self, line: JsonObject) -> tuple[str, Played]:
        custom_id, body = str(line.get("custom_id", "")), line.get("body")
        given = body if isinstance(body, dict) else {}
        return custom_id, self._play(given, _headers(custom_id), _APIS.get(str(line.get("url")), "chat"))

    async def _list(self, request: Request) -> Response:
        listed: Json = [batch.body() for batch in reversed(self._batches.values())]
        return JSONResponse({"object": "list", "data": listed, "has_more": False})

    async def _get(self, request: Request) -> Response:
        batch = self._batches.get(request.path_params["id"])
        return JSONResponse(batch.body()) if batch else _wrong(404, f"No batch {request.path_params['id']}")

    async def _cancel(self, request: Request) -> Response:
        batch = self._batches.get(request.path_params["id"])
        if batch is None:
            return _wrong(404, f"No batch {request.path_params['id']}")
        batch.stopped = min(batch.stopped, time.monotonic())
        return JSONResponse(batch.body())


def _headers(custom_id: str) -> dict[str, str]:
    """Return who asks: Planloom writes it into the id, because lines have no headers. A stranger's id says nothing."""
    _, *about = custom_id.split(":", 3)
    names = ("x-planloom-role", "x-planloom-attempt", "x-planloom-node")
    return dict(zip(names, about, strict=True)) if len(about) == len(names) else {}


def _form(body: bytes, content_type: str) -> dict[str, bytes]:
    """Return the fields of a multipart form."""
    message = BytesParser(policy=HTTP).parsebytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, bytes] = {}
    for part in message.walk():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content
    return fields


def _wrong(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "rehearsal", "param": None, "code": None}}, status)
