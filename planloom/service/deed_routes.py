"""What callers do to a run: cancel it, take it up again, answer what waits."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from planloom.core.view import RunView
from planloom.service.answering import answer
from planloom.service.problems import Problem, described
from planloom.service.shapes import ApproveRequest, RunStartedShape
from planloom.service.starting import take_up
from planloom.service.visit import Service, Visit, admits

_CORRECTED = Query(
    description="Under the workflow as the server has it now, in place of the run's own copy. What is done under the "
    "same words is kept."
)


def add_deeds(api: APIRouter, service: Service) -> None:
    """Add the routes."""
    _add_cancel(api, service)
    _add_resume(api, service)
    _add_approve(api, service)


def _add_cancel(api: APIRouter, service: Service) -> None:
    runs = admits(service, "run")

    @api.post(
        "/runs/{run_id}/cancel",
        status_code=202,
        response_model=RunStartedShape,
        responses=described(404, 409),
        summary="Cancel a run",
        tags=["runs"],
    )
    async def cancel_run(run_id: str, visit: Annotated[Visit, Depends(runs)]) -> JSONResponse:
        """Stop a run and all it does, within seconds. What is committed is kept, and the run can be resumed."""
        view = RunView(await visit.history(await visit.run(run_id)))
        await cancel(visit, view)
        return _accepted(visit, view)


def _add_resume(api: APIRouter, service: Service) -> None:
    runs = admits(service, "run")

    @api.post(
        "/runs/{run_id}/resume",
        status_code=202,
        response_model=RunStartedShape,
        responses=described(404, 409, 422),
        summary="Resume a run",
        tags=["runs"],
    )
    async def resume_run(
        run_id: str, visit: Annotated[Visit, Depends(runs)], corrected: Annotated[bool, _CORRECTED] = False
    ) -> JSONResponse:
        """Go on with a run that was cancelled, failed, or lost its process. What is committed is not done again."""
        found = await visit.run(run_id)
        view = RunView(await visit.history(found))
        if view.status == "done":
            raise Problem(409, "conflict", "The run is done.")
        workflow = visit.service.workflow(view.name) if corrected else None
        await visit.note("run.resume", found, {"corrected": corrected})
        await take_up(visit, found, workflow=workflow)
        return _accepted(visit, view)


def _add_approve(api: APIRouter, service: Service) -> None:
    approves = admits(service, "approve")

    @api.post(
        "/runs/{run_id}/approve",
        status_code=202,
        response_model=RunStartedShape,
        responses=described(400, 404, 409, 413, 422),
        summary="Answer what waits",
        tags=["runs"],
    )
    async def approve_run(
        run_id: str, body: ApproveRequest, visit: Annotated[Visit, Depends(approves)]
    ) -> JSONResponse:
        """Answer what waits for a human, as `pending` of the run shows it; the run goes on.

        An answer is bound to what was shown: when that has changed meanwhile, nothing is answered (409).
        """
        found = await visit.run(run_id)
        view = RunView(await visit.history(found))
        await answer(visit, view, body.answers)
        return _accepted(visit, view)


def _accepted(visit: Visit, view: RunView) -> JSONResponse:
    return JSONResponse({"run_id": view.run_id, "workflow": view.name}, 202, {"Location": visit.place_of(view.run_id)})


async def cancel(visit: Visit, view: RunView) -> None:
    """Stop a run and all it does, within seconds where another server is at work on it.

    Raises:
        Problem: 409, it is over already, or a process that is no server is at work on it.
    """
    if view.status not in ("running", "waiting"):
        raise Problem(409, "conflict", f"The run is {view.status} already.")
    await visit.note("run.cancel", view.run_id)
    told = await visit.runtime.owners.want(view.run_id, wanted=False)
    handle = visit.runtime.engine.at_work(view.run_id)
    if handle is None and await visit.live(view.run_id):
        if not told:
            raise Problem(409, "conflict", "A process that is no server is at work on the run.")
        return  # the server that is at work on it sees that it is not wanted any more
    if handle is None:  # it waits, or was cut off: it says so in the journal that it is cancelled
        handle = await visit.runtime.engine.reopen(view.run_id)
    await handle.cancel()
