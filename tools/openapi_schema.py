"""Schemas of an OpenAPI document as one JSON Schema (draft 2020-12) that stands alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from planloom.configs.document import child
from planloom.configs.json_schema import schema_faults
from planloom.configs.phrases import found
from planloom.core.json import Json, JsonObject, closed
from planloom.core.pattern import PatternError, check_pattern
from planloom.tools.openapi_document import OpenApiDocument

_LEFT_OUT = frozenset(
    ("$id", "$schema", "$anchor", "$comment", "discriminator", "example", "examples", "externalDocs", "nullable", "xml")
)
_MAPS = frozenset(("properties", "$defs", "definitions", "dependentSchemas"))
_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_ONES = frozenset(
    (
        *("items", "additionalProperties", "contains", "else", "if", "not", "propertyNames", "then"),
        *("unevaluatedItems", "unevaluatedProperties"),
    )
)


@dataclass(slots=True)
class Schemas:
    """Collects the schemas of one operation; those that others refer to become `$defs`."""

    document: OpenApiDocument
    defs: JsonObject = field(default_factory=dict[str, Json])
    _names: dict[str, str] = field(default_factory=dict[str, str])
    _waiting: list[tuple[str, Json, str]] = field(default_factory=list[tuple[str, Json, str]])

    def take(self, schema: Json, at: str) -> Json:
        """Return a schema of the document for use in the one under way.

        Raises:
            OpenApiError: It is no schema, or a reference in it leads out of the document or to nothing.
        """
        taken = self._converted(schema, at)
        while self._waiting:  # a queue, so that neither circles nor long chains of references nest
            name, target, place = self._waiting.pop()
            self.defs[name] = self._converted(target, place)
        return taken

    def closed(self, properties: Mapping[str, Json], required: list[str], at: str) -> JsonObject:
        """Return the schema of an object with these properties and no others, for the operation at `at`.

        Raises:
            OpenApiError: What was taken is no JSON Schema.
        """
        schema = closed(properties, required)
        if self.defs:
            schema["$defs"] = self.defs
        for place, message in schema_faults(schema, "its schema"):
            raise self.document.fault(at, f"{place}: {message}")
        return schema

    def _converted(self, schema: Json, at: str) -> Json:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise self.document.fault(at, f"expected a schema, found {found(schema)}")
        out: JsonObject = {}
        for key, value in schema.items():
            if key in _LEFT_OUT or key.startswith(("x-", "$dynamic")):
                continue
            if key == "$ref" and isinstance(value, str):
                out["$ref"] = f"#/$defs/{self._name(value, child(at, '$ref'))}"
            else:
                out |= self._entry(key, value, child(at, key))
        if self.document.version.startswith("3.0."):
            out = _from_3_0(out, schema)
        return _without_read_only(out, schema)

    def _entry(self, key: str, value: Json, at: str) -> JsonObject:
        if key in _ONES:
            return {key: self._converted(value, at)}
        if key in _LISTS and isinstance(value, list):
            return {key: [self._converted(item, child(at, index)) for index, item in enumerate(value)]}
        if key in _MAPS and isinstance(value, dict):
            return {key: {name: self._converted(item, child(at, name)) for name, item in value.items()}}
        if key == "pattern" and isinstance(value, str):
            return {key: value} if _is_pattern(value) else {}
        if key == "patternProperties" and isinstance(value, dict):
            kept = {name: item for name, item in value.items() if _is_pattern(name)}
            return {key: {name: self._converted(item, child(at, name)) for name, item in kept.items()}}
        return {key: value}

    def _name(self, ref: str, at: str) -> str:
        """Return the name of the definition that a reference leads to."""
        if ref not in self._names:
            target, place = self.document.follow(ref, at)
            name = re.sub(r"\W", "_", ref.rsplit("/", 1)[-1]) or "root"
            while name in self._names.values():
                name += "_"
            self._names[ref] = name
            self._waiting.append((name, target, place))
        return self._names[ref]


def _is_pattern(pattern: str) -> bool:
    """Whether a pattern can be checked here; one that cannot is left to the server."""
    try:
        check_pattern(pattern)
    except PatternError:
        return False
    return True


def _from_3_0(out: JsonObject, written: JsonObject) -> JsonObject:
    """Translate what OpenAPI 3.0 says in words of its own."""
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if out.get(bound) is True and limit in out:
            out[bound] = out.pop(limit)
        elif isinstance(out.get(bound), bool):
            del out[bound]
    if "$ref" in out:
        return {"$ref": out["$ref"]}  # 3.0 reads nothing beside it
    if written.get("nullable") is not True:
        return out
    kind, enum = out.get("type"), out.get("enum")
    if not isinstance(kind, str):
        return {"anyOf": [out, {"type": "null"}]}
    if isinstance(enum, list) and None not in enum:
        out["enum"] = [*enum, None]
    return {**out, "type": [kind, "null"]}


def _without_read_only(out: JsonObject, written: JsonObject) -> JsonObject:
    """Take out the properties that only the server sets: schemas here describe what is sent."""
    properties, known = written.get("properties"), out.get("properties")
    if not isinstance(properties, dict) or not isinstance(known, dict):
        return out
    hidden = {name for name, item in properties.items() if isinstance(item, dict) and item.get("readOnly") is True}
    required = out.get("required")
    if isinstance(required, list):
        out["required"] = [name for name in required if name not in hidden]
    return {**out, "properties": {name: item for name, item in known.items() if name not in hidden}}
