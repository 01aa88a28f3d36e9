"""Workflows as models of OpenAI's chat completions."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import JSONResponse, Response

from planloom.core.json import JsonObject
from planloom.core.plan import RunId
from planloom.core.view import RunView
from planloom.service.chat import about, chunk_of, completion_of, given_in, model_of, usage_chunk_of
from planloom.service.chat_error import answer_of, described, error_of
from planloom.service.chat_shapes import ChatRequest, Completion, Model, ModelList
from planloom.service.conversation import answer_text, inputs_of
from planloom.service.event_routes import EVENTS, EventStream, must_have_room
from planloom.service.following import RUN_ID, Awaited, at_rest, pieces_of, until_rest
from planloom.service.problems import Documented, Problem
from planloom.service.progress import line_of
from planloom.service.route import bounded
from planloom.service.starting import IdempotencyKey, start
from planloom.service.visit import Service, Visit, admits

_STREAMED: Documented = {
    200: {
        "description": "A completion; with `stream`, server-sent events.",
        "model": Completion,
        "content": EVENTS,
    }
}


def add_chat(api: APIRouter, service: Service) -> None:
    """Add the routes."""
    routes = APIRouter(route_class=bounded(service.limits, answer_of))
    _add_models(routes, service)
    _add_completions(routes, service)
    api.include_router(routes)


def _add_models(api: APIRouter, service: Service) -> None:
    reads, since = admits(service, "read"), int(time.time())

    def model(name: str) -> JsonObject:
        return {"id": name, "object": "model", "created": since, "owned_by": "planloom"}

    @api.get("/models", response_model=ModelList, responses=described(), summary="List models", tags=["openai"])
    async def list_models(visit: Annotated[Visit, Depends(reads)]) -> JSONResponse:
        """List the workflows, as OpenAI lists models."""
        return JSONResponse({"object": "list", "data": [model(name) for name in service.workflows]})

    @api.get(
        "/models/{name}", response_model=Model, responses=described(404), summary="Look at a model", tags=["openai"]
    )
    async def get_model(
        name: Annotated[str, Path(description="Name of a workflow.")], visit: Annotated[Visit, Depends(reads)]
    ) -> JSONResponse:
        """Look at a workflow, as OpenAI shows a model."""
        return JSONResponse(model(model_of(service, name).spec.name))


def _add_completions(api: APIRouter, service: Service) -> None:
    runs = admits(service, "run")

    @api.post(
        "/chat/completions",
        response_class=Response,
        responses={**described(400, 404, 409, 413, 422), **_STREAMED},
        summary="Run a workflow as a chat completion",
        tags=["openai"],
    )
    async def create_completion(
        body: ChatRequest,
        visit: Annotated[Visit, Depends(runs)],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Run a workflow with the last message as its text, and answer with its output.

        A run that waits for a person says so in its answer, and `planloom.pending` names what waits.
        """
        workflow = model_of(service, body.model)
        must_have_room(visit)
        inputs = inputs_of(workflow, body.messages, given_in(body.inputs, body.metadata))
        run_id, _ = await start(visit, body.model, inputs, idempotency_key)
        chat = _Chat(visit=visit, run_id=run_id, request=body, keep=idempotency_key is not None)
        if body.stream:
            return EventStream(chat.pieces(), service.limits.send_s, {RUN_ID: run_id})
        return Awaited(chat.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chat:
    """A request and its run."""

    visit: Visit
    run_id: RunId
    request: ChatRequest
    keep: bool

    async def answer(self) -> Response:
        """Wait for the run and return it as one completion."""
        try:
            body = completion_of(await at_rest(self.visit, self.run_id, keep=self.keep), self.request.model)
        except Problem as problem:
            again = {} if self.keep else {"x-should-retry": "false"}  # it would be another run
            problem.headers.update({**again, RUN_ID: self.run_id})
            return answer_of(problem)
        return JSONResponse(body, headers={RUN_ID: self.run_id})

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the run as server-sent events."""
        async with aclosing(pieces_of(self._chunks(), error_of)) as pieces:
            async for piece in pieces:
                yield piece
        yield b"data: [DONE]\n\n"

    async def _chunks(self) -> AsyncGenerator[JsonObject | None]:
        view, model = RunView(), self.request.model
        yield chunk_of(self.run_id, model, {"role": "assistant", "content": ""})
        async with aclosing(until_rest(self.visit, self.run_id, keep=self.keep)) as events:
            async for event in events:
                if event is None:
                    yield None
                    continue
                view.apply(event)
                line = line_of(event)
                if line is not None and self.request.progress != "none":
                    yield chunk_of(self.run_id, model, self._progress(line))
        result = view.result()
        apart = "\n" if self.request.progress == "content" else ""
        yield chunk_of(self.run_id, model, {"content": apart + answer_text(result)})
        yield {**chunk_of(self.run_id, model, {}, "stop"), "planloom": about(result)}
        if self.request.stream_options is not None and self.request.stream_options.include_usage:
            yield usage_chunk_of(result, model)

    def _progress(self, line: str) -> JsonObject:
        name = "reasoning_content" if self.request.progress == "reasoning" else "content"
        return {name: f"{line}\n"}
