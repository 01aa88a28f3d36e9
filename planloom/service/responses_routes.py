"""Workflows as models of OpenAI's Responses API."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response

from planloom.core import events as ev
from planloom.core.json import JsonObject
from planloom.core.plan import RunId
from planloom.core.view import RunView
from planloom.service.answering import reply
from planloom.service.chat import given_in, model_of
from planloom.service.chat_error import answer_of, described
from planloom.service.chat_shapes import Message
from planloom.service.conversation import answer_text, inputs_of
from planloom.service.deed_routes import cancel
from planloom.service.event_routes import EVENTS, EventStream, must_have_room
from planloom.service.following import RUN_ID, Awaited, pieces_of, tell, until_rest
from planloom.service.problems import Documented, Fault, Problem
from planloom.service.responses import PREFIX, Telling
from planloom.service.responses_shapes import ResponseRequest, ResponseShape
from planloom.service.route import bounded
from planloom.service.starting import IdempotencyKey, start
from planloom.service.visit import Service, Visit, admits

_STREAMED: Documented = {
    200: {
        "description": "A response; with `stream`, server-sent events.",
        "model": ResponseShape,
        "content": EVENTS,
    }
}
_MESSAGES = TypeAdapter(list[Message])
_ResponseId = Annotated[str, Path(description=f"`{PREFIX}` and the id of a run.")]


def add_responses(api: APIRouter, service: Service) -> None:
    """Add the routes."""
    routes = APIRouter(route_class=bounded(service.limits, answer_of))
    _add_create(routes, service)
    _add_look(routes, service)
    api.include_router(routes)


def _add_create(api: APIRouter, service: Service) -> None:
    reads = admits(service, "read")

    @api.post(
        "/responses",
        response_class=Response,
        responses={**described(400, 404, 409, 413, 422), **_STREAMED},
        summary="Run a workflow as a response",
        tags=["openai"],
    )
    async def create_response(
        body: ResponseRequest, visit: Annotated[Visit, Depends(reads)], idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Run a workflow, or answer what one of its runs waits for, and answer with what it comes to.

        A run that waits for a person has items `mcp_approval_request` in its output; items `mcp_approval_response`
        answer them, and the run goes on. That needs a role that may approve, a new run one that may run.
        """
        model_of(service, body.model)
        must_have_room(visit)
        items = body.input if isinstance(body.input, list) else []
        replies = [item.reply for item in items if item.reply is not None]
        if replies:
            await visit.must_be_let("approve")
            run_id, past = await reply(visit, body.model, replies)
        else:
            await visit.must_be_let("run")
            run_id, past = (await start(visit, body.model, await _inputs(visit, body), idempotency_key)).run_id, []
        keep = idempotency_key is not None or bool(body.background)
        telling = Telling(run_id=run_id, model=body.model)
        answering = _Answering(visit=visit, run_id=run_id, telling=telling, past=past, keep=keep)
        if body.stream:
            pieces = pieces_of(answering.events(), telling.error_of, named=True)
            return EventStream(pieces, service.limits.send_s, {RUN_ID: run_id})
        return await answering.now() if body.background else Awaited(answering.answer)


def _add_look(api: APIRouter, service: Service) -> None:
    reads, runs = admits(service, "read"), admits(service, "run")

    @api.get(
        "/responses/{response_id}",
        response_class=Response,
        responses={**described(400, 404), **_STREAMED},
        summary="Look at a response",
        tags=["openai"],
    )
    async def get_response(
        response_id: _ResponseId,
        visit: Annotated[Visit, Depends(reads)],
        stream: Annotated[bool, Query(description="Follow it until it is at rest.")] = False,
        starting_after: Annotated[int, Query(ge=-1, description="`sequence_number` of the last event seen.")] = -1,
    ) -> Response:
        """Return a run as it stands, or stream it from its beginning; it goes on when the client leaves."""
        run_id = await _run_of(visit, response_id)
        if not stream:
            return JSONResponse(await _stands(visit, run_id))
        must_have_room(visit)
        model = RunView(await visit.history(run_id)).name
        telling = Telling(run_id=run_id, model=model)
        answering = _Answering(visit=visit, run_id=run_id, telling=telling, past=[], keep=True)
        pieces = pieces_of(_behind(answering.events(), starting_after), telling.error_of, named=True)
        return EventStream(pieces, service.limits.send_s, {RUN_ID: run_id})

    @api.post(
        "/responses/{response_id}/cancel",
        response_model=ResponseShape,
        responses=described(404, 409),
        summary="Cancel a response",
        tags=["openai"],
    )
    async def cancel_response(response_id: _ResponseId, visit: Annotated[Visit, Depends(runs)]) -> JSONResponse:
        """Stop a run and all it does."""
        run_id = await _run_of(visit, response_id)
        await cancel(visit, RunView(await visit.history(run_id)))
        return JSONResponse(await _stands(visit, run_id))


async def _behind(events: AsyncGenerator[JsonObject | None], number: int) -> AsyncGenerator[JsonObject | None]:
    async with aclosing(events):
        async for event in events:
            seen = None if event is None else event["sequence_number"]
            if not isinstance(seen, int) or seen > number:
                yield event


async def _run_of(visit: Visit, response_id: str) -> RunId:
    try:
        return await visit.run(response_id.removeprefix(PREFIX) if response_id.startswith(PREFIX) else "")
    except Problem:
        raise Problem(404, "not-found", "There is no such response.") from None


async def _stands(visit: Visit, run_id: RunId) -> JsonObject:
    telling = Telling(run_id=run_id, model="")
    telling.take(await visit.history(run_id))
    telling.model = telling.view.name
    return telling.response()


async def _inputs(visit: Visit, body: ResponseRequest) -> JsonObject:
    said = await _before(visit, body.previous_response_id) if body.previous_response_id else []
    if body.instructions:
        said.insert(0, Message(role="developer", content=body.instructions))
    items = [Message(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    messages = [item for item in items if isinstance(item, Message) or item.type == "message"]
    given = given_in(body.inputs, body.metadata)
    return inputs_of(visit.service.workflow(body.model), [*said, *messages], given, "/input")


async def _before(visit: Visit, response_id: str) -> list[Message]:
    """Return the conversation of an earlier run with its answer, as far as the run was given it."""
    try:
        run_id = await _run_of(visit, response_id)
    except Problem as exc:  # as OpenAI's own answer: 400, for it is the request that names it
        fault = Fault(pointer="/previous_response_id", detail="")
        raise Problem(400, "previous-response-not-found", exc.detail, errors=[fault]) from None
    view = RunView(await visit.history(run_id))
    if view.status in ("running", "waiting"):
        raise Problem(409, "conflict", f"{response_id} has not come to its answer yet.")
    try:
        said = _MESSAGES.validate_python(view.inputs.get("messages", []))
    except ValidationError as exc:
        raise Problem(409, "conflict", f"{response_id} was not given a conversation.") from exc
    return [*said, Message(role="assistant", content=answer_text(view.result()))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answering:
    """A request and its run."""

    visit: Visit
    run_id: RunId
    telling: Telling
    past: Sequence[ev.AnyEvent]
    keep: bool

    async def now(self) -> Response:
        """Return the run as it stands."""
        return JSONResponse(await _stands(self.visit, self.run_id), headers={RUN_ID: self.run_id})

    async def answer(self) -> Response:
        """Wait for the run and return it as one response."""
        try:
            async with aclosing(self.events()) as events:
                async for _ in events:
                    pass
        except Problem as problem:
            again = {} if self.keep else {"x-should-retry": "false"}  # it would be another run
            problem.headers.update({**again, RUN_ID: self.run_id})
            return answer_of(problem)
        return JSONResponse(self.telling.response(), headers={RUN_ID: self.run_id})

    def events(self) -> AsyncGenerator[JsonObject | None]:
        """Return what a stream tells, until the run is at rest."""
        self.telling.take(self.past)
        following = until_rest(self.visit, self.run_id, after=len(self.past), keep=self.keep)
        return tell(self.telling.begun(), self.telling, following)
