"""The app of `planloom serve`: the router, and problems for what no route takes."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse

from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.service.caller import Authenticate
from planloom.service.limits import Limits
from planloom.service.pages import ui
from planloom.service.problems import install
from planloom.service.routes import router
from planloom.service.runtime import Runtime, lifespan

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
) -> FastAPI:
    """Return the whole app; arguments as those of `router` and `lifespan`."""
    app = FastAPI(
        title="Planloom",
        description=_ABOUT,
        version=version("planloom"),
        lifespan=lifespan(engine, drain_s=drain_s),
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(router(engine, workflows, auth=auth, limits=limits))
    install(app)
    app.mount("/ui", ui())

    @app.get("/", include_in_schema=False)
    async def first_page() -> RedirectResponse:
        return RedirectResponse("ui/")

    @app.get("/healthz", include_in_schema=False)
    async def health(request: Request) -> JSONResponse:
        runtime = request.app.state.planloom
        draining = isinstance(runtime, Runtime) and runtime.draining
        return JSONResponse({"status": "draining" if draining else "ok"}, 503 if draining else 200)

    return app
