"""Apps of tests on ports of their own, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


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
