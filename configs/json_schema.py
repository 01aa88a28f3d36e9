"""Is this a JSON Schema (draft 2020-12), and does a value fit it?"""

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing.exceptions import Unresolvable

from planloom.configs.document import MAX_PROBLEMS, child
from planloom.configs.linear import TooMuchWorkError, linear_validator
from planloom.configs.phrases import found, instead, listed, quoted
from planloom.configs.schema_words import TYPES
from planloom.core.json import Json, JsonObject
from planloom.core.pattern import PatternError, check_pattern

META_SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
_META = Draft202012Validator.META_SCHEMA


def schema_faults(schema: JsonObject, field: str) -> Iterator[tuple[str, str]]:
    """Yield field and message for everything that makes `schema` no usable JSON Schema."""
    for path, message in _faults(json.dumps(schema)):
        yield _at(field, path), message


def misfits(value: Json, schema: JsonObject, field: str) -> Iterator[tuple[str, str]]:
    """Yield field and message for everything in `value` that does not fit a valid `schema`."""
    try:
        for error in list(islice(linear_validator(schema).iter_errors(value), MAX_PROBLEMS)):
            yield _at(field, tuple(error.absolute_path)), _message(error)
    except RecursionError:
        yield field, "expected a schema that ends, found one that leads back to itself"
    except TooMuchWorkError:
        yield field, "expected a value that can be checked in reasonable time, found too much work in it or its schema"
    except Unresolvable as exc:
        yield field, f"expected a schema of its own, found a reference to {quoted(exc.ref)}"


def _at(field: str, path: tuple[str | int, ...]) -> str:
    for step in path:
        field = child(field, step)
    return field


@lru_cache(maxsize=4096)
def _faults(schema: str) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """Faults of a schema given as JSON text: many nodes share one."""
    try:
        data: Json = json.loads(schema)
        errors = islice(linear_validator(_META).iter_errors(data), MAX_PROBLEMS)
        faults = dict.fromkeys((tuple(error.absolute_path), _message(error)) for error in errors)
        return tuple(faults or islice(_refs(data, data, ()), MAX_PROBLEMS))
    except (RecursionError, TooMuchWorkError):
        return (((), "expected a smaller schema, found one that takes too much work to check"),)


def _refs(schema: Json, root: Json, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield references that lead out of the schema or to nothing in it, and patterns that are not RE2."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _refs(item, root, (*path, index))
    if not isinstance(schema, dict):
        return
    for pattern in _object(schema.get("patternProperties")):
        yield from (((*path, "patternProperties"), message) for message in _text_fault("pattern", pattern, root))
    for key, value in schema.items():
        if key in ("$ref", "pattern") and isinstance(value, str):
            yield from (((*path, key), message) for message in _text_fault(key, value, root))
        elif key not in ("const", "enum", "default", "examples"):
            yield from _refs(value, root, (*path, key))


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


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
            return f"expected JSON type {_joined(wanted)}, found {shown}{_hint(error)}"
        case "enum":
            return f"expected one of {_joined(wanted)}, found {shown}"
        case "anyOf" if error.absolute_path and error.absolute_path[-1] == "type":
            return f"expected a JSON type, found {shown}; {instead(str(error.instance), TYPES)}"
        case "format":
            return f"expected a {wanted}, found {shown}"
        case keyword:
            return f"expected what {keyword} {quoted(str(wanted))} allows, found {shown}"


def _hint(error: ValidationError) -> str:
    """Say what people mean who write JSON Schema from memory."""
    if error.validator_value == ["object", "boolean"] and error.instance in TYPES:
        return f"; write {{type: {error.instance}}}"
    if isinstance(error.instance, bool) and list(error.absolute_path)[-1:] == ["required"]:
        return "; the names of what is required stand in one list beside properties"
    return ""


def _joined(wanted: object) -> str:
    return listed([str(item) for item in cast(list[object], wanted)] if isinstance(wanted, list) else [str(wanted)])
