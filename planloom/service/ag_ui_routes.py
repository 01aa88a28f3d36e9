"""Workflows as agents of AG-UI, the protocol of user interfaces for agents."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from planloom.core.json import Json, JsonObject
from planloom.service.ag_ui_events import Telling, error_of
from planloom.service.ag_ui_shapes import AgentInput
from planloom.service.answering import reply
from planloom.service.conversation import inputs_of
from planloom.service.event_routes import EVENTS, EventStream, must_have_room
from planloom.service.following import RUN_ID, pieces_of, tell, until_rest
from planloom.service.problems import Documented, Fault, Problem, described
from planloom.service.starting import IdempotencyKey, start
from planloom.service.visit import Service, Visit, admits

_STREAMED: Documented = {
    200: {
        "description": "Events of AG-UI 1.0, as server-sent events.",
        "content": EVENTS,
    }
}


def add_ag_ui(api: APIRouter, service: Service) -> None:
    """Add the route."""
    reads = admits(service, "read")

    @api.post(
        "/ag-ui/{name}",
        response_class=Response,
        responses={**described(400, 404, 409, 413, 422), **_STREAMED},
        summary="Run a workflow as an AG-UI agent",
        tags=["ag-ui"],
    )
    async def run_agent(
        name: Annotated[str, Path(description="Name of a workflow.")],
        body: AgentInput,
        visit: Annotated[Visit, Depends(reads)],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Run a workflow, or answer what one of its runs waits for, and stream what follows as AG-UI's events.

        A new run needs a role that may run, an answer one that may approve. With an `Idempotency-Key` the run goes on
        when the client leaves.
        """
        service.workflow(name)
        must_have_room(visit)
        if body.resume:
            await visit.must_be_let("approve")
            run_id, past = await reply(visit, name, [entry.reply for entry in body.resume])
        else:
            await visit.must_be_let("run")
            run_id, past = (await start(visit, name, _inputs(visit, name, body), idempotency_key)).run_id, []
        telling = Telling(thread_id=body.thread_id, run_id=body.run_id)
        following = until_rest(visit, run_id, after=len(past), keep=idempotency_key is not None)
        told = tell(telling.started(past), telling, following)
        return EventStream(pieces_of(told, error_of), service.limits.send_s, {RUN_ID: run_id})


def _inputs(visit: Visit, name: str, body: AgentInput) -> JsonObject:
    props = body.forwarded_props if isinstance(body.forwarded_props, dict) else {}
    named = props.get("inputs", {})
    if not isinstance(named, dict):
        fault = Fault(pointer="/forwardedProps/inputs", detail="expected an object")
        raise Problem(422, "invalid", "The request does not fit.", errors=[fault])
    workflow = visit.service.workflow(name)
    found = inputs_of(workflow, body.messages, named)
    spec = workflow.spec.inputs.get("context")
    if spec is not None and spec.type == "array" and "context" not in found:
        context: list[Json] = [{"description": item.description, "value": item.value} for item in body.context or ()]
        found["context"] = context
    return found
