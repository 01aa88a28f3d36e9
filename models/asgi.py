"""An ASGI app behind an HTTP client, in process: responses arrive piece by piece, as from a socket."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
from starlette.types import ASGIApp, Message, Scope


class _Exchange:
    """One request's way through the app, in a task of its own."""

    def __init__(self, body: bytes) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self._body: bytes | None = body
        self._gone = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Drive the app; its end is a message too."""
        try:
            await app(scope, self.receive, self.send)
        finally:
            self.messages.put_nowait({"type": "end"})

    async def receive(self) -> Message:
        """What the app reads: the body, later the news that the client has gone."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the app writes; it lets the reader run in between."""
        self.messages.put_nowait(message)
        await asyncio.sleep(0)

    def leave(self) -> None:
        """Hang up."""
        self._gone.set()
        if self.task is not None:
            self.task.cancel()


class _Body(httpx2.AsyncByteStream):
    """A response's body as the app sends it."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._exchange.messages.get()
            if message["type"] == "end":
                raise httpx2.RemoteProtocolError("the connection was closed before the response was complete")
            if message["type"] == "http.response.body":
                if body := message.get("body", b""):
                    yield body
                if not message.get("more_body", False):
                    return

    async def aclose(self) -> None:
        self._exchange.leave()


class StreamingASGITransport(httpx2.AsyncBaseTransport):
    """Like httpx's ASGITransport, which holds a response back until it is whole; this one does not.

    Args:
        app: Any ASGI app.
        tasks: Group that owns the app's tasks; it must outlive the client.
    """

    def __init__(self, app: ASGIApp, tasks: asyncio.TaskGroup) -> None:
        self._app = app
        self._tasks = tasks
        self._live: set[_Exchange] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request to the app and return once the response's head is there."""
        exchange = _Exchange(await request.aread())
        task = exchange.task = self._tasks.create_task(exchange.run(self._app, _scope(request)))
        self._live.add(exchange)
        task.add_done_callback(lambda _: self._live.discard(exchange))
        try:
            head = await exchange.messages.get()
        except asyncio.CancelledError:
            exchange.leave()
            raise
        if head["type"] != "http.response.start":
            raise httpx2.RemoteProtocolError("the server closed the connection without a response")
        return httpx2.Response(head["status"], headers=head["headers"], stream=_Body(exchange))

    async def aclose(self) -> None:
        """Hang up everywhere."""
        for exchange in list(self._live):
            exchange.leave()


def _scope(request: httpx2.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
    }
