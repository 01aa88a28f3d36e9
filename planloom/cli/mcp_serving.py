"""Workflows as MCP tools on standard input and output."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from anyio import CancelScope
from mcp.server.stdio import stdio_server

from planloom.cli.given import source_of
from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.errors import RunError
from planloom.core.json import JsonObject
from planloom.engine import Engine
from planloom.service.catalogue import catalogue_of
from planloom.service.mcp_tools import Context, server_of


async def offer(engine: Engine, sources: Sequence[str]) -> int:
    """Offer workflows until standard input ends, and return the exit code.

    Args:
        engine: Not yet entered.
        sources: Files, folders of files, or names of shipped workflows.

    Raises:
        ConfigError: A workflow must be mended first.
    """
    workflows = catalogue_of([source_of(given) for given in sources])

    server = server_of(workflows, _Runs(engine, workflows))
    async with engine, stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
    return 0


@dataclass(frozen=True, slots=True)
class _Runs:
    """All runs of the journal."""

    engine: Engine
    workflows: Mapping[str, Workflow]

    async def begin(self, context: Context, name: str, inputs: JsonObject) -> str:
        """Start a run."""
        if name not in self.workflows:
            raise RunError(f"there is no workflow {name!r}")
        return (await self.engine.submit(self.workflows[name], inputs)).run_id

    async def history(self, context: Context, run_id: str) -> list[ev.AnyEvent]:
        """Return a run's events."""
        return await self.engine.history(run_id)

    async def resume(self, context: Context, run_id: str) -> None:
        """Go on with what was cut off."""
        await self.engine.reopen(run_id)

    async def follow(self, context: Context, run_id: str, after: int) -> AsyncGenerator[ev.AnyEvent]:
        """Follow a run that is under way."""
        handle = self.engine.at_work(run_id)
        if handle is None:  # it came to rest at once
            for event in (await self.engine.history(run_id))[after:]:
                yield event
            return
        try:
            async for event in handle.events(after):
                yield event
        finally:
            with CancelScope(shield=True):  # where anyio cancels, it cancels every further wait as well
                await handle.cancel()
