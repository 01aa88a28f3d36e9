"""The dialogue with one child, all of it bounded: request, printed text, lines that come and go."""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from planloom.core.json import Json, clean
from planloom.tools.box import MAX_OUTPUT_BYTES, BoxResult, Job, out_of_memory
from planloom.tools.child import Child, readable
from planloom.tools.guest import CANNOT, READY
from planloom.tools.scratch import MAX_BYTES, Scratch

Mode = Literal["run", "check", "serve"]

_WATCH_S = 0.1
_MAX_THREADS = 64
_MAX_ERROR_CHARS = 4000


class Talk:
    """One child at work on one job."""

    def __init__(self, child: Child, job: Job, scratch: Scratch) -> None:
        self._child, self._job, self._scratch = child, job, scratch
        self._printed = bytearray()
        self._stopped = ""
        self._printing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Collect what is printed, and stop the child when it overdoes something."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            self._printing = group.create_task(self._collect_printed())
            try:
                yield
            finally:
                self._child.kill()
                watch.cancel()

    async def start(self, mode: Mode) -> str:
        """Hand the job over; return why the child cannot be confined, empty when it is."""
        job = self._job
        limits = {
            "memory_bytes": job.max_memory_mb * 2**20,
            "cpu_s": math.ceil(job.timeout_s) + 2,
            "file_bytes": MAX_BYTES,
        }
        request = {
            "mode": mode,
            "code": job.code,
            "variables": dict(job.variables),
            "preload": job.preload,
            "scratch": self._scratch.path,
            "readable": readable(),
            "limits": limits,
        }
        await self.tell(json.dumps(request).encode())
        first = await self.line()
        if first == READY:
            return ""
        await self._child.end()
        return first.removeprefix(CANNOT).decode(errors="replace") or self._child.death()

    async def tell(self, line: bytes) -> None:
        """Send a line."""
        stdin = self._child.process.stdin
        if stdin is not None:
            with contextlib.suppress(ConnectionError):
                stdin.write(line + b"\n")
                await stdin.drain()

    async def line(self) -> bytes:
        """Return the next line; empty when there will be none."""
        stream = self._child.process.stderr
        try:
            return (await stream.readuntil(b"\n"))[:-1] if stream is not None else b""
        except asyncio.LimitOverrunError:
            self._stop(f"ValueError: the value is larger than {MAX_OUTPUT_BYTES} bytes as JSON")
        except asyncio.IncompleteReadError:
            pass
        return b""

    async def end(self) -> bytes:
        """Wait until the child has ended by itself; return what it sent behind its last line."""
        process, rest = self._child.process, b""
        if process.stderr is not None:
            rest = await process.stderr.read(1)
        if rest:
            self._child.kill()
        if self._printing is not None:
            await self._printing
        await process.wait()
        return rest

    @property
    def printed(self) -> str:
        """What it printed so far."""
        return self._printed.decode(errors="replace")

    async def result(self, line: bytes) -> BoxResult:
        """Return the result that `line` says, once the child has ended."""
        rest = await self.end()
        if self._stopped:
            return self.failed(self._stopped)
        try:
            answer: Json = json.loads(line)
        except (ValueError, RecursionError):
            return self.failed(f"RuntimeError: the process died without a result: {self._child.death()}")
        error = answer.get("error", "") if isinstance(answer, dict) else None
        if rest or not isinstance(answer, dict) or not isinstance(error, str):
            return self.failed("RuntimeError: the process gave no usable result")
        if error.startswith("MemoryError"):
            error = out_of_memory(self._job)
        if error:
            return self.failed(error, _place(answer.get("line")), _place(answer.get("loaded_line")))
        try:
            return BoxResult(value=clean(answer.get("value")), stdout=self.printed, box="cpython")
        except (ValueError, RecursionError) as exc:
            return self.failed(f"ValueError: the value cannot be used: {exc}")

    def failed(self, error: str, line: int = 0, loaded_line: int = 0) -> BoxResult:
        """Return a result without a value."""
        error = error.encode(errors="replace").decode()[:_MAX_ERROR_CHARS]
        return BoxResult(
            value=None, stdout=self.printed, error=error, line=line, loaded_line=loaded_line, box="cpython"
        )

    async def _collect_printed(self) -> None:
        stream = self._child.process.stdout
        while stream is not None and (chunk := await stream.read(65536)):
            self._printed += chunk[: MAX_OUTPUT_BYTES + 1 - len(self._printed)]
            if len(self._printed) > MAX_OUTPUT_BYTES:
                self._stop(f"RuntimeError: printed more than {MAX_OUTPUT_BYTES} bytes")

    async def _watch(self) -> None:
        """Bound what no kernel limit bounds: threads, and all scratch files together."""
        while True:
            await asyncio.sleep(_WATCH_S)
            pid = self._child.process.pid
            if trouble := _threads(pid) or await asyncio.to_thread(self._scratch.trouble, pid):
                self._stop(trouble)

    def _stop(self, error: str) -> None:
        self._stopped = self._stopped or error
        del self._printed[MAX_OUTPUT_BYTES:]
        self._child.kill()


def _place(line: Json) -> int:
    return line if isinstance(line, int) and 0 < line < 1_000_000 else 0


def _threads(pid: int) -> str:
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        if int(status.partition("\nThreads:")[2].split(maxsplit=1)[0]) > _MAX_THREADS:
            return f"RuntimeError: started more than {_MAX_THREADS} threads"
    return ""
