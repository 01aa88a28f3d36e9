"""A CPython child that waits for its request: how it is started, what it may read, how it ends."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import sysconfig
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

from planloom.tools import confine
from planloom.tools.box import MAX_OUTPUT_BYTES

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A started child."""

    process: Process
    preload: frozenset[str]

    def kill(self) -> None:
        """Kill its group, if it is still there."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill its group and reap it."""
        self.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()

    def death(self) -> str:
        """Say how it ended."""
        code = self.process.returncode or 0
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


async def start(preload: tuple[str, ...]) -> Child:
    """Start a child with these libraries imported."""
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
        limit=MAX_OUTPUT_BYTES,
    )
    return Child(process=process, preload=frozenset(preload))


def readable() -> list[str]:
    """Folders and files a child may read: Python, installed libraries, shared libraries."""
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    linked = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return [*standard, *_libraries(), *_SYSTEM, *(path for path in linked if path.startswith("/"))]


def _libraries() -> list[str]:
    """Folders of installed libraries, as this process has them."""
    named = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    found = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    return list(dict.fromkeys([*named, *found]))


def _environment() -> dict[str, str]:
    """Environment of a child: nothing of ours but where shared libraries are."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **_ONE_THREAD, **kept}
