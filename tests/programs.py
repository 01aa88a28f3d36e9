"""Programs run by forks of a process that has imported Planloom: real processes that do not pay for the imports.

What a program is told, and its folder, are its own; what is killed is the work, not the imports.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    [
        "alembic.command",
        "kills.child",
        "langgraph.checkpoint.postgres.aio",
        "planloom.cli.running",
        "planloom.models.openai",
        "planloom.models.rehearsal",
        "planloom.service.app",
        "psycopg_pool",
        "sqlalchemy.dialects.postgresql.psycopg",
    ]
)
RUNNER = """
import asyncio, sys
from planloom import Engine
async def main() -> None:
    async with Engine(journal=sys.argv[2], base_url=next(iter(sys.argv[3:]), None)) as engine:
        await engine.run(sys.argv[1])
asyncio.run(main())
"""
"""Runs a workflow file with a journal and, if it is told one, a model server."""
PLANLOOM = "from planloom.cli import main; main()"


@dataclass(frozen=True)
class Program:
    """A program that was begun."""

    process: ForkServerProcess
    said: Path
    wrong: Path

    @property
    def code(self) -> int | None:
        """How it ended: nothing while it runs, below 0 for the signal that killed it."""
        return self.process.exitcode

    @property
    def out(self) -> str:
        return self.said.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self.wrong.read_text(encoding="utf-8")

    async def end(self) -> int | None:
        """Wait until it is over and return how it ended."""
        await asyncio.to_thread(self.process.join)
        return self.code

    def send(self, number: signal.Signals) -> None:
        if self.process.pid is not None:
            os.kill(self.process.pid, number)

    async def stop(self, number: signal.Signals) -> None:
        """Send a signal and wait until the program is over."""
        self.send(number)
        await self.end()

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)


def begin(
    code: str,
    *args: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    onto: Mapping[int, Connection] | None = None,
) -> Program:
    """Start a program as `python -P -c` does, in a folder; what it prints goes to files beside that folder.

    Args:
        onto: What stands instead at its standard streams: the end of a pipe, or a terminal.
    """
    number = len(list(folder.parent.glob(f"{folder.name}-*.out")))
    said, wrong = (folder.with_name(f"{folder.name}-{number}.{end}") for end in ("out", "err"))
    said.touch()
    wrong.touch()
    streams = {1: said, 2: wrong} | dict(onto or {})
    process = FORK.Process(target=_run, args=(code, args, folder, dict(env or os.environ), streams), daemon=True)
    process.start()
    return Program(process, said, wrong)


def run(code: str, *args: str, folder: Path) -> Program:
    """Run a program to its end."""
    program = begin(code, *args, folder=folder)
    program.process.join()
    return program


def _run(
    code: str, args: tuple[str, ...], folder: Path, env: dict[str, str], streams: dict[int, Path | Connection]
) -> None:
    for number, found in streams.items():
        os.dup2(found.fileno() if isinstance(found, Connection) else os.open(found, os.O_WRONLY), number)
    for name, number in (("stdout", 1), ("stderr", 2)):  # not those that the tests' captures gave the fork server
        setattr(sys, name, open(number, "w", buffering=1, encoding="utf-8", closefd=False))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["-c", *args]
    sys.modules["__main__"] = main = ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), main.__dict__)
