"""Values people write with units: `30s`, `5m`, `200k`, `500/min`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SCALE = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)")


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    total, end = 0.0, 0
    for match in _DURATION.finditer(value.strip()):
        if match.start() != end:
            break
        total, end = total + float(match[1]) * _SECONDS[match[2]], match.end()
    if not end or end != len(value.strip()):
        raise ValueError("expected seconds or a duration such as 500ms, 30s, 5m, 1h30m")
    return total


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _COUNT.fullmatch(value.strip())
    if match is None:
        raise ValueError("expected a whole number, or one such as 200k or 2M")
    return round(float(match[1]) * _SCALE[match[2]])


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    number, slash, unit = value.partition("/")
    if not slash or unit.strip() not in ("s", "min"):
        raise ValueError("expected a rate such as 500/min or 10/s")
    per_minute = _count(number)
    if not isinstance(per_minute, int):
        raise ValueError("expected a rate such as 500/min or 10/s")
    return per_minute * (60 if unit.strip() == "s" else 1)


Seconds = Annotated[
    float,
    BeforeValidator(_duration),
    Field(gt=0, le=31_536_000, allow_inf_nan=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"},
            ]
        }
    ),
]
"""Seconds, written as a number or as `500ms`, `30s`, `5m`, `1h30m`."""

Count = Annotated[
    int,
    BeforeValidator(_count),
    Field(ge=1),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?[kMG]?$"}]}
    ),
]
"""A whole number from 1, written plainly or as `200k`, `2M`."""

PerMinute = Annotated[
    int,
    BeforeValidator(_rate),
    Field(ge=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\d+(\.\d+)?[kMG]?/(s|min)$"},
            ]
        }
    ),
]
"""A rate per minute, written as `500/min`, `10/s` or a plain number per minute."""
