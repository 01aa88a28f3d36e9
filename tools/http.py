"""The tool `http`: requests to named hosts."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx

from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject, closed
from planloom.core.plan import ToolName
from planloom.core.refs import pieces
from planloom.tools.address import is_public
from planloom.tools.allow import Rule, below, read_rule
from planloom.tools.base import Tool
from planloom.tools.credentials import Credentials, header_faults
from planloom.tools.http_client import HttpClient
from planloom.tools.http_message import HttpAnswer, HttpRequest
from planloom.tools.url_start import start_fault

KEY = "idempotency_key"
"""The argument that carries the engine's key; no model can set it."""
RETURNS = "Returns {status, url, headers, and json or text}; a long text is cut and marked truncated."
_MAX_TEXT_CHARS = 100_000
_URL: JsonObject = {"type": "string", "description": "absolute, or relative to the base URL"}
_QUERY: JsonObject = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
    "description": "query parameters",
}


class HttpSource:
    """`.get`, and `.request` where another method is allowed."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path) -> None:
        """Read the rules.

        Raises:
            ConfigError: A rule or a header cannot be used.
        """
        self._name, self._spec = name, spec
        self._http = spec.http or HttpSpec()
        self._base = httpx.URL(self._http.base_url) if self._http.base_url else None
        problems: list[Problem] = []
        self._rules = read_rules(self._http, self._base, f"tools.{name}.http", problems)
        problems.extend(header_problems(self._http, self._rules, f"tools.{name}.http"))
        problems.extend(home_problems(self._http, f"tools.{name}.http"))
        if problems:
            raise ConfigError(base_dir, problems)
        self._credentials = Credentials(headers=self._http.headers)
        self._client = HttpClient(name, self._http, self._rules, self._base or _only_origin(self._rules))

    async def open(self) -> None:
        """Make the pool; nothing connects before the first request."""
        await self._client.open(self._spec.max_parallel)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def tools(self) -> tuple[Tool, ...]:
        """The operations that the rules allow."""
        allowed = f"Allowed: {', '.join(map(str, self._rules)) or 'nothing'}."
        base = f" Base URL: {self._base}." if self._base else ""
        get: JsonObject = {"url": _URL, "query": _QUERY}
        tools = [self._tool("get", f"HTTP GET. {RETURNS}{base} {allowed}", get, ["url"])]
        if self._methods:
            request: JsonObject = {
                "method": {"type": "string", "enum": [*sorted(self._methods)]},
                **get,
                "body": {"description": "sent as JSON"},
            }
            about = f"HTTP request. {RETURNS}{base} {allowed}"
            tools.append(self._tool("request", about, request, ["method", "url"]))
        return tuple(tools)

    @property
    def _methods(self) -> set[str]:
        return {rule.method for rule in self._rules} - {"GET", "HEAD"}

    def _tool(self, operation: str, about: str, properties: JsonObject, required: list[str]) -> Tool:
        reads = operation == "get"
        return Tool(
            name=ToolName(f"{self._name}.{operation}"),
            description=f"{self._spec.description} {about}".strip(),
            parameters=closed(properties, required),
            effect="read" if reads else "write",
            call=self._call,
            vet=lambda args: self._vet("GET" if reads else args.get("method"), args.get("url")),
            timeout_s=self._spec.timeout,
            max_parallel=self._spec.max_parallel,
            idempotency_parameter=KEY if self._http.idempotency_header and not reads else None,
            idempotent=not reads and self._methods <= {"PUT", "DELETE"},  # RFC 9110, section 9.2.2
            control=frozenset(properties) - {"body"},
        )

    def _vet(self, method: Json, url: Json) -> Iterator[tuple[str, str]]:
        known = method if isinstance(method, str) and "${" not in method else None
        if not isinstance(url, str):
            return
        start, *rest = pieces(url)
        if rest:
            fault = start_fault(start, known, self._rules, self._base)
            yield from [("url", fault)] if fault else []
        elif known is not None:
            try:
                self._client.check(known, self._url(url, None))
            except ToolError as exc:
                yield "url", exc.message

    async def _call(self, args: JsonObject) -> Json:
        headers = {"Content-Type": "application/json"} if "body" in args else {}
        request = HttpRequest(
            method=str(args.get("method", "GET")),
            url=self._url(str(args["url"]), args.get("query")),
            headers=headers,
            body=json.dumps(args["body"]).encode() if "body" in args else b"",
            credentials=self._credentials,
            key=key_header(self._http.idempotency_header, args),
        )
        return shown(await self._client.send(request), self._credentials)

    def _url(self, text: str, query: Json) -> httpx.URL:
        try:
            url = httpx.URL(text)
            if self._base is not None and url.is_relative_url:
                url = httpx.URL(str(self._base).rstrip("/") + "/" + text.lstrip("/"))
            if isinstance(query, dict):
                url = url.copy_merge_params({name: _scalar(value) for name, value in query.items()})
        except (httpx.InvalidURL, ValueError, TypeError) as exc:
            raise ToolError(self._name, f"{text!r} is not a URL: {exc}", permanent=True) from exc
        return url.copy_with(fragment=None)


def read_rules(http: HttpSpec, base: httpx.URL | None, field: str, problems: list[Problem]) -> list[Rule]:
    """Read `allow`; where it is left out, anything below the base URL may be read."""
    rules: list[Rule] = []
    for index, text in enumerate(http.allow):
        try:
            rules.append(read_rule(text, base))
        except ValueError as exc:
            problems.append(Problem(str(exc), f"{field}.allow[{index}]"))
    if not http.allow and base is not None:
        rules.append(below(base, "GET", "/*"))
    return rules


def key_header(name: str | None, args: JsonObject) -> dict[str, str]:
    """Return the header with the engine's key, where there is one."""
    key = args.get(KEY)
    return {name: key} if name and isinstance(key, str) else {}


def shown(answer: HttpAnswer, credentials: Credentials) -> JsonObject:
    """Return what the model sees of an answer: no secret, also where the server repeats one."""
    kind = answer.headers.get("content-type", "")
    seen: JsonObject = {"status": answer.status, "url": str(answer.url), "headers": {"content-type": kind}}
    if "json" in kind and len(answer.body) <= _MAX_TEXT_CHARS:
        with contextlib.suppress(ValueError, RecursionError):
            seen["json"] = credentials.hide(json.loads(answer.body, parse_constant=lambda _: None))
            return _hidden(seen, credentials)
    if b"\0" in answer.body:
        seen["text"] = f"({len(answer.body)} bytes that are not text)"
        return seen
    text = credentials.hide_text(_decoded(answer))
    seen["text"] = text[:_MAX_TEXT_CHARS]
    if len(text) > _MAX_TEXT_CHARS:
        seen["truncated"] = True
    return _hidden(seen, credentials)


def _hidden(seen: JsonObject, credentials: Credentials) -> JsonObject:
    return {**seen, "url": credentials.hide(seen["url"]), "headers": credentials.hide(seen["headers"])}


def _decoded(answer: HttpAnswer) -> str:
    charset = httpx.Response(200, headers={"content-type": answer.headers.get("content-type", "")}).charset_encoding
    try:
        return answer.body.decode(charset or "utf-8", "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def home_problems(http: HttpSpec, field: str) -> Iterator[Problem]:
    """Yield that nothing could ever be reached: the base URL names an address that is not public."""
    host = httpx.URL(http.base_url).host if http.base_url and not http.private else ""
    with contextlib.suppress(ValueError):  # of a name only the resolver knows
        if host and (host == "localhost" or not is_public(host)):
            yield Problem(f"{host} is not a public address; only `private: true` lets it through", f"{field}.base_url")


def header_problems(http: HttpSpec, rules: list[Rule], field: str) -> Iterator[Problem]:
    """Yield what is wrong with the headers of a spec; no value is told."""
    for name, message in header_faults(http.headers):
        yield Problem(message, f"{field}.headers.{name}")
    if http.idempotency_header:
        for _, message in header_faults({http.idempotency_header: ""}):
            yield Problem(message, f"{field}.idempotency_header")
    if http.headers and not http.base_url and _only_origin(rules) is None:
        message = "expected base_url, or rules of one host: headers may hold secrets and go to one origin only"
        yield Problem(message, f"{field}.headers")


def _only_origin(rules: list[Rule]) -> httpx.URL | None:
    """Return the one origin that all rules name, if they do."""
    origins = {(rule.scheme, rule.host, rule.port) for rule in rules}
    if len(origins) != 1:
        return None
    scheme, host, port = origins.pop()
    return None if "*" in host else httpx.URL(scheme=scheme, host=host, port=port)


def _scalar(value: Json) -> str | int | float | bool:
    if isinstance(value, str | int | float):
        return value
    raise TypeError("a query parameter must be a text, number or boolean")
