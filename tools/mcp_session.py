"""One connection to an MCP server, from its start to its end, held by a task of its own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from mcp import Client, MCPError
from mcp.client import IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, CallToolResult, Implementation, ToolListChangedNotification
from mcp_types import Tool as OfferedTool
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from planloom.configs.spec import McpSpec
from planloom.core.json import Json, JsonObject
from planloom.tools.credentials import Credentials
from planloom.tools.hidden import visible
from planloom.tools.mcp_error import RefusedError, ServerError
from planloom.tools.mcp_http import http_client
from planloom.tools.mcp_result import as_json, text_of
from planloom.tools.mcp_stdio import Program, Said, running

_MAX_PAGES = 50
_MAX_ERROR_CHARS = 2000
_SETTLE_S = 6.0
"""For a broken connection to say why; more than a program takes to be ended."""


class Session:
    """A connection. The SDK's scopes must be entered and left by one task: `start` makes it, `stop` ends it."""

    def __init__(self, mcp: McpSpec, folder: Path) -> None:
        self._mcp, self._folder = mcp, folder
        self._secrets = Credentials(headers={**mcp.env, **mcp.headers})
        """What has the name of a secret; blotted out of results."""
        self._private = Credentials(headers=mcp.headers, query=mcp.env)
        """All that was given; blotted out of errors."""
        self._said = Said()
        self._cause = ""
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self.title = ""
        """What the server calls itself."""
        self.stale = False
        """Its tools may have changed since they were listed."""
        self._deaf = False
        self.suspect = False
        """A call was given up, so it may hang."""
        self.over = False

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Connect.

        Raises:
            ServerError: It cannot be started or reached, or does not speak the protocol in time.
        """
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = group.create_task(self._hold(ready), name="mcp server")
        try:
            async with asyncio.timeout(self._mcp.start):
                self._client = await ready
        except TimeoutError as exc:
            await self.stop()
            raise ServerError(self._shown(f"it did not answer within {self._mcp.start:g} s")) from exc
        except BaseException:
            await self.stop()
            raise
        info = self._client.server_info
        self.title = visible(info.name if info else "", max_chars=100)

    async def stop(self) -> None:
        """End the connection, and the program behind it with all it started."""
        self.over = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _hold(self, ready: asyncio.Future[Client]) -> None:
        try:
            async with self._connected() as client:
                if not ready.done():
                    ready.set_result(client)
                await self._watch(client)
        except Exception as exc:  # whatever the SDK raises when a connection breaks
            self._cause = _cause(exc)
        finally:
            self.over = True
            if not ready.done():
                ready.set_exception(ServerError(self._shown("it could not be started")))

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Client]:
        mcp, about = self._mcp, Implementation(name="planloom", version="1")
        if mcp.command:
            program = Program(command=mcp.command, env=mcp.env, folder=self._folder, max_bytes=mcp.max_bytes)
            streams = running(program, self._said)
            async with Client(streams, message_handler=self._heard, client_info=about, cache=None) as client:
                yield client
            return
        async with http_client(mcp) as http:
            streams_at = streamable_http_client(str(mcp.url), http_client=http, max_sse_event_size=mcp.max_bytes)
            async with Client(streams_at, message_handler=self._heard, client_info=about, cache=None) as client:
                yield client

    async def _watch(self, client: Client) -> None:
        """Wait until the connection ends; meanwhile ask newer servers to tell of changes, as the older do unasked."""
        tools = client.server_capabilities.tools
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS and tools is not None and tools.list_changed:
            try:
                async with client.listen(tools_list_changed=True) as events:
                    async for _ in events:
                        self.stale = True
            except Exception:  # whatever the SDK raises: from here on nobody tells, so every call must ask
                self.stale = self._deaf = True
        await self._said.ended.wait()

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.stale = True

    async def offers(self) -> list[OfferedTool]:
        """Return all tools of the server.

        Raises:
            ServerError: It does not answer.
        """
        self.stale = False  # before it is asked: what changes meanwhile is asked for again
        try:
            found = await self._listed()
        except asyncio.CancelledError:
            self.stale = True
            raise
        except Exception as exc:  # whatever the SDK makes of what the server sent
            self.stale = True
            raise await self._error(exc) from exc
        self.stale = self.stale or self._deaf
        return found

    async def _listed(self) -> list[OfferedTool]:
        found: list[OfferedTool] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._connection.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None:
                return found
        raise ValueError(f"its list of tools has more than {_MAX_PAGES} pages")

    async def answers(self, timeout_s: float) -> bool:
        """Whether a server that let a call run out of time still answers."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._connection.list_tools()
        except Exception:  # of the SDK, or out of time: either way it does not
            return False
        self.suspect = False
        return True

    async def call(self, tool: str, args: JsonObject) -> Json:
        """Call a tool. A call that is given up is cancelled at the server.

        Raises:
            RefusedError: The server says that it failed.
            ServerError: The server is gone, or what it sent is not of the protocol.
        """
        try:
            result = await self._connection.call_tool(tool, dict(args))
        except asyncio.CancelledError:
            self.suspect = True
            raise
        except Exception as exc:  # whatever the SDK makes of what the server sent
            raise await self._error(exc) from exc
        return self._unpacked(result)

    def _unpacked(self, result: CallToolResult) -> Json:
        if result.is_error:
            raise RefusedError(self._redacted(text_of(result)) or "it failed and does not say why")
        return self._secrets.hide(as_json(result))

    @property
    def _connection(self) -> Client:
        if self._client is None:
            raise ServerError("the server is not connected")
        return self._client

    async def _error(self, exc: Exception) -> ServerError:
        """Return what went wrong in words; a broken connection is given a moment to say why."""
        if not isinstance(exc, MCPError):
            return ServerError(self._redacted(f"its answer cannot be used: {_cause(exc)}"))
        if not self.over and exc.code != CONNECTION_CLOSED and exc.message != "Session terminated":
            return RefusedError(self._redacted(exc.message))
        self.over = True
        if self._task is not None and self._said.ended.is_set():
            await asyncio.wait({self._task}, timeout=_SETTLE_S)
        await self.stop()
        return ServerError(self._shown("the connection to it ended" if self._said.text else exc.message))

    def _shown(self, message: str) -> str:
        return self._redacted("; ".join(part for part in (message, self._cause, self._said.text) if part))

    def _redacted(self, text: str) -> str:
        return visible(self._private.hide_text(text), max_chars=_MAX_ERROR_CHARS)


def _cause(exc: BaseException) -> str:
    """Return the first error in nested groups, in words."""
    while inner := cast("Sequence[BaseException]", getattr(exc, "exceptions", ())):
        exc = inner[0]
    return str(exc) or type(exc).__name__
