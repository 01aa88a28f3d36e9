"""One run's line to its journal: numbers the events, folds them, and lets listeners follow."""

import asyncio
from collections.abc import AsyncIterator

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.core.secrets import Secrets
from planloom.core.view import RunView
from planloom.state.artifacts import Artifacts
from planloom.state.journal import Journal
from planloom.state.store import EventRow


class RunLog:
    """The only writer of one run's events: no secret gets past it, neither to the journal nor to what reads the view.

    Args:
        journal: Where they are kept.
        run_id: The run.
        past: What it holds of the run.
        secrets: What becomes `***` in whatever is noted.
    """

    def __init__(
        self,
        journal: Journal,
        run_id: RunId,
        past: list[ev.AnyEvent] | None = None,
        *,
        secrets: Secrets | None = None,
    ) -> None:
        self.run_id = run_id
        self.secrets = secrets or Secrets()
        self.events: list[ev.AnyEvent] = past or []
        self.past = len(self.events)
        """Events that were there before this process took the run."""
        self.view = RunView(self.events)
        self._journal = journal
        self._news = asyncio.Event()
        self.closed = False

    @property
    def artifacts(self) -> Artifacts:
        """The run's large values."""
        return Artifacts(self._journal, self.run_id, self.secrets)

    @property
    def news(self) -> asyncio.Event:
        """Set as soon as anything more than now is noted; each time another one."""
        return self._news

    def note(self, event: ev.AnyEvent, *, sync: bool = False) -> None:
        """Record an event; other processes see it no later than the next committed one, or soon."""
        payload = ev.encode(event)
        if self.secrets.found_in(payload):
            event = self.secrets.hide(event)
            payload = ev.encode(event)
        self.events.append(event)
        self.view.apply(event)
        self._journal.append(
            EventRow(
                self.run_id,
                len(self.events),
                event.at,
                type(event).__name__,
                getattr(event, "node_id", None),
                getattr(event, "plan_version", None),
                getattr(event, "input_digest", None),
                getattr(event, "attempt", None),
                event.cost_usd if isinstance(event, ev.CallEnded) else 0.0,
                payload.decode(),
            ),
            sync=sync,
        )
        self._tell()

    async def commit(self, event: ev.AnyEvent, *, sync: bool = False) -> None:
        """Record an event and return when the end of this process cannot undo it.

        Args:
            event: What happened.
            sync: Wait until a power cut cannot undo it either.

        Raises:
            JournalError: It could not be written.
        """
        self.note(event, sync=sync)
        await self.settle()

    async def settle(self) -> None:
        """Return when the end of this process cannot undo what was noted.

        Raises:
            JournalError: It could not be written.
        """
        await self._journal.commit(self.run_id)

    def flush(self) -> None:
        """Have what was noted written soon, without waiting for it."""
        self._journal.flush()

    def close(self) -> None:
        """No further event will come; followers end."""
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, after: int = 0) -> AsyncIterator[ev.AnyEvent]:
        """Yield every event after number `after`, past ones first, until the run ends or pauses."""
        position = after
        while True:
            news = self._news
            while position < len(self.events):
                position += 1
                yield self.events[position - 1]
            if self.closed:
                return
            await news.wait()
