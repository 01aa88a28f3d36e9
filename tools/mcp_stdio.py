"""An MCP server as a program of this machine: started, spoken with over its pipes, and ended with its descendants."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

Streams: TypeAlias = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]
"""What the SDK reads from and writes to."""

_GUARD = str(Path(__file__).with_name("guard.py"))
_INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR")
_TAIL_BYTES = 2000
_EXIT_S = 1.0
"""For a server to end by itself once its input has ended."""
_KILL_S = 4.0
"""For its guard to end it; more than the guard's own grace."""


@dataclass(slots=True)
class Said:
    """What a server said beside the protocol, bounded, and how it ended."""

    errors: bytearray = field(default_factory=bytearray)
    """The end of its standard error."""
    stray: bytes = b""
    """The first line on its standard output that is no message."""
    fault: str = ""
    """What it did that nobody can go on from."""
    exit_code: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing more comes from it."""

    @property
    def text(self) -> str:
        """All of it in one line of an error message."""
        parts = [self.fault] if self.fault else []
        if self.exit_code is not None:
            parts.append(f"it ended with exit code {self.exit_code}")
        if tail := bytes(self.errors).decode(errors="replace").strip():
            parts.append(f"its standard error ends with: {tail}")
        if self.stray:
            parts.append(f"its standard output holds what is no message: {self.stray.decode(errors='replace')}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command and where it runs. The environment holds `env` and what every program needs, nothing else."""

    command: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    folder: Path
    max_bytes: int

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the program."""
        return {name: os.environ[name] for name in _INHERITED if name in os.environ} | self.env


@asynccontextmanager
async def running(program: Program, said: Said) -> AsyncGenerator[Streams]:
    """Run a server; inside the block it is there, after it the program and all it started is gone.

    Raises:
        OSError: It cannot be started.
    """
    process, lifeline = await _started(program)
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_read(process, to_session, program.max_bytes, said)),
            group.create_task(_write(process, from_session)),
            group.create_task(_keep_errors(process, said)),
        ]
        try:
            yield incoming, outgoing
        finally:
            incoming.close()
            outgoing.close()
            await _end(process, lifeline, said)
            for task in tasks:
                task.cancel()


async def _started(program: Program) -> tuple[Process, int]:
    """Start the guard, which starts the program; return it with the descriptor whose closing ends it."""
    watched, lifeline = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", _GUARD, str(watched)),
            *program.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=program.environment(),
            cwd=program.folder,
            limit=program.max_bytes,
            pass_fds=(watched,),
            start_new_session=True,
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(watched)
    return process, lifeline


async def _read(
    process: Process, to_session: MemoryObjectSendStream[SessionMessage | Exception], max_bytes: int, said: Said
) -> None:
    stdout = process.stdout
    if stdout is None:
        raise RuntimeError("the server has no standard output")
    try:
        with to_session, suppress(asyncio.IncompleteReadError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                message = _parsed(await stdout.readuntil(b"\n"), said)
                if message is not None:
                    await to_session.send(message)
    except asyncio.LimitOverrunError:
        said.fault = f"it sent a message of more than {max_bytes} bytes; ask it for less"
    finally:
        said.ended.set()
    while await stdout.read(65536):
        pass  # a full pipe would keep it from ending


def _parsed(line: bytes, said: Said) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        said.stray = said.stray or line.strip()[:200]
        return None


async def _write(process: Process, from_session: MemoryObjectReceiveStream[SessionMessage]) -> None:
    stdin = process.stdin
    if stdin is None:
        raise RuntimeError("the server has no standard input")
    with from_session, suppress(ConnectionError):
        async for item in from_session:
            stdin.write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await stdin.drain()


async def _keep_errors(process: Process, said: Said) -> None:
    while process.stderr is not None and (chunk := await process.stderr.read(4096)):
        said.errors += chunk
        del said.errors[:-_TAIL_BYTES]


async def _end(process: Process, lifeline: int, said: Said) -> None:
    """End the server: its input ends, then its guard makes it. Every wait is bounded."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_S):
                said.exit_code = await process.wait()
    finally:
        os.close(lifeline)
    with suppress(TimeoutError):  # something that left the group may still hold the pipes
        async with asyncio.timeout(_KILL_S):
            await process.wait()
