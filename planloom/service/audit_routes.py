"""The audit log of a tenant."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from planloom.core.json import Json
from planloom.service.problems import described
from planloom.service.shapes import AuditPage
from planloom.service.visit import Service, Visit, admits


def add_audit(api: APIRouter, service: Service) -> None:
    """Add the route."""
    audits = admits(service, "audit")

    @api.get("/audit", response_model=AuditPage, responses=described(422), summary="Read the audit log", tags=["audit"])
    async def read_audit(
        visit: Annotated[Visit, Depends(audits)],
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: Annotated[
            int | None, Query(ge=1, le=2**31 - 1, description="`next_before` of the page before.")
        ] = None,
    ) -> JSONResponse:
        """List who did what with the tenant's runs, newest first."""
        found = await visit.runtime.audit.page(visit.caller.tenant, limit, before)
        entries: list[Json] = [{**asdict(entry)} for entry in found]
        return JSONResponse({"entries": entries, "next_before": found[-1].id if len(found) == limit else None})
