"""Places for attempts under way at the same time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Slots:
    """Places for attempts: so many in this run, so many in the process."""

    def __init__(self, run: int, process: asyncio.Semaphore) -> None:
        self._run = asyncio.Semaphore(run)
        self._process = process
        self.closed = False
        """The process is to end; the run goes on in another."""

    def close(self) -> None:
        """Give out no more places; whoever wants one waits until it is cancelled."""
        self.closed = True

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[None]:
        """Hold one place."""
        async with self._run, self._process:
            if self.closed:
                await asyncio.Event().wait()
            yield
