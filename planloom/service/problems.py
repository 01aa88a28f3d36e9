"""Errors as RFC 9457 problem details; nothing else leaves the service when something is wrong."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal, TypeAlias

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from planloom.core.errors import ConfigError, PlanloomError, RunError
from planloom.core.json import JsonObject
from planloom.state.store import JournalError

MEDIA_TYPE = "application/problem+json"
Code: TypeAlias = Literal[
    "bad-request",
    "unauthorized",
    "forbidden",
    "not-found",
    "model-not-found",
    "previous-response-not-found",
    "method-not-allowed",
    "conflict",
    "too-large",
    "range-not-satisfiable",
    "invalid",
    "idempotency-key-reused",
    "too-many-requests",
    "budget-spent",
    "run-failed",
    "internal",
    "unavailable",
    "timeout",
]


class Fault(BaseModel):
    """One thing wrong in a request."""

    model_config = ConfigDict(extra="forbid")
    pointer: str = Field(description="JSON pointer into the body, or the name of a parameter.")
    detail: str


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(description="`urn:planloom:problem:` and a code that does not change.")
    title: str
    status: int
    detail: str = ""
    errors: list[Fault] = Field(default=[], description="Every fault of the request that was found.")


class Problem(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: int,
        code: Code,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        super().__init__(detail)


Documented: TypeAlias = dict[int | str, dict[str, object]]
"""Responses of a route by status, as the OpenAPI document has them."""
_CODES: Mapping[int, Code] = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    416: "range-not-satisfiable",
    422: "invalid",
    500: "internal",
    429: "too-many-requests",
    503: "unavailable",
    504: "timeout",
}


def as_problem(exc: Exception) -> Problem | None:
    """Return what an expected error is to a caller; `None` for a bug."""
    match exc:
        case Problem():
            return exc
        case RequestValidationError():
            return Problem(422, "invalid", "The request does not fit.", errors=[_fault(item) for item in exc.errors()])
        case HTTPException():
            code = _CODES.get(exc.status_code, "internal" if exc.status_code >= 500 else "bad-request")
            return Problem(exc.status_code, code, str(exc.detail), headers=exc.headers)
        case ConfigError():
            errors = [Fault(pointer=_pointer(item.field), detail=item.message) for item in exc.problems]
            return Problem(422, "invalid", "The workflow or its inputs must be mended first.", errors=errors)
        case JournalError():
            return Problem(503, "unavailable", "The journal cannot be reached.", headers={"Retry-After": "5"})
        case RunError():
            return Problem(409, "conflict", str(exc))
        case PlanloomError():
            return Problem(422, "invalid", str(exc))
        case _:
            return None


def _fault(item: Mapping[str, object]) -> Fault:
    place = str(item.get("loc", "")).strip("()").replace("'", "").replace(",", " ").split()
    where = ["", *place[1:]] if place[:1] == ["body"] else place[1:]
    return Fault(pointer="/".join(where), detail=str(item.get("msg", "")))


def _pointer(field: str) -> str:
    return "/" + re.sub(r"\[(\d+)\]", r"/\1", field).replace(".", "/") if field else ""


def response_of(problem: Problem) -> Response:
    """Write a problem."""
    details = ProblemDetails(
        type=f"urn:planloom:problem:{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        errors=list(problem.errors),
    )
    content: JsonObject = details.model_dump(mode="json", exclude_defaults=True)
    return JSONResponse(content, problem.status, problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer with problem documents where no route was reached: 404, 405 and bugs."""

    async def answer(request: Request, exc: Exception) -> Response:
        problem = as_problem(exc) or Problem(500, "internal", "The service has failed; its log says why.")
        if problem.status == 405:
            problem.headers["Allow"] = ", ".join(sorted(_methods_at(app, request)))
        return response_of(problem)

    for kind in (HTTPException, RequestValidationError, Problem, Exception):
        app.add_exception_handler(kind, answer)


def _methods_at(app: FastAPI, request: Request) -> set[str]:
    found: set[str] = set()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in app.routes):
            found.add(method)
    return found


def described(*statuses: int) -> Documented:
    """Return the OpenAPI responses of a route that may end so."""
    always = (401, 403, 429, 500, 503, 504)
    return {status: _described(status) for status in sorted({*always, *statuses})}


def _described(status: int) -> dict[str, object]:
    example = {
        "type": f"urn:planloom:problem:{_CODES[status]}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": "What is wrong, in words.",
    }
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        "description": HTTPStatus(status).phrase,
        "model": ProblemDetails,
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }
