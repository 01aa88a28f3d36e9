"""A rung: one model with its limits, retries and price. What the rest of the program calls."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from planloom.core.errors import ModelError
from planloom.core.outcome import FailureKind, Usage
from planloom.models.base import Mode, Reply, Request, Worst
from planloom.models.breaker import Breaker
from planloom.models.faults import Fault
from planloom.models.limits import Pace
from planloom.models.prices import Price
from planloom.models.sizes import estimate, most_tokens, size_bytes
from planloom.models.structured import LADDER

BACKOFF_CAP_S = 20.0


class Wire(Protocol):
    """One way to a model: one try, no retries. Raises Fault only."""

    async def reply(self, request: Request, mode: Mode) -> Reply:
        """Return the whole reply."""
        ...

    def stream(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        """Yield text as it arrives, then the reply."""
        ...


OpenWire = Callable[[], Awaitable[Wire]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a rung is called."""

    max_output_tokens: int
    timeout_s: float
    retries: int
    max_parallel: int
    backoff_s: float = 0.5
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    modes: tuple[Mode, ...] = LADDER
    """How JSON may be asked for, best first."""
    down_after: int = 5
    """Tries in a row that find the provider down and open the circuit."""
    cool_s: float = 15.0
    """Seconds for which an open circuit lets nothing through; doubled each time a probe fails."""
    cool_cap_s: float = 120.0

    def breaker(self, clock: Callable[[], float]) -> Breaker:
        """Return a circuit breaker. Its window has room for calls that time out one after the other."""
        window_s = 60.0 + self.down_after * self.timeout_s
        return Breaker(self.down_after, window_s, self.cool_s, self.cool_cap_s, clock)


@dataclass(slots=True)
class _Course:
    """Where one call stands: its mode, the modes below, the retries made."""

    terms: Terms
    modes: list[Mode]
    shaped: bool
    tries: int = 0
    probing: bool = False
    """The server kept failing on a response format; each lower mode gets one try."""

    @property
    def mode(self) -> Mode:
        return self.modes[0]

    def after(self, fault: Fault, open_s: float) -> float | None:
        """Return the seconds to wait before the next try, `None` to give up.

        Args:
            fault: What the last try ended with.
            open_s: Seconds for which the circuit stays open; a retry that would fall into them is not made.
        """
        if fault.lost:
            return None  # it may have been billed: a further try needs a reservation of its own
        if fault.free:
            return 0.0
        lower = self.shaped and len(self.modes) > 1
        if lower and fault.shape:
            return self._step_down()
        if fault.retry and self.tries < self.terms.retries and not self.probing:
            pause = self._pause(fault)
            if pause >= open_s:
                self.tries += 1
                return pause
        if lower and fault.status == 500 and self.mode in ("json_schema", "json_object"):
            self.probing = True
            return self._step_down()
        return None

    def _step_down(self) -> float:
        self.modes.pop(0)
        self.tries = 0
        return 0.0

    def _pause(self, fault: Fault) -> float:
        """Full jitter on a doubling backoff; Retry-After is the floor."""
        ceiling = min(BACKOFF_CAP_S, self.terms.backoff_s * 2**self.tries)
        jitter = random.uniform(0, ceiling)
        return jitter if fault.retry_after_s is None else fault.retry_after_s + min(jitter, 0.25)


class Rung:
    """One model, called under its limits. Safe for any number of callers on one event loop."""

    def __init__(
        self,
        name: str,
        model: str,
        terms: Terms,
        open_wire: OpenWire,
        *,
        price: Price | None = None,
        rehearsal: bool = False,
        batch: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.model = model
        """Without the provider's prefix."""
        self.price = price
        """`None` when it is not known."""
        self.rehearsal = rehearsal
        """A script answers in place of the model."""
        self.batch = batch
        """Its calls wait in the provider's batches, for hours: they need a ticket."""
        self._terms = terms
        self._open_wire = open_wire
        self._wire: Wire | None = None
        self._opening = asyncio.Semaphore(1)
        self._slots = asyncio.Semaphore(terms.max_parallel)
        self._pace = Pace(terms.requests_per_min, terms.tokens_per_min)
        self._breaker = terms.breaker(clock)
        self._modes: dict[bool, list[Mode]] = {}
        """What the server takes, learned from its answers: with tools, and without."""

    def __repr__(self) -> str:
        return f"Rung({self.name!r}, model={self.model!r})"

    async def open(self) -> None:
        """Import and open what the first call needs, so that no call's time is spent on it; safe to skip.

        Raises:
            ConfigError: The API key is missing.
        """
        await self._opened()

    @property
    def retries(self) -> int:
        """Further tries that the caller may make after a reply was lost; each may be billed."""
        return self._terms.retries

    async def pause(self, tries: int) -> None:
        """Wait before the next try after a lost reply, with full jitter on a doubling backoff.

        Args:
            tries: Tries that lost their replies so far, at least 1.
        """
        await asyncio.sleep(random.uniform(0, min(BACKOFF_CAP_S, self._terms.backoff_s * 2 ** (tries - 1))))

    def worst(self, request: Request) -> Worst:
        """Return the most that this call can use and cost: bytes of input, the cap of output."""
        tokens_in, tokens_out = most_tokens(request), self._terms.max_output_tokens
        usd = self.price.worst(tokens_in, tokens_out) if self.price else None
        return Worst(input_tokens=tokens_in, output_tokens=tokens_out, usd=usd)

    def cost(self, usage: Usage) -> float:
        """Return what one call's usage costs, in USD; 0 when the price is not known."""
        return self.price.cost(usage) if self.price else 0.0

    async def __call__(self, request: Request) -> Reply:
        """Answer.

        Raises:
            ModelError: No usable reply after the retries.
        """
        async with aclosing(self._converse(request, self._whole)) as items:
            async for item in items:
                if isinstance(item, Reply):
                    return item
        raise ModelError(self.name, FailureKind.TRANSPORT, "the model gave no reply")

    def stream(self, request: Request) -> AsyncGenerator[str | Reply]:
        """Yield text as it arrives, then the reply. Nothing is retried once text was handed out.

        Raises:
            ModelError: The stream broke, or ended without saying why.
        """
        return self._converse(request, self._pieces)

    async def _converse(
        self, request: Request, send: Callable[[Request, Mode], AsyncGenerator[str | Reply]]
    ) -> AsyncGenerator[str | Reply]:
        course = _Course(self._terms, self._known_modes(request), request.schema is not None)
        async with self._slots:
            while True:
                begun = False
                try:
                    if not course.probing:
                        self._breaker.check()
                    async with (
                        self._pace.turn(self._guess(request)) as booking,
                        self._breaker.turn(forced=course.probing),
                        aclosing(send(request, course.mode)) as items,
                    ):
                        async for item in items:
                            begun = True
                            if isinstance(item, Reply):
                                booking.settle(item.usage.tokens)
                                self._breaker.close()
                                self._learn(request, course)
                            yield item
                    return
                except Fault as fault:
                    pause = None if begun else course.after(fault, self._breaker.left_s)
                    if pause is None:
                        raise self._error(fault, course, billed=begun or fault.lost) from None
                    await asyncio.sleep(pause)

    def _known_modes(self, request: Request) -> list[Mode]:
        return list(self._modes.get(bool(request.tools), self._terms.modes))

    def _learn(self, request: Request, course: _Course) -> None:
        if request.schema is not None:
            self._modes[bool(request.tools)] = course.modes

    def _guess(self, request: Request) -> int:
        return estimate(size_bytes(request)) + self._terms.max_output_tokens

    def _error(self, fault: Fault, course: _Course, *, billed: bool) -> ModelError:
        tried = f" (after {course.tries} retries)" if course.tries else ""
        state = self._breaker.state
        circuit = "" if not state or fault.message.startswith("circuit open") else f"; {state}"
        return ModelError(self.name, fault.kind, f"{fault.message}{tried}{circuit}", billed=billed)

    async def _opened(self) -> Wire:
        async with self._opening:
            if self._wire is None:
                self._wire = await self._open_wire()
            return self._wire

    async def _whole(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        wire = await self._opened()
        deadline = asyncio.timeout(self._terms.timeout_s)
        try:
            async with deadline:
                reply = await wire.reply(request, mode)
        except TimeoutError:
            raise self._late() from None
        yield reply

    async def _pieces(self, request: Request, mode: Mode) -> AsyncGenerator[str | Reply]:
        wire = await self._opened()
        ends = asyncio.get_running_loop().time() + self._terms.timeout_s
        async with aclosing(wire.stream(request, mode)) as items:
            while True:
                try:
                    async with asyncio.timeout_at(ends):
                        item = await anext(items)
                except TimeoutError:
                    raise self._late() from None
                except StopAsyncIteration:
                    return
                yield item

    def _late(self) -> Fault:
        text = f"no complete reply within {self._terms.timeout_s:g} s"
        return Fault(FailureKind.TIMEOUT, text, lost=True, spared=self.batch)  # slow is what a batch may be
