"""The tool `http`: requests to named hosts."""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import httpcore
import httpx

from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.address import CheckedBackend, PrivateAddressError
from planloom.tools.allow import METHODS, Rule, base_rule, fault_of, port_of, read_rule
from planloom.tools.base import Tool

_MAX_REDIRECTS = 5
_MAX_TEXT_CHARS = 100_000
_URL: JsonObject = {"type": "string", "description": "absolute, or relative to the base URL"}
_QUERY: JsonObject = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
    "description": "query parameters",
}
_RETURNS = "Returns {status, url, headers, and json or text}; a long text is cut and marked truncated."


class HttpSource:
    """`.get`, and `.request` where another method is allowed."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path) -> None:
        """Read the rules.

        Raises:
            ConfigError: A rule cannot be read.
        """
        self._name, self._spec = name, spec
        self._http = spec.http or HttpSpec()
        self._base = httpx.URL(self._http.base_url) if self._http.base_url else None
        problems: list[Problem] = []
        self._rules = self._read_rules(problems)
        if problems:
            raise ConfigError(base_dir, problems)
        self._pool: httpcore.AsyncConnectionPool | None = None

    def _read_rules(self, problems: list[Problem]) -> list[Rule]:
        rules: list[Rule] = []
        for index, text in enumerate(self._http.allow):
            try:
                rules.append(read_rule(text, self._base))
            except ValueError as exc:
                problems.append(Problem(str(exc), f"tools.{self._name}.http.allow[{index}]"))
        if not self._http.allow and self._base is not None:
            rules.append(base_rule(self._base))
        return rules

    async def open(self) -> None:
        """Make the pool; nothing connects before the first request."""
        backend = CheckedBackend(private=self._http.private)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=self._spec.max_parallel,
            keepalive_expiry=15,
            network_backend=backend,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.aclose()

    def tools(self) -> tuple[Tool, ...]:
        """The operations that the rules allow."""
        allowed = f"Allowed: {', '.join(map(str, self._rules)) or 'nothing'}."
        base = f" Base URL: {self._base}." if self._base else ""
        get: JsonObject = {"url": _URL, "query": _QUERY}
        tools = [self._tool("get", f"HTTP GET. {_RETURNS}{base} {allowed}", get, ["url"])]
        if methods := sorted({rule.method for rule in self._rules} - {"GET", "HEAD"}):
            request: JsonObject = {
                "method": {"type": "string", "enum": [*methods]},
                **get,
                "body": {"description": "sent as JSON"},
            }
            about = f"HTTP request. {_RETURNS}{base} {allowed}"
            tools.append(self._tool("request", about, request, ["method", "url"]))
        return tuple(tools)

    def _tool(self, operation: str, about: str, properties: JsonObject, required: list[Json]) -> Tool:
        return Tool(
            name=ToolName(f"{self._name}.{operation}"),
            description=f"{self._spec.description} {about}".strip(),
            parameters={
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            },
            effect="read" if operation == "get" else "write",
            call=self._call,
            timeout_s=self._spec.timeout,
            max_parallel=self._spec.max_parallel,
        )

    async def _call(self, args: JsonObject) -> Json:
        method = str(args.get("method", "GET")).upper()
        url = self._url(str(args["url"]), args.get("query"))
        content = json.dumps(args["body"]).encode() if "body" in args else b""
        try:
            return await self._follow(method, url, content)
        except PrivateAddressError as exc:
            raise ToolError(self._name, str(exc)) from exc
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as exc:
            raise ToolError(self._name, f"{method} {url} failed: {exc or type(exc).__name__}") from exc
        except (httpcore.UnsupportedProtocol, httpx.DecodingError) as exc:
            raise ToolError(self._name, f"{method} {url} failed: {exc or type(exc).__name__}") from exc

    def _url(self, text: str, query: Json) -> httpx.URL:
        try:
            url = httpx.URL(text)
            if self._base is not None and url.is_relative_url:
                url = httpx.URL(str(self._base).rstrip("/") + "/" + text.lstrip("/"))
            if isinstance(query, dict):
                url = url.copy_merge_params({name: _scalar(value) for name, value in query.items()})
        except (httpx.InvalidURL, ValueError, TypeError) as exc:
            raise ToolError(self._name, f"{text!r} is not a URL: {exc}") from exc
        return url.copy_with(fragment=None)

    async def _follow(self, method: str, url: httpx.URL, content: bytes) -> JsonObject:
        first = url
        for _ in range(_MAX_REDIRECTS + 1):
            self._check(method, url)
            async with self._send(method, url, content, same=_origin(url) == _origin(first)) as response:
                target = response.headers.get("location")
                if not response.is_redirect or target is None:
                    return _shown(response, await self._body(response))
                if response.status_code in (301, 302, 303) and method != "HEAD":
                    method, content = "GET", b""
                url = self._next(url, target)
        raise ToolError(self._name, f"more than {_MAX_REDIRECTS} redirects")

    def _next(self, url: httpx.URL, target: str) -> httpx.URL:
        try:
            return url.join(target).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError) as exc:
            raise ToolError(self._name, f"redirected to {target[:200]!r}, which is not a URL") from exc

    def _check(self, method: str, url: httpx.URL) -> None:
        if fault := fault_of(url):
            raise ToolError(self._name, f"{str(url)[:200]!r}: {fault}")
        if method not in METHODS or not any(rule.allows(method, url) for rule in self._rules):
            allowed = ", ".join(map(str, self._rules)) or "nothing"
            raise ToolError(self._name, f"{method} {str(url)[:200]} is not allowed; allowed: {allowed}")

    @contextlib.asynccontextmanager
    async def _send(self, method: str, url: httpx.URL, content: bytes, *, same: bool) -> AsyncGenerator[httpx.Response]:
        """Send one request; secret headers go to the first origin only, and to the base URL's where there is one."""
        if self._pool is None:
            raise ToolError(self._name, "the tool is not open")
        headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "gzip, deflate", "User-Agent": "planloom"}
        if content or method in ("POST", "PUT", "PATCH"):
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        if same and (self._base is None or _origin(url) == _origin(self._base)):
            headers |= self._http.headers
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream(method, target, headers=[*headers.items()], content=content or None) as answer:
            yield httpx.Response(
                answer.status,
                headers=answer.headers,
                stream=_Stream(answer),
                request=httpx.Request(method, url),
            )

    async def _body(self, response: httpx.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "deflate"):
            raise ToolError(self._name, f"the answer is encoded as {encoding!r}, which was not asked for")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._http.max_bytes:
                raise ToolError(self._name, f"the answer is larger than {self._http.max_bytes} bytes")
        return bytes(body)


class _Stream(httpx.AsyncByteStream):
    """The body as httpx reads it."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.aiter_stream():
            yield chunk


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), port_of(url)


def _scalar(value: Json) -> str | int | float | bool:
    if isinstance(value, str | int | float):
        return value
    raise TypeError("a query parameter must be a text, number or boolean")


def _shown(response: httpx.Response, body: bytes) -> JsonObject:
    """Return what the model sees of an answer."""
    kind = response.headers.get("content-type", "")
    shown: JsonObject = {
        "status": response.status_code,
        "url": str(response.request.url),
        "headers": {"content-type": kind},
    }
    if "json" in kind and len(body) <= _MAX_TEXT_CHARS:
        with contextlib.suppress(ValueError, RecursionError):
            shown["json"] = json.loads(body, parse_constant=lambda _: None)
            return shown
    if b"\0" in body:
        shown["text"] = f"({len(body)} bytes that are not text)"
        return shown
    try:
        text = body.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    shown["text"] = text[:_MAX_TEXT_CHARS]
    if len(text) > _MAX_TEXT_CHARS:
        shown["truncated"] = True
    return shown
