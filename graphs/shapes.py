"""Types of values by JSON Schema, whatever their properties are called."""

from collections.abc import Mapping

from planloom.core.json import Json, canonical
from planloom.core.refs import Step

_OPEN_ENDED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "patternProperties"})
"""Keywords that only a validator could look through: such a schema counts as it is written."""


def shape_of(schema: Json, *, names: bool = False) -> Json:
    """Return the type of the values that fit a schema.

    An object with a single property is what that property is, a whole number is a number, and descriptions, defaults
    and bounds say nothing of the type.

    Args:
        schema: JSON Schema.
        names: Keep the names of properties, and with them objects with a single one.
    """
    if not isinstance(schema, dict):
        return "any"
    if _OPEN_ENDED & schema.keys():
        return ["as written", schema]
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ["one of", sorted((values if isinstance(values, list) else []), key=canonical)]
    if parts := _properties(schema):
        if names:
            return {name: shape_of(part, names=True) for name, part in parts.items()}
        shapes = sorted((shape_of(part) for part in parts.values()), key=canonical)
        return shapes[0] if len(shapes) == 1 else ["object", *shapes]
    kind = schema.get("type", "any")
    if kind == "array":
        return ["list", shape_of(schema.get("items", {}), names=names)]
    kinds = sorted(
        {"number" if each == "integer" else str(each) for each in (kind if isinstance(kind, list) else [kind])}
    )
    return kinds[0] if len(kinds) == 1 else ["any of", *kinds]


def is_wrapper(schema: Json) -> bool:
    """Tell whether values are objects with a single property: another way to write the property itself."""
    return isinstance(schema, dict) and not _OPEN_ENDED & schema.keys() and len(_properties(schema)) == 1


def step_into(schema: Json, step: Step) -> Json:
    """Return the schema of what stands at one step of a path; that of anything where it is not known."""
    if not isinstance(schema, dict):
        return {}
    if isinstance(step, int) and schema.get("type") == "array":
        return schema.get("items", {})
    return _properties(schema).get(str(step), {})


def _properties(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}
