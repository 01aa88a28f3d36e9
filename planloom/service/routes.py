"""The router: everything under `/v1`."""

from collections.abc import Iterable
from pathlib import Path

from fastapi import APIRouter, Depends
from fastapi.security import HTTPBearer

from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.service.ag_ui_routes import add_ag_ui
from planloom.service.artifact_routes import add_artifacts
from planloom.service.audit_routes import add_audit
from planloom.service.caller import Authenticate, api_keys
from planloom.service.catalogue import catalogue_of
from planloom.service.chat_routes import add_chat
from planloom.service.deed_routes import add_deeds
from planloom.service.event_routes import add_events
from planloom.service.limits import Limits
from planloom.service.quality_routes import add_quality
from planloom.service.responses_routes import add_responses
from planloom.service.route import bounded
from planloom.service.run_routes import add_runs
from planloom.service.visit import Service
from planloom.service.workflow_routes import add_workflows


def router(
    engine: Engine,
    workflows: Iterable[Workflow | Path | str] = (),
    *,
    auth: Authenticate = api_keys,
    limits: Limits | None = None,
) -> APIRouter:
    """Return the routes of a service, for an app whose lifespan enters `lifespan(engine)`.

    Args:
        engine: Runs the workflows.
        workflows: What callers may run: workflows, files, or folders of files.
        auth: Tells who asks; `anyone()` for an app that has found that out already.
        limits: Sizes, times, and how much at the same time.

    Raises:
        ConfigError: A workflow must be mended first, or two have the same name.
    """
    limits = limits or Limits()
    service = Service(engine=engine, workflows=catalogue_of(workflows), authenticate=auth, limits=limits)
    scheme = HTTPBearer(auto_error=False, description="A key from `planloom keys create`, or a token.")
    api = APIRouter(
        prefix="/v1",
        route_class=bounded(limits),
        dependencies=[Depends(scheme)],
        generate_unique_id_function=lambda route: route.name,
    )
    runs = (add_workflows, add_runs, add_events, add_deeds, add_artifacts, add_audit, add_quality)
    for add in (*runs, add_chat, add_responses, add_ag_ui):
        add(api, service)
    return api
