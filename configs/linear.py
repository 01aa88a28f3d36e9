"""JSON Schema validation that ends: schemas and values are written by models and strangers too.

Patterns run in linear time, nothing is fetched, and all the work of one validation comes out of one allowance.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Protocol, cast

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import FormatError, ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]
from referencing import Registry

from planloom.core.json import Json, JsonObject
from planloom.core.pattern import PatternError, check_pattern, has_match

_ALLOWANCE = 300_000
"""Keywords applied in one validation; one is 5 to 10 microseconds."""
_BRANCHING = frozenset(("$ref", "allOf", "anyOf", "oneOf", "not", "if", "contains"))
"""Keywords that cost ten: they make schemas whose work doubles with every line, and keep every fault they meet."""
_MAX_FORMAT_CHARS = 4096
_FORMATS = ("date", "email", "idn-email", "ipv4", "ipv6", "json-pointer", "regex", "relative-json-pointer", "uuid")


class TooMuchWorkError(ValueError):
    """The schema and the value together would take too long."""


class _Formats(FormatChecker):
    """Known formats, and the allowance: the one object that is handed from validator to validator."""

    def __init__(self, schema: Mapping[str, object] | bool) -> None:
        super().__init__(_FORMATS)
        self.left = _ALLOWANCE
        self._schema = schema

    def look_through(self) -> None:
        """Charge for going through the whole schema; fail where the library would run its patterns itself."""
        text = json.dumps(self._schema)
        self.left -= len(text) // 16
        if "patternProperties" in text or self.left < 0:
            raise TooMuchWorkError

    def check(self, instance: object, format: str) -> None:
        if isinstance(instance, str) and format == "regex":
            check_pattern(instance)
        elif not isinstance(instance, str) or len(instance) <= _MAX_FORMAT_CHARS:
            super().check(instance, format)


class Validator(Protocol):
    """What this package uses of a validator."""

    @property
    def format_checker(self) -> _Formats:
        """What bounds the work."""
        ...

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


def _unique(_: Validator, wanted: Json, value: Json, __: JsonObject) -> Iterator[ValidationError]:
    if wanted is True and isinstance(value, list) and len({_key(item) for item in value}) < len(value):
        yield ValidationError("not unique")


def _key(value: Json) -> str:
    """Write a value so that values equal to JSON give equal text: 1 is 1.0."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _multiple(_: Validator, step: float, value: Json, __: JsonObject) -> Iterator[ValidationError]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    try:
        fits = value % step == 0 if isinstance(value, int) and isinstance(step, int) else (value / step).is_integer()
    except (ArithmeticError, ValueError):
        fits = False
    if not fits:
        yield ValidationError(f"no multiple of {step}")


def _format(validator: Validator, wanted: Json, value: Json, _: JsonObject) -> Iterator[ValidationError]:
    try:
        validator.format_checker.check(value, str(wanted))
    except (FormatError, ValueError):
        yield ValidationError(f"no {wanted}")


def _unevaluated(validator: Validator, wanted: Json, value: Json, schema: JsonObject) -> Iterator[ValidationError]:
    validator.format_checker.look_through()
    yield from _THEIRS["unevaluatedProperties"](validator, wanted, value, schema) or ()


Keyword = Callable[[Validator, Json, Json, JsonObject], Iterator[ValidationError] | None]


def _charged(keyword: Keyword, cost: int) -> Keyword:
    """Take each use of a keyword out of the allowance, and the size of what it goes through."""

    def call(validator: Validator, wanted: Json, value: Json, schema: JsonObject) -> Iterator[ValidationError]:
        formats = validator.format_checker
        formats.left -= cost + _size(wanted) + _size(value)
        if formats.left < 0:
            raise TooMuchWorkError
        yield from keyword(validator, wanted, value, schema) or ()

    return call


def _size(value: Json) -> int:
    """Return what going through a value costs: RE2 takes 512 characters in the time of one keyword."""
    if isinstance(value, str):
        return len(value) // 512
    return len(value) // 16 if isinstance(value, Sized) else 0


def linear_validator(schema: Mapping[str, object] | bool) -> Validator:
    """Return a validator for a schema of draft 2020-12, good for one validation.

    Its `iter_errors` raises `TooMuchWorkError` when the allowance is spent, and fails on a reference that leads
    out of the schema: nothing is fetched.
    """
    return _MAKE(schema, format_checker=_Formats(schema), registry=_NOTHING_ELSE)


_THEIRS = cast("Mapping[str, Keyword]", Draft202012Validator.VALIDATORS)
_OURS: Mapping[str, Keyword] = {
    "pattern": cast("Keyword", _pattern),
    "patternProperties": cast("Keyword", _pattern_properties),
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique,
    "multipleOf": cast("Keyword", _multiple),
    "format": _format,
    "unevaluatedProperties": _unevaluated,
}
_NOTHING_ELSE: Registry[Mapping[str, object]] = Registry()
_KEYWORDS = {name: _charged(keyword, 10 if name in _BRANCHING else 1) for name, keyword in {**_THEIRS, **_OURS}.items()}
_MAKE = cast(
    "Callable[..., Validator]",
    extend(Draft202012Validator, _KEYWORDS),  # type: ignore[no-untyped-call]
)
_EVOLVE = cast("Callable[..., Validator]", getattr(_MAKE, "evolve"))  # noqa: B009


def _stay_linear(validator: Validator, **changes: object) -> Validator:
    """Go on with a part of the schema. A `$schema` in it would make the library go on with a validator of its own."""
    schema = changes.get("schema")
    if isinstance(schema, Mapping) and "$schema" in schema:
        named = cast("Mapping[str, object]", schema)
        changes["schema"] = {key: value for key, value in named.items() if key != "$schema"}
    return _EVOLVE(validator, **changes)


setattr(_MAKE, "evolve", _stay_linear)  # noqa: B010
