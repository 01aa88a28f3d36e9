"""Words in a JSON Schema that check nothing. The standard lets any pass, so a slip of the pen is a check less."""

from collections.abc import Iterator
from itertools import islice

from planloom.configs.document import MAX_PROBLEMS, child
from planloom.configs.phrases import nearest, quoted
from planloom.core.json import Json, JsonObject

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ONE = ("items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames", "contentSchema")
_ONE_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_PLAIN = """
    $schema $id $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment type enum const format multipleOf maximum
    exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains
    minContains maxProperties minProperties required dependentRequired contentEncoding contentMediaType
    title description default deprecated readOnly writeOnly examples example"""
_KEYWORDS = (*_PLAIN.split(), *_ONE, *_ONE_UNEVALUATED, *_MANY, *_NAMED)
_SURE = 0.74
"""How near a word must be to a keyword to be one with a slip in it; two swapped letters in `type` give 0.75."""


def oddities(schema: JsonObject, field: str) -> Iterator[tuple[str, str]]:
    """Yield field and message for the words of a valid schema that check nothing, and names that cannot be meant."""
    yield from islice(_oddities(schema, field), MAX_PROBLEMS)


def _oddities(schema: Json, field: str) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key not in _KEYWORDS and not key.startswith("x-"):
            yield child(field, key), f"unknown keyword {quoted(key)}, which checks nothing{_hint(key, value)}"
        for place, part in _parts(key, value, child(field, key)):
            yield from _oddities(part, place)
    yield from _misnamed(schema, field)


def _parts(key: str, value: Json, place: str) -> Iterator[tuple[str, Json]]:
    """Yield the schemas under a keyword, each with its place."""
    if key in _ONE or key in _ONE_UNEVALUATED:
        yield place, value
    elif key in _MANY and isinstance(value, list):
        yield from ((child(place, index), part) for index, part in enumerate(value))
    elif key in _NAMED and isinstance(value, dict):
        yield from ((child(place, name), part) for name, part in value.items())


def _hint(key: str, value: Json) -> str:
    if near := nearest(key, _KEYWORDS, sure=_SURE):
        return f"; did you mean {quoted(near)}?"
    if value in TYPES or (isinstance(value, dict) and value.keys() & set(_KEYWORDS)):
        return f"; a property stands under properties: {{{key}: {{type: ...}}}}"
    return ""


def _misnamed(schema: JsonObject, field: str) -> Iterator[tuple[str, str]]:
    """Yield what `required` names and `properties` does not, where it is near to one or could never be there."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    for index, name in enumerate(required):
        if not isinstance(name, str) or name in properties:
            continue
        near = nearest(name, [key for key in properties if key not in required], sure=_SURE)
        if near or closed:
            hint = f"; did you mean {quoted(near)}?" if near else ""
            yield child(child(field, "required"), index), f"no property {quoted(name)} under properties{hint}"
