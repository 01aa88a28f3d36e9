"""The circuit breaker of a rung: a provider that is down is not asked again by every call."""

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from planloom.core.outcome import FailureKind
from planloom.models.faults import Fault


class Breaker:
    """Opens after `limit` tries in a row, within `window_s` seconds, that found the provider down.

    While it is open, calls fail at once. After the cool-down (`cool_s` seconds) one call is let through: an
    answer of any kind closes the circuit, a failure doubles the cool-down, up to `cap_s` seconds.
    """

    def __init__(self, limit: int, window_s: float, cool_s: float, cap_s: float, clock: Callable[[], float]) -> None:
        self._limit, self._window_s, self._first_s, self._cap_s = limit, window_s, cool_s, cap_s
        self._clock = clock
        self._failures: list[float] = []
        self._last = ""
        self._cool_s = 0.0  # the cool-down under way; 0 while the circuit is closed
        self._until = 0.0
        self._probing = False

    @property
    def left_s(self) -> float:
        """Seconds until a call may go out; 0 when one may now."""
        return max(0.0, self._until - self._clock()) if self._cool_s else 0.0

    @property
    def state(self) -> str:
        """Says that the circuit is open and for how long; empty when it is closed."""
        when = f"next try in {math.ceil(self.left_s)} s" if self.left_s else "one call is finding out"
        return f"circuit open, {when}" if self._cool_s else ""

    def check(self) -> None:
        """Raise a Fault when no call may go out now."""
        if self._cool_s and (self._probing or self.left_s):
            raise Fault(FailureKind.TRANSPORT, f"{self.state} (last: {self._last})")

    @asynccontextmanager
    async def turn(self, *, forced: bool = False) -> AsyncGenerator[None]:
        """Make one try and learn from its fault; `forced` goes through an open circuit.

        Raises:
            Fault: The circuit is open, or the try's own.
        """
        if not forced:
            self.check()
        probe = bool(self._cool_s) and not forced
        self._probing = self._probing or probe
        try:
            yield
        except Fault as fault:
            if fault.down:
                self._failed(fault, probe=probe)
            elif not fault.spared:
                self.close()
            raise
        finally:
            self._probing = self._probing and not probe

    def close(self) -> None:
        """Note that the provider answered."""
        self._failures.clear()
        self._cool_s = 0.0

    def _failed(self, fault: Fault, *, probe: bool) -> None:
        now = self._clock()
        self._last = fault.message
        self._failures = [*(at for at in self._failures if at > now - self._window_s), now][-self._limit :]
        if probe or (not self._cool_s and len(self._failures) == self._limit):
            self._cool_s = min(self._cap_s, self._cool_s * 2 or self._first_s)
            self._until = now + self._cool_s
