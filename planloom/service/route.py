"""What every route of the service does around its work: bounds of size and time, errors as problems."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from planloom.service.limits import Limits
from planloom.service.problems import Problem, as_problem, response_of

_log = logging.getLogger("planloom.service")


def bounded(limits: Limits, answer: Callable[[Problem], Response] = response_of) -> type[APIRoute]:
    """Return a class of routes that hold to these limits.

    Args:
        limits: Bounds of size and time.
        answer: Writes a problem, for protocols that have errors of their own.
    """

    class BoundedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            work = super().get_route_handler()

            async def handle(request: Request) -> Response:
                return await _handled(work, request, limits, answer)

            return handle

    return BoundedRoute


async def _handled(
    work: Callable[[Request], Awaitable[Response]],
    request: Request,
    limits: Limits,
    answer: Callable[[Problem], Response],
) -> Response:
    deadline = asyncio.timeout(limits.request_s)
    try:
        small = Request(request.scope, _receiver(request, limits.body_bytes))
        async with deadline:
            return await work(small)
    except Exception as exc:
        problem = as_problem(exc.__cause__ if isinstance(exc.__cause__, Problem) else exc)  # wrapped by FastAPI
        if isinstance(exc, TimeoutError) and deadline.expired():
            problem = Problem(504, "timeout", f"No answer within {limits.request_s:g} s.")
        if problem is None:
            _log.exception("%s %s failed", request.method, request.url.path)
            problem = Problem(500, "internal", "The service has failed; its log says why.")
        return answer(problem)


def _receiver(request: Request, most_bytes: int) -> Receive:
    seen = 0

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen > most_bytes:
            raise Problem(413, "too-large", f"A request may have at most {most_bytes} bytes.")
        return message

    return receive
