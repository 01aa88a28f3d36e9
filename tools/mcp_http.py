"""An MCP server at a URL: only public addresses, no proxies from the environment, bounded answers."""

from collections.abc import AsyncIterable, AsyncIterator, Generator
from contextlib import contextmanager

import httpcore
import httpx
import httpx2

from planloom.configs.spec import McpSpec
from planloom.tools.address import CheckedBackend, PrivateAddressError

_CONNECT_S, _READ_S = 30.0, 300.0


class _TooLargeError(httpx2.StreamError):
    """The answer is larger than the workflow allows."""


class _Body(httpx2.AsyncByteStream):
    """A body that ends with an error where it grows over its bound; a stream of events is bounded event by event."""

    def __init__(self, answer: httpcore.Response, max_bytes: int | None) -> None:
        self._answer, self._max_bytes = answer, max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with _translated():
            async for chunk in self._answer.aiter_stream():
                size += len(chunk)
                if self._max_bytes is not None and size > self._max_bytes:
                    raise _TooLargeError(f"the answer is larger than {self._max_bytes} bytes; ask it for less")
                yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Transport(httpx2.AsyncBaseTransport):
    """Sends through the pool that judges every address it connects to."""

    def __init__(self, *, private: bool, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            keepalive_expiry=15,
            network_backend=CheckedBackend(private=private),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        url = request.url
        if not isinstance(request.stream, AsyncIterable):
            raise TypeError("expected a body that can be sent asynchronously")
        with _translated():
            answer = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        response = httpx2.Response(answer.status, headers=answer.headers)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await answer.aclose()
            raise httpx2.RemoteProtocolError("the answer is encoded, which was not asked for")
        events = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        body = _Body(answer, None if events else self._max_bytes)
        return httpx2.Response(answer.status, headers=answer.headers, stream=body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


def http_client(mcp: McpSpec) -> httpx2.AsyncClient:
    """Return a client for the server at a URL; the caller closes it."""
    return httpx2.AsyncClient(
        headers={**mcp.headers, "Accept-Encoding": "identity"},
        transport=_Transport(private=mcp.private, max_bytes=mcp.max_bytes),
        timeout=httpx2.Timeout(_CONNECT_S, read=_READ_S),
        trust_env=False,
    )


@contextmanager
def _translated() -> Generator[None]:
    """Raise what the SDK expects in place of what httpcore raises."""
    try:
        yield
    except PrivateAddressError as exc:
        raise httpx2.ConnectError(str(exc)) from exc
    except httpcore.TimeoutException as exc:
        raise httpx2.TimeoutException(f"no answer in time: {type(exc).__name__}") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as exc:
        raise httpx2.TransportError(str(exc) or type(exc).__name__) from exc
