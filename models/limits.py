"""How fast a rung may be called: requests and tokens in any 60 seconds."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass(slots=True)
class Slot:
    """A share of the window, from `start` (monotonic seconds) on."""

    start: float
    amount: int


class Window:
    """Hands out start times so that no 60 seconds hold more than `cap`.

    Times are given in the order of the requests, and never taken back. An amount over the cap
    counts as the cap: it waits for an empty window and then goes alone.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._slots: deque[Slot] = deque()

    def reserve(self, amount: int, now: float) -> Slot:
        """Return a slot; the caller waits until its start.

        Args:
            amount: Requests or tokens.
            now: Monotonic seconds.
        """
        while self._slots and self._slots[0].start <= now - WINDOW_S:
            self._slots.popleft()
        wanted = min(amount, self._cap)
        start = max(now, self._slots[-1].start) if self._slots else now
        used = 0
        for slot in reversed(self._slots):
            if slot.start <= start - WINDOW_S:
                break
            used += slot.amount
            if used + wanted > self._cap:
                start = max(start, slot.start + WINDOW_S)
                break
        taken = Slot(start, wanted)
        self._slots.append(taken)
        return taken

    def settle(self, slot: Slot, amount: int) -> None:
        """Correct a slot to what was really used; later reservations profit."""
        slot.amount = min(max(amount, 0), self._cap)


class Booking:
    """What one call took from the windows."""

    def __init__(self, tokens: Window | None, slot: Slot | None) -> None:
        self._tokens = tokens
        self._slot = slot

    def settle(self, tokens: int) -> None:
        """Put the call's real token count in place of the estimate."""
        if self._tokens and self._slot:
            self._tokens.settle(self._slot, tokens)


class Pace:
    """Request and token windows of one rung; `None` means no limit."""

    def __init__(
        self,
        requests_per_min: int | None,
        tokens_per_min: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests = Window(requests_per_min) if requests_per_min else None
        self._tokens = Window(tokens_per_min) if tokens_per_min else None
        self._clock = clock

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncGenerator[Booking]:
        """Wait until a call of about `tokens` tokens may start.

        A caller that is cancelled while it waits gives its share back.
        """
        now = self._clock()
        request = self._requests.reserve(1, now) if self._requests else None
        slot = self._tokens.reserve(tokens, now) if self._tokens else None
        start = max((taken.start for taken in (request, slot) if taken), default=now)
        try:
            if start > now:
                await asyncio.sleep(start - now)
        except asyncio.CancelledError:
            for taken in (request, slot):
                if taken:
                    taken.amount = 0
            raise
        yield Booking(self._tokens, slot)
