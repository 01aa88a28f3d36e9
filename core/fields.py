"""Paths of single fields in a tool's result: `id`, `items[].id`, `[].id`."""

import re
from typing import TypeAlias

from planloom.core.json import Json
from planloom.core.refs import Step

FieldPath: TypeAlias = tuple[str, ...]
"""Names from the outside in; `[]` stands for every element of a list."""
FIELD_PATTERN = r"^((\[\])+\.)?[A-Za-z_][\w-]*(\[\])*(\.[A-Za-z_][\w-]*(\[\])*)*$"
_PART = re.compile(r"\[\]|[\w-]+")


def read_field(text: str) -> FieldPath:
    """Read a path.

    Raises:
        ValueError: It does not follow the grammar.
    """
    if re.fullmatch(FIELD_PATTERN, text) is None:
        raise ValueError(f"expected a field such as id, items[].id or [].id; found {text!r}")
    return tuple(_PART.findall(text))


def write_field(field: FieldPath) -> str:
    """Write a path as it is read."""
    return ".".join(field).replace(".[]", "[]")


def covers(field: FieldPath, path: tuple[Step, ...]) -> bool:
    """Tell whether a path leads to the field or into it."""
    if len(path) < len(field):
        return False
    pairs = zip(field, path, strict=False)
    return all(isinstance(step, int) if part == "[]" else step == part for part, step in pairs)


def has_field(schema: Json, field: FieldPath) -> bool:
    """Tell whether a JSON Schema leaves room for a field; where it says nothing, there is room."""
    definitions = schema.get("$defs") if isinstance(schema, dict) else None
    return _has(schema, field, definitions if isinstance(definitions, dict) else {})


def _has(schema: Json, field: FieldPath, definitions: dict[str, Json]) -> bool:
    if schema is False:
        return False
    if not field or not isinstance(schema, dict):
        return True
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        return _has(definitions.get(name, True), field, definitions)
    choices = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(choices, list):
        return any(_has(choice, field, definitions) for choice in choices)
    return _has(_inside(schema, field[0]), field[1:], definitions)


def _inside(schema: dict[str, Json], part: str) -> Json:
    """Return the schema of a part; `False` where there is none."""
    kind = schema.get("type")
    if part == "[]":
        return schema.get("items", True) if kind in ("array", None) else False
    if kind not in ("object", None):
        return False
    properties = schema.get("properties")
    if isinstance(properties, dict) and part in properties:
        return properties[part]
    return schema.get("additionalProperties", not isinstance(properties, dict))
