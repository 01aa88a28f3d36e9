"""Ask the MCP servers of a workflow what they offer."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from planloom.configs.load import Workflow
from planloom.configs.lock import mcp_target
from planloom.configs.phrases import instead, quoted
from planloom.configs.spec import ToolSpec
from planloom.core.errors import ConfigError, Problem
from planloom.core.pins import PinnedServer, Pins
from planloom.tools.mcp import connect
from planloom.tools.mcp_error import ServerError

if TYPE_CHECKING:
    from mcp_types import Tool as OfferedTool


async def discover(workflow: Workflow) -> Pins:
    """Return what the servers offer of what the workflow allows; they are started, asked and ended.

    Raises:
        ConfigError: One cannot be asked, or offers what cannot be shown to models.
    """
    servers: dict[str, PinnedServer] = {}
    problems: list[Problem] = []
    for name, spec in workflow.spec.tools.items():
        if spec.mcp is not None:
            try:
                servers[name] = await _ask(workflow, name, spec)
            except ConfigError as exc:
                problems += exc.problems
    if problems:
        raise ConfigError(workflow.source, [workflow.problem(found.field, found.message) for found in problems])
    return Pins(servers=servers)


async def _ask(workflow: Workflow, name: str, spec: ToolSpec) -> PinnedServer:
    """Start one server, ask it, and end it."""
    found: PinnedServer | ConfigError | None = None
    async with asyncio.TaskGroup() as group:  # it would wrap an error that leaves it
        try:
            session = await connect(name, spec, workflow.base_dir, group)
            try:
                found = _seen(workflow, name, spec, session.title, await session.offers())
            finally:
                await session.stop()
        except ConfigError as exc:
            found = exc
        except ServerError as exc:
            message = f"the server cannot be used: {exc}"
            found = ConfigError(workflow.source, [Problem(message, f"tools.{name}.mcp")])
    if not isinstance(found, PinnedServer):
        raise found or RuntimeError("the server was neither asked nor refused")
    return found


def _seen(workflow: Workflow, name: str, spec: ToolSpec, title: str, offers: "Sequence[OfferedTool]") -> PinnedServer:
    from planloom.tools.mcp_offer import look  # its library is there: the server was asked

    found = look(offers, mcp_target(workflow, name), title, spec.allow)
    if problems := [*_missing(name, spec, [tool.name for tool in offers]), *_refused(name, found.refused)]:
        raise ConfigError(workflow.source, problems)
    return found.server


def _missing(name: str, spec: ToolSpec, offered: list[str]) -> Iterator[Problem]:
    for index, tool in enumerate(spec.allow or ()):
        if tool not in offered:
            yield Problem(
                f"the server has no tool {quoted(tool)}, {instead(tool, offered)}", f"tools.{name}.allow[{index}]"
            )


def _refused(name: str, refused: Mapping[str, str]) -> Iterator[Problem]:
    for tool, why in refused.items():
        message = f"tool {quoted(tool)} cannot be offered to models: {why}; name the others under `allow`"
        yield Problem(message, f"tools.{name}.mcp")
