"""The tool `http` with an OpenAPI document: one typed tool for each granted operation."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx

from planloom.configs.phrases import instead, quoted
from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.allow import below
from planloom.tools.base import Tool
from planloom.tools.credentials import Credentials
from planloom.tools.http import KEY, RETURNS, header_problems, home_problems, key_header, read_rules, shown
from planloom.tools.http_client import HttpClient
from planloom.tools.http_message import HttpRequest
from planloom.tools.openapi_document import OpenApiDocument, OpenApiError, UnsupportedError, read_openapi
from planloom.tools.openapi_operation import Found, Operation, find_operations, read_operation, tool_name
from planloom.tools.openapi_security import read_security

_STANDARD_KEY = "Idempotency-Key"
_WIRE_NAME_CHARS = 64


class OpenApiSource:
    """The operations of one API."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path) -> None:
        """Read the document.

        Raises:
            ConfigError: It cannot be read, or an operation that is granted cannot be offered.
        """
        self._name, self._spec, self._base_dir = name, spec, base_dir
        self._http = spec.http or HttpSpec()
        self._field = f"tools.{name}.http"
        if not self._http.base_url:
            raise self._fault("base_url", "expected the URL of the API, found none")
        self._base = httpx.URL(self._http.base_url)
        self._operations: list[tuple[Operation, Credentials, str | None]] = []
        try:
            self._read(read_openapi(self._http.openapi or "", base_dir))
        except OpenApiError as exc:
            raise self._fault("openapi", str(exc)) from exc
        rules = [below(self._base, op.method, _pattern(op.path)) for op, _, _ in self._operations]
        self._client = HttpClient(name, self._http, rules, self._base)

    def _fault(self, key: str, *messages: str) -> ConfigError:
        return ConfigError(self._base_dir, [Problem(message, f"{self._field}.{key}") for message in messages])

    def _read(self, document: OpenApiDocument) -> None:
        security = read_security(document, self._http.auth)
        problems = [Problem(message, f"{self._field}.auth.{name}") for name, message in security.faults()]
        problems += [*header_problems(self._http, [], self._field), *home_problems(self._http, self._field)]
        granted = self._granted(find_operations(document), problems)
        if problems:
            raise ConfigError(self._base_dir, problems)
        own = {*self._http.headers, self._http.idempotency_header or _STANDARD_KEY}
        taken = security.reserved() | {header.lower() for header in own}
        headers = Credentials(headers=self._http.headers)
        for found in granted:
            try:
                operation = read_operation(document, found, self._name_chars, taken)
            except UnsupportedError:
                if self._http.operations:
                    raise
                continue
            needed = security.for_operation(found.part, other_headers=bool(self._http.headers))
            self._operations.append((operation, headers | needed, self._key(document, found)))
        self._check_names()

    @property
    def _name_chars(self) -> int:
        return max(_WIRE_NAME_CHARS - len(self._name) - 2, 16)

    def _granted(self, found: list[Found], problems: list[Problem]) -> list[Found]:
        """Return the operations that the workflow names or its rules allow."""
        wanted = self._http.operations
        if wanted:
            by_name = {found.written: found for found in found}
            short = {tool_name(name, self._name_chars): item for name, item in by_name.items()}
            for index, name in enumerate(wanted):
                if name not in by_name and name not in short:
                    message = f"unknown operation {quoted(name)}, {instead(name, by_name)}"
                    problems.append(Problem(message, f"{self._field}.operations[{index}]"))
            return [by_name.get(name) or short[name] for name in wanted if name in by_name or name in short]
        rules = read_rules(self._http, self._base, self._field, problems)
        granted = [item for item in found if any(rule.names(item.method, self._full(item.path)) for rule in rules)]
        if not granted and not problems:
            problems.append(Problem("no operation of the document is allowed", f"{self._field}.allow"))
        return granted

    def _full(self, path: str) -> str:
        return self._base.path.rstrip("/") + path

    def _key(self, document: OpenApiDocument, found: Found) -> str | None:
        """Return the header for the engine's key: the workflow's, or the standard one where the API has it."""
        if found.method in ("GET", "HEAD"):
            return None
        if self._http.idempotency_header:
            return self._http.idempotency_header
        parameters = [*document.parts(found.shared, ""), *document.parts(found.part.data.get("parameters"), "")]
        declared = {part.text("name").lower() for _, part in parameters if part.text("in") == "header"}
        return _STANDARD_KEY if _STANDARD_KEY.lower() in declared else None

    def _check_names(self) -> None:
        names = [operation.name for operation, _, _ in self._operations]
        if not names:
            raise OpenApiError(f"{self._http.openapi}: none of the allowed operations can be offered as a tool")
        if twice := {name for name in names if names.count(name) > 1}:
            raise OpenApiError(f"{self._http.openapi}: expected each operationId once, found {min(twice)!r} again")

    async def open(self) -> None:
        """Make the pool; nothing connects before the first request."""
        await self._client.open(self._spec.max_parallel)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def tools(self) -> tuple[Tool, ...]:
        """One tool for each operation."""
        return tuple(self._tools())

    def _tools(self) -> Iterator[Tool]:
        for operation, credentials, key in self._operations:
            about = f"{operation.description or f'{operation.method} {operation.path}'}\n{RETURNS}"
            reads = operation.method in ("GET", "HEAD")
            yield Tool(
                name=ToolName(f"{self._name}.{operation.name}"),
                description=f"{self._spec.description} {about}".strip(),
                parameters=operation.schema,
                effect="read" if reads else "write",
                call=self._calling(operation, credentials, key),
                timeout_s=self._spec.timeout,
                max_parallel=self._spec.max_parallel,
                idempotency_parameter=KEY if key else None,
                idempotent=operation.method in ("PUT", "DELETE"),  # RFC 9110, section 9.2.2
                control=frozenset() if reads else frozenset(operation.arguments),
            )

    def _calling(
        self, operation: Operation, credentials: Credentials, key: str | None
    ) -> Callable[[JsonObject], Awaitable[Json]]:
        async def call(args: JsonObject) -> Json:
            try:
                url = httpx.URL(str(self._base).rstrip("/") + operation.target(args))
                headers, body = operation.headers(args), operation.body(args)
            except (httpx.InvalidURL, ValueError) as exc:
                raise ToolError(f"{self._name}.{operation.name}", str(exc), permanent=True) from exc
            request = HttpRequest(
                method=operation.method,
                url=url,
                headers={"Accept": "application/json, */*;q=0.5", **headers},
                body=body,
                credentials=credentials,
                key=key_header(key, args),
            )
            return shown(await self._client.send(request), credentials)

        return call


def _pattern(path: str) -> str:
    """Return the rule for an operation's path: a hole takes any one segment."""
    parts = ("*" if "{" in part else part for part in path.split("/"))
    return "/".join(parts)
