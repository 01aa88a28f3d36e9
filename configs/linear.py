"""JSON Schema validation whose patterns run in linear time: schemas are written by models too."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]

from planloom.core.json import Json, JsonObject
from planloom.core.pattern import PatternError, has_match


class Validator(Protocol):
    """What this package uses of a validator."""

    def iter_errors(self, instance: Json) -> Iterator[ValidationError]:
        """Yield everything in `instance` that does not fit."""
        ...

    def descend(
        self, instance: Json, schema: JsonObject, path: str | None = None, schema_path: str | None = None
    ) -> Iterator[ValidationError]:
        """Validate a part of the instance against a part of the schema."""
        ...


def _matches(pattern: str, text: str) -> bool:
    try:
        return has_match(pattern, text)
    except PatternError:
        return False


def _pattern(_: Validator, pattern: str, value: Json, __: JsonObject) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield ValidationError(f"no match of {pattern!r}")


def _pattern_properties(
    validator: Validator, patterns: Mapping[str, JsonObject], value: Json, _: JsonObject
) -> Iterator[ValidationError]:
    for key, item in value.items() if isinstance(value, dict) else ():
        for pattern in (pattern for pattern in patterns if _matches(pattern, key)):
            yield from validator.descend(item, patterns[pattern], path=key, schema_path=pattern)


def _additional_properties(
    validator: Validator, allowed: Json, value: Json, schema: JsonObject
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    named, patterns = _keys(schema, "properties"), _keys(schema, "patternProperties")
    extra = [key for key in value if key not in named and not any(_matches(pattern, key) for pattern in patterns)]
    if allowed is False and extra:
        yield ValidationError(f"not expected: {', '.join(extra)}")
    if isinstance(allowed, dict):
        for key in extra:
            yield from validator.descend(value[key], allowed, path=key)


def _keys(schema: JsonObject, keyword: str) -> list[str]:
    named = schema.get(keyword)
    return list(named) if isinstance(named, dict) else []


def linear_validator(schema: Mapping[str, object] | bool) -> Validator:
    """Return a validator for a schema of draft 2020-12."""
    return _MAKE(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


_MAKE = cast(
    "Callable[..., Validator]",
    extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional_properties},
    ),
)
