"""What a server does about runs of others: those of dead ones go on, those cancelled through others stop."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from planloom.core.plan import RunId
from planloom.state.journal import JournalError
from planloom.state.owners import OwnedRun

if TYPE_CHECKING:
    from planloom.service.runtime import Runtime

_CANCELLED_S = 1.0
"""How often is looked for runs that were cancelled elsewhere."""
_LEFT_S = 3.0
"""How often is looked for runs that nobody is at work on, half more or less, so that servers do not do it together."""
_A_ROUND = 8
"""Runs that one server takes up at most each time: the others get some as well."""
_AT_ONCE = 4
_PAUSE_S = (60.0, 3600.0)
"""Time until a run that could not be taken up is tried again, at first and at most; each time twice as long."""
_log = logging.getLogger("planloom.service")


class Adoption:
    """What a server does about runs that it did not begin.

    Args:
        runtime: What is alive in this process.
    """

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._put_off: dict[RunId, tuple[float, float]] = {}
        """When a run that could not be taken up is tried again, and how long that is put off the next time."""

    async def take_up_all(self) -> None:
        """Go on with every run that nobody is at work on."""
        await self._take_up(await self._runtime.owners.unfinished())

    async def serve(self) -> None:
        """Look for runs to go on with and to stop, until the process is about to end."""
        look_at = time.monotonic() + _LEFT_S * random.uniform(0.5, 1.5)
        while not self._runtime.draining:
            await asyncio.sleep(_CANCELLED_S)
            try:
                await self._stop_unwanted()
                if time.monotonic() >= look_at and not self._runtime.draining:
                    look_at = time.monotonic() + _LEFT_S * random.uniform(0.5, 1.5)
                    await self._take_up_some()
            except JournalError as exc:
                _log.warning("cannot look for runs of other servers: %s", exc)

    async def _stop_unwanted(self) -> None:
        runtime = self._runtime
        if not runtime.runs:
            return
        for run_id in await runtime.owners.unwanted(list(runtime.runs)):
            handle = runtime.engine.at_work(run_id)
            if handle is not None:
                _log.info("run %s was cancelled through another server", run_id, extra={"run": run_id})
                await handle.cancel()

    async def _take_up_some(self) -> None:
        now, found = time.monotonic(), await self._runtime.owners.unfinished()
        left = {run.run_id for run in found}
        self._put_off = {run_id: until for run_id, until in self._put_off.items() if run_id in left}
        ready = [run for run in found if self._put_off.get(run.run_id, (now, 0))[0] <= now]
        await self._take_up(random.sample(ready, min(_A_ROUND, len(ready))))

    async def _take_up(self, runs: Iterable[OwnedRun]) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(run: OwnedRun) -> None:
            async with slots:
                await self._take_up_one(run)

        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(one(run))

    async def _take_up_one(self, run: OwnedRun) -> None:
        """Go on with a run; one that cannot be taken up stays as it is."""
        runtime = self._runtime
        try:
            account = await runtime.accounts.of(run.tenant)
            runtime.watch(await runtime.engine.reopen(run.run_id, account=account), run.tenant)
            self._put_off.pop(run.run_id, None)
        except Exception as exc:  # the workflow's own modules are loaded
            pause_s = self._put_off.get(run.run_id, (0.0, _PAUSE_S[0]))[1]
            self._put_off[run.run_id] = (time.monotonic() + pause_s, min(2 * pause_s, _PAUSE_S[1]))
            _log.warning("run %s is not taken up: %s", run.run_id, exc, extra={"run": run.run_id})
