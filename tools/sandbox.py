"""Where code written by models runs: never in this process, always in a box held from outside."""

import os
from asyncio import Semaphore
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self

from planloom.core.json import Json
from planloom.tools.box import BoxResult, Job
from planloom.tools.box_cpython import CPythonBox
from planloom.tools.box_monty import MontyBox
from planloom.tools.choose import Reading, read_code

__all__ = ["BoxResult", "Sandbox"]

_MAX_CODE_CHARS = 200_000


class Sandbox:
    """Both boxes behind one call. Open it once per engine: `async with Sandbox() as sandbox`."""

    def __init__(self, *, max_parallel: int | None = None) -> None:
        """Prepare; nothing starts before the first run.

        Args:
            max_parallel: Runs under way at the same time; `None` takes the number of processors, at least 2.
        """
        parallel = max_parallel or max(2, os.cpu_count() or 1)
        self._slots = Semaphore(parallel)
        self._monty = MontyBox(parallel)
        self._cpython = CPythonBox()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cpython.close()
        await self._monty.close()

    async def run(
        self,
        code: str,
        variables: Mapping[str, Json],
        *,
        timeout_s: float = 10,
        box: Literal["auto", "monty", "cpython"] = "auto",
        max_memory_mb: int = 512,
        files: Mapping[str, bytes] | None = None,
        keep_files: bool = False,
    ) -> BoxResult:
        """Run `code` with `variables` defined and return its value and what it printed.

        The value is the variable `result` where the code assigns it at its top level, else the value of the
        last expression. Faults of the code, its limits among them, are texts in the result.

        Args:
            code: Python source.
            variables: Names the code finds defined.
            timeout_s: Seconds of the run itself, not counting the wait for a free box.
            box: `auto` takes `monty` where it knows all that the code uses, else `cpython`; it is chosen
                before the run and there is no second try.
            max_memory_mb: MiB; for `cpython` of address space, libraries included.
            files: Scratch files by plain name, found in the current folder.
            keep_files: Return the files at the top of the scratch folder after the run; takes `cpython`.

        Raises:
            ToolError: The box that is needed cannot be had on this machine, or the files are too large.
        """
        try:
            reading = _read(code, variables)
        except SyntaxError as exc:
            return _refused(f"SyntaxError: {exc.msg}", exc.lineno or 0)
        job = Job(
            code=f"{code}\n\nresult" if reading.sets_result else code,
            variables=variables,
            timeout_s=timeout_s,
            max_memory_mb=max_memory_mb,
            files=files or {},
            preload=reading.preload,
            keep_files=keep_files,
        )
        chosen = box if box != "auto" else _choose(reading, job)
        async with self._slots:
            result = await (self._monty.run(job) if chosen == "monty" else self._cpython.run(job))
        return _explained(result, code)

    async def check(
        self,
        code: str,
        variables: Mapping[str, Json],
        *,
        loaded: str,
        timeout_s: float = 10,
        max_memory_mb: int = 512,
    ) -> BoxResult:
        """Run `code` on the names that untrusted code defines, which runs in a box of its own: see `guest_check`.

        Args:
            code: Python source of the check, run in one box with `variables`.
            variables: Names the check finds defined; the untrusted code does not see them.
            loaded: Python source under test, run in another box.
            timeout_s: Seconds of both together.
            max_memory_mb: MiB of address space of each box.

        Raises:
            ToolError: The CPython box cannot be had on this machine.
        """
        try:
            tested = _read(loaded, {})
        except SyntaxError as exc:
            return replace(_refused(f"SyntaxError: {exc.msg}", 0), loaded_line=exc.lineno or 0)
        try:
            reading = _read(code, variables)
        except SyntaxError as exc:
            return _refused(f"SyntaxError: {exc.msg}", exc.lineno or 0)
        job = Job(code=loaded, variables={}, timeout_s=timeout_s, max_memory_mb=max_memory_mb, preload=tested.preload)
        wanted = f"{code}\n\nresult" if reading.sets_result else code
        check = replace(job, code=wanted, variables=variables, preload=reading.preload)
        async with self._slots:
            return _explained(await self._cpython.check(job, check), code)


def _read(code: str, variables: Mapping[str, Json]) -> Reading:
    if len(code) > _MAX_CODE_CHARS:
        raise SyntaxError(f"the code is longer than {_MAX_CODE_CHARS} characters")
    return read_code(code, variables)


def _refused(error: str, line: int) -> BoxResult:
    """Return the result of code that no box was started for."""
    return BoxResult(value=None, stdout="", error=error, line=line, box="none")


def _choose(reading: Reading, job: Job) -> Literal["monty", "cpython"]:
    return "cpython" if job.files or job.keep_files else reading.box


def _explained(result: BoxResult, code: str) -> BoxResult:
    """Add the line of source to an assertion that failed without a message."""
    if result.error.strip() != "AssertionError:" or not result.line:
        return result
    lines = code.splitlines()
    source = lines[result.line - 1].strip() if result.line <= len(lines) else ""
    return replace(result, error=f"AssertionError: {source}")
