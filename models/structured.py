"""How a reply that must fit a JSON Schema is asked for, on servers that differ."""

import json
from dataclasses import dataclass

from planloom.core.json import Json, JsonObject
from planloom.models.base import Mode, Reply, Request, wire_name
from planloom.models.text import extract_json

LADDER: tuple[Mode, ...] = ("json_schema", "json_object", "tool", "prompt")
WRAP = "value"
"""Key that holds a result which is not an object; providers take objects only."""

_STRICT_KEYS = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref"}
    | {"$defs", "$schema", "description", "title", "pattern", "format", "minimum", "maximum", "multipleOf"}
    | {"exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"}
)


def strict_schema(schema: JsonObject) -> JsonObject | None:
    """Return `schema` as strict decoding wants it, or `None` when that would change its meaning.

    Strict decoding wants closed objects with every property required. An object that is open, or
    has an optional property, or uses a keyword outside the strict subset, cannot be said that way.
    """
    if schema.get("type") != "object" or "anyOf" in schema:
        return None
    strict = _close(schema)
    return strict if isinstance(strict, dict) else None


def _close(schema: Json) -> Json:
    """Close a schema and all schemas in it; `None` where that is not possible."""
    if not isinstance(schema, dict) or not _STRICT_KEYS.issuperset(schema):
        return None
    if not any(key in schema for key in ("type", "anyOf", "$ref")):
        return None
    out: JsonObject = dict(schema)
    out.pop("$schema", None)
    if _is_object(schema) and not _closable(schema):
        return None
    if _is_object(schema):
        out["additionalProperties"] = False
        out["required"] = [*_object(schema.get("properties"))]
    return out if all(_close_key(out, key) for key in ("properties", "$defs", "items", "anyOf")) else None


def _close_key(out: JsonObject, key: str) -> bool:
    """Close the schemas under one keyword, in place; false when one cannot be."""
    if key not in out:
        return not (key == "items" and out.get("type") == "array")
    value = out[key]
    if key == "items":
        out[key] = _close(value)
        return out[key] is not None
    if isinstance(value, dict):
        closed = {name: _close(part) for name, part in value.items()}
        out[key] = closed
        return None not in closed.values()
    if isinstance(value, list):
        parts = [_close(part) for part in value]
        out[key] = parts
        return None not in parts
    return False


def _is_object(schema: JsonObject) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _closable(schema: JsonObject) -> bool:
    properties = _object(schema.get("properties"))
    required = schema.get("required", [])
    named = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set[str]()
    return bool(properties) and named == set(properties) and not schema.get("additionalProperties")


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Shape:
    """One request's schema, made ready for a mode."""

    name: str
    schema: JsonObject
    """The schema as sent: an object, wrapped if need be."""
    original: JsonObject
    wrapped: bool

    @classmethod
    def of(cls, request: Request) -> "Shape | None":
        """Return the request's shape; `None` when it wants free text."""
        if request.schema is None:
            return None
        taken = {wire_name(tool.name) for tool in request.tools}
        name = wire_name(request.schema_name)
        name = f"return_{name}"[:64] if name in taken else name
        if request.schema.get("type") == "object":
            return cls(name, request.schema, request.schema, wrapped=False)
        inner = {key: value for key, value in request.schema.items() if key not in ("$defs", "$schema")}
        outer: JsonObject = {"type": "object", "properties": {WRAP: inner}, "required": [WRAP]}
        outer["additionalProperties"] = False
        if "$defs" in request.schema:
            outer["$defs"] = request.schema["$defs"]
        return cls(name, outer, request.schema, wrapped=True)

    def schema_format(self) -> JsonObject:
        """The `json_schema` part of a response format; strict where that keeps the meaning."""
        strict = strict_schema(self.schema)
        return {"name": self.name, "schema": strict or self.schema, "strict": strict is not None}

    def instruction(self, mode: Mode) -> str:
        """What the prompt must say, for servers that do not enforce the schema."""
        if mode not in ("json_object", "prompt"):
            return ""
        schema = self.schema if mode == "json_object" else self.original
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        return f"Answer with one JSON value and nothing else. It must fit this JSON Schema:\n{text}"

    def body(self, mode: Mode, api: str) -> JsonObject:
        """What goes into the request's body besides messages and tools."""
        if mode == "json_object":
            if api == "responses":
                return {"text": {"format": {"type": "json_object"}}}
            # llama.cpp's server enforces `schema` here; others ignore it, and the prompt says it too.
            return {"response_format": {"type": "json_object", "schema": self.schema}}
        if mode == "json_schema":
            inner = self.schema_format()
            if api == "responses":
                return {"text": {"format": {"type": "json_schema", **inner}}}
            return {"response_format": {"type": "json_schema", "json_schema": inner}}
        return {}

    def unwrap(self, text: str) -> str:
        """Take the value out of the wrapping object; a text that is not wrapped stays."""
        if not self.wrapped:
            return text
        try:
            value = extract_json(text)
        except ValueError:
            return text
        if isinstance(value, dict) and set(value) == {WRAP}:
            return json.dumps(value[WRAP], ensure_ascii=False)
        return text


def settle_shape(reply: Reply, shape: Shape | None, mode: Mode) -> Reply:
    """Return the reply with its JSON as text, however the mode brought it."""
    if shape is None:
        return reply
    text, calls, finish, carry = reply.text, reply.tool_calls, reply.finish, reply.carry
    if mode == "tool" and (answer := next((c for c in calls if c.name == shape.name), None)):
        text, calls, finish, carry = answer.raw, (), "stop", None
    return Reply(
        text=shape.unwrap(text),
        finish=finish,
        usage=reply.usage,
        model=reply.model,
        tool_calls=calls,
        carry=carry,
    )
