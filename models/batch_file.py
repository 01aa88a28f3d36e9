"""The files of OpenAI's batch API: requests as JSON lines, results as JSON lines."""

import json
from collections.abc import Iterator

import httpx2

from planloom.core.json import Json, JsonObject
from planloom.core.outcome import FailureKind
from planloom.models.faults import Fault
from planloom.models.text import is_mapping, loads_object

_ID_CHARS = 64
"""What OpenAI takes as a `custom_id`."""
_NOT_DONE = ("batch_expired", "batch_cancelled")


def line_of(call: str, endpoint: str, request: httpx2.Request) -> bytes:
    """Return a request as a line of the file; its `custom_id` says which call it is, and for people what of."""
    headers = request.headers
    about = [headers.get(f"x-planloom-{name}", "") for name in ("role", "attempt", "node")]
    line: JsonObject = {
        "custom_id": ":".join([call, *about])[:_ID_CHARS],
        "method": "POST",
        "url": endpoint,
        "body": loads_object(request.content.decode()) or {},
    }
    return json.dumps(line, ensure_ascii=False).encode()


def answers_in(raw: bytes) -> Iterator[tuple[str, httpx2.Response | Fault]]:
    """Yield what a file of results or errors holds: the id of each call, and its answer as if it had come at once."""
    for text in raw.split(b"\n"):
        line = loads_object(text.decode("utf-8", "replace")) or {}
        call = str(line.get("custom_id", "")).partition(":")[0]
        if call:
            yield call, _answer(line)


def _answer(line: JsonObject) -> httpx2.Response | Fault:
    response, error = line.get("response"), line.get("error")
    if is_mapping(response) and isinstance(status := response.get("status_code"), int):
        body: Json = line["response"]
        return httpx2.Response(status, json=body.get("body") if isinstance(body, dict) else None)
    code = str(error.get("code", "")) if is_mapping(error) else ""
    message = str(error.get("message", "")) if is_mapping(error) else "the batch's files hold no answer"
    if code in _NOT_DONE:
        return Fault(FailureKind.TIMEOUT, f"not done when its batch ended: {message} [{code}]")
    return Fault(FailureKind.TRANSPORT, f"the batch could not answer this request: {message} [{code}]")
