"""What a server does about runs of others: those of dead ones go on, those cancelled through others stop."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from planloom.core.plan import RunId
from planloom.handle import RunHandle
from planloom.service.limits import Limits
from planloom.state.journal import JournalError
from planloom.state.owners import OwnedRun
from planloom.state.quotas import Quota

if TYPE_CHECKING:
    from planloom.service.runtime import Runtime

_CANCELLED_S = 1.0
"""How often is looked for runs that were cancelled elsewhere."""
_LEFT_S = 3.0
"""How often is looked for runs that nobody is at work on, half more or less, so that servers do not do it together."""
_A_ROUND = 8
"""Runs that one server is taking up at most, once it is up: the others get some as well."""
_AT_ONCE = 4
_TAKING_S = 30.0
"""Time that taking up a run may take: a module that is imported or a server that is asked may hang."""
_BEGIN_S = 3.0
"""So long does an app wait, before it is up, for the runs that it takes up."""
_PAUSE_S = (60.0, 3600.0)
"""Time until a run that could not be taken up is tried again, at first and at most; each time twice as long."""
_log = logging.getLogger("planloom.service")


class Adoption:
    """What a server does about runs that it did not begin.

    Args:
        runtime: What is alive in this process.
        limits: How many runs it may have under way.
    """

    def __init__(self, runtime: "Runtime", limits: Limits) -> None:
        self._runtime = runtime
        self._limits = limits
        self._begun = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._taking: set[RunId] = set()
        self._stopping: set[RunId] = set()
        self._put_off: dict[RunId, tuple[float, float]] = {}
        """When a run that could not be taken up is tried again, and how long that is put off the next time."""

    async def begun(self) -> None:
        """Return when what was left has been taken up, or soon where that takes long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_BEGIN_S):
                await self._begun.wait()

    async def serve(self) -> None:
        """Look for runs to go on with and to stop, until the process is about to end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stop_unwanted(group), name="runs cancelled elsewhere")
            await self._take_up_left(group)

    async def _stop_unwanted(self, group: asyncio.TaskGroup) -> None:
        runtime = self._runtime
        while not runtime.draining:
            await asyncio.sleep(_CANCELLED_S)
            try:
                unwanted = await runtime.owners.unwanted(list(runtime.runs)) if runtime.runs else []
            except JournalError as exc:
                _log.warning("cannot look for runs that were cancelled through other servers: %s", exc)
                continue
            for run_id in unwanted:
                handle = runtime.engine.at_work(run_id)
                if handle is not None and run_id not in self._stopping:
                    _log.info("run %s was cancelled through another server", run_id, extra={"run": run_id})
                    self._stopping.add(run_id)
                    group.create_task(self._stop(handle), name=f"stop {run_id}")

    async def _stop(self, handle: RunHandle) -> None:
        try:
            await handle.cancel()
        finally:
            self._stopping.discard(handle.run_id)

    async def _take_up_left(self, group: asyncio.TaskGroup) -> None:
        await self._take_up_some(group, self._limits.max_runs)
        while not self._runtime.draining:
            await asyncio.sleep(_LEFT_S * random.uniform(0.5, 1.5))
            await self._take_up_some(group, _A_ROUND - len(self._taking))

    async def _take_up_some(self, group: asyncio.TaskGroup, most: int) -> None:
        """Begin to take up runs that nobody is at work on: so many at most, and no more than there is room for."""
        runtime = self._runtime
        try:
            found = await self._ready() if min(most, self._room) > 0 else []
            quotas = {tenant: await runtime.accounts.quotas.of(tenant) for tenant in {run.tenant for run in found}}
        except JournalError as exc:
            _log.warning("cannot look for runs of other servers: %s", exc)
            found, quotas = [], {}
        for run in self._fitting(found, quotas, most):
            runtime.runs[run.run_id] = run.tenant
            self._taking.add(run.run_id)
            group.create_task(self._take_up(run), name=f"take up {run.run_id}")
        if not self._taking:
            self._begun.set()

    @property
    def _room(self) -> int:
        return 0 if self._runtime.draining else self._limits.max_runs - len(self._runtime.runs)

    async def _ready(self) -> list[OwnedRun]:
        """Return the runs that nobody is at work on and whose time has come, in no order."""
        now, found = time.monotonic(), await self._runtime.owners.unfinished()
        left = {run.run_id for run in found}
        self._put_off = {run_id: until for run_id, until in self._put_off.items() if run_id in left}
        ready = [run for run in found if self._put_off.get(run.run_id, (now, 0))[0] <= now]
        return random.sample(ready, len(ready))

    def _fitting(self, runs: Sequence[OwnedRun], quotas: Mapping[str, Quota], most: int) -> Iterator[OwnedRun]:
        """Yield runs for which there is room here, and in their tenants' quotas."""
        under_way, room = Counter(self._runtime.runs.values()), min(most, self._room)
        for run in runs:
            allowed = self._limits.max_runs_under(quotas[run.tenant])
            if room > 0 and under_way[run.tenant] < allowed and run.run_id not in self._runtime.runs:
                room -= 1
                under_way[run.tenant] += 1
                yield run

    async def _take_up(self, run: OwnedRun) -> None:
        """Go on with a run; one that cannot be taken up stays as it is."""
        runtime, run_id = self._runtime, run.run_id
        try:
            with runtime.place(run_id, run.tenant):
                async with self._slots, asyncio.timeout(_TAKING_S):
                    if runtime.draining:
                        return
                    account = await runtime.accounts.of(run.tenant)
                    handle = await runtime.engine.reopen(run_id, account=account)
                runtime.watch(handle, run.tenant)
            self._put_off.pop(run_id, None)
        except Exception as exc:  # the workflow's own modules are loaded
            pause_s = self._put_off.get(run_id, (0.0, _PAUSE_S[0]))[1]
            self._put_off[run_id] = (time.monotonic() + pause_s, min(2 * pause_s, _PAUSE_S[1]))
            why = f"it took longer than {_TAKING_S:g} s" if isinstance(exc, TimeoutError) else exc
            _log.warning("run %s is not taken up: %s", run_id, why, extra={"run": run_id})
        finally:
            self._taking.discard(run_id)
            if not self._taking:
                self._begun.set()
