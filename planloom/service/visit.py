"""One request of someone known: what they may see, and what they may do."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from fastapi import Request

from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.json import JsonObject
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.service.caller import Authenticate, Caller, Permission
from planloom.service.limits import Limits
from planloom.service.problems import Problem
from planloom.service.runtime import Runtime, runtime_of
from planloom.service.standing import CHECK_S
from planloom.service.tail import Piece
from planloom.state.quotas import Quota

_RUN_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a router was made with."""

    engine: Engine
    workflows: Mapping[str, Workflow]
    authenticate: Authenticate
    limits: Limits

    def runtime(self, request: Request) -> Runtime:
        """Return what is alive.

        Raises:
            RuntimeError: The app was not given the lifespan of the same engine.
        """
        found = runtime_of(request.app, self.engine)
        if found is None:
            raise RuntimeError(
                "enter planloom.service.lifespan(engine)(app) with this engine, and with the app that has the router: "
                "a mounted app's own lifespan is never entered"
            )
        return found

    def workflow(self, name: str) -> Workflow:
        """Return a workflow.

        Raises:
            Problem: 404, there is none of that name.
        """
        if name not in self.workflows:
            raise Problem(404, "not-found", "There is no workflow of that name; GET /v1/workflows lists them.")
        return self.workflows[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request that has been let in."""

    service: Service
    runtime: Runtime
    caller: Caller
    quota: Quota
    method: str
    path: str
    root: str = ""
    """What stands before `/v1` in the addresses that the client uses: the router's prefix, mounts, a proxy's path."""

    async def run(self, run_id: str) -> RunId:
        """Return a run of the caller's tenant.

        Raises:
            Problem: 404, there is none of that id, or it is another tenant's: the two cannot be told apart.
        """
        if not _RUN_ID.fullmatch(run_id) or not await self.runtime.owners.owns(self.caller.tenant, run_id):
            raise Problem(404, "not-found", "There is no such run.")
        return RunId(run_id)

    def place_of(self, run_id: str) -> str:
        """Return the path of a run, for a header `Location`."""
        return f"{self.root}/v1/runs/{run_id}"

    async def history(self, run_id: RunId) -> list[ev.AnyEvent]:
        """Return the events of a run that `run` has let through."""
        return await self.runtime.engine.journal.events(run_id)

    async def live(self, run_id: RunId) -> bool:
        """Tell whether a process is at work on a run."""
        found = await self.runtime.engine.journal.summaries([run_id])
        return any(run.live for run in found)

    async def holds(self) -> bool:
        """Tell whether the caller would still be let in; what is known may be seconds old."""
        caller = self.caller
        if caller.expires_at is not None and caller.expires_at <= time.time():
            return False
        return not caller.key_id or await self.runtime.standing.holds(caller.key_id)

    async def follow(self, run_id: RunId, after: int) -> AsyncGenerator[Piece | None]:
        """Yield what comes in a run after a number, until it is over or the caller would not be let in any more.

        `None` says that nothing came for a while.
        """
        loop, heartbeat_s = asyncio.get_running_loop(), self.service.limits.heartbeat_s
        said_at = loop.time()
        async with aclosing(self.runtime.tails.follow(run_id, after, min(heartbeat_s, CHECK_S))) as pieces:
            async for piece in pieces:
                if not await self.holds():
                    return
                if piece is not None or loop.time() - said_at >= heartbeat_s:
                    said_at = loop.time()
                    yield piece

    async def note(self, action: str, target: str, detail: JsonObject | None = None) -> None:
        """Write down in the audit log what is about to be done."""
        caller = self.caller
        await self.runtime.audit.note(
            tenant=caller.tenant, actor=caller.name, action=action, target=target, detail=detail or {}
        )

    async def must_be_let(self, permission: Permission) -> None:
        """Refuse what the caller's role does not allow, and write that down.

        Raises:
            Problem: 403.
        """
        if not self.caller.may(permission):
            await self.note("denied", self.path[:200], {"method": self.method, "needs": permission})
            raise Problem(403, "forbidden", f"The role {self.caller.role} does not allow to {permission}.")

    def must_be_up(self) -> None:
        """Refuse work while the process is about to end.

        Raises:
            Problem: 503.
        """
        if self.runtime.draining:
            raise Problem(503, "unavailable", "This process is about to end.", headers={"Retry-After": "5"})


def admits(service: Service, permission: Permission) -> Callable[[Request], Awaitable[Visit]]:
    """Return the dependency of a route that needs a permission."""

    async def admit(request: Request) -> Visit:
        runtime = service.runtime(request)
        limits = service.limits
        caller = await runtime.logins.let(request, runtime.keys, service.authenticate, limits.failed_logins_per_minute)
        quota = await runtime.accounts.quotas.of(caller.tenant)
        runtime.rates.take(caller.tenant, quota.requests_per_minute or limits.requests_per_minute)
        visit = Visit(
            service=service,
            runtime=runtime,
            caller=caller,
            quota=quota,
            method=request.method,
            path=request.url.path,
            root=_root(request),
        )
        await visit.must_be_let(permission)
        return visit

    return admit


def _root(request: Request) -> str:
    mounted, path = str(request.scope.get("root_path", "")).rstrip("/"), request.url.path
    whole = path if path.startswith(f"{mounted}/") else mounted + path  # servers differ in whether the path has it
    return whole.rpartition("/v1/")[0]
