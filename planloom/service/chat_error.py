"""Errors as OpenAI's clients read them."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from planloom.core.json import JsonObject
from planloom.service.chat_shapes import ErrorEnvelope
from planloom.service.problems import Documented, Problem

_KINDS: Mapping[str, tuple[str, str | None]] = {
    "unauthorized": ("invalid_request_error", "invalid_api_key"),
    "forbidden": ("permission_error", "forbidden"),
    "not-found": ("invalid_request_error", None),
    "too-many-requests": ("rate_limit_error", "rate_limit_exceeded"),
    "budget-spent": ("insufficient_quota", "insufficient_quota"),
    "internal": ("server_error", "internal"),
    "unavailable": ("server_error", "unavailable"),
    "timeout": ("server_error", "timeout"),
}


def error_of(problem: Problem) -> JsonObject:
    """Return the body of an error; the first fault of a request is its `param`."""
    kind, code = _KINDS.get(problem.code, ("invalid_request_error", problem.code.replace("-", "_")))
    faults = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in problem.errors if fault.detail)
    first = problem.errors[0].pointer.lstrip("/").replace("/", ".") if problem.errors else None
    message = f"{problem.detail} {faults}".strip()
    return {"error": {"message": message, "type": kind, "param": first, "code": code}}


def answer_of(problem: Problem) -> Response:
    """Write an error; a request that does not fit is 400 here, and a client is told what to try again."""
    status = 400 if (problem.status, problem.code) == (422, "invalid") else problem.status
    again = status in (409, 429, 503) and problem.code != "budget-spent"
    headers = {"x-should-retry": "true" if again else "false", **problem.headers}
    return JSONResponse(error_of(problem), status, headers)


def described(*statuses: int) -> Documented:
    """Return the OpenAPI responses of a route that may end so."""
    always = (401, 403, 429, 500, 503, 504)
    return {
        status: {"description": HTTPStatus(status).phrase, "model": ErrorEnvelope}
        for status in sorted({*always, *statuses})
    }
