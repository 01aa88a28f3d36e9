"""Following a run until it comes to rest, for protocols in which one request is one run."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Protocol

from anyio import CancelScope
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from planloom.core import events as ev
from planloom.core.json import JsonObject
from planloom.core.plan import RunId
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.service.caller import unauthorized
from planloom.service.event_routes import HEARTBEAT, as_data, left
from planloom.service.problems import Problem
from planloom.service.tail import events_in
from planloom.service.visit import Visit

RUN_ID = "x-planloom-run-id"
"""Header of an answer that tells which run it is of."""
_log = logging.getLogger("planloom.service")


async def until_rest(
    visit: Visit, run_id: RunId, *, after: int = 0, keep: bool = False
) -> AsyncGenerator[ev.AnyEvent | None]:
    """Yield a run's events, past ones first, until it is over or waits; `None` when nothing came for a while.

    Args:
        visit: Who follows.
        run_id: A run of theirs.
        after: Leave out this many events from the start.
        keep: Let the run go on when nobody follows to its end; it is cancelled else, and can be resumed.

    Raises:
        Problem: 503, the process is about to end, or the journal is away; 401, the caller is not let in any more.
    """
    rested = False
    try:
        with visit.runtime.stream(visit.caller.tenant):
            async with aclosing(_followed(visit, run_id, after)) as followed:
                async for event in followed:
                    rested = isinstance(event, ev.RunEnded)
                    yield event
        if not rested and not await visit.holds():
            raise unauthorized("The key or token does not open anything any more.")
        if not rested:
            detail = f"Run {run_id} cannot be followed here any more; it goes on when the process is up again."
            raise Problem(503, "unavailable", detail, headers={"Retry-After": "5"})
    finally:
        if not rested and not keep:
            with CancelScope(shield=True):  # where anyio cancels, it cancels every further wait as well
                await _leave(visit, run_id)


async def at_rest(visit: Visit, run_id: RunId, *, keep: bool) -> RunResult:
    """Follow a run until it is over or waits, and return its record; arguments and errors as those of `until_rest`."""
    view = RunView()
    async with aclosing(until_rest(visit, run_id, keep=keep)) as events:
        async for event in events:
            if event is not None:
                view.apply(event)
    return view.result()


async def _followed(visit: Visit, run_id: RunId, after: int) -> AsyncGenerator[ev.AnyEvent | None]:
    latest = await visit.runtime.engine.journal.latest(run_id)
    known, number = (latest.seq if latest is not None else 0), after
    async with aclosing(visit.follow(run_id, after)) as followed:
        async for piece in followed:
            if piece is None:
                yield None
                continue
            for event in events_in(piece):
                number += 1
                ended = isinstance(event, ev.RunEnded) and number >= known  # earlier ends were only pauses
                if ended and visit.runtime.draining:
                    return
                if ended or not isinstance(event, ev.RunEnded):
                    yield event
                if ended:
                    return


async def _leave(visit: Visit, run_id: RunId) -> None:
    handle = visit.runtime.engine.at_work(run_id)
    if handle is None or visit.runtime.draining:
        return
    _log.info("run %s is cancelled: its caller is gone", run_id)
    await visit.note("run.cancel", run_id, {"because": "its caller is gone"})
    await visit.runtime.owners.want(run_id, wanted=False)
    await handle.cancel()


class Telling(Protocol):
    """Tells a run in the words of a protocol."""

    def told(self, event: ev.AnyEvent) -> list[JsonObject]:
        """Return what an event tells."""
        ...

    def ended(self) -> list[JsonObject]:
        """Return how a run at rest ends."""
        ...


async def tell(
    begun: Iterable[JsonObject], telling: Telling, events: AsyncGenerator[ev.AnyEvent | None]
) -> AsyncGenerator[JsonObject | None]:
    """Yield what a client is told of a run.

    Args:
        begun: How it begins.
        telling: Tells the rest.
        events: The run, followed until it is at rest.
    """
    for item in begun:
        yield item
    async with aclosing(events):
        async for event in events:
            if event is None:
                yield None
                continue
            for item in telling.told(event):
                yield item
    for item in telling.ended():
        yield item


async def pieces_of(
    chunks: AsyncGenerator[JsonObject | None], error_of: Callable[[Problem], JsonObject], *, named: bool = False
) -> AsyncGenerator[bytes]:
    """Write what a protocol tells of a run as server-sent events; a problem on the way ends them as the protocol says.

    Args:
        chunks: What is told; `None` when nothing came for a while.
        error_of: Tells a problem.
        named: Give each event the name that is its `type`.
    """
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield HEARTBEAT if chunk is None else as_data(chunk, named=named)
    except Problem as problem:
        yield as_data(error_of(problem), named=named)


class Awaited(Response):
    """A response that takes as long as a run does; the work on it is cancelled when the client leaves."""

    def __init__(self, make: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the response and send it."""
        async with asyncio.TaskGroup() as group:
            making = group.create_task(self._made())
            leaving = group.create_task(left(receive))
            await asyncio.wait({making, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not making.done():
                making.cancel()
        if not making.cancelled():
            await making.result()(scope, receive, send)

    async def _made(self) -> Response:
        return await self._make()
