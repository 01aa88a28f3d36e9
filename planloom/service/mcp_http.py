"""Workflows as MCP tools over streamable HTTP, for the callers of the service."""

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from planloom.core import events as ev
from planloom.core.errors import RunError
from planloom.core.json import JsonObject
from planloom.core.plan import RunId
from planloom.service.event_routes import must_have_room
from planloom.service.following import until_rest
from planloom.service.mcp_tools import Context, server_of
from planloom.service.problems import Problem, as_problem, response_of
from planloom.service.starting import start, take_up
from planloom.service.visit import Service, Visit, admits

_VISIT = "planloom.visit"


class McpEndpoint:
    """An ASGI app that offers the workflows of a service as MCP tools; `alive` must be entered while it serves.

    Args:
        service: Whose workflows, callers and limits.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._admit = admits(service, "read")
        self._sessions: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def alive(self) -> AsyncGenerator[None]:
        """Keep sessions."""
        limits = self._service.limits
        self._sessions = StreamableHTTPSessionManager(
            server_of(self._service.workflows, _Runs()),
            max_request_body_size=limits.body_bytes,
            max_sessions=limits.max_streams,
        )
        try:
            async with self._sessions.run():
                yield
        finally:
            self._sessions = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a caller in and serve the request."""
        if self._sessions is None:
            raise RuntimeError("enter McpEndpoint.alive() in the lifespan of the app")
        if scope["method"] == "GET":  # nothing is ever said unasked, so no stream is kept open for it
            await Response(status_code=405, headers={"Allow": "POST, DELETE"})(scope, receive, send)
            return
        try:
            visit = await self._admit(Request(scope, receive))
        except Exception as exc:
            problem = as_problem(exc)
            if problem is None:
                raise
            await response_of(problem)(scope, receive, send)
            return
        known = {_VISIT: visit, "user": _user(visit)}
        await self._sessions.handle_request({**scope, **known}, receive, send)


def _user(visit: Visit) -> AuthenticatedUser:
    """Return whom a session belongs to: the SDK lets nobody else use it."""
    who = f"{visit.caller.tenant}/{visit.caller.name}"
    return AuthenticatedUser(AccessToken(token="", client_id=who, scopes=[]))


class _Runs:
    """The runs of whoever sends the request."""

    async def begin(self, context: Context, name: str, inputs: JsonObject) -> str:
        """Start a run for the caller."""
        visit = _visit(context)
        with _told_as_run_error():
            await visit.must_be_let("run")
            must_have_room(visit)
            return (await start(visit, name, inputs, None)).run_id

    async def history(self, context: Context, run_id: str) -> list[ev.AnyEvent]:
        """Return the events of a run of the caller's tenant."""
        visit = _visit(context)
        with _told_as_run_error():
            return await visit.history(await visit.run(run_id))

    async def resume(self, context: Context, run_id: str) -> None:
        """Go on with what was cut off."""
        visit = _visit(context)
        with _told_as_run_error():
            await visit.must_be_let("run")
            must_have_room(visit)
            await visit.note("run.resume", run_id)
            await take_up(visit, RunId(run_id))

    async def follow(self, context: Context, run_id: str, after: int) -> AsyncGenerator[ev.AnyEvent | None]:
        """Follow a run that one of the other methods has let through."""
        with _told_as_run_error():
            async with aclosing(until_rest(_visit(context), RunId(run_id), after=after)) as events:
                async for event in events:
                    yield event


def _visit(context: Context) -> Visit:
    request = context.request
    visit = request.scope[_VISIT] if isinstance(request, Request) else None
    if not isinstance(visit, Visit):
        raise RuntimeError("the request did not come through McpEndpoint")
    return visit


@contextmanager
def _told_as_run_error() -> Generator[None]:
    try:
        yield
    except Problem as problem:
        raise RunError(problem.detail) from problem
