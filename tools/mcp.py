"""The tools of an MCP server, held to what was pinned."""

import asyncio
import sys
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from planloom.configs.phrases import instead, quoted
from planloom.configs.spec import McpSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.pins import PinnedServer, PinnedTool, Pins, changes
from planloom.core.plan import Effect, ToolName
from planloom.tools.base import Tool
from planloom.tools.mcp_error import RefusedError, ServerError

if TYPE_CHECKING:
    from planloom.tools.mcp_session import Session

_ANSWER_S = 5.0
"""For a server that let a call run out of time to show that it is alive, at most."""
_TRUSTED_S = 10.0
"""For which a list of tools is believed to hold for calls that read, unless the server says that it changed."""
_MAX_STARTS = 4
"""In a row, without a call that was answered."""
_EXTRA = ("anyio", "httpx2", "mcp", "mcp_types")


async def connect(name: str, spec: ToolSpec, folder: Path, group: asyncio.TaskGroup) -> "Session":
    """Start or reach the server of a tool source; `group` holds the connection.

    Raises:
        ConfigError: The MCP SDK is not installed, or this machine cannot guard a program.
        ServerError: The server cannot be started or reached.
    """
    try:
        await asyncio.to_thread(import_module, "planloom.tools.mcp_session")  # slow
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _EXTRA:
            raise
        message = 'MCP servers need an extra: pip install "planloom[mcp]"'
        raise ConfigError(folder, [Problem(message, f"tools.{name}.mcp")]) from exc
    from planloom.tools.mcp_session import Session

    mcp = spec.mcp or McpSpec()
    if mcp.command and sys.platform == "win32":
        message = "a server that is a program needs Linux or macOS; name a `url`"
        raise ConfigError(folder, [Problem(message, f"tools.{name}.mcp.command")])
    session = Session(mcp, folder)
    await session.start(group)
    return session


class McpSource:
    """The pinned tools of a server, each as `.NAME`."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path, pins: Pins) -> None:
        """Take what was pinned.

        Raises:
            ConfigError: Nothing was, or not all that the workflow names.
        """
        self._name, self._spec, self._base_dir, self._lock = name, spec, base_dir, pins.lock
        self._mcp = spec.mcp or McpSpec()
        pinned = pins.servers.get(name)
        if pinned is None:
            message = "what the server offers is known only to itself; write it down with `planloom lock FILE`"
            raise self._fault("mcp", message)
        self._pinned = pinned
        self._allowed = self._chosen(pinned)
        self._group: asyncio.TaskGroup | None = None
        self._open = AsyncExitStack()
        self._session: Session | None = None
        self._mending: asyncio.Task[Session | ServerError | ConfigError] | None = None
        self._starts = 0
        self._patience_s = min(_ANSWER_S, spec.timeout / 4)
        self._changed: dict[str, str] = {}
        self._compared_at = 0.0
        """When the tools were last held against the pins, on the loop's clock."""

    def _fault(self, field: str, *messages: str) -> ConfigError:
        return ConfigError(self._base_dir, [Problem(message, f"tools.{self._name}.{field}") for message in messages])

    def _chosen(self, pinned: PinnedServer) -> tuple[PinnedTool, ...]:
        known = {tool.name: tool for tool in pinned.tools}
        problems: list[Problem] = []
        for field, names in (("allow", self._spec.allow or ()), ("mcp.effects", tuple(self._mcp.effects))):
            for index, tool in enumerate(names):
                if tool not in known:
                    place = f"{field}[{index}]" if field == "allow" else f"{field}.{tool}"
                    where = f" in {Path(self._lock).name}" if self._lock else ""
                    message = f"no tool {quoted(tool)}{where}, {instead(tool, known)}"
                    problems.append(Problem(message, f"tools.{self._name}.{place}"))
        if problems:
            raise ConfigError(self._base_dir, problems)
        allow = known if self._spec.allow is None else self._spec.allow
        return tuple(known[name] for name in dict.fromkeys(allow))

    def tools(self) -> tuple[Tool, ...]:
        """The tools that the workflow allows."""
        return tuple(self._tool(pinned) for pinned in self._allowed)

    def _tool(self, pinned: PinnedTool) -> Tool:
        writes = self._effect(pinned) == "write"

        async def call(args: JsonObject) -> Json:
            return await self._call(pinned.name, args, writes=writes)

        return Tool(
            name=ToolName(f"{self._name}.{pinned.name}"),
            description=f"{self._spec.description} {pinned.description}".strip(),
            parameters=pinned.parameters,
            effect=self._effect(pinned),
            call=call,
            timeout_s=self._spec.timeout,
            max_parallel=self._spec.max_parallel,
            idempotent=self._spec.trust == "trusted" and pinned.idempotent,
        )

    def _effect(self, pinned: PinnedTool) -> Effect:
        """What the workflow says; what the server claims of itself counts only where the workflow trusts it."""
        said = self._mcp.effects.get(pinned.name) or self._spec.effect
        return said or ("read" if self._spec.trust == "trusted" and pinned.read_only else "write")

    async def open(self) -> None:
        """Connect, and compare what the server offers with what was pinned.

        Raises:
            ConfigError: It cannot be reached, or is not as the lock file says.
        """
        self._group = await self._open.enter_async_context(asyncio.TaskGroup())
        try:
            await self._ready()
        except ServerError as exc:
            raise self._fault("mcp", f"the server cannot be used: {exc}") from exc
        told = [f"tool {name!r} is refused: {what}" for name, what in self._changed.items()]
        if told and self._lock:
            again = f"; read what is new, then run `planloom lock` to renew {Path(self._lock).name}"
            raise self._fault("mcp", *(message + again for message in told))

    async def close(self) -> None:
        """End the connection, and the program behind it."""
        if self._mending is not None:
            self._mending.cancel()
        if self._session is not None:
            await self._session.stop()
        await self._open.aclose()

    async def _call(self, tool: str, args: JsonObject, *, writes: bool) -> Json:
        name = f"{self._name}.{tool}"
        try:
            self._doubt(writes=writes)
            session = await self._ready()
            if tool in self._changed:
                why = f"it is not what this run began with: {self._changed[tool]}"
                raise ToolError(name, f"refused, because {why}")
            value = await session.call(tool, args)
        except RefusedError as exc:
            self._starts = 0
            raise ToolError(name, str(exc)) from exc
        except ServerError as exc:
            raise ToolError(name, str(exc)) from exc
        self._starts = 0
        return value

    def _doubt(self, *, writes: bool) -> None:
        """Have the tools listed anew where they may have changed unsaid: before each write, and now and then."""
        now = asyncio.get_running_loop().time()
        if self._session is not None and (writes or now - self._compared_at > _TRUSTED_S):
            self._session.stale = True

    async def _ready(self) -> "Session":
        """Return a connection that works, over which the tools were compared."""
        session = self._session
        if session is not None and not (session.over or session.suspect or session.stale):
            return session
        if self._group is None:
            raise ServerError("the tool is not open")
        if self._mending is None or self._mending.done():
            self._mending = self._group.create_task(self._mended(), name=f"mend {self._name}")
        found = await asyncio.shield(self._mending)  # a call that is given up leaves a slow start to the next one
        if isinstance(found, Exception):
            raise found
        return found

    async def _mended(self) -> "Session | ServerError | ConfigError":
        """Ask a connection that may not work, start one where there is none, and compare the tools."""
        try:
            session = self._session
            if session is not None and session.suspect and not await session.answers(self._patience_s):
                await session.stop()
            if self._session is None or self._session.over:
                await self._start()
            return await self._compared()
        except (ServerError, ConfigError) as exc:
            return exc

    async def _start(self) -> None:
        if self._group is None or self._starts >= _MAX_STARTS:
            raise ServerError(f"the server was started {_MAX_STARTS} times without answering a call; it stays ended")
        self._starts += 1
        self._session = await connect(self._name, self._spec, self._base_dir, self._group)
        self._session.stale = True

    async def _compared(self) -> "Session":
        from planloom.tools.mcp_offer import look  # its library is there: the server was asked

        if self._session is None:
            raise ServerError("the server is not connected")
        if self._session.stale:
            names = {tool.name for tool in self._allowed}
            found = look(await self._session.offers(), self._pinned.target, self._session.title, names)
            held = PinnedServer(target=self._pinned.target, title=self._pinned.title, tools=self._allowed)
            self._changed = changes(held, found.server) | dict(found.refused)
            self._compared_at = asyncio.get_running_loop().time()
        return self._session
