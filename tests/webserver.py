"""A real HTTP server on loopback that answers each path with fixed bytes, also broken ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Seen:
    """One request as the server got it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Server:
    """A real server on loopback that answers each path with fixed bytes."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    seen: list[Seen] = field(default_factory=list[Seen])
    drip: bytes = b""
    """Sent over and over after an answer, until the client hangs up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, _, v in (item.partition(": ") for item in rest)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.seen.append(Seen(line, headers, body))
                writer.write(self.answers.get(line.split()[1], answer(b"nothing here", status="404 Not Found")))
                await writer.drain()
                if b"Connection: close" in self.answers.get(line.split()[1], b""):
                    return
                while self.drip:
                    writer.write(self.drip)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(body: bytes = b"", *, status: str = "200 OK", kind: str = "text/plain", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def redirect(target: str, status: str = "302 Found") -> bytes:
    return answer(status=status, extra=f"Location: {target}\r\n")


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Serve on a free port of `host`."""
    made = Server()
    listening = await asyncio.start_server(made.serve, host, 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made
