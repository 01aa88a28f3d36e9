"""Apps of tests on ports of their own, over real HTTP, and ports for servers that start later or start again."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 50
_PORTS = iter(range(20_000 + 200 * _WORKER, 20_000 + 200 * _WORKER + 200))


@asynccontextmanager
async def on_port(app: ASGIApp, *, forced: bool = False) -> AsyncIterator[str]:
    """Serve an app on a port of its own.

    Args:
        app: The app.
        forced: Whether to leave without waiting for requests under way or the end of the app's lifespan.
    """
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server._serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if task.done():
            raise RuntimeError("the server did not start")
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit, server.force_exit = True, forced
            await task


def free_port() -> int:
    """Return a port that stays free until a server takes it: one that the system gives to no connection."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")
