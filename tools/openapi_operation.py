"""One operation of an OpenAPI document: what a caller fills in, and the request that it makes."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlencode

from planloom.configs.document import child
from planloom.core.json import Json, JsonObject
from planloom.tools.allow import METHODS
from planloom.tools.openapi_document import OpenApiDocument, Part
from planloom.tools.openapi_parameter import Parameter, read_parameter
from planloom.tools.openapi_schema import Schemas

BODY = "body"
_FORM = "application/x-www-form-urlencoded"
_HOLE = re.compile(r"\{([^{}]*)\}")
_MAX_DESCRIPTION_CHARS = 1000
_MAX_SCHEMA_BYTES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation as a tool has it."""

    name: str
    """For tools: the `operationId` in letters, digits, `_` and `-`."""
    written: str
    """The `operationId` as the document has it."""
    method: str
    path: str
    """With its holes: `/contacts/{id}`."""
    description: str
    schema: JsonObject = field(repr=False)
    arguments: Mapping[str, Parameter]
    """Parameters by the name of the argument that fills them."""
    media_type: str = ""
    """Of the body, where it has one."""

    def target(self, args: JsonObject) -> str:
        """Return path and query for a call.

        Raises:
            ValueError: A value cannot stand where it should.
        """
        filled: dict[str, str] = {}
        query: list[tuple[str, str]] = []
        for name, parameter in self._given(args):
            if parameter.place == "path":
                filled[parameter.name] = parameter.segment(args[name])
            elif parameter.place == "query":
                query += self._pairs(name, parameter, args[name])
        path = _HOLE.sub(lambda hole: filled[hole[1]], self.path)
        return f"{path}?{urlencode(query)}" if query else path

    def headers(self, args: JsonObject) -> dict[str, str]:
        """Return the headers that a call sets.

        Raises:
            ValueError: A header cannot hold a value.
        """
        found = {p.name: p.header(args[name]) for name, p in self._given(args) if p.place == "header"}
        return {**found, "Content-Type": self.media_type} if BODY in args and self.media_type else found

    def body(self, args: JsonObject) -> bytes:
        """Return the body of a call.

        Raises:
            ValueError: A form cannot hold a value.
        """
        value = args.get(BODY)
        if BODY not in args or not self.media_type:
            return b""
        if self.media_type != _FORM:
            return json.dumps(value).encode()
        given = value if isinstance(value, dict) else {}
        form = Parameter(name=BODY, place="query", required=True, style="form", explode=True, as_json=False)
        return urlencode([*form.pairs(given)]).encode()

    def _given(self, args: JsonObject) -> Iterator[tuple[str, Parameter]]:
        return ((name, parameter) for name, parameter in self.arguments.items() if args.get(name) is not None)

    def _pairs(self, argument: str, parameter: Parameter, value: Json) -> list[tuple[str, str]]:
        pairs = [*parameter.pairs(value)]
        others = {other.name for name, other in self.arguments.items() if name != argument}
        if taken := others & {key for key, _ in pairs}:
            raise ValueError(f"{argument}: {min(taken)!r} is a parameter of its own")
        return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An operation in the document, not yet read."""

    part: Part
    method: str
    path: str
    shared: Json
    """Parameters of all operations of its path."""

    @property
    def written(self) -> str:
        """Its `operationId`, or one made of method and path."""
        return self.part.text("operationId") or f"{self.method.lower()}{self.path.replace('/', '_')}"


def find_operations(document: OpenApiDocument) -> list[Found]:
    """Return every operation of a document.

    Raises:
        OpenApiError: `paths` is not as OpenAPI wants it.
    """
    found: list[Found] = []
    for path, item in document.parts(document.data.get("paths"), "paths"):
        for method in METHODS:
            value = item.data.get(method.lower())
            if value is not None:
                part = document.part(value, child(item.at, method.lower()))
                found.append(Found(part=part, method=method, path=path, shared=item.data.get("parameters")))
    return found


def read_operation(document: OpenApiDocument, found: Found, max_name: int, taken: Collection[str]) -> Operation:
    """Read one operation.

    Args:
        document: Where it stands.
        found: The operation.
        max_name: Characters of its name at most.
        taken: Lower-case names that callers cannot set as header or query parameter.

    Raises:
        OpenApiError: It is not described as OpenAPI wants it.
        UnsupportedError: It needs what cannot be sent.
    """
    schemas = Schemas(document)
    arguments: dict[str, Parameter] = {}
    properties: dict[str, Json] = {}
    for parameter, part in _parameters(document, found):
        if parameter.place == "path" or parameter.name.lower() not in taken:
            name = _argument(parameter, arguments)
            arguments[name] = parameter
            properties[name] = _described(schemas.take(*_schema(document, part)), part)
    _check_path(document, found, arguments.values())
    required = [name for name, parameter in arguments.items() if parameter.required]
    media_type = ""
    if found.part.data.get("requestBody") is not None:
        body = document.part(found.part.data["requestBody"], child(found.part.at, "requestBody"))
        media_type, properties[BODY] = _body(document, schemas, body)
        required += [BODY] if body.data.get("required") is True else []
    schema = schemas.closed(properties, required, found.part.at)
    if len(json.dumps(schema)) > _MAX_SCHEMA_BYTES:
        message = f"its parameters take more than {_MAX_SCHEMA_BYTES} bytes, too many for a model"
        raise document.fault(found.part.at, message, unsupported=True)
    return Operation(
        name=tool_name(found.written, max_name),
        written=found.written,
        method=found.method,
        path=found.path,
        description=_about(found.part),
        schema=schema,
        arguments=arguments,
        media_type=media_type,
    )


def tool_name(written: str, max_chars: int) -> str:
    """Return a name that providers accept; a long one is cut and keeps a digest of what it lost."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", written).strip("_") or "operation"
    if len(name) <= max_chars:
        return name
    return f"{name[: max_chars - 9]}_{sha256(written.encode()).hexdigest()[:8]}"


def _parameters(document: OpenApiDocument, found: Found) -> Iterator[tuple[Parameter, Part]]:
    """Yield the parameters, where the operation's own stand in place of its path's."""
    shared_at = f"{found.part.at.rpartition('.')[0]}.parameters"
    parts = document.parts(found.shared, shared_at)
    parts += document.parts(found.part.data.get("parameters"), child(found.part.at, "parameters"))
    last = {(part.text("name"), part.text("in")): part for _, part in parts}
    for part in last.values():
        parameter = read_parameter(document, part)
        if parameter is not None:
            yield parameter, part


def _argument(parameter: Parameter, taken: Collection[str]) -> str:
    """Return the name of the argument for a parameter, one that providers accept."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", parameter.name)[:60]
    if name in (BODY, "idempotency_key") or name in taken:
        name = f"{parameter.place}_{name}"[:60]
    while name in taken:
        name += "_"
    return name


def _schema(document: OpenApiDocument, part: Part) -> tuple[Json, str]:
    """Return the schema of a parameter and its field."""
    content = document.parts(part.data.get("content"), child(part.at, "content"))
    if not content:
        return part.data.get("schema", {}), child(part.at, "schema")
    kind, media = content[0]
    if not _is_json(kind):
        raise document.fault(media.at, f"a parameter as {kind} cannot be sent", unsupported=True)
    return media.data.get("schema", {}), child(media.at, "schema")


def _described(schema: Json, part: Part) -> Json:
    about = part.text("description").strip()
    if not about or not isinstance(schema, dict):
        return schema
    return {**schema, "description": about[:_MAX_DESCRIPTION_CHARS]}


def _check_path(document: OpenApiDocument, found: Found, parameters: Collection[Parameter]) -> None:
    known = {parameter.name for parameter in parameters if parameter.place == "path"}
    holes = set(_HOLE.findall(found.path))
    if not found.path.startswith("/") or "?" in found.path or "#" in found.path:
        raise document.fault(found.part.at, f"expected a path that starts with /, found {found.path!r}")
    if odd := holes ^ known:
        raise document.fault(found.part.at, f"{min(odd)!r} is in the path or in its parameters, but not in both")


def _body(document: OpenApiDocument, schemas: Schemas, body: Part) -> tuple[str, Json]:
    """Return media type and schema of a body: JSON where it may be, else a form."""
    content = document.parts(body.data.get("content"), child(body.at, "content"))
    kinds = [(kind, media) for kind, media in content if _is_json(kind)]
    kinds += [(kind, media) for kind, media in content if kind.partition(";")[0].strip().lower() == _FORM]
    if not kinds:
        offered = ", ".join(kind for kind, _ in content) or "nothing"
        raise document.fault(body.at, f"a body as {offered} cannot be sent", unsupported=True)
    kind, media = kinds[0]
    schema = schemas.take(media.data.get("schema", {}), child(media.at, "schema"))
    return (kind.strip() if _is_json(kind) else _FORM), _described(schema, body)


def _is_json(kind: str) -> bool:
    bare = kind.partition(";")[0].strip().lower()
    return bare == "application/json" or (bare.startswith("application/") and bare.endswith("+json"))


def _about(part: Part) -> str:
    texts = [part.text("summary").strip(), part.text("description").strip()]
    return "\n".join(dict.fromkeys(text for text in texts if text))[:_MAX_DESCRIPTION_CHARS]
