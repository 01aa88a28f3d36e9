"""Observers: they are shown a run's events as these are noted, and can do nothing to the run."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from planloom.core.events import AnyEvent
from planloom.core.plan import RunId
from planloom.state.log import RunLog

_log = logging.getLogger("planloom.observe")


class Observer(Protocol):
    """Looks on while runs run."""

    def watch(self, run_id: RunId, past: int) -> Callable[[AnyEvent], None]:
        """Return what is called with each event of a run, from its first on; it must not block.

        Args:
            run_id: The run.
            past: So many of its events were there before this process took it.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; no event comes any more."""
        ...


async def observe(log: RunLog, observers: Sequence[Observer]) -> None:
    """Show a run's events to observers until it comes to rest; one that fails sees no more of this run."""
    watching = [observer.watch(log.run_id, log.past) for observer in observers]
    async for event in log.follow():
        for see in list(watching):
            try:
                see(event)
            except Exception:
                _log.exception("run %s: an observer failed and is shown no more of it", log.run_id)
                watching.remove(see)
