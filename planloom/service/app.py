"""The app of `planloom serve`: the router, and problems for what no route takes."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.service.caller import Authenticate
from planloom.service.catalogue import catalogue_of
from planloom.service.limits import Limits
from planloom.service.metrics import Metrics
from planloom.service.metrics_route import add_metrics
from planloom.service.pages import ui
from planloom.service.problems import install
from planloom.service.routes import router
from planloom.service.runtime import lifespan, runtime_of
from planloom.service.visit import Service
from planloom.service.webhooks import Webhooks

if TYPE_CHECKING:
    from planloom.service.mcp_http import McpEndpoint

_ABOUT = """Start runs of workflows, follow them as they happen, answer what waits for a human.

Errors are problem documents (RFC 9457). Tenants see their own runs and nothing of others.
"""


def make_app(
    engine: Engine,
    workflows: Iterable[Workflow | Path | str] = (),
    *,
    auth: Authenticate,
    limits: Limits | None = None,
    drain_s: float = 20.0,
    metrics: Metrics | None = None,
    webhooks: Webhooks | None = None,
) -> FastAPI:
    """Return the whole app; arguments as those of `router` and `lifespan`; `metrics` observes the engine."""
    catalogue = catalogue_of(workflows)
    limits = limits or Limits()
    service = Service(engine=engine, workflows=catalogue, authenticate=auth, limits=limits)
    mcp = _mcp(service)

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncGenerator[None]:
        ours = lifespan(engine, limits=limits, drain_s=drain_s, webhooks=webhooks)
        async with ours(app), mcp.alive() if mcp else nullcontext():
            yield

    app = FastAPI(
        title="Planloom",
        description=_ABOUT,
        version=version("planloom"),
        lifespan=alive,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(router(engine, catalogue.values(), auth=auth, limits=limits))
    if mcp is not None:
        app.router.routes.append(Route("/mcp", mcp))
    install(app)
    if metrics is not None:
        add_metrics(app, metrics, service)
    app.mount("/ui", ui())

    @app.get("/", include_in_schema=False)
    async def first_page() -> RedirectResponse:
        return RedirectResponse("ui/")

    @app.get("/healthz", include_in_schema=False)
    async def health(request: Request) -> JSONResponse:
        runtime = runtime_of(request.app, engine)
        draining = runtime is not None and runtime.draining
        return JSONResponse({"status": "draining" if draining else "ok"}, 503 if draining else 200)

    return app


def _mcp(service: Service) -> "McpEndpoint | None":
    """Return the endpoint of MCP clients, where its SDK is installed."""
    if find_spec("mcp") is None:
        return None
    from planloom.service.mcp_http import McpEndpoint

    return McpEndpoint(service)
