"""The big box: a CPython child with the installed libraries, confined by Landlock, seccomp and rlimits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from planloom.core.errors import ToolError
from planloom.tools import confine
from planloom.tools.box import BoxResult, Job, stopped
from planloom.tools.child import Child, start
from planloom.tools.guest import ASK
from planloom.tools.scratch import Scratch
from planloom.tools.talk import Mode, Talk

_STARTUP_S = 60.0


class CPythonBox:
    """One child per run; a spare one is started ahead, with the libraries of the last run imported."""

    def __init__(self) -> None:
        self._spares: list[Child] = []
        self._closed = False

    async def close(self) -> None:
        """End the spare child."""
        self._closed = True
        while self._spares:
            await self._spares.pop().end()

    async def run(self, job: Job) -> BoxResult:
        """Run `job` in a child of its own, and leave no process and no file behind.

        Raises:
            ToolError: This machine cannot confine a process; the message says what it lacks.
        """
        _ensure()
        scratch = Scratch()
        try:
            await asyncio.to_thread(scratch.fill, job.files)
            async with self._child(job) as child:
                result = await _Run(job, Talk(child, job, scratch)).result()
            if job.keep_files and not result.error:
                result = replace(result, files=await asyncio.to_thread(scratch.files))
        finally:
            await asyncio.to_thread(scratch.remove)
        await self._refill(job.preload)
        return result

    async def check(self, loaded: Job, check: Job) -> BoxResult:
        """Run `check` on the names that the code of `loaded` defines, which runs in another child.

        Raises:
            ToolError: As `run`.
        """
        _ensure()
        scratches = Scratch(), Scratch()
        try:
            async with self._child(loaded) as first, self._child(check) as second:
                talks = Talk(first, loaded, scratches[0]), Talk(second, check, scratches[1])
                return await _Run(check, *talks).result()
        finally:
            for scratch in scratches:
                await asyncio.to_thread(scratch.remove)

    @asynccontextmanager
    async def _child(self, job: Job) -> AsyncGenerator[Child]:
        child = await self._take(job.preload)
        try:
            yield child
        finally:
            await child.end()

    async def _take(self, preload: tuple[str, ...]) -> Child:
        while self._spares:
            spare = self._spares.pop()
            if spare.process.returncode is None and spare.preload <= set(preload):
                return spare
            await spare.end()
        return await start(preload)

    async def _refill(self, preload: tuple[str, ...]) -> None:
        if self._spares or self._closed:
            return
        spare = await start(preload)
        if self._spares or self._closed:
            await spare.end()
        else:
            self._spares.append(spare)


def _ensure() -> None:
    if lack := confine.missing():
        raise ToolError("python", f"the cpython box needs {lack}")


class _Run:
    """One run within its time, of one child alone or of the last of two, which tests the first."""

    def __init__(self, job: Job, *talks: Talk) -> None:
        self._job, self._talks = job, talks
        self._deadline = asyncio.timeout(_STARTUP_S)
        self._open = ""
        """Why a child could not be confined."""
        self._ready = False

    async def result(self) -> BoxResult:
        """Return how it ended.

        Raises:
            ToolError: A child did not start, or could not be confined.
        """
        try:
            async with self._deadline:
                result = await self._played()
        except TimeoutError:
            if not self._deadline.expired():
                raise
            if not self._ready:
                raise ToolError("python", f"the cpython box did not start within {_STARTUP_S:g} s") from None
            return stopped(self._job, "cpython", self._talks[-1].printed)
        if self._open:
            raise ToolError("python", f"the cpython box could not be closed, so nothing ran: {self._open}")
        return result

    async def _played(self) -> BoxResult:
        if len(self._talks) == 1:
            (talk,) = self._talks
            async with talk.watched():
                await self._start()
                return await talk.result(b"" if self._open else await talk.line())
        loaded, check = self._talks
        async with loaded.watched(), check.watched():
            await self._start()
            return await (loaded.result(b"") if self._open else _tested(loaded, check))

    async def _start(self) -> None:
        modes: tuple[Mode, ...] = ("serve", "check") if len(self._talks) > 1 else ("run",)
        for talk, mode in zip(self._talks, modes, strict=True):
            self._open = self._open or await talk.start(mode)
        self._ready = True
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._job.timeout_s)


async def _tested(loaded: Talk, check: Talk) -> BoxResult:
    """Carry what the check asks to the tested code and the answers back, until the check has ended."""
    said = await loaded.line()
    while said.startswith(ASK):
        await check.tell(said.removeprefix(ASK))
        asked = await check.line()
        if not asked.startswith(ASK):
            return await check.result(asked)
        await loaded.tell(asked.removeprefix(ASK))
        said = await loaded.line()
    ended = await loaded.result(said)
    error = ended.error or "RuntimeError: the tested code ended before the check"
    return replace(ended, value=None, error=error, line=0, loaded_line=ended.loaded_line or ended.line)
