"""A receiver of webhooks: a real HTTP server that checks each signature with the library of Standard Webhooks."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI
from ports import on_port
from standardwebhooks.webhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response

from planloom.core.json import JsonObject
from planloom.service.webhooks import Webhooks

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass
class Received:
    path: str
    id: str
    type: str
    data: JsonObject


@dataclass
class Receiver:
    """What has come, and what is answered: statuses in turn, then 204."""

    answers: list[int] = field(default_factory=list[int])
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[Received] = field(default_factory=list[Received])
    url: str = ""

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        message = Webhook(SECRET).verify(body, dict(request.headers))
        self.got.append(
            Received(request.url.path, request.headers["webhook-id"], message["type"], message["data"]),
        )
        await self.answering.wait()
        return Response(status_code=self.answers.pop(0) if self.answers else 204, headers={"Location": "/elsewhere"})

    async def until(self, count: int) -> list[Received]:
        """Wait until so many have come."""
        while len(self.got) < count:
            await asyncio.sleep(0.02)
        return self.got

    async def until_ended(self) -> Received:
        """Wait for the end of a run."""
        while True:
            if found := [got for got in self.got if got.type == "run.ended"]:
                return found[-1]
            await asyncio.sleep(0.02)


@asynccontextmanager
async def receiving(*answers: int, silent: bool = False) -> AsyncIterator[Receiver]:
    """Receive on a port of its own; a silent one takes requests and does not answer."""
    receiver, app = Receiver([*answers]), FastAPI()
    app.add_route("/{path:path}", receiver.receive, methods=["POST", "GET"])
    if not silent:
        receiver.answering.set()
    async with on_port(app) as url:
        receiver.url = f"{url}/hook"
        try:
            yield receiver
        finally:
            receiver.answering.set()


def hooks(*receivers: Receiver, delays_s: tuple[float, ...] = (0.01, 0.01, 0.01)) -> Webhooks:
    """Return webhooks to receivers on this machine."""
    urls = tuple(receiver.url for receiver in receivers)
    return Webhooks(urls=urls, secrets=(KEY,), private=True, delays_s=delays_s)
