"""Workflows as MCP tools on standard input and output."""

from collections.abc import AsyncGenerator, Sequence

from anyio import CancelScope
from mcp.server.stdio import stdio_server

from planloom.cli.given import source_of
from planloom.core import events as ev
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

    async def follow(context: Context, name: str, inputs: JsonObject) -> AsyncGenerator[ev.AnyEvent]:
        handle = await engine.submit(workflows[name], inputs)
        try:
            async for event in handle.events():
                yield event
        finally:
            with CancelScope(shield=True):  # where anyio cancels, it cancels every further wait as well
                await handle.cancel()

    server = server_of(workflows, follow)
    async with engine, stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
    return 0
