"""The meter: every model call is reserved, journaled, made and settled, in this order."""

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace

from planloom.core import events as ev
from planloom.core.errors import BudgetExceeded, ModelError
from planloom.core.outcome import FailureKind, Usage
from planloom.core.plan import NodeId
from planloom.graphs.desk import RunDesk
from planloom.models.base import Reply, Request
from planloom.models.gateway import Rung
from planloom.state.ledger import Amount, Ledger
from planloom.state.log import RunLog


@dataclass(slots=True)
class _Call:
    event: ev.CallStarted
    reserved: Amount
    started: float
    settled: bool = False


class Meter:
    """A rung's model whose calls are paid from one account; it is itself a model.

    A call whose fate is unknown (cancelled, timed out) is settled at its worst case; one that waits in a batch for a
    later process stays open.

    Args:
        rung: Who answers.
        ledger: Who pays.
        log: The run's.
        node_id: For which node; `None` for the run as a whole.
        attempt: Number of the node's attempt.
        desk: Keeps track of calls in batches; without one, none is made.
    """

    def __init__(
        self,
        rung: Rung,
        ledger: Ledger,
        log: RunLog,
        *,
        node_id: NodeId | None,
        attempt: int,
        desk: RunDesk | None = None,
    ) -> None:
        self._rung = rung
        self._ledger = ledger
        self._log = log
        self._node_id = node_id
        self._attempt = attempt
        self._desk = desk if rung.batch else None

    async def __call__(self, request: Request) -> Reply:
        """Make one call, and another one where its reply was lost on the way: each is reserved by itself.

        Raises:
            BudgetExceeded: It does not fit; the call was not made.
            ModelError: The model gave no usable reply.
        """
        tries = 0
        while True:
            try:
                return await self._once(request)
            except ModelError as exc:
                tries += 1
                if not self._asks_again(exc, tries):
                    raise
            await self._rung.pause(tries)

    def _asks_again(self, exc: ModelError, tries: int) -> bool:
        return exc.billed and exc.kind is FailureKind.TRANSPORT and tries <= self._rung.retries

    async def _once(self, request: Request) -> Reply:
        call = await self._open(request)
        try:
            reply = self._log.secrets.hide(await self._rung(self._ticketed(call, request)))
            self._settle(call, reply)
        except ModelError as exc:
            self._log.secrets.hide_error(exc)
            self._fail(call, exc)
            raise
        finally:
            self._abandon(call)
        return reply

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Make one call whose text arrives in pieces; the last item is the whole reply.

        A reply that was lost before its first piece is asked for again, as in `__call__`.

        Raises:
            BudgetExceeded: It does not fit; the call was not made.
            ModelError: The stream broke.
        """
        tries, begun = 0, False
        while True:
            try:
                async with aclosing(self._stream_once(request)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except ModelError as exc:
                tries += 1
                if begun or not self._asks_again(exc, tries):
                    raise
            await self._rung.pause(tries)

    async def _stream_once(self, request: Request) -> AsyncGenerator[str | Reply]:
        call = await self._open(request)
        try:
            async with aclosing(self._rung.stream(self._ticketed(call, request))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Reply):
                        self._settle(call, piece)
                    yield self._log.secrets.hide(piece)
        except ModelError as exc:
            self._log.secrets.hide_error(exc)
            self._fail(call, exc)
            raise
        finally:
            self._abandon(call)

    def _ticketed(self, call: _Call, request: Request) -> Request:
        if self._desk is None:
            return request
        return replace(request, ticket=self._desk.ticket(call.event.call_id, self._rung, request))

    async def _open(self, request: Request) -> _Call:
        left = self._desk.claim(self._node_id, self._rung, request) if self._desk else None
        if left is None:
            return await self._reserved(request)
        held = Amount(usd=left.reserved_usd, tokens=left.reserved_tokens)
        await self._ledger.reserve(held)
        return _Call(left, held, time.monotonic())

    async def _reserved(self, request: Request) -> _Call:
        worst = self._rung.worst(request)
        reserved = Amount(usd=worst.usd or 0.0, tokens=worst.input_tokens + worst.output_tokens)
        try:
            await self._ledger.reserve(reserved)
        except BudgetExceeded as exc:
            if request.role != "embedding":  # the run goes on without it
                self._log.note(ev.BudgetReached(limit=exc.limit, cap=exc.cap, needed=exc.needed))
            raise
        event = ev.CallStarted(
            call_id=uuid.uuid4().hex[:12],
            node_id=self._node_id,
            attempt=self._attempt,
            role=request.role,
            rung=self._rung.name,
            reserved_usd=reserved.usd,
            reserved_tokens=reserved.tokens,
            member=request.member,
        )
        call = _Call(event, reserved, time.monotonic())
        try:
            if self._ledger.capped or self._desk is not None:
                await self._log.commit(event)  # a crash must find the reservation
            else:
                self._log.note(event)
                self._log.flush()
        except BaseException:
            self._abandon(call)
            raise
        return call

    def _settle(self, call: _Call, reply: Reply) -> None:
        usage = replace(reply.usage, calls=max(1, reply.usage.calls))
        self._end(call, usage, self._rung.cost(usage), model=reply.model, finish=reply.finish)

    def _fail(self, call: _Call, exc: ModelError) -> None:
        if not exc.billed:
            self._end(call, Usage(calls=1), 0.0, error=exc.message, kind=exc.kind)

    def _abandon(self, call: _Call) -> None:
        if self._desk and self._desk.leaving and self._desk.waits(call.event.call_id):
            return
        if not call.settled:
            usage = Usage(input_tokens=call.reserved.tokens, calls=1)
            error = "fate unknown: counted at its worst case"
            self._end(call, usage, call.reserved.usd, error=error, kind=FailureKind.INTERRUPTED)

    def _end(
        self,
        call: _Call,
        usage: Usage,
        cost_usd: float,
        *,
        model: str = "",
        finish: str = "",
        error: str = "",
        kind: str = "",
    ) -> None:
        if call.settled:
            return
        call.settled = True
        self._ledger.settle(call.reserved, Amount.of(usage, cost_usd))
        self._log.note(
            ev.CallEnded(
                call_id=call.event.call_id,
                node_id=self._node_id,
                attempt=self._attempt,
                rung=self._rung.name,
                model=model,
                usage=usage,
                cost_usd=cost_usd,
                seconds=time.monotonic() - call.started,
                error=error,
                kind=kind,
                finish=finish,
            )
        )
