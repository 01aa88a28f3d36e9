"""Is this a JSON Schema (draft 2020-12), and does a value fit it?"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from planloom.configs.document import child
from planloom.configs.linear import linear_validator
from planloom.configs.phrases import found, instead, listed, quoted
from planloom.core.json import Json, JsonObject
from planloom.core.pattern import PatternError, check_pattern

META_SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
_META = linear_validator(Draft202012Validator.META_SCHEMA)
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


def schema_faults(schema: JsonObject, field: str) -> Iterator[tuple[str, str]]:
    """Yield field and message for everything that makes `schema` no usable JSON Schema."""
    for path, message in _faults(json.dumps(schema)):
        yield _at(field, path), message


def misfits(value: Json, schema: JsonObject, field: str) -> Iterator[tuple[str, str]]:
    """Yield field and message for everything in `value` that does not fit a valid `schema`."""
    validator = linear_validator(schema)
    try:
        errors = list(validator.iter_errors(value))
    except RecursionError:
        yield field, "expected a schema that ends, found one that leads back to itself"
        return
    for error in errors:
        yield _at(field, tuple(error.absolute_path)), _message(error)


def _at(field: str, path: tuple[str | int, ...]) -> str:
    for step in path:
        field = child(field, step)
    return field


@lru_cache(maxsize=4096)
def _faults(schema: str) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """Faults of a schema given as JSON text: many nodes share one."""
    data: Json = json.loads(schema)
    faults = [(tuple(error.absolute_path), _message(error)) for error in _META.iter_errors(data)]
    return tuple(faults or _refs(data, data, ()))


def _refs(schema: Json, root: Json, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield references that lead out of the schema or to nothing in it, and patterns that are not RE2."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _refs(item, root, (*path, index))
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in ("$ref", "pattern") and isinstance(value, str):
            yield from (((*path, key), message) for message in _text_fault(key, value, root))
        elif key not in ("const", "enum", "default", "examples"):
            yield from _refs(value, root, (*path, key))


def _text_fault(key: str, value: str, root: Json) -> Iterator[str]:
    if key == "$ref" and not _leads(value, root):
        yield f"expected a place in this schema (#/$defs/...), found {quoted(value)}"
    if key == "pattern" and not _is_pattern(value):
        yield f"expected a pattern without lookaround or backreferences (RE2), found {quoted(value)}"


def _is_pattern(pattern: str) -> bool:
    try:
        check_pattern(pattern)
    except PatternError:
        return False
    return True


def _leads(ref: Json, root: Json) -> bool:
    """Whether a reference ends at something that is no reference itself."""
    seen: set[str] = set()
    while isinstance(ref, str):
        if ref in seen:
            return False
        seen.add(ref)
        try:
            target = _target(ref, root)
        except LookupError:
            return False
        ref = target.get("$ref") if isinstance(target, dict) else None
    return True


def _target(ref: str, root: Json) -> Json:
    if ref == "#":
        return root
    if not ref.startswith("#/"):
        raise LookupError(ref)
    place = root
    for part in ref[2:].split("/"):
        step = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict):
            place = place[step]
        elif isinstance(place, list) and step.isdecimal():
            place = place[int(step)]
        else:
            raise LookupError(ref)
    return place


def _message(error: ValidationError) -> str:
    shown, wanted = found(error.instance), error.validator_value
    match error.validator:
        case "type":
            return f"expected JSON type {_joined(wanted)}, found {shown}"
        case "enum":
            return f"expected one of {_joined(wanted)}, found {shown}"
        case "anyOf" if error.absolute_path and error.absolute_path[-1] == "type":
            return f"expected a JSON type, found {shown}; {instead(str(error.instance), _TYPES)}"
        case "format":
            return f"expected a {wanted}, found {shown}"
        case keyword:
            return f"expected what {keyword} {quoted(str(wanted))} allows, found {shown}"


def _joined(wanted: object) -> str:
    return listed([str(item) for item in cast(list[object], wanted)] if isinstance(wanted, list) else [str(wanted)])
