"""The big box: a CPython child with the installed libraries, confined by Landlock, seccomp and rlimits."""

import asyncio
import contextlib
import json
import math
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.tools import confine
from planloom.tools.box import MAX_OUTPUT_BYTES, BoxResult, Job, out_of_memory, stopped
from planloom.tools.guest import CANNOT, READY

_STARTUP_S = 60.0
_WATCH_S = 0.1
_MAX_THREADS = 64
_MAX_SCRATCH_BYTES = 64 * 2**20
_MAX_SCRATCH_FILES = 1000
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
_ANSWER: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


def _libraries() -> list[str]:
    """Folders of installed libraries, as this process has them."""
    named = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    found = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    return list(dict.fromkeys([*named, *found]))


def _readable() -> list[str]:
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    linked = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return [*standard, *_libraries(), *_SYSTEM, *(path for path in linked if path.startswith("/"))]


def _environment() -> dict[str, str]:
    """Environment of a child: nothing of ours but where shared libraries are."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **_ONE_THREAD, **kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A started child that waits for its request."""

    process: Process
    preload: frozenset[str]

    async def end(self) -> None:
        """Kill its group and reap it."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()


async def _start(preload: tuple[str, ...]) -> _Child:
    script = str(Path(confine.__file__).with_name("guest.py"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-X", "utf8", script),
        *(str(os.getpid()), json.dumps(preload), json.dumps(_libraries())),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=_environment(),
        cwd="/",
        start_new_session=True,
    )
    return _Child(process=process, preload=frozenset(preload))


class CPythonBox:
    """One child per run; a spare one is started ahead, with the libraries of the last run imported."""

    def __init__(self) -> None:
        self._spares: list[_Child] = []
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
        if lack := confine.missing():
            raise ToolError("python", f"the cpython box needs {lack}")
        scratch = await asyncio.to_thread(_scratch, job.files)
        try:
            child = await self._take(job.preload)
            try:
                result = await _Talk(child, job, scratch).result()
            finally:
                await child.end()
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, True)
        if not self._spares and not self._closed:
            self._spares.append(await _start(job.preload))
        return result

    async def _take(self, preload: tuple[str, ...]) -> _Child:
        while self._spares:
            spare = self._spares.pop()
            if spare.process.returncode is None and spare.preload <= set(preload):
                return spare
            await spare.end()
        return await _start(preload)


def _scratch(files: Mapping[str, bytes]) -> str:
    folder = tempfile.mkdtemp(prefix="planloom-box-")
    for name, content in files.items():
        if Path(name).name != name:
            raise ToolError("python", f"scratch file {name!r}: expected a name without folders")
        Path(folder, name).write_bytes(content)
    return folder


class _Talk:
    """The dialogue with one child: request, printed text, answer, all bounded."""

    def __init__(self, child: _Child, job: Job, scratch: str) -> None:
        self._process, self._job, self._scratch = child.process, job, scratch
        self._printed, self._answer = bytearray(), bytearray()
        self._stopped = ""
        self._deadline = asyncio.timeout(_STARTUP_S)

    async def result(self) -> BoxResult:
        """Return how the run ended."""
        try:
            async with self._deadline:
                await self._talk()
        except TimeoutError:
            if not self._deadline.expired():
                raise
            if not self._answer.startswith(READY):
                raise ToolError("python", f"the cpython box did not start within {_STARTUP_S:g} s") from None
            return stopped(self._job, "cpython", self._text())
        return self._read()

    async def _talk(self) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            group.create_task(self._send())
            printing = group.create_task(self._collect_printed())
            await self._collect_answer()
            await printing
            watch.cancel()
        await self._process.wait()

    async def _send(self) -> None:
        job = self._job
        limits = {
            "memory_bytes": job.max_memory_mb * 2**20,
            "cpu_s": math.ceil(job.timeout_s) + 2,
            "file_bytes": _MAX_SCRATCH_BYTES,
        }
        request = {
            "code": job.code,
            "variables": dict(job.variables),
            "preload": job.preload,
            "scratch": self._scratch,
            "readable": _readable(),
            "limits": limits,
        }
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(ConnectionError):
                stdin.write(json.dumps(request).encode())
                await stdin.drain()
                stdin.close()

    async def _collect_printed(self) -> None:
        stream = self._process.stdout
        while stream is not None and (chunk := await stream.read(65536)):
            self._printed += chunk
            if len(self._printed) > MAX_OUTPUT_BYTES:
                self._stop(f"RuntimeError: printed more than {MAX_OUTPUT_BYTES} bytes")

    async def _collect_answer(self) -> None:
        stream = self._process.stderr
        while stream is not None and (chunk := await stream.read(65536)):
            if not self._answer and chunk.startswith(READY):
                self._deadline.reschedule(asyncio.get_running_loop().time() + self._job.timeout_s)
            self._answer += chunk
            if len(self._answer) > MAX_OUTPUT_BYTES:
                self._stop(f"ValueError: the value is larger than {MAX_OUTPUT_BYTES} bytes as JSON")

    async def _watch(self) -> None:
        """Bound what no kernel limit bounds: threads, and all scratch files together."""
        while True:
            await asyncio.sleep(_WATCH_S)
            if trouble := await asyncio.to_thread(_trouble, self._process.pid, self._scratch):
                self._stop(trouble)

    def _stop(self, error: str) -> None:
        self._stopped = self._stopped or error
        self._printed, self._answer = self._printed[:MAX_OUTPUT_BYTES], self._answer[:1]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _text(self) -> str:
        return self._printed.decode(errors="replace")

    def _failed(self, error: str, line: int = 0) -> BoxResult:
        return BoxResult(value=None, stdout=self._text(), error=error, line=line, box="cpython")

    def _read(self) -> BoxResult:
        if self._stopped:
            return self._failed(self._stopped)
        if not self._answer.startswith(READY):
            reason = self._answer.removeprefix(CANNOT).decode(errors="replace") or self._death()
            raise ToolError("python", f"the cpython box could not be closed, so nothing ran: {reason}")
        try:
            answer = _ANSWER.validate_json(bytes(self._answer[1:]))
        except (ValidationError, ValueError, RecursionError):
            return self._failed(f"RuntimeError: the process died without a result: {self._death()}")
        error, line = answer.get("error", ""), answer.get("line", 0)
        if not isinstance(error, str) or not isinstance(line, int):
            return self._failed("RuntimeError: the process gave no usable result")
        if error.startswith("MemoryError"):
            error = out_of_memory(self._job)
        value: Json = None if error else answer.get("value")
        return BoxResult(value=value, stdout=self._text(), error=error, line=line, box="cpython")

    def _death(self) -> str:
        code = self._process.returncode or 0
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


def _trouble(pid: int, scratch: str) -> str:
    """Say what a child overdoes; empty when it keeps within its bounds."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        threads = int(status.partition("\nThreads:")[2].split(maxsplit=1)[0])
        if threads > _MAX_THREADS:
            return f"RuntimeError: started more than {_MAX_THREADS} threads"
    size = count = 0
    for folder, _, names in os.walk(scratch):
        count += len(names) + 1
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(Path(folder, name)).st_blocks * 512
        if size > _MAX_SCRATCH_BYTES or count > _MAX_SCRATCH_FILES:
            return f"OSError: wrote more than {_MAX_SCRATCH_BYTES >> 20} MiB or {_MAX_SCRATCH_FILES} files"
    return ""
