"""The small box: pydantic-monty, a Python subset in Rust, in a pool of confined worker processes."""

import asyncio
import contextlib
import errno
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pydantic_monty as monty
from pydantic import TypeAdapter, ValidationError

from planloom.core.errors import ToolError
from planloom.core.json import Json
from planloom.tools import confine
from planloom.tools.box import MAX_OUTPUT_BYTES, BoxResult, Job, out_of_memory, stopped

_GRACE_S = 1.0
_BUSY_S = 5.0
"""How long a worker's file that was just written may still be open for writing."""
_JSON: TypeAdapter[Json] = TypeAdapter(Json)


class MontyBox:
    """A pool of warm workers. Open it before use; every run gets a fresh session.

    The pool is the blocking one, driven from threads: in version 1.4 the asynchronous one aborts the whole
    process now and then when the interpreter ends.
    """

    def __init__(self, max_parallel: int) -> None:
        self._max_parallel = max_parallel
        self._pool: monty.Monty | None = None
        self._opening = asyncio.Lock()
        self._folder = ""

    async def close(self) -> None:
        """End the workers."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.__exit__, None, None, None)
        if self._folder:
            await asyncio.to_thread(shutil.rmtree, self._folder, True)

    async def run(self, job: Job) -> BoxResult:
        """Run `job` in a worker of its own.

        Raises:
            ToolError: The workers cannot be started on this machine.
        """
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncio.to_thread(self._open)
            pool = self._pool
        run = _Run(pool, job)
        try:
            async with asyncio.timeout(job.timeout_s + 2 * _GRACE_S):
                return await asyncio.to_thread(run.blocking)
        except TimeoutError:
            return stopped(job, "monty", run.printed.output)
        finally:
            run.kill()

    def _open(self) -> monty.Monty:
        try:
            self._folder = tempfile.mkdtemp(prefix="planloom-monty-")
            return self._started(_worker(Path(self._folder)))
        except (monty.MontyError, OSError, RuntimeError) as exc:
            raise ToolError("python", f"the monty box is not available on this machine: {exc}") from exc

    def _started(self, worker: Path) -> monty.Monty:
        """Start the pool; a process forked elsewhere may hold the worker's file open for a moment, until its exec."""
        gives_up = time.monotonic() + _BUSY_S
        while True:
            pool = monty.Monty(
                binary_path=worker,
                max_processes=self._max_parallel,
                checkout_timeout=60.0,
                max_checkouts_per_worker=200,
                feed_duration_limit_grace=_GRACE_S,
            )
            try:
                return pool.__enter__()
            except RuntimeError as exc:
                if os.strerror(errno.ETXTBSY) not in str(exc) or time.monotonic() > gives_up:
                    raise
            time.sleep(0.02)


def _worker(folder: Path) -> Path:
    """Return what to start as a worker: Monty confined by the kernel where that can be had."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("monty", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if found is None:
        raise OSError("its program `monty` is not installed (pip install pydantic-monty)")
    if confine.missing():
        return Path(found)
    script = folder / "monty"
    launch = Path(confine.__file__).with_name("launch.py")
    words = [sys.executable, "-I", "-S", str(launch), str(os.getpid()), found]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return script


class _Run:
    """One job in one worker, from a thread; `kill` may be called from outside at any time."""

    def __init__(self, pool: monty.Monty, job: Job) -> None:
        self.printed = monty.CollectString(MAX_OUTPUT_BYTES)
        self._pool, self._job = pool, job
        self._worker: int | None = None
        self._over = False

    def kill(self) -> None:
        """End the worker if the run is still under way, and keep it from starting if it is not yet."""
        self._over = True
        if self._worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker, signal.SIGKILL)

    def blocking(self) -> BoxResult:
        """Run and return the result."""
        limits = monty.ResourceLimits(
            max_feed_duration_secs=self._job.timeout_s,
            max_memory=self._job.max_memory_mb * 2**20,
            max_total_sleep_secs=self._job.timeout_s,
        )
        try:
            with self._pool.checkout(limits=limits) as session, self._known(session):
                if self._over:
                    return self._failed("RuntimeError: cancelled before it began", 0)
                value: object = session.feed_run(
                    self._job.code,
                    inputs=dict(self._job.variables),
                    print_callback=self.printed,
                    os=_files(self._job),
                )
                return self._done(value)
        except monty.MontyCrashedError as exc:
            if exc.timed_out or "duration" in str(exc):
                return stopped(self._job, "monty", self.printed.output)
            return self._failed(f"RuntimeError: the box died: {exc}", 0)
        except (monty.MontyError, ValueError, RecursionError) as exc:
            return self._fault(exc)

    @contextmanager
    def _known(self, session: monty.MontySession) -> Generator[None]:
        self._worker = session.worker_pid
        try:
            yield
        finally:
            self._worker = None

    def _done(self, value: object) -> BoxResult:
        try:
            text = json.dumps(value, allow_nan=False)
            plain = _JSON.validate_json(text)
        except (ValidationError, ValueError, TypeError, RecursionError) as exc:
            return self._failed(f"TypeError: the value is not JSON: {exc}; return plain values", 0)
        if len(text) > MAX_OUTPUT_BYTES:
            return self._failed(f"ValueError: the value is larger than {MAX_OUTPUT_BYTES} bytes as JSON", 0)
        return BoxResult(value=plain, stdout=self.printed.output, box="monty")

    def _fault(self, exc: Exception) -> BoxResult:
        frames = exc.traceback() if isinstance(exc, monty.MontyRuntimeError | monty.MontySyntaxError) else []
        text = exc.display("type-msg") if isinstance(exc, monty.MontyRuntimeError) else str(exc)
        if isinstance(exc, monty.MontySyntaxError) and not text.startswith("SyntaxError"):
            text = f"SyntaxError: {text}"
        if text.startswith("TimeoutError: feed time limit"):
            return stopped(self._job, "monty", self.printed.output)
        if text.startswith("MemoryError: memory limit"):
            text = _memory(text, self._job, self.printed.output)
        return self._failed(text[:4000], frames[-1].line if frames else 0)

    def _failed(self, error: str, line: int) -> BoxResult:
        return BoxResult(value=None, stdout=self.printed.output, error=error, line=line, box="monty")


def _memory(text: str, job: Job, printed: str) -> str:
    """Tell the memory limit from the limit on printed text, which Monty reports alike."""
    if text.endswith(f"> {MAX_OUTPUT_BYTES} bytes"):
        return f"RuntimeError: printed more than {MAX_OUTPUT_BYTES} bytes"
    return out_of_memory(job)


def _files(job: Job) -> monty.OSAccess | None:
    if not job.files:
        return None
    return monty.OSAccess([monty.MemoryFile(f"/{name}", content) for name, content in job.files.items()])
