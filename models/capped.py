"""A cap on the bytes of one reply: how much memory a provider takes is ours to say."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable

import httpx2

from planloom.core.outcome import FailureKind
from planloom.models.faults import Fault


class _Capped(httpx2.AsyncByteStream):
    """A body that breaks off when it grows too long."""

    def __init__(self, response: httpx2.Response, limit: int) -> None:
        self._response = response
        self._body = response.stream
        self._limit = limit

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        size = 0
        if not isinstance(self._body, AsyncIterable):
            return
        async for chunk in self._body:
            size += len(chunk)
            if size > self._limit:
                raise _too_long(self._response, self._limit)
            yield chunk

    async def aclose(self) -> None:
        if isinstance(self._body, httpx2.AsyncByteStream):
            await self._body.aclose()


def capped(limit: int) -> Callable[[httpx2.Response], Awaitable[None]]:
    """Return a response hook under which no body is longer than `limit` bytes.

    A compressed body is refused: a few kilobytes of it can unfold to gigabytes.
    """

    async def hook(response: httpx2.Response) -> None:
        """Raises Fault."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            text = f"{_host(response)} sent a reply compressed with {coding!r}, which was not asked for"
            raise Fault(FailureKind.REJECTED, text, lost=True)
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise _too_long(response, limit)
        response.stream = _Capped(response, limit)

    return hook


def _too_long(response: httpx2.Response, limit: int) -> Fault:
    text = f"the reply of {_host(response)} is longer than {limit} bytes; the rest was not read"
    return Fault(FailureKind.LENGTH, text, lost=True)


def _host(response: httpx2.Response) -> str:
    return response.url.netloc.decode("ascii", "replace").rpartition("@")[2]
