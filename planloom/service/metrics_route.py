"""`GET /metrics`, for whoever runs the server."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from planloom.service.metrics import Metrics
from planloom.service.problems import Problem
from planloom.service.visit import Service
from planloom.state.owners import LOCAL


def add_metrics(app: FastAPI, metrics: Metrics, service: Service) -> None:
    """Add the route. The numbers are those of all tenants together, so no other tenant's admin may read them."""

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics(request: Request) -> Response:
        runtime, most = service.runtime(request), service.limits.failed_logins_per_minute
        caller = await runtime.logins.let(request, runtime.keys, service.authenticate, most)
        if caller.role != "admin" or caller.tenant != LOCAL:
            raise Problem(403, "forbidden", f"Only an admin of the tenant {LOCAL} may read the server's numbers.")
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
