"""What a killed process cannot take with it: the model server and the receiver of writes, in the harness's process."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from planloom.core.json import JsonObject
from planloom.models.rehearsal import rehearsal_app
from planloom.models.script import Script


@dataclass
class Outside:
    """One run's surroundings."""

    url: str
    asked: Sequence[JsonObject]
    """Requests that reached the model server."""
    server: uvicorn.Server
    effects: dict[str, int] = field(default_factory=dict[str, int])
    """How often each thing was written; one whose key was seen before is not written again."""
    keys: set[str] = field(default_factory=set[str])
    listener: tuple[str, Callable[[], None]] = ("", lambda: None)

    def listen(self, to: str, told: Callable[[], None]) -> None:
        """Tell of every `call` of a model, or of every `write` between its effect and its answer."""
        self.listener = (to, told)

    def tell(self, of: str) -> None:
        if self.listener[0] == of:
            self.listener[1]()

    def write(self, what: str, key: str) -> None:
        if not key or key not in self.keys:
            self.effects[what] = self.effects.get(what, 0) + 1
        self.keys.add(key)
        self.tell("write")

    async def quiet(self) -> None:
        """Wait until nothing that a dead process had sent is still on its way."""
        while self.server.server_state.connections:
            await asyncio.sleep(0.002)


@asynccontextmanager
async def outside(script: JsonObject) -> AsyncGenerator[Outside]:
    """Serve the models and the receiver on a port of their own."""
    models = rehearsal_app(Script.model_validate(script))

    async def receive(request: Request) -> Response:
        try:
            body = await request.json()
        except ClientDisconnect:
            return Response(status_code=400)  # it was killed while it spoke
        world.write(str(body["what"]), str(body.get("key", "")))
        return JSONResponse({"receipt": f"got {body['what']}"})

    async def look(request: Request) -> Response:
        what = request.query_params["what"]
        return JSONResponse({"receipt": f"got {what}" if what in world.effects else None})

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        world.tell("call")
        await models(scope, receive, send)

    routes = [Route("/write", receive, methods=["POST"]), Route("/write", look), Mount("/", ask)]
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    world = Outside(f"http://127.0.0.1:{listening.getsockname()[1]}", models.state.requests, server)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve([listening]))
        try:
            yield world
        finally:
            server.should_exit = server.force_exit = True
