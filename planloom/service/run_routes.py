"""Runs: start one, list them, look at one."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from planloom.core.events import Status
from planloom.core.json import Json, JsonObject
from planloom.core.plan import RunId
from planloom.service.catalogue import request_of
from planloom.service.problems import described
from planloom.service.record import record_of, summary_json
from planloom.service.shapes import RunPage, RunRecord, RunRequest, RunStartedShape
from planloom.service.starting import IdempotencyKey, start
from planloom.service.visit import Service, Visit, admits
from planloom.state.owners import Place

_CURSOR = r"^([0-9]{1,12}(\.[0-9]{1,9})?~[0-9A-Za-z-]{1,64})?$"
_ROUNDS = 10
"""Pages of runs that are looked through for one page of an answer."""

_FOLLOWING = ("get_run", "follow_run", "cancel_run", "resume_run", "approve_run")
_LINKS = {name: {"operationId": name, "parameters": {"run_id": "$response.body#/run_id"}} for name in _FOLLOWING}


def add_runs(api: APIRouter, service: Service) -> None:
    """Add the routes."""
    _add_create(api, service)
    _add_list(api, service)
    _add_get(api, service)


def _add_create(api: APIRouter, service: Service) -> None:
    runs = admits(service, "run")
    content = {"application/json": request_of(service.workflows)}

    @api.post(
        "/runs",
        status_code=202,
        response_model=RunStartedShape,
        responses={
            **described(400, 404, 409, 413, 422),
            200: {"model": RunStartedShape, "description": "The run of this key is there already.", "links": _LINKS},
            202: {"model": RunStartedShape, "description": "The run has begun.", "links": _LINKS},
        },
        openapi_extra={"requestBody": {"content": content}},
        summary="Start a run",
        tags=["runs"],
    )
    async def create_run(
        body: RunRequest,
        visit: Annotated[Visit, Depends(runs)],
        idempotency_key: IdempotencyKey = None,
    ) -> JSONResponse:
        """Start a run of a workflow and return its id at once; follow it at `/v1/runs/{run_id}/events`."""
        run_id, replayed = await start(visit, body.workflow, body.inputs, idempotency_key)
        headers = {"Location": visit.place_of(run_id)} | ({"Idempotency-Replayed": "true"} if replayed else {})
        return JSONResponse({"run_id": run_id, "workflow": body.workflow}, 200 if replayed else 202, headers)


def _add_list(api: APIRouter, service: Service) -> None:
    reads = admits(service, "read")

    @api.get("/runs", response_model=RunPage, responses=described(422), summary="List runs", tags=["runs"])
    async def list_runs(
        visit: Annotated[Visit, Depends(reads)],
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str, Query(pattern=_CURSOR, description="`next_cursor` of the page before.")] = "",
        status: Annotated[Status | None, Query(description="Only runs that stand so.")] = None,
        workflow: Annotated[str, Query(max_length=200, description="Only runs of this workflow.")] = "",
        find: Annotated[str, Query(max_length=200, description="Only runs with this in their id or workflow.")] = "",
    ) -> JSONResponse:
        """List the tenant's runs, newest first. A page may be short; go on while there is a `next_cursor`."""
        wanted = _Wanted(status, workflow, find.casefold())
        found = await _listed(visit, limit, _read(cursor), wanted)
        return JSONResponse({"runs": found.lines, "next_cursor": found.cursor})


def _add_get(api: APIRouter, service: Service) -> None:
    reads = admits(service, "read")

    @api.get(
        "/runs/{run_id}", response_model=RunRecord, responses=described(404), summary="Look at a run", tags=["runs"]
    )
    async def get_run(run_id: str, visit: Annotated[Visit, Depends(reads)]) -> JSONResponse:
        """Return a run as it stands: plan, nodes, attempts with evidence, decisions, cost, and what waits."""
        found = await visit.run(run_id)
        live = await visit.live(found)
        return JSONResponse(record_of(await visit.history(found), live=live))


class _Wanted(NamedTuple):
    """Which runs are asked for; what is empty takes all."""

    status: Status | None
    workflow: str
    words: str

    def takes(self, line: JsonObject) -> bool:
        return (
            self.status in (None, line["status"])
            and self.workflow in ("", line["workflow"])
            and self.words in f"{line['run_id']} {line['workflow']}".casefold()
        )


class _Listed(NamedTuple):
    lines: list[Json]
    cursor: str | None


async def _listed(visit: Visit, limit: int, after: Place | None, wanted: _Wanted) -> _Listed:
    """Look through the tenant's runs, a bounded number of them, until the page is full."""
    lines: list[Json] = []
    for _ in range(_ROUNDS):
        places = await visit.runtime.owners.page(visit.caller.tenant, limit, after)
        found = await visit.runtime.engine.journal.summaries([place.run_id for place in places])
        known = {run.run_id: summary_json(run) for run in found}
        for place in places:
            after, line = place, known.get(place.run_id)
            if line and wanted.takes(line):
                lines.append(line)
                if len(lines) == limit:
                    return _Listed(lines, _write(place))
        if len(places) < limit:
            return _Listed(lines, None)
    return _Listed(lines, None if after is None else _write(after))


def _write(place: Place) -> str:
    return f"{place.at!r}~{place.run_id}"


def _read(cursor: str) -> Place | None:
    at, _, run_id = cursor.partition("~")
    return Place(float(at), RunId(run_id)) if cursor else None
