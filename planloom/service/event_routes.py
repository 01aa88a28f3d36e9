"""The events of a run, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from planloom.core.json import JsonObject
from planloom.core.plan import RunId
from planloom.service.problems import Documented, Fault, Problem, described
from planloom.service.tail import is_over
from planloom.service.visit import Service, Visit, admits

HEARTBEAT = b": still here\n\n"
_HEADERS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_EXAMPLE = (
    'id: 7\ndata: {"type":"NodeCommitted","at":1795620021.5,"node_id":"draft","plan_version":1,'
    '"input_digest":"5d1f0c3b8a7e6f42","output":"...","attempt":1,"reused":false}\n\n'
)

_NUMBER = {"id": {"type": "string", "description": "Number of the event in its run."}}
_DATA = {"data": {"type": "string", "contentMediaType": "application/json"}}
_DOCUMENTED: Documented = {
    200: {
        "description": "Server-sent events.",
        "content": {
            "text/event-stream": {
                "itemSchema": {"type": "object", "properties": {**_NUMBER, **_DATA}},
                "example": _EXAMPLE,
            }
        },
    },
    204: {"description": "The run is over and there is nothing after that event: do not ask again."},
}

EVENTS = {"text/event-stream": {"itemSchema": {"type": "object", "properties": _DATA, "required": ["data"]}}}
"""How the document describes server-sent events without numbers."""


def as_data(data: JsonObject, *, named: bool = False) -> bytes:
    """Write an object as a server-sent event without a number; a named one has its `type` for a name."""
    name = f"event: {data.get('type')}\n" if named else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode(errors="replace")


class EventStream(Response):
    """A response of server-sent events that leaves a client which takes nothing."""

    media_type = "text/event-stream"

    def __init__(self, pieces: AsyncGenerator[bytes], send_s: float, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers={**_HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._pieces = pieces
        self._send_s = send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pieces until they end or the client is gone."""
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(send))
            leaving = group.create_task(left(receive))
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()
            leaving.cancel()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async with aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(self._send_s):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (OSError, TimeoutError):
            return  # the client is gone, or takes nothing
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def left(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def add_events(api: APIRouter, service: Service) -> None:
    """Add the route."""
    reads = admits(service, "read")

    @api.get(
        "/runs/{run_id}/events",
        response_class=Response,
        responses={**described(404, 409, 422), **_DOCUMENTED},
        summary="Follow a run",
        tags=["runs"],
    )
    async def follow_run(
        run_id: str,
        visit: Annotated[Visit, Depends(reads)],
        last_event_id: Annotated[
            int, Header(ge=0, le=2**31 - 1, description="Number of the last event seen; the stream goes on after it.")
        ] = 0,
    ) -> Response:
        """Stream a run's events, past ones first, each once and in order, until the run is over.

        The id of an event is its number in the run; its data is a JSON object with its `type`. A stream stays open
        while the run waits for a human. It may end earlier: go on with `Last-Event-ID`, as browsers do by themselves.
        """
        found = await visit.run(run_id)
        must_have_room(visit)
        latest = await visit.runtime.engine.journal.latest(found)
        if latest is not None and last_event_id > latest.seq:
            fault = Fault(pointer="Last-Event-ID", detail=f"the last event has the number {latest.seq}")
            raise Problem(409, "conflict", "The run has no such event.", errors=[fault])
        if latest is not None and last_event_id == latest.seq and await is_over(visit.runtime.owners, found, latest):
            return Response(status_code=204)
        return EventStream(_pieces(visit, found, last_event_id), visit.service.limits.send_s)


def must_have_room(visit: Visit) -> None:
    """Refuse one stream more than fits.

    Raises:
        Problem: 429 for the tenant, 503 for the process.
    """
    visit.must_be_up()
    streams, limits = visit.runtime.streams, visit.service.limits
    if streams[visit.caller.tenant] >= limits.max_streams_of_tenant:
        detail = f"At most {limits.max_streams_of_tenant} streams at the same time."
        raise Problem(429, "too-many-requests", detail, headers={"Retry-After": "5"})
    if streams.total() >= limits.max_streams:
        raise Problem(503, "unavailable", "As many streams as fit are open.", headers={"Retry-After": "5"})


async def _pieces(visit: Visit, run_id: RunId, seq: int) -> AsyncGenerator[bytes]:
    limits, loop = visit.service.limits, asyncio.get_running_loop()
    ends_at = loop.time() + limits.stream_s
    with visit.runtime.stream(visit.caller.tenant):
        yield b"retry: 1000\n\n"
        async with aclosing(visit.follow(run_id, seq)) as followed:
            async for piece in followed:
                yield HEARTBEAT if piece is None else piece.data
                if loop.time() > ends_at:
                    return
