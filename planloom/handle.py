"""A handle to a run under way."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from planloom.core import events as ev
from planloom.core.answer import Answer, as_answer
from planloom.core.errors import RunError
from planloom.core.plan import RunId
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.graphs.run import Walk
from planloom.state.log import RunLog


class RunHandle:
    """A run under way: follow it, wait for it, or cancel it."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        self._walk: Walk | None = None

    def started(self, task: "asyncio.Task[None]") -> None:
        """Follow the task that carries the run; the engine calls this."""
        self._task = task
        task.add_done_callback(lambda _: self._ended.set())

    def walks(self, walk: Walk) -> None:
        """Reach into the run's stages; the engine calls this."""
        self._walk = walk

    def failed(self, error: Exception | None) -> None:
        """Keep what whoever waits must see; the engine calls this."""
        self._error = error

    @property
    def run_id(self) -> RunId:
        """The run's id, with which any process can take it up again."""
        return self._log.run_id

    @property
    def view(self) -> RunView:
        """The run as it stands now."""
        return self._log.view

    async def result(self) -> RunResult:
        """Wait until the run ends or waits for a human, and return its record.

        Raises:
            JournalError: The journal could not be written; what was committed before is kept.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        return self.view.result()

    @property
    def news(self) -> asyncio.Event:
        """Set as soon as anything more than now has happened; each time another one."""
        return self._log.news

    def events(self, after: int = 0) -> AsyncIterator[ev.AnyEvent]:
        """Yield every event in order, past ones first, until the run ends or waits.

        Args:
            after: Leave out this many events from the start.
        """
        return self._log.follow(after)

    def answer(self, answers: Mapping[str, bool | Answer]) -> None:
        """Answer what waits while the rest of the run goes on; a run that has come to rest is resumed instead.

        Args:
            answers: By node id.

        Raises:
            RunError: The run has come to rest, or an answer is to nothing that waits.
        """
        if self._walk is None or self._ended.is_set():
            raise RunError(f"run {self.run_id} does not run; resume it with the answers")
        self._walk.answer_now({name: as_answer(given) for name, given in answers.items()})

    async def drain(self, grace_s: float = 20.0) -> None:
        """Let the attempts under way end, begin no other, then stop as `cancel` does.

        Args:
            grace_s: Seconds after which what still runs is cancelled.
        """
        if self._walk is not None and not self._ended.is_set():
            await self._walk.drain(grace_s)
        await self.cancel()

    async def cancel(self) -> None:
        """Stop the run and all it does; it can be resumed later. Returns when nothing of it is left."""
        if self._task is not None:
            self._task.cancel()
        await self._ended.wait()
