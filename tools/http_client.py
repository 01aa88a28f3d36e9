"""Sends the requests of an HTTP tool: within its rules, to checked addresses, under caps."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import httpcore
import httpx

from planloom.configs.spec import HttpSpec
from planloom.core.errors import ToolError
from planloom.tools.address import CheckedBackend, PrivateAddressError
from planloom.tools.allow import Rule, fault_of, origin_of
from planloom.tools.credentials import Credentials
from planloom.tools.http_body import BodyError, read_body
from planloom.tools.http_cache import HttpCache
from planloom.tools.http_message import HttpAnswer, HttpRequest

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_FAULTS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


class HttpClient:
    """The connections of one tool source."""

    def __init__(
        self,
        name: str,
        spec: HttpSpec,
        rules: Sequence[Rule],
        home: httpx.URL | None,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        """Make a client that connects to nothing yet.

        Args:
            name: Of the tool source, for errors.
            spec: Caps, cache, and whether private addresses are allowed.
            rules: Which requests may leave, at each redirect again.
            home: The origin that gets credentials.
            backend: Makes the connections; left out, one that checks addresses.
        """
        self._name, self._spec, self._rules = name, spec, rules
        self._home = origin_of(home) if home is not None else None
        self._cache = HttpCache() if spec.cache else None
        self._backend = backend or CheckedBackend(private=spec.private)
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def open(self, max_connections: int) -> None:
        """Make the pool; nothing connects before the first request."""
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=max_connections,
            keepalive_expiry=15,
            network_backend=self._backend,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Send a request and follow its redirects.

        Raises:
            ToolError: A rule, an address or a cap forbids it, or it failed; no secret is in the message.
        """
        hide = request.credentials.hide_text
        try:
            return await self._follow(request)
        except ToolError as exc:
            raise ToolError(self._name, hide(exc.message), permanent=exc.permanent) from exc
        except PrivateAddressError as exc:
            raise ToolError(self._name, hide(str(exc)), permanent=request.method in ("GET", "HEAD")) from exc
        except BodyError as exc:
            raise ToolError(self._name, hide(str(exc))) from exc
        except _FAULTS as exc:
            what = f"{request.method} {request.url} failed: {exc or type(exc).__name__}"
            raise ToolError(self._name, hide(what)) from exc

    async def _follow(self, request: HttpRequest) -> HttpAnswer:
        for hop in range(_MAX_REDIRECTS + 1):
            self.check(request.method, request.url, first=hop == 0)
            answer = await self._answer(request)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or target is None:
                return answer
            request = self._next(request, answer.status, target)
        raise ToolError(self._name, f"more than {_MAX_REDIRECTS} redirects")

    def _next(self, request: HttpRequest, status: int, target: str) -> HttpRequest:
        try:
            url = request.url.join(target).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError) as exc:
            raise ToolError(self._name, f"redirected to {target[:200]!r}, which is not a URL") from exc
        if origin_of(url) != origin_of(request.url):
            if request.credentials.hide_text(str(url)) != str(url):
                raise ToolError(self._name, "redirected to another origin with a secret in the URL")
            request = replace(request, credentials=Credentials(), key={})
        if status in (301, 302, 303) and request.method not in ("GET", "HEAD"):
            request = replace(request, method="GET", body=b"", key={}, headers=_without_type(request.headers))
        return replace(request, url=url)

    def check(self, method: str, url: httpx.URL, *, first: bool = True) -> None:
        """Hold a request against the rules; the first of a call is nobody's fault but the caller's.

        Raises:
            ToolError: It may not leave.
        """
        if fault := fault_of(url):
            raise ToolError(self._name, f"{str(url)[:200]!r}: {fault}", permanent=first)
        if not any(rule.allows(method, url) for rule in self._rules):
            allowed = ", ".join(map(str, self._rules)) or "nothing"
            told = f"{method} {str(url)[:200]} is not allowed; allowed: {allowed}"
            raise ToolError(self._name, told, permanent=first)

    async def _answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request, from the cache where HTTP's rules let it."""
        if origin_of(request.url) != self._home:
            request = replace(request, credentials=Credentials(), key={})
        secret = request.credentials
        url = request.url.copy_merge_params(secret.query) if secret.query else request.url
        headers = httpx.Headers({"Accept-Encoding": "gzip", "User-Agent": "planloom", **request.headers})
        headers.update({**secret.headers, **request.key, "Host": url.netloc.decode("ascii")})
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(request.body))

        async def send(sent: httpx.Headers) -> HttpAnswer:
            return replace(await self._exchange(request.method, url, sent, request.body), url=request.url)

        if self._cache is None:
            return await send(headers)
        return await self._cache.answer(request.method, str(url), headers, secret.owner, send)

    async def _exchange(self, method: str, url: httpx.URL, headers: httpx.Headers, body: bytes) -> HttpAnswer:
        if self._pool is None:
            raise ToolError(self._name, "the tool is not open")
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream(method, target, headers=headers.raw, content=body or None) as answer:
            found = httpx.Headers(answer.headers)
            chunks: AsyncIterator[bytes] = answer.aiter_stream()
            read = await read_body(chunks, found.get("content-encoding", ""), self._spec.max_bytes)
        found.pop("content-encoding", None)
        found.pop("content-length", None)
        return HttpAnswer(status=answer.status, url=url, headers=found, body=read)


def _without_type(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-type"}
