"""Calls collected into a provider's batches: an HTTP transport that answers from the results.

Requests are built and replies read by the wire of a plain call; only the way between the two is another one.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
import httpx2

from planloom.configs.batch import BatchSpec
from planloom.core.errors import PlanloomError
from planloom.core.outcome import FailureKind
from planloom.models.base import BatchNews, Desk, Mode, Reply, Request, Ticket
from planloom.models.batch_api import BatchApi, BatchState
from planloom.models.batch_file import line_of
from planloom.models.faults import Fault
from planloom.models.rung import Wire

MOST_CALLS = 2_000
"""Of one batch. Providers take more; the results of this many fit under the cap of one reply's bytes."""
MOST_BYTES = 100_000_000
_TRIES = 5
_CANCEL_S = 10.0
_UNREACHED = (httpx2.HTTPError, aiohttp.ClientError, OSError, EOFError)
_ResultT = TypeVar("_ResultT")


@dataclass(slots=True, eq=False)
class _Call:
    ticket: Ticket
    request: httpx2.Request
    line: bytes
    answer: "asyncio.Future[httpx2.Response]"
    batch: "_Batch"

    def settle(self, answer: httpx2.Response | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


@dataclass(slots=True, eq=False)
class _Batch:
    name: str
    api: BatchApi
    id: str = ""
    asked_for: bool = False
    """The provider may know of it."""
    calls: dict[str, _Call] = field(default_factory=dict[str, _Call])
    size: int = 0
    full: asyncio.Event = field(default_factory=asyncio.Event)
    told: tuple[str, int] = ("", 0)
    kept: bool = False
    """A later process will ask for it."""
    task: "asyncio.Task[None] | None" = None


class BatchTransport(httpx2.AsyncBaseTransport):
    """Puts what is posted into batches, and answers it from their results.

    A batch is watched as long as somebody waits for it: when the last one leaves it is cancelled, at the provider as
    well, unless a later process is to find it.

    Args:
        client: Leads to the provider.
        spec: How batches are made and watched.
        tasks: Group that owns the watching.
    """

    def __init__(self, client: httpx2.AsyncClient, spec: BatchSpec, tasks: asyncio.TaskGroup) -> None:
        self.tickets: dict[str, Ticket] = {}
        """Of calls that are about to be posted, by call."""
        self.blamed: set[str] = set()
        """Calls whose fault stands for their whole batch, one of each batch that could not be made or fetched."""
        self._client = client
        self._spec = spec
        self._tasks = tasks
        self._collecting: _Batch | None = None
        self._batches: dict[str, _Batch] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Wait for the answer to one request.

        Raises:
            Fault: There is none.
        """
        await request.aread()
        ticket = self.tickets[request.headers["x-planloom-call"]]
        api = BatchApi(self._client, request)
        batch = self._found(ticket, api) if ticket.batch else self._open(api)
        line = line_of(ticket.call, api.endpoint, request)
        call = _Call(ticket, request, line, asyncio.get_running_loop().create_future(), batch)
        self._add(call, batch)
        try:
            return await call.answer
        except asyncio.CancelledError:
            await self._leave(call)
            raise
        finally:
            call.batch.calls.pop(ticket.call, None)

    def _found(self, ticket: Ticket, api: BatchApi) -> _Batch:
        """Return the batch in which an earlier process left a call."""
        if ticket.batch not in self._batches:
            self._begin(_Batch(ticket.batch, api, id=ticket.batch_id, asked_for=True), self._known)
        return self._batches[ticket.batch]

    def _open(self, api: BatchApi) -> _Batch:
        """Return the batch that is being collected."""
        if self._collecting is None:
            self._collecting = _Batch(uuid.uuid4().hex, api)
            self._begin(self._collecting, self._made)
        return self._collecting

    def _begin(self, batch: _Batch, start: Callable[[_Batch], Awaitable[BatchState | None]]) -> None:
        self._batches[batch.name] = batch
        batch.task = self._tasks.create_task(self._carry(batch, start), name=f"batch {batch.name}")

    def _add(self, call: _Call, batch: _Batch) -> None:
        call.batch = batch
        batch.calls[call.ticket.call] = call
        batch.size += len(call.line)
        if len(batch.calls) >= MOST_CALLS or batch.size >= MOST_BYTES:
            batch.full.set()
            self._close(batch)

    def _close(self, batch: _Batch) -> None:
        if self._collecting is batch:
            self._collecting = None

    async def _leave(self, call: _Call) -> None:
        """Forget a call that nobody waits for any more, and with the last one the batch."""
        batch = call.batch
        batch.calls.pop(call.ticket.call, None)
        batch.kept = batch.kept or call.ticket.desk.leaving
        if batch.calls or self._batches.pop(batch.name, None) is None:
            return
        self._close(batch)
        if batch.task is not None:
            batch.task.cancel()
        if batch.asked_for and not batch.kept:
            with suppress(TimeoutError, Fault, *_UNREACHED):
                async with asyncio.timeout(_CANCEL_S):
                    await self._cancel(batch)

    @staticmethod
    async def _cancel(batch: _Batch) -> None:
        state = await (batch.api.state(batch.id) if batch.id else batch.api.find(batch.name))
        if state is not None and not state.over:
            await batch.api.cancel(state.id)

    async def _carry(self, batch: _Batch, start: Callable[[_Batch], Awaitable[BatchState | None]]) -> None:
        """See a batch through to its end; what goes wrong ends in those who wait for it."""
        try:
            state = await start(batch)
            if state is None:
                self._ask_anew(batch)
            else:
                await self._watch(batch, state)
        except (Fault, PlanloomError, *_UNREACHED) as exc:
            self.blamed |= set(list(batch.calls)[:1])
            for call in list(batch.calls.values()):
                call.settle(exc)
        finally:
            self._close(batch)
            self._batches.pop(batch.name, None)

    async def _made(self, batch: _Batch) -> BatchState:
        """Collect calls for a while, then make a batch of them; its name is journaled before the provider hears it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._spec.window):
                await batch.full.wait()
        self._close(batch)
        await self._tell(batch, BatchState(id="", status="collected", total=len(batch.calls)))
        batch.asked_for = True
        lines = [call.line for call in batch.calls.values()]
        file_id = await self._tried(lambda: batch.api.upload(batch.name, lines))

        async def create() -> BatchState:
            # The reply to an earlier try may have been lost, and the batch be there.
            return await batch.api.find(batch.name) or await batch.api.create(batch.name, file_id)

        try:
            return await batch.api.create(batch.name, file_id)
        except (Fault, *_UNREACHED) as exc:
            if isinstance(exc, Fault) and not exc.retry:
                raise
            return await self._tried(create)

    async def _known(self, batch: _Batch) -> BatchState | None:
        """Find the batch of an earlier process; `None` if that was stopped before the provider heard of it."""
        if batch.id:
            return await self._tried(lambda: batch.api.state(batch.id))
        return await self._tried(lambda: batch.api.find(batch.name))

    def _ask_anew(self, batch: _Batch) -> None:
        for call in list(batch.calls.values()):
            self._add(call, self._open(batch.api))

    async def _tried(self, ask: Callable[[], Awaitable[_ResultT]]) -> _ResultT:
        """Ask the provider, some times over where it may pass."""
        for tries in range(_TRIES - 1):
            try:
                return await ask()
            except (Fault, *_UNREACHED) as exc:
                if isinstance(exc, Fault) and not exc.retry:
                    raise
            await asyncio.sleep(min(self._spec.poll, 2.0**tries))
        return await ask()

    async def _watch(self, batch: _Batch, state: BatchState) -> None:
        batch.id = state.id
        while not state.over:
            await self._tell(batch, state)
            await asyncio.sleep(self._spec.poll)
            with suppress(*_UNREACHED):
                state = await self._stands(batch, state)
        await self._tell(batch, state)
        answers = await self._tried(lambda: batch.api.answers(state))
        for name, call in list(batch.calls.items()):
            call.settle(answers.get(name) or _lacking(state))

    @staticmethod
    async def _stands(batch: _Batch, last: BatchState) -> BatchState:
        try:
            return await batch.api.state(batch.id)
        except Fault as fault:
            if not fault.retry:
                raise
            return last

    async def _tell(self, batch: _Batch, state: BatchState) -> None:
        """Let every caller know how the batch stands, if that is news.

        A run that cannot write it down is out of the batch; the others are not.

        Raises:
            PlanloomError: None of them could.
        """
        if batch.told == (state.status, state.done):
            return
        batch.told = (state.status, state.done)
        desks: dict[Desk, list[Ticket]] = {}
        for call in batch.calls.values():
            desks.setdefault(call.ticket.desk, []).append(call.ticket)
        news = BatchNews(
            batch=batch.name,
            batch_id=state.id,
            status=state.status,
            done=state.done,
            total=state.total or len(batch.calls),
        )
        for desk, tickets in desks.items():
            try:
                await desk.tell(news, tickets)
            except PlanloomError as exc:
                for ticket in tickets:
                    if (left := batch.calls.pop(ticket.call, None)) is not None:
                        left.settle(exc)
                if not batch.calls:
                    raise


def _lacking(state: BatchState) -> Fault:
    """Return the fault of a call that the files of an ended batch say nothing of."""
    if state.status == "failed":
        return Fault(
            FailureKind.REJECTED, f"the batch {state.id} was not taken on: {state.errors or 'no reason given'}"
        )
    return Fault(FailureKind.TIMEOUT, f"the batch {state.id} ended as {state.status} without an answer to this request")


class BatchWire:
    """A wire whose requests go through batches: a `Wire` over the transport that they are posted to."""

    def __init__(self, wire: Wire, transport: BatchTransport) -> None:
        self._wire = wire
        self._transport = transport

    async def reply(self, request: Request, mode: Mode) -> Reply:
        """Return the whole reply, hours later.

        Raises:
            Fault: There is none. That of a line in a batch that came back is no sign that the provider is down.
        """
        ticket = request.ticket
        if ticket is None:
            raise Fault(FailureKind.REJECTED, "only nodes ask a model with `batch`: their calls are found again later")
        self._transport.tickets[ticket.call] = ticket
        try:
            return await self._wire.reply(request, mode)
        except Fault as fault:
            blamed = ticket.call in self._transport.blamed
            raise fault if blamed or not fault.down else fault.spare() from None
        finally:
            self._transport.blamed.discard(ticket.call)
            del self._transport.tickets[ticket.call]

    async def stream(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        """Yield the whole text, then the reply."""
        reply = await self.reply(request, mode)
        if reply.text:
            yield reply.text
        yield reply
